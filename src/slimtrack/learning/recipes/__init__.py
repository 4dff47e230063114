"""Recipes by name: ours, those of a file (``FILE.py:NAME``) and those of other packages."""

import importlib
import inspect
from importlib.metadata import EntryPoint
from typing import Any, NamedTuple

from slimtrack.errors import InputError, UnknownNameError
from slimtrack.learning.recipe import Recipe
from slimtrack.options import checked, parsed
from slimtrack.plugins import class_in_file, entry_points, is_in_file, load
from slimtrack.registry import parse_spec

__all__ = ["Named", "list_recipes", "make"]

_OURS = {
    "slim": "slimtrack.learning.recipes.slim:Slim",
    "cf-vgg": "slimtrack.learning.recipes.cf_vgg:CfVgg",
    "atom": "slimtrack.learning.recipes.atom:Atom",
    "drnet": "slimtrack.learning.recipes.atom:DrNet",
    "cfkd": "slimtrack.learning.recipes.cfkd:Cfkd",
}
"""Name -> where it is, so that listing names imports no torch."""


class Named(NamedTuple):
    """A recipe and how to make it again.

    Attributes:
        recipe: The recipe.
        name: Its name, without options.
        options: Its options.
    """

    recipe: Recipe
    name: str
    options: dict[str, Any]


def list_recipes() -> list[str]:
    """Names of all recipes, ours first."""
    return [*_OURS, *(entry.name for entry in _entries() if entry.name not in _OURS)]


def make(spec: str, options: dict[str, Any] | None = None) -> Named:
    """Makes a recipe.

    Args:
        spec: Its name, ``"slim"``, also with options, ``"slim[design=slim-large]"``, or ``"FILE.py:NAME"``
            for a class in a file of yours.
        options: Options whose values are known already: those of a checkpoint.

    Raises:
        UnknownNameError: No such recipe or option.
        InputError: An option does not fit, or what is named is no recipe.
    """
    name, texts = parse_spec(spec)
    found = _class(name)
    values = checked(found, parsed(found, texts) | (options or {}))
    return Named(found(**values), name, values)


def _class(name: str) -> Any:
    if is_in_file(name):
        return class_in_file(name, "recipe", Recipe)
    found = _announced(name)
    if not (inspect.isclass(found) and issubclass(found, Recipe) and not inspect.isabstract(found)):
        raise InputError(
            f"recipe {name!r} is no class that derives from slimtrack.learning.recipe.Recipe and has `losses`"
        )
    return found


def _announced(name: str) -> Any:
    """Ours, or another package's."""
    if name in _OURS:
        module, _, member = _OURS[name].partition(":")
        return getattr(importlib.import_module(module), member)
    for entry in _entries():
        if entry.name == name:
            return load(entry, "recipe")
    raise UnknownNameError.of("recipe", name, list_recipes())


def _entries() -> list[EntryPoint]:
    return entry_points("recipe")
