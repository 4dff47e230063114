"""One entry a network: the catalogue agrees with files, importers, trackers and the documentation."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from slimtrack.networks.catalogue import CATALOGUE, owner
from slimtrack.networks.entry import File
from slimtrack.networks.find import SHIPPED
from slimtrack.networks.importers.npz import NETWORKS
from slimtrack.networks.importers.torchvision import ARCHITECTURES
from slimtrack.networks.network import Network
from slimtrack.networks.sources import file_digest
from slimtrack.networks.weights import WEIGHTS
from slimtrack.networks.zoo import KNOWN

FILES = [file for entry in CATALOGUE.values() for file in (*entry.files, *entry.others)]
OTHERWISE = [f"nanotrackv{version}/backbone.onnx" for version in (1, 2, 3)]
"""Files that lie beside the repository in another form than the published one."""


@pytest.mark.parametrize("file", [file for file in FILES if file.path not in OTHERWISE], ids=lambda f: f.path)
def test_size_and_hash_are_those_of_the_file(file: File, shared: Callable[[str], Path]) -> None:
    shipped = SHIPPED / file.path
    path = shipped if shipped.exists() else shared(f"weights/{file.path}")
    assert (path.stat().st_size, file_digest(path)) == (file.size, file.sha256)


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_entry_says_how_to_get_it_and_whose_it_is(name: str) -> None:
    entry = CATALOGUE[name]
    assert entry.card.name == name
    assert entry.card.origin
    assert entry.published + bool(entry.make) + entry.shipped == 1
    for file in (*entry.files, *entry.others):
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 0
        at_a_commit = re.match(r"https://\S+/[0-9a-f]{40}/\S+$", file.url)
        assert not file.url or at_a_commit or file.url.endswith(f"-{file.sha256[:8]}.pth")  # it stays
        assert owner(file.path) is entry


def test_every_plan_has_a_card_and_every_network_of_features_its_taps(
    known: Callable[[str], Network],
) -> None:
    assert set(NETWORKS) <= set(CATALOGUE)
    for name in KNOWN:
        if name == "vgg16":  # known how to make, and made nowhere
            continue
        card = CATALOGUE[name].card
        got = known(name).card
        assert (got.licence, got.origin, got.colors) == (card.licence, card.origin, card.colors)
        for tap in re.findall(r"[\w]+", re.sub(r"\(.*?\)", "", CATALOGUE[name].taps)):
            assert known(name).tap(tap)


def test_weights_alone_have_a_card_a_plan_and_a_hash_in_their_name() -> None:
    assert set(WEIGHTS) == set(ARCHITECTURES)
    for name, weights in WEIGHTS.items():
        assert weights.card.name == name and weights.card.licence and weights.card.origin
        assert name == "alexnet-groups" or re.fullmatch(r"[0-9a-f]{8}", weights.sha256)
        assert not weights.file or weights.url in weights.card.origin


def test_every_network_that_a_tracker_takes_is_in_the_catalogue() -> None:
    from slimtrack.cli.network_files import _needs
    from slimtrack.registry import list_trackers, settings, tracker_class

    for tracker in list_trackers(missing=True):
        cls = tracker_class(tracker)
        takes = bool(getattr(cls, "files", ())) or "network" in settings(tracker)
        assert len(_needs(tracker)) == takes, tracker


def test_the_documentation_names_every_network() -> None:
    page = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")
    for name in CATALOGUE:
        assert f"| `{name}` |" in page, name
