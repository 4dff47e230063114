import numpy as np
import pytest

from slimtrack.errors import InputError
from slimtrack.features.hog import Hog, fhog


def test_equals_the_reference_but_for_pixels_at_a_bins_edge(shared):
    """The reference's approximate square root moves gradients within 0.03 degrees of an edge to the next bin.

    A pixel does so only where its direction is that of small integers, such as (26, 15): few cells see one.
    """
    reference = np.load(shared("oracles/fhog") / "fhog.npz")
    names = [key.removesuffix("_patch") for key in reference if key.endswith("_patch")]
    assert len(names) == 5
    for name in names:
        wanted = reference[f"{name}_hog"]
        assert np.all(wanted[31] == 0)
        error = np.abs(fhog(reference[f"{name}_patch"]) - wanted[:31])
        assert np.mean(error > 2e-3) < 0.005, name
        assert np.median(error) < 2e-4, name
        assert error.max() < 0.07, name


def test_equals_the_reference_everywhere_on_noise(shared):
    reference = np.load(shared("oracles/fhog") / "fhog.npz")
    error = np.abs(fhog(reference["noise_32x40_patch"]) - reference["noise_32x40_hog"][:31])
    assert error.max() < 2e-4


def plain_histograms(grey, cell):
    """The signed histograms by the definition: one pixel after the other, in float64."""
    image = grey.astype(float) / 255
    gy, gx = np.gradient(image)
    strength = np.hypot(gx, gy)
    bins = np.floor(np.arctan2(gy, gx) / (2 * np.pi) * 18 + 0.5).astype(int) % 18
    h, w = image.shape[0] // cell, image.shape[1] // cell
    cells = np.zeros((h + 2, w + 2, 18))
    for y in range(h * cell):
        for x in range(w * cell):
            at_y, at_x = (y + 0.5) / cell + 0.5, (x + 0.5) / cell + 0.5
            for row, share_y in ((int(at_y), 1 - at_y % 1), (int(at_y) + 1, at_y % 1)):
                for column, share_x in ((int(at_x), 1 - at_x % 1), (int(at_x) + 1, at_x % 1)):
                    cells[row, column, bins[y, x]] += strength[y, x] * share_y * share_x / cell**2
    inner = cells[1:-1, 1:-1]
    for edge in (0, -1):
        inner[edge] *= 8 / 7
        inner[:, edge] *= 8 / 7
    return inner.transpose(2, 0, 1)


@pytest.mark.parametrize("cell", [4, 6, 8])
def test_signed_channels_follow_the_definition(cell):
    rng = np.random.default_rng(cell)
    grey = rng.integers(0, 256, (5 * cell, 7 * cell), dtype=np.uint8)
    signed = plain_histograms(grey, cell)
    energy = ((signed[:9] + signed[9:]) ** 2).sum(axis=0)
    h, w = energy.shape
    wanted = np.zeros_like(signed)
    for y in range(h):
        for x in range(w):
            for by in (y - 1, y):
                for bx in (x - 1, x):
                    top, left = np.clip(by, 0, h - 2), np.clip(bx, 0, w - 2)
                    norm = np.sqrt(energy[top : top + 2, left : left + 2].sum() + 1e-4 / 4 / cell**4)
                    wanted[:, y, x] += 0.5 * np.minimum(signed[:, y, x] / norm, 0.2)
    np.testing.assert_allclose(fhog(grey, cell)[:18], wanted, atol=2e-4)


def test_several_patches_equal_each_alone():
    patches = np.random.default_rng(0).integers(0, 256, (3, 24, 32, 3), dtype=np.uint8)
    together = Hog()(patches)
    assert together.shape == (3, 31, 6, 8)
    for patch, features in zip(patches, together, strict=True):
        np.testing.assert_array_equal(Hog()(patch), features)


def test_a_constant_patch_has_no_orientation():
    assert np.abs(fhog(np.full((16, 16, 3), 90, np.uint8))).max() == 0


def test_refuses_what_is_smaller_than_a_cell_or_not_bytes():
    with pytest.raises(InputError, match="smaller than a cell"):
        fhog(np.zeros((3, 8, 3), np.uint8))
    with pytest.raises(InputError, match="float64"):
        fhog(np.zeros((8, 8, 3)))
