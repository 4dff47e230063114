"""Reading the training set, and the pairs drawn from it."""

import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from slimtrack.errors import SourceError  # noqa: E402  # after the check for torch
from slimtrack.learning.data import PairSampler, read_training_set  # noqa: E402


def test_boxes_lie_on_their_objects(training_set: Path) -> None:
    data = read_training_set(training_set, "train")
    assert len(data.objects.picture) == 3 + 4
    for picture, (x, y, w, h) in zip(data.objects.picture, data.objects.box.int().tolist(), strict=True):
        pixels = data.pictures.pixels[picture]
        assert pixels[:, y : y + h, x : x + w].flatten(1).float().mean(1).tolist() == [180, 250, 40]
        assert pixels[0, y - 1, x - 1] < 120


def test_pairs_are_two_frames_of_a_track_or_one_still_twice(training_set: Path) -> None:
    data = read_training_set(training_set, "train")
    pairs = PairSampler(data.objects, clips=0.5, absent=0.3).draw(500, torch.Generator().manual_seed(0))
    track, there = data.objects.track, pairs.present
    a, b = pairs.template[there], pairs.search[there]
    moving = track[a] >= 0
    assert 0.4 < moving.float().mean() < 0.6
    assert (track[a] == track[b]).all()
    assert (a[moving] != b[moving]).all()
    assert (a[~moving] == b[~moving]).all()


def test_an_absent_target_is_another_object(training_set: Path) -> None:
    objects = read_training_set(training_set, "train").objects
    pairs = PairSampler(objects, absent=0.5).draw(500, torch.Generator().manual_seed(0))
    a, b = pairs.template[~pairs.present], pairs.search[~pairs.present]
    assert len(a) > 100
    assert (objects.picture[a] != objects.picture[b]).all()
    assert not ((objects.track[a] == objects.track[b]) & (objects.track[a] >= 0)).any()


def test_the_same_seed_draws_the_same_pairs(training_set: Path) -> None:
    sampler = PairSampler(read_training_set(training_set, "train").objects)
    first, again, other = (sampler.draw(50, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert all(torch.equal(x, y) for x, y in zip(first, again, strict=True))
    assert not torch.equal(first.template, other.template)


def test_a_damaged_crop_is_named(training_set: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(training_set, tmp_path / "damaged")
    data = bytearray((folder / "crops00.bin").read_bytes())
    data[:200] = bytes(200)
    (folder / "crops00.bin").write_bytes(bytes(data))
    with pytest.raises(SourceError, match=r"crops00\.bin: crop 0 is damaged"):
        read_training_set(folder, "train")


def test_what_is_not_there_is_said(training_set: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"index\.csv cannot be read"):
        read_training_set(tmp_path, "train")
    with pytest.raises(SourceError, match="no crops of the split 'val'"):
        read_training_set(training_set, "val", without=["made"])
