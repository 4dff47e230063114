"""Images of other libraries: taken as what they show, or refused with the remedy."""

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from slimtrack import Box, Track, create, draw
from slimtrack.errors import InputError
from slimtrack.follower import checked_image
from slimtrack.foreign import as_array
from slimtrack.video.frames import open_frames

BGR = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
RGB = np.ascontiguousarray(BGR[..., ::-1])
GREY = BGR[..., 0].copy()


def pil(mode: str, array: np.ndarray = RGB) -> Any:
    image = pytest.importorskip("PIL.Image")
    return image.fromarray(array).convert(mode)


def test_a_pil_image_in_colour_is_turned_to_bgr() -> None:
    got = checked_image(pil("RGB"))
    assert (got == BGR).all() and got.flags.c_contiguous and got.dtype == np.uint8


def test_grey_and_alpha_of_pil() -> None:
    assert (checked_image(pil("L", GREY)) == GREY[..., None]).all()
    rgba = np.dstack([RGB, GREY])
    assert (checked_image(pil("RGBA", rgba)) == BGR).all()  # alpha is dropped, not blended
    assert (checked_image(pil("LA", GREY)) == GREY[..., None]).all()


def test_palettes_of_pil_are_colours() -> None:
    few = RGB // 128 * 255
    palette = pil("RGB", few).quantize(8)
    assert palette.mode == "P"
    assert (checked_image(palette) == few[..., ::-1]).all()


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "La", "CMYK", "YCbCr", "HSV"]
)
def test_every_mode_of_eight_bits_is_an_image(mode: str) -> None:
    base = pil("RGBA") if mode in ("RGBa", "PA") else pil("LA") if mode == "La" else pil("RGB")
    got = checked_image(base.convert(mode))
    assert got.shape == BGR.shape and got.dtype == np.uint8
    if mode not in ("1", "P", "PA", "L", "LA", "La"):
        assert np.abs(got.astype(int) - BGR).mean() < 6


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I", "F"])
def test_pil_images_of_more_bits_are_refused(mode: str) -> None:
    module = pytest.importorskip("PIL.Image")
    with pytest.raises(InputError, match=rf"^image is a PIL image of mode '{mode}', with more than 8"):
        checked_image(module.new(mode, (30, 20)))


def test_a_pil_image_that_cannot_be_read_is_one_sentence() -> None:
    module = pytest.importorskip("PIL.Image")
    data = io.BytesIO()
    pil("RGB").save(data, "png")
    cut = module.open(io.BytesIO(data.getvalue()[:600]))
    with pytest.raises(InputError, match=r"^image is a PIL image .*that cannot be read"):
        checked_image(cut)
    with pytest.raises(InputError, match=r"cannot be read|at least one pixel"):
        checked_image(module.new("RGB", (0, 0)))


def test_tensors_of_every_layout() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(RGB)
    for one in (tensor, tensor.permute(2, 0, 1), tensor.permute(2, 0, 1).contiguous()):
        got = checked_image(one)
        assert (got == BGR).all() and got.flags.c_contiguous
    for one in (torch.from_numpy(GREY), torch.from_numpy(GREY)[None], torch.from_numpy(GREY)[..., None]):
        assert (checked_image(one) == GREY[..., None]).all()


def test_a_tensor_is_not_changed() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(RGB.copy())
    checked_image(tensor)
    draw(tensor, TRACK)
    assert (tensor.numpy() == RGB).all()


TRACK = Track.from_dict({"box": [3, 3, 9, 9], "score": 0.5, "state": "tracked"})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda t: t.float() / 255,
            r"tensor of torch\.float32, not torch\.uint8: .*\(image \* 255\)\.round",
        ),
        (lambda t: t.bool(), r"tensor of torch\.bool, not torch\.uint8"),
        (lambda t: t.to("meta"), r"tensor on meta, not on the CPU: give image\.cpu\(\)"),
        (lambda t: t[None], r"tensor \(1, 20, 30, 3\) with a batch axis: give one image, such as image\[0\]"),
        (lambda t: t.permute(2, 0, 1)[[0, 1, 2, 0]], r"tensor \(4, 20, 30\), not \(3, H, W\), .*no alpha"),
        (lambda t: t[0, 0], r"tensor \(3,\), not \(3, H, W\)"),
        (lambda t: t[:0], r"at least one pixel|not \(3, H, W\)"),
    ],
)
def test_tensors_that_are_no_image(change: Any, sentence: str) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match=f"^image .*{sentence}") as caught:
        checked_image(change(torch.from_numpy(RGB)))
    assert "\n" not in str(caught.value)


def test_a_tracker_sees_the_same_whatever_it_is_given() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    frames = [np.roll(rng.integers(0, 256, (80, 90, 3)).astype(np.uint8), 2 * n, 1) for n in range(1)] * 2
    frames[1] = np.roll(frames[0], 3, 1)
    boxes = []
    for wrap in (
        lambda image: image,
        lambda image: pil("RGB", np.ascontiguousarray(image[..., ::-1])),
        lambda image: torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).permute(2, 0, 1),
    ):
        tracker = create("staple")
        tracker.init(wrap(frames[0]), Box(30, 30, 20, 20))
        boxes.append(tracker.update(wrap(frames[1])))
    assert boxes[0] == boxes[1] == boxes[2]
    assert boxes[0].box.x == pytest.approx(33, abs=1)


def test_sources_take_them_too() -> None:
    torch = pytest.importorskip("torch")
    images = [pil("RGB"), torch.from_numpy(RGB), BGR, pil("L", GREY)]
    with open_frames(images) as frames:
        got = list(frames)
    assert all((image == BGR).all() for image in got[:3]) and (got[3] == GREY[..., None]).all()
    with pytest.raises(InputError, match=r"^frame 1 is a tensor of torch\.float32"):
        list(open_frames([BGR, torch.zeros(3, 20, 30)]))


def test_anything_else_stays_what_it_is() -> None:
    thing = object()
    assert as_array(thing) is thing and as_array(BGR) is BGR


def test_neither_library_is_imported_for_it() -> None:
    code = (
        "import sys, numpy as np\nfrom slimtrack.follower import checked_image\n"
        "checked_image(np.zeros((5, 5, 3), np.uint8))\nprint('torch' in sys.modules, 'PIL' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
