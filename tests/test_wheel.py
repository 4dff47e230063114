"""What the wheel holds: all that tracking with the networks of our own needs, and not much more."""

import zipfile
from pathlib import Path

import pytest

import slimtrack

ROOT = Path(__file__).parents[1]
PACKAGE = Path(slimtrack.__file__).parent
SHIPPED = PACKAGE / "networks" / "shipped"
FOLLOWERS = ("slim", "slim-large", "cf-vgg")
STUDENTS = ("matom", "mdrnet")
MB = 2**20


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    pytest.importorskip("hatchling", reason="builds a wheel: needs hatchling and hatch-fancy-pypi-readme")
    pytest.importorskip("hatch_fancy_pypi_readme", reason="the README is made ready by it")
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("dist")
    return zipfile.ZipFile(next(WheelBuilder(str(ROOT)).build(directory=str(folder))))


def test_it_has_every_module_and_network_with_its_card(wheel: zipfile.ZipFile) -> None:
    inside = {name: wheel.read(name) for name in wheel.namelist() if name.startswith("slimtrack/")}
    kept = (".py", ".onnx", ".json", ".npz", ".md", ".typed")
    here = {
        f"slimtrack/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in PACKAGE.rglob("*")
        if path.suffix in kept and "__pycache__" not in path.parts
    }
    assert here.items() <= inside.items()
    assert "slimtrack/networks/shipped/README.md" in here


def test_it_is_small(wheel: zipfile.ZipFile) -> None:
    assert Path(wheel.filename or "").stat().st_size <= 12 * MB


def test_the_networks_that_come_along_are_small() -> None:
    weights = [path for path in SHIPPED.rglob("*") if path.is_file() and path.suffix != ".md"]
    assert {path.relative_to(SHIPPED).parts[0] for path in weights} == {*FOLLOWERS, *STUDENTS}
    assert sum(map(_bytes, FOLLOWERS)) <= 5 * MB
    for name in STUDENTS:
        assert _bytes(name) <= 5 * MB


def _bytes(name: str) -> int:
    return sum(path.stat().st_size for path in (SHIPPED / name).iterdir())
