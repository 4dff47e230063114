"""Synthetic clips: exact truth, effects that do what they say, the same pixels for a seed."""

import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from slimtrack import Box
from slimtrack.video.synthetic import CLIPS, Clip, synthesize

SHORT = Clip(length=24, noise=0.0)


@pytest.mark.parametrize("target", ["ladybird", "car", "ball"])
@pytest.mark.parametrize("effect", [{}, {"rotation": 70}, {"scale": 0.6}])
def test_the_truth_is_tight_around_the_target(target: str, effect: dict[str, float]) -> None:
    clip = replace(SHORT, target=target, **effect)  # type: ignore[arg-type]
    for index in range(0, clip.length, 5):
        truth = clip.truth[index]
        assert truth is not None
        rows, columns = np.nonzero(clip.mask(index) > 10)
        seen = Box.from_corners(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        edges = zip(*((box.x, box.y, box.right, box.bottom) for box in (truth, seen)), strict=True)
        assert max(abs(a - b) for a, b in edges) <= 1.3  # a pixel that the outline only touches counts or not


def test_the_truth_is_exact_below_a_pixel() -> None:
    clip = replace(SHORT, target="ball", size=60)
    for index in range(0, clip.length, 3):
        mask = clip.mask(index).astype(float)  # a disc: its centre of mass is the centre of its box
        y, x = np.mgrid[: clip.height, : clip.width] + 0.5
        center = (mask * x).sum() / mask.sum(), (mask * y).sum() / mask.sum()
        truth = clip.truth[index]
        assert truth is not None
        assert center == pytest.approx((truth.cx, truth.cy), abs=0.02)
        assert mask.sum() / 255 == pytest.approx(np.pi / 4 * truth.area, rel=0.01)


def test_the_picture_moves_as_the_truth_says() -> None:
    clip = replace(SHORT, camera=0.0, length=60)
    frames = list(clip.frames())
    (first, a), (later, b) = frames[10], frames[13]
    assert a is not None and b is not None
    template = first[round(a.y) + 12 : round(a.y) + 40, round(a.x) + 12 : round(a.x) + 40]
    match = cv2.matchTemplate(later, template, cv2.TM_CCOEFF_NORMED)
    _, peak, _, (x, y) = cv2.minMaxLoc(match)
    assert peak > 0.9
    moved = (x - round(a.x) - 12, y - round(a.y) - 12)
    assert moved == pytest.approx((b.x - a.x, b.y - a.y), abs=1.0)


@pytest.mark.parametrize("name", CLIPS)
def test_every_clip_is_whole(name: str) -> None:
    clip = replace(CLIPS[name], length=12) if name != "demo" else CLIPS[name]
    frames = list(synthesize(clip, length=12))
    assert len(frames) == 12
    for image, _ in frames:
        assert image.shape == (clip.height, clip.width, 3) and image.dtype == np.uint8
        assert image.std() > 15 and image.flags.c_contiguous
    first = CLIPS[name].truth[0]
    assert first is not None and first.clipped(clip.width, clip.height).area > 0.95 * first.area


def test_the_same_seed_gives_the_same_pixels() -> None:
    clip = replace(CLIPS["everything"], length=8)
    a, b, c = (np.stack([image for image, _ in synthesize(clip, seed=seed)]) for seed in (3, 3, 4))
    assert (a == b).all() and (a != c).mean() > 0.5


@pytest.mark.parametrize(
    "effect",
    [
        {"scale": 0.4}, {"rotation": 30.0}, {"illumination": 0.5}, {"blur": 9.0}, {"occlusion": 0.8},
        {"out_of_view": True}, {"distractor": True}, {"noise": 5.0}, {"camera": 2.0}, {"motion": 0.9},
    ],
    ids=lambda effect: next(iter(effect)),
)  # fmt: skip
def test_every_effect_can_be_switched_alone(effect: dict[str, float]) -> None:
    plain, changed = replace(SHORT, camera=0.0), replace(SHORT, **({"camera": 0.0} | effect))  # type: ignore[arg-type]
    pairs = zip(plain.images(), changed.images(), strict=True)
    assert max(float((a != b).mean()) for a, b in pairs) > 0.01


def test_out_of_view_leaves_and_comes_back() -> None:
    truth = CLIPS["out-of-view"].truth
    absent = [index for index, box in enumerate(truth) if box is None]
    assert 0.1 * len(truth) < len(absent) < 0.35 * len(truth)
    assert absent == list(range(absent[0], absent[-1] + 1)) and truth[0] is not None and truth[-1] is not None
    assert CLIPS["out-of-view"].mask(absent[0]).max() == 0


def test_the_tree_hides_the_share_that_was_asked_for() -> None:
    clip = Clip(occlusion=0.5, noise=0.0)
    index = clip.length // 2
    frames = [list(each.images())[index] for each in (clip, replace(clip, occlusion=0.0))]
    covered = clip.mask(index) > 128
    hidden = (np.abs(frames[0].astype(int) - frames[1]).max(axis=2) > 0)[covered].mean()
    assert 0.5 < hidden < 0.8  # half of its width, where it is thickest


def test_illumination_darkens_and_blur_softens() -> None:
    plain, dark, soft = (
        list(replace(SHORT, **effect).images())[12]  # type: ignore[arg-type]
        for effect in ({}, {"illumination": 0.5}, {"blur": 0.0})
    )
    assert dark.mean() < 0.7 * plain.mean() and (soft == plain).all()
    sharp = [cv2.Laplacian(list(replace(SHORT, blur=b).images())[6], cv2.CV_64F).var() for b in (0.0, 11.0)]
    assert sharp[1] < 0.5 * sharp[0]


def test_the_truth_needs_no_matplotlib() -> None:
    code = "import sys; import slimtrack.video.synthetic; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
