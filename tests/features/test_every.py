"""What every feature holds to."""

import numpy as np
import pytest

from slimtrack.errors import InputError
from slimtrack.features.color_names import ColorNames
from slimtrack.features.grey import Grey, LogGrey
from slimtrack.features.hog import Hog
from slimtrack.features.stack import Stack

FEATURES = {
    "hog": Hog,
    "grey": Grey,
    "colour names": ColorNames,
    "stack of one": lambda cell: Stack(ColorNames(cell)),
    "stack": lambda cell: Stack(Hog(cell), ColorNames(cell), Grey(cell)),
}
every = pytest.mark.parametrize("make", FEATURES.values(), ids=FEATURES.keys())
cells = pytest.mark.parametrize("cell", [4, 5, 6])


@every
@cells
@pytest.mark.parametrize("several", [False, True])
def test_contiguous_float32_of_the_declared_shape(make, cell, several):
    feature = make(cell)
    patches = np.random.default_rng(0).integers(0, 256, (3, 37, 50, 3), dtype=np.uint8)
    patches.setflags(write=False)
    found = feature(patches if several else patches[0])
    assert found.shape == (*(3,) * several, feature.channels, 37 // cell, 50 // cell)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert feature.stride == cell


@every
@cells
def test_several_patches_equal_each_alone(make, cell):
    patches = np.random.default_rng(1).integers(0, 256, (3, 37, 50, 3), dtype=np.uint8)
    np.testing.assert_array_equal(make(cell)(patches), [make(cell)(patch) for patch in patches])


@every
@cells
@pytest.mark.parametrize(("row", "column"), [(3, 4), (5, 3)])
def test_a_dot_at_a_cells_declared_centre_is_seen_around_that_cell(make, cell, row, column):
    """The offset is where the centre of cell 0 is, in the outer-edge convention."""
    feature = make(cell)
    y, x = (feature.offset + i * feature.stride for i in (row, column))
    away = [np.abs(np.arange(8 * cell) + 0.5 - at) for at in (y, x)]
    patch = np.full((8 * cell, 8 * cell, 3), 100, np.uint8)
    patch[(away[0][:, None] < cell * 0.7) & (away[1][None] < cell * 0.7)] = (230, 40, 60)
    seen = np.abs(feature(patch) - feature(np.full_like(patch, 100))).sum(axis=0)
    centre = [(np.arange(8) * seen.sum(axis=1 - axis)).sum() / seen.sum() for axis in (0, 1)]
    np.testing.assert_allclose(centre, [row, column], atol=0.1)


@pytest.mark.parametrize("parts", [(Hog(4), Grey(8)), ()])
def test_a_stack_of_different_grids_is_refused(parts):
    with pytest.raises(InputError, match="grid"):
        Stack(*parts)


def test_the_log_of_grey_has_mean_0_and_deviation_1_in_every_patch():
    patches = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    patches[1] //= 4
    found = LogGrey()(patches)
    assert found.shape == (2, 1, 20, 30)
    assert np.abs(found.mean(axis=(2, 3))).max() < 1e-5
    np.testing.assert_allclose(found.std(axis=(2, 3)), 1, atol=1e-3)
    np.testing.assert_allclose(LogGrey()(patches[1]), found[1], atol=1e-6)
    assert np.all(LogGrey()(np.full((4, 4, 3), 7, np.uint8)) == 0)
