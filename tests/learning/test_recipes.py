"""Recipes by name: ours, a file's, another package's."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from slimtrack.errors import InputError, MissingError, SourceError, UnknownNameError  # noqa: E402
from slimtrack.learning import recipes  # noqa: E402
from slimtrack.learning.checkpoint import Checkpoint  # noqa: E402
from slimtrack.learning.recipes import list_recipes, make  # noqa: E402
from slimtrack.learning.siamese import DESIGNS  # noqa: E402
from small_training import RECIPE  # noqa: E402


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that brings a recipe, and one that is broken."""
    (tmp_path / "their_recipes.py").write_text(RECIPE)
    monkeypatch.syspath_prepend(tmp_path)
    entries = [
        EntryPoint("theirs", "their_recipes:Corners", "slimtrack.recipes"),
        EntryPoint("broken", "no_such_module:Corners", "slimtrack.recipes"),
    ]
    monkeypatch.setattr(recipes, "entry_points", lambda kind: entries if kind == "recipe" else [])


def test_a_package_brings_a_recipe(installed: None) -> None:
    named = make("theirs[width=5]")
    assert type(named.recipe).__name__ == "Corners"
    assert named.options == {"width": 5}
    assert {"slim", "theirs"} <= set(list_recipes())
    with pytest.raises(MissingError, match=r"recipe 'broken' .* cannot be imported"):
        make("broken")


def test_a_checkpoint_makes_its_recipe_again(installed: None, tmp_path: Path) -> None:
    named = make("theirs[width=5]")
    weights = named.recipe.network.state_dict()
    Checkpoint(named.name, named.options, weights).write(tmp_path / "best.pt")
    again = Checkpoint.read(tmp_path / "best.pt").restored()
    assert again.options == {"width": 5}
    assert not again.recipe.network.training
    for name, value in again.recipe.network.state_dict().items():
        assert torch.equal(value, weights[name])


def test_weights_of_another_network_are_refused(installed: None) -> None:
    weights = make("theirs[width=5]").recipe.network.state_dict()
    with pytest.raises(SourceError, match="the weights do not fit recipe 'theirs'"):
        Checkpoint("theirs", {"width": 6}, weights).restored()


def test_options_are_checked() -> None:
    with pytest.raises(InputError, match="backbone"):
        make("slim[backbone=-1]")
    with pytest.raises(UnknownNameError, match="there is no network design 'slin'"):
        make("slim[design=slin]")


def test_a_design_without_a_tracker_is_not_tracked_with(tmp_path: Path) -> None:
    named = make("slim")
    named.recipe.design = "untried"
    assert "untried" not in DESIGNS
    with pytest.raises(InputError, match="no tracker runs the design untried"):
        named.recipe.tracker(named.recipe.network, tmp_path)
