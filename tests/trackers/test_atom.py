"""ATOM, DRNet and their students on small generated networks: what is theirs beside the contract suite."""

import copy
import os
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest

import overlap_networks
from slimtrack import create
from slimtrack.confidence import Calibration, State
from slimtrack.errors import InputError, MissingError
from slimtrack.follower import Track
from slimtrack.networks.find import SHIPPED
from slimtrack.online.localisation import Finding, Kind
from slimtrack.online.overlap import Head
from slimtrack.online.roi import precise_roi_pool
from slimtrack.registry import tracker_class
from slimtrack.trackers._overlap import OverlapNetwork
from slimtrack.trackers.atom import Atom, Drnet
from slimtrack.video.synthetic import CLIPS

FRAMES = list(CLIPS["plain"].with_options(length=14).frames())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(overlap_networks.write(tmp_path_factory.mktemp("networks") / "small"))


def boxes(tracker: Atom | Drnet, count: int = 8) -> list[tuple[float, ...]]:
    tracker.init(*FRAMES[0])
    return [tuple(tracker.update(image).box) for image, _ in FRAMES[1:count]]


@pytest.mark.parametrize("name", ["atom", "matom"])
def test_a_network_is_named_by_its_folder(name: str, folder: str) -> None:
    tracker = create(name, network=folder)
    tracker.init(*FRAMES[0])
    for image, truth in FRAMES[1:]:
        assert tracker.update(image).box.iou(truth) > 0.6


@pytest.mark.parametrize("name", ["matom", "mdrnet"])
def test_a_student_needs_no_file_of_anybody(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIMTRACK_NETWORKS", raising=False)
    assert {file.parent for file in tracker_class(name).reads({})} == {SHIPPED / name}
    tracker = create(name)
    tracker.init(*FRAMES[0])
    for image, truth in FRAMES[1:]:
        assert tracker.update(image).box.iou(truth) > 0.6


@pytest.mark.parametrize("kind", [Atom, Drnet])
def test_a_score_that_was_not_fitted_is_marked_as_such(kind: type[Atom] | type[Drnet]) -> None:
    assert not kind.calibrated()


def test_without_a_network_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIMTRACK_NETWORKS", raising=False)
    with pytest.raises(
        MissingError, match=r"atom/backbone\.onnx was not found.*network fetch atom.*SLIMTRACK"
    ):
        create("atom")


def test_a_folder_without_a_network_is_named_itself(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=rf"^{tmp_path} holds no backbone\.onnx: .*network of the ATOM"):
        create("atom", network=str(tmp_path))


@pytest.mark.parametrize("file", ["search.onnx", "head.npz"])
def test_a_folder_with_a_part_of_a_network_is_named_with_what_it_lacks(file: str, tmp_path: Path) -> None:
    (overlap_networks.write(tmp_path) / file).unlink()
    with pytest.raises(MissingError, match=rf"^{tmp_path} holds a part of a network, but no {file}: "):
        create("atom", network=str(tmp_path))


def test_files_of_two_networks_are_never_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (overlap_networks.write(tmp_path / each / "mine") for each in "ab")
    monkeypatch.setenv("SLIMTRACK_NETWORKS", os.pathsep.join(str(each.parent) for each in (first, second)))
    assert {file.parent for file in Atom.reads({"network": "mine"})} == {first}
    (first / "head.npz").unlink()
    with pytest.raises(MissingError, match=rf"^{first} holds a part of a network, but no head\.npz: "):
        create("atom", network="mine")


@pytest.mark.parametrize("file", ["backbone.onnx", "head.npz"])
def test_a_damaged_file_is_refused_by_its_name(file: str, tmp_path: Path) -> None:
    overlap_networks.write(tmp_path)
    (tmp_path / file).write_bytes(b"nothing")
    with pytest.raises(InputError, match=file):
        create("atom", network=str(tmp_path))


def test_parts_that_do_not_fit_are_refused_by_their_folder(tmp_path: Path) -> None:
    overlap_networks.write(tmp_path)
    np.savez(tmp_path / "head.npz", **overlap_networks.head(channels=5))
    with pytest.raises(InputError, match=rf"{tmp_path.name} do not fit together"):
        create("atom", network=str(tmp_path))


def test_a_backbone_of_other_strides_is_refused_by_its_folder(tmp_path: Path) -> None:
    overlap_networks.write(tmp_path)
    model = onnx.load(tmp_path / "backbone.onnx")
    strides = next(each for each in model.graph.node[0].attribute if each.name == "strides")
    strides.ints[:] = [1, 1]
    onnx.save(model, tmp_path / "backbone.onnx")
    with pytest.raises(InputError, match=rf"{tmp_path.name} do not .* stride 8 gives \(16, 16\) cells of 64"):
        create("atom", network=str(tmp_path))


@pytest.mark.parametrize(("name", "other"), [("atom", "drnet"), ("drnet", "atom")])
def test_a_head_of_the_other_kind_is_refused(name: str, other: str, tmp_path: Path) -> None:
    overlap_networks.write(tmp_path, gives_boxes=other == "drnet")
    with pytest.raises(InputError, match=f"gives .*: track it with {other}"):
        create(name, network=str(tmp_path))


def test_the_seed_decides_what_is_drawn(tmp_path: Path) -> None:
    folder = str(overlap_networks.write(tmp_path, still=False))
    assert boxes(create("atom", network=folder)) == boxes(create("atom", network=folder, seed=0))
    assert boxes(create("atom", network=folder)) != boxes(create("atom", network=folder, seed=1))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda tracker: pickle.loads(pickle.dumps(tracker))])
def test_a_copy_goes_on_like_the_original(copied, folder: str) -> None:  # type: ignore[no-untyped-def]
    tracker = create("matom", network=folder, interval=2)
    boxes(tracker, 5)
    twin = copied(tracker)
    for image, _ in FRAMES[5:9]:
        assert twin.update(image) == tracker.update(image)


def saying(folder: Path, *numbers: float) -> str:
    """A network that says this of every box."""
    overlap_networks.write(folder, gives_boxes=True)
    weights = overlap_networks.head(gives_boxes=True, still=True)
    weights["box_b"] = np.array(numbers, np.float32)
    np.savez(folder / "head.npz", **weights)
    return str(folder)


def test_drnet_moves_by_what_its_head_says(tmp_path: Path) -> None:
    """A shift of a twentieth of the width, and a width of 1.1 times, in every frame."""
    still = create("drnet", network=saying(tmp_path / "still", 0, 0, 0, 0))
    moved = create("drnet", network=saying(tmp_path / "moved", 0.05, 0, np.log(1.1), 0), size_rate=1.0)
    (plain,) = boxes(still, 2)
    moved.init(*FRAMES[0])
    moved._error = np.zeros(4)
    box = tuple(moved.update(FRAMES[1][0]).box)
    assert box[2] == pytest.approx(1.1 * plain[2])
    assert box[3] == pytest.approx(plain[3])
    assert box[0] + box[2] / 2 == pytest.approx(plain[0] + plain[2] * 0.55)


def test_an_error_in_the_first_frame_is_subtracted_from_what_drnet_says(tmp_path: Path) -> None:
    wrong = create("drnet", network=saying(tmp_path / "wrong", 0.1, -0.05, 0.2, -0.1), size_rate=1.0)
    right = create("drnet", network=saying(tmp_path / "right", 0, 0, 0, 0), size_rate=1.0)
    assert boxes(wrong) == [pytest.approx(box, abs=1e-3) for box in boxes(right)]


def test_with_standard_pooling_boxes_are_not_moved(folder: str) -> None:
    still = boxes(create("atom", network=folder, pooling="standard", steps=0))
    assert boxes(create("atom", network=folder, pooling="standard")) == still
    assert boxes(create("atom", network=folder)) != still


def test_the_classifier_trains_every_interval_in_three_frames(folder: str) -> None:
    tracker = create("matom", network=folder, interval=4)
    tracker.init(*FRAMES[0])
    filters = [tracker._learner.classifier.filter]
    for image, _ in FRAMES[1:12]:
        tracker.update(image)
        filters.append(tracker._learner.classifier.filter)
    assert [at for at in range(1, 12) if filters[at] is not filters[at - 1]] == [6, 10]


def test_the_size_follows_with_a_delay(tmp_path: Path) -> None:
    tracker = create("drnet", network=saying(tmp_path, 0, 0, np.log(1.2), np.log(0.9)), size_rate=0.25)
    image, first = FRAMES[0]
    tracker.init(image, first)
    tracker._error = np.zeros(4)
    box = tracker.update(FRAMES[1][0]).box
    assert (box.w, box.h) == pytest.approx((first.w * 1.2**0.25, first.h * 0.9**0.25))


@pytest.mark.parametrize(
    "box", [(100.0, 90, 170, 160), (-20, 4, 60, 90), (250, 240, 300, 310), (9, 9, 280, 280)]
)
def test_the_part_around_boxes_says_the_same_as_the_whole(box: tuple[float, ...], folder: str) -> None:
    network = OverlapNetwork.read(folder, 1, gives_boxes=False)
    image = np.random.default_rng(0).integers(0, 255, (288, 288, 3), np.uint8)
    blocks = network.blocks(image)
    whole = network.searched(blocks, np.array([0, 0, 288, 288]))
    part = network.searched(blocks, np.array(box))
    assert whole.maps[0].shape == (8, 36, 36)
    inside = np.array(box, np.float32)
    assert (inside[:2] >= part.limits[:2]).all()
    assert (inside[2:] <= part.limits[2:]).all()
    for few, all_, corner, stride in zip(part.maps, whole.maps, part.corners, (8, 16), strict=True):
        pooled = precise_roi_pool(few[None], inside[None, None] / stride - np.float32([*corner, *corner]), 5)
        assert pooled == pytest.approx(precise_roi_pool(all_[None], inside[None, None] / stride, 5), abs=1e-4)


def test_boxes_that_climb_far_are_pooled_right(folder: str) -> None:
    network = OverlapNetwork.read(folder, 1, gives_boxes=False)
    blocks = network.blocks(np.random.default_rng(0).integers(0, 255, (288, 288, 3), np.uint8))
    head = Head(overlap_networks.head())
    near, whole = (
        head.modulated(network.to_reference(blocks), np.array([115, 115, 173, 173])) for _ in range(2)
    )
    near.look(lambda area: network.searched(blocks, area))
    whole.look(lambda area: network.searched(blocks, np.array([0, 0, 288, 288])))
    for shift in (0, 10, 80, -60):
        boxes = np.array([[100, 100, 160, 150], [110, 90, 170, 150]], np.float32) + np.float32(shift)
        assert near.values(boxes) == pytest.approx(whole.values(boxes), abs=1e-4)


@pytest.mark.parametrize(("kind", "learns"), [(kind, kind.value in ("clear", "distracted")) for kind in Kind])
def test_only_a_certain_find_is_learned(kind: Kind, learns: bool, folder: str) -> None:
    tracker = create("matom", network=folder)
    tracker.init(*FRAMES[0])
    tracker.update(FRAMES[1][0])
    tracker._searched = tracker._searched._replace(kind=kind)
    before = len(tracker._learner._memory.samples)
    tracker._learn(FRAMES[1][0], tracker.box, Track(tracker.box, 0.9, State.TRACKED))
    assert len(tracker._learner._memory.samples) == before + learns


def test_a_target_that_is_not_found_keeps_its_box(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """ATOM's "not found": the box stays from the first such frame on, and soon the target is LOST."""
    tracker = create("matom", network=folder)
    tracker.init(*FRAMES[0])
    box = tracker.update(FRAMES[1][0]).box
    cells = tracker._learner.respond(tracker._searched.sample).shape
    monkeypatch.setattr(tracker._learner, "respond", lambda sample: np.full(cells, 0.2, np.float32))
    tracks = [tracker.update(image) for image, _ in FRAMES[2:8]]
    assert {track.box for track in tracks} == {box}
    assert tracks[-1].state is State.LOST


@pytest.mark.parametrize(
    ("kind", "peak", "state"),
    [
        (Kind.CLEAR, 0.3, State.UNCERTAIN), (Kind.DISTRACTED, 0.3, State.UNCERTAIN),
        (Kind.DISTRACTED, 0.2, State.LOST), (Kind.UNCERTAIN, 0.3, State.LOST),
    ],
)  # fmt: skip
def test_a_clear_find_is_not_lost_whatever_its_score(
    kind: Kind, peak: float, state: State, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Atom, "_calibration", lambda self: Calibration({}, bias=-9.0))
    tracker = create("atom", network=folder)
    tracker.init(*FRAMES[0])
    monkeypatch.setattr(tracker, "_localised", lambda *_: Finding(9.5, 9.5, peak, kind))
    assert [tracker.update(image) for image, _ in FRAMES[1:7]][-1].state is state


def proposals(folder: str, proposal: list[float]) -> np.ndarray:
    """The boxes that `atom` makes of one, and refines."""
    tracker, seen = create("atom", network=folder), []

    def noting(predictor: object, boxes: np.ndarray) -> tuple[np.ndarray, float]:
        seen.append(boxes)
        return boxes[0], 0.5

    tracker._predictor, tracker._refined = None, noting
    tracker._boxed(np.array(proposal))
    return seen[0]


def test_proposals_are_the_last_size_at_the_peak_and_nine_near_it(folder: str) -> None:
    boxes = proposals(folder, [100, 110, 190, 150])
    assert boxes[0] == pytest.approx([100, 110, 190, 150])
    assert len(boxes) == 10
    sizes, centres = boxes[:, 2:] - boxes[:, :2], (boxes[:, 2:] + boxes[:, :2]) / 2
    side = (90 * 40) ** 0.5
    for off, span in ((centres - centres[0], 0.1 * side), (sizes - sizes[0], 0.3 * side)):
        assert off[1:9:2] == pytest.approx(-off[2:9:2], abs=1e-3)  # pairs of opposite sign
        assert 0.25 * span < abs(off).max() <= span / 2


def test_a_proposal_of_a_thin_target_keeps_a_third_of_its_width(folder: str) -> None:
    boxes = proposals(folder, [100, 20, 106, 260])
    assert (boxes[:, 2] - boxes[:, 0]).min() == pytest.approx(2, abs=1e-4)
