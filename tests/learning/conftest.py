"""A tiny training set on disk and a file of recipes: nothing here needs `../shared`."""

from pathlib import Path

import pytest

from small_training import RECIPE, write_training_set


@pytest.fixture(scope="session")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with two recipes."""
    file = tmp_path_factory.mktemp("recipes") / "mine.py"
    file.write_text(RECIPE)
    return file


@pytest.fixture(scope="session")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_set(tmp_path_factory.mktemp("train"))
