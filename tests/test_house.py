"""The sizes that ruff cannot hold: functions that fit a screen, modules that fit a few."""

import ast
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1] / "src" / "slimtrack"


def lengths(text: str) -> list[int]:
    """Lines of every function of a module, its signature and docstring included."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    return [(each.end_lineno or 0) - each.lineno + 1 for each in functions]


def test_lines_are_counted() -> None:
    assert lengths("def f(\n    x,\n):\n    '''One.'''\n    return x\n\n\nasync def g(): ...\n") == [5, 1]


def test_functions_fit_a_screen_and_modules_350_lines() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")}
    assert [path.name for path, text in texts.items() if len(text.splitlines()) > 350] == []
    found = sorted(length for text in texts.values() for length in lengths(text))
    assert median(found) <= 8
    assert found[int(0.9 * len(found))] <= 20  # p90
