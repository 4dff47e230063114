"""The parts of ECO against direct sums, dense solutions, finite differences and their definitions."""

import numpy as np
import pytest

from slimtrack.arrays import Floats, Spectrum
from slimtrack.filters.eco.continuous import (
    Block,
    Layout,
    cubic_spectrum,
    desired_response,
    frequencies,
    samples,
)
from slimtrack.filters.eco.factorised import JointProblem, principal_projection
from slimtrack.filters.eco.filter import EcoFilter, Learning
from slimtrack.filters.eco.penalty import Penalty, penalty_window
from slimtrack.filters.eco.samples import SampleSpace
from slimtrack.filters.eco.solver import ConjugateGradient, normal_product, responses
from slimtrack.filters.newton import newton_peak

EPS = float(np.finfo(np.float32).eps)
TWO = (Block(2, (6, 7)), Block(3, (9, 8), offset=0.7))


def keys(t: Floats, a: float = -0.75) -> Floats:
    """The cubic convolution kernel, piece by piece."""
    t = np.abs(t)
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def value(spectrum: Spectrum, y: float, x: float) -> Floats:
    """The function with half spectra ``(..., rows, columns)`` at one place, by the direct sum."""
    rows, columns = frequencies((spectrum.shape[-2], spectrum.shape[-1]))
    wave = np.exp(2j * np.pi * (rows[:, None] * y + columns * x)) * np.where(columns == 0, 1, 2)
    return np.asarray((spectrum * wave).real.sum(axis=(-2, -1)))


def random_flat(layout: Layout, rng: np.random.Generator) -> Spectrum:
    """Coefficients of random real functions."""
    out = np.empty(layout.length, np.complex64)
    for block, (part, view) in enumerate(zip(layout.blocks, layout.views(out), strict=True)):
        view[:] = layout.transform(rng.normal(size=(part.channels, *part.size)).astype(np.float32), block)
    return out


def test_spectrum_of_the_kernel_is_its_fourier_integral() -> None:
    t = np.linspace(-2, 2, 40001)
    for f in (0.0, 0.1, 0.37, 0.5, 1.2):
        integral = np.trapezoid(keys(t) * np.cos(2 * np.pi * f * t), t)
        assert cubic_spectrum(np.array([f]))[0] == pytest.approx(integral, abs=1e-6)


@pytest.mark.parametrize("block", [0, 1])
def test_interpolation_is_the_sum_over_shifted_kernels_without_its_high_frequencies(block: int) -> None:
    layout = Layout(TWO)
    (h, w), offset = TWO[block].size, TWO[block].offset
    cells = np.random.default_rng(0).normal(size=(1, h, w)).astype(np.float32)
    # The direct sum on a fine grid, its frequencies above the block's left out.
    fine = 160
    at = np.arange(fine) / fine
    kernels = []
    for n in (h, w):
        place = (np.arange(n) + offset) / n - 0.5
        apart = at[:, None] - place[None]
        kernels.append(sum(keys((apart + turn) * n) for turn in range(-3, 4)))
    direct = kernels[0] @ cells[0] @ kernels[1].T
    rows, columns = layout.blocks[block].shape
    expected = np.fft.rfft2(direct)[frequencies((rows, columns))[0].astype(int)][:, :columns] / fine**2
    # The fine grid folds what the kernel has beyond it (it falls as the fourth power): some 1e-5.
    np.testing.assert_allclose(layout.transform(cells, block)[0], expected, atol=3e-4)


def test_a_cell_peaks_at_its_place_in_every_block() -> None:
    """Blocks of different resolution agree on where things are: no half-cell shifts."""
    layout = Layout([Block(1, (12, 12)), Block(1, (18, 18))])
    places = []
    for block, n in enumerate((12, 18)):
        cells = np.zeros((1, n, n), np.float32)
        cells[0, n // 2 - 1 : n // 2 + 1, n // 2 - 1 : n // 2 + 1] = 1  # the four cells around the centre
        spectrum = layout.transform(cells, block)[0]
        places.append(newton_peak(samples(spectrum), spectrum))
    np.testing.assert_allclose(places, 0, atol=1e-3)


def test_samples_and_shift_by_the_direct_sum() -> None:
    layout, rng = Layout(TWO), np.random.default_rng(1)
    flat = random_flat(layout, rng)
    moved = layout.shift(flat, 0.13, -0.21)
    for before, after in zip(layout.views(flat), layout.views(moved), strict=True):
        grid = samples(before)
        np.testing.assert_allclose(
            grid[:, 2, 3], value(before, 2 / grid.shape[1], 3 / grid.shape[2]), atol=1e-5
        )
        np.testing.assert_allclose(value(after, 0.3, 0.1), value(before, 0.3 - 0.13, 0.1 + 0.21), atol=1e-5)


def test_the_response_adds_blocks_in_one_continuous_domain() -> None:
    layout, rng = Layout(TWO), np.random.default_rng(2)
    sample, f = random_flat(layout, rng), random_flat(layout, rng)
    response = responses(sample[None], f, layout)[0]
    for y, x in ((0.0, 0.0), (0.31, -0.17)):
        parts = zip(layout.views(sample), layout.views(f), strict=True)
        expected = sum(value(a * b, y, x).sum() for a, b in parts)
        assert value(response, y, x) == pytest.approx(expected, abs=1e-5)


def test_the_desired_response_is_a_gaussian_of_height_one() -> None:
    spectrum = desired_response((41, 21), (0.05, 0.08))
    for y, x in ((0.0, 0.0), (0.05, 0.0), (0.0, 0.16), (0.07, -0.05)):
        expected = np.exp(-0.5 * ((y / 0.05) ** 2 + (x / 0.08) ** 2))
        assert value(spectrum, y, x) == pytest.approx(expected, abs=1e-4)


def window_on(grid: int, u: Floats, v: Floats) -> Floats:
    """The penalty ``w`` on a grid, from its coefficients."""
    at = np.arange(grid) / grid
    axes = [
        sum(c * np.cos(2 * np.pi * k * at) for c, k in zip(a, range(-(len(a) // 2), len(a)), strict=False))
        for a in (u, v)
    ]
    return np.asarray(axes[0][:, None] + axes[1][None])


def test_the_penalty_is_least_in_the_centre_and_grows_outwards() -> None:
    w = window_on(64, *penalty_window((0.3, 0.2)))
    assert w.min() == pytest.approx(1e-4, rel=1e-6)
    assert w[0, 0] == pytest.approx(1e-4, rel=1e-2)
    assert w[32, 0] > 100 * w[0, 0]
    assert w[0, 32] > w[32, 0]  # the narrow side grows faster


@pytest.mark.parametrize("power", [2.0, 3.0])
def test_the_penalty_on_coefficients_is_the_product_in_the_plane(power: float) -> None:
    layout, rng = Layout(TWO), np.random.default_rng(3)
    u, v = penalty_window((0.3, 0.2), power=power, sparsity=0.01)
    u, v = u * 100, v * 100
    flat = random_flat(layout, rng)
    result = Penalty(layout, u, v)(flat)
    grid = 48
    w = window_on(grid, u, v)
    for f, got in zip(layout.views(flat), layout.views(result), strict=True):
        rows, columns = frequencies((f.shape[1], f.shape[2]))
        whole = np.zeros((len(f), grid, grid // 2 + 1), complex)
        whole[:, rows.astype(int)[:, None], columns.astype(int)] = f
        product = np.fft.rfft2(np.fft.irfft2(whole, s=(grid, grid)) * w**2)
        expected = product[:, rows.astype(int)][:, :, columns.astype(int)]
        np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


def test_the_mean_penalty_is_the_mean_of_its_square() -> None:
    u, v = penalty_window((0.3, 0.2))
    assert Penalty(Layout(TWO), u, v).mean == pytest.approx((window_on(64, u, v) ** 2).mean())


def test_the_normal_product_is_its_sum() -> None:
    layout, rng = Layout(TWO), np.random.default_rng(4)
    data = np.stack([random_flat(layout, rng) for _ in range(4)])
    weights = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    f = random_flat(layout, rng)
    expected = np.zeros_like(f)
    for weight, sample, response in zip(weights, data, responses(data, f, layout), strict=True):
        for block, (x, out) in enumerate(zip(layout.views(sample), layout.views(expected), strict=True)):
            out += weight * x.conj() * layout.cut(response, block)
    np.testing.assert_allclose(normal_product(data, weights, f, layout), expected, atol=1e-6)


def test_conjugate_gradient_solves_a_dense_system_and_goes_on_where_it_stopped() -> None:
    rng = np.random.default_rng(5)
    root = rng.normal(size=(20, 20))
    matrix = (root @ root.T / 20 + np.eye(20)).astype(np.float32)
    right = rng.normal(size=20).astype(np.float32)
    exact = np.linalg.solve(matrix, right)
    ones = np.ones(20, np.float32)

    def solved(calls: int, iterations: int, kept: float) -> Floats:
        x = np.zeros(20, np.float32)
        solver = ConjugateGradient(ones, kept=kept)
        for _ in range(calls):
            solver.solve(lambda v: matrix @ v, right, x, np.diag(matrix), iterations)
        return x

    np.testing.assert_allclose(solved(1, 40, 0.0), exact, atol=1e-4)
    whole, parts, restarted = (
        np.abs(x - exact).max() for x in (solved(1, 9, 0.0), solved(3, 3, 1.0), solved(3, 3, 0.0))
    )
    assert parts == pytest.approx(whole, rel=0.2)
    assert parts < restarted / 2


def small_filter(rate: float = 0.1) -> tuple[EcoFilter, list[Floats]]:
    """A filter that has seen its first frame, and that frame."""
    rng = np.random.default_rng(6)
    features = [rng.normal(size=(b.channels, *b.size)).astype(np.float32) for b in TWO]
    filter_ = EcoFilter(TWO, (2, 2), (0.4, 0.3), Learning(0.3, rate, memory=5, interval=1, iterations=60))
    filter_.start(features)
    return filter_, features


def test_the_trained_filter_is_the_dense_solution() -> None:
    """Normal equations of all real unknowns, built column by column and solved exactly."""
    filter_, features = small_filter()
    rng = np.random.default_rng(7)
    for _ in range(3):
        noisy = [(x + 0.5 * rng.normal(size=x.shape)).astype(np.float32)[None] for x in features]
        filter_.learn(filter_.transform(noisy)[0])
    layout, space = filter_.layout, filter_._space
    # A basis of the real functions: the free numbers of the half spectra.
    basis = []
    for index in range(2 * layout.length):
        unit = np.zeros(2 * layout.length, np.float32)
        unit[index] = 1
        flat = unit.view(np.complex64)
        for view in layout.views(flat):
            first = view[..., 0]
            mirror = -np.arange(first.shape[-1]) % first.shape[-1]
            first[:] = (first + first[:, mirror].conj()) / 2
        basis.append(flat.copy())
    columns = np.array([b.view(np.float32) for b in basis], float)
    kept = np.abs(columns).sum(axis=1) > 0
    columns = columns[kept]
    images = np.array([
        (normal_product(space.samples, space.weights, b, layout) + filter_._penalty(b)).view(np.float32)
        for b, use in zip(basis, kept, strict=True) if use
    ], float)  # fmt: skip
    right = (space.weights @ space.samples).conj()
    for block, part in enumerate(layout.views(right)):
        part *= layout.cut(filter_._wish, block)
    weighted = columns * layout.twice
    exact = np.linalg.lstsq(weighted @ images.T, weighted @ right.view(np.float32), rcond=1e-12)[0] @ columns
    got = filter_._filter.view(np.float32)
    residual = np.linalg.norm(got - exact) / np.linalg.norm(exact)
    assert residual < 0.02


def test_contributions_of_channels_add_up_to_the_response() -> None:
    """With them, the loss of channel selection is the weighted squared error of the responses."""
    filter_, features = small_filter()
    filter_.learn(filter_.transform([1.3 * x[None] for x in features])[0])
    layout, kept, weights = filter_.layout, filter_.samples, filter_._space.weights
    assert weights == pytest.approx([0.9, 0.1])
    regularised = 0.0
    for block in range(2):
        given, missing, penalties = filter_.contributions(block)
        error = layout.cut(filter_.spectrum(kept) - filter_._wish, block).astype(complex)
        squares = weights @ (np.abs(error) ** 2 * layout.twice_in(block)).sum(axis=(1, 2))
        assert (np.abs(given.sum(axis=0) - missing) ** 2).sum() == pytest.approx(squares, rel=1e-4)
        regularised += float(penalties.sum())
    flat = filter_._filter
    whole = (flat.view(np.float32) * layout.twice) @ filter_._penalty(flat).view(np.float32)
    assert regularised == pytest.approx(float(whole), rel=1e-4)


@pytest.mark.parametrize("block", [0, 1])
def test_channels_are_chosen_by_equation_12(block: int) -> None:
    """Against its sum over samples and channels, with every filter that is not kept set to zero."""
    filter_, features = small_filter(rate=0.3)
    for gain in (1.3, -0.4):
        filter_.learn(filter_.transform([np.float32(gain) * x[None] + 0.1 for x in features])[0])
    layout, whole = filter_.layout, filter_._filter.copy()
    halves = np.where(np.arange(layout.shape[1]) == 0, 1.0, 2.0)

    def printed(kept: list[int]) -> float:
        flat = whole.copy()
        part = layout.views(flat)[block]
        part[np.setdiff1d(np.arange(2), kept)] = 0
        errors = np.abs((responses(filter_.samples, flat, layout) - filter_._wish).astype(complex)) ** 2
        size = float((flat.view(np.float32) * layout.twice) @ filter_._penalty(flat).view(np.float32))
        others = float((whole.view(np.float32) * layout.twice) @ filter_._penalty(whole).view(np.float32))
        ours = filter_.contributions(block)[2].sum()
        return float(filter_._space.weights @ (errors * halves).sum(axis=(1, 2))) + 2.0 * (
            size - (others - ours)
        )

    given, missing, penalties = filter_.contributions(block, price=2.0)

    def ours(kept: list[int]) -> float:
        return float((np.abs(given[kept].sum(axis=0) - missing) ** 2).sum() + penalties[kept].sum())

    apart = printed([0, 1]) - ours([0, 1])  # the frequencies that only other blocks have
    for kept in ([], [0], [1]):
        assert ours(kept) + apart == pytest.approx(printed(kept), rel=1e-4)


def test_kept_channels_are_those_of_the_whole_filter() -> None:
    """Samples are picked, not changed; with all channels kept nothing but the training goes on."""
    filter_, features = small_filter()
    filter_.learn(filter_.transform([1.3 * x[None] for x in features])[0])
    noisy = [x[None] + np.float32(0.1) for x in features]
    before, whole = filter_.spectrum(filter_.transform(noisy)), filter_.transform(noisy)
    filter_.keep([np.arange(2), np.arange(2)])
    np.testing.assert_array_equal(filter_.transform(noisy), whole)
    np.testing.assert_allclose(filter_.spectrum(whole), before, atol=0.02 * np.abs(before).max())
    old = [part.copy() for part in filter_.layout.views(filter_.samples)]
    filter_.keep([np.array([1]), np.array([0, 1])])
    assert [b.channels for b in filter_.layout.blocks] == [1, 2]
    for part, was, at in zip(filter_.layout.views(filter_.samples), old, ([1], [0, 1]), strict=True):
        np.testing.assert_array_equal(part, was[:, at])
    # Fewer columns may be summed in another order: equal to a few units in the last place of the largest.
    few = np.take(whole, picked(), axis=1)
    np.testing.assert_allclose(filter_.transform(noisy), few, rtol=0, atol=8 * EPS * np.abs(few).max())
    space, rows = filter_._space, filter_.samples.view(np.float32)
    np.testing.assert_allclose(space._products[:2, :2], (rows * filter_.layout.twice) @ rows.T, rtol=1e-5)
    filter_.learn(filter_.transform(noisy)[0])
    assert np.isfinite(filter_.spectrum(filter_.transform(noisy))).all()


def picked() -> np.ndarray:
    """Places of all but the first channel of the first block, in the vector of the whole."""
    layout = Layout([Block(2, b.size, b.offset) for b in TWO])
    first = layout.table[0]
    return np.arange(int(first[2] * first[3]), layout.length)


def test_the_gauss_newton_residual_is_the_gradient_of_the_loss() -> None:
    layout, rng = Layout([Block(2, (5, 7)), Block(2, (8, 8))]), np.random.default_rng(8)
    before = Layout([Block(4, (5, 7)), Block(3, (8, 8))])
    sample = [part.copy() for part in before.views(random_flat(before, rng) * 5)]
    wish = desired_response(layout.shape, (0.1, 0.1))
    penalty = Penalty(layout, *penalty_window((0.3, 0.4), least=0.1, edge=1.0))
    ridge = 0.3
    joint = JointProblem(layout, sample, wish, penalty, ridge)
    f = random_flat(layout, rng)
    projections = [rng.normal(size=shape).astype(np.float32) for shape in ((4, 2), (3, 2))]

    def loss(flat: Spectrum, matrices: list[Floats]) -> float:
        response = responses(joint.project(matrices)[None], flat, layout)[0] - wish
        rows = np.abs(response.astype(complex)) ** 2
        data = rows[:, 0].sum() + 2 * rows[:, 1:].sum()
        size = float((flat.view(np.float32) * layout.twice) @ penalty(flat).view(np.float32))
        return float(data + size + ridge * sum((m.astype(float) ** 2).sum() for m in matrices))

    joint.linearise(f, projections)
    start = np.concatenate([f.view(np.float32), np.zeros(14, np.float32)])
    gradient = 2 * (joint.product(start) - joint.right)
    counts = np.concatenate([layout.twice, np.ones(14)])
    step = 1e-2
    for _ in range(5):
        df, dp = random_flat(layout, rng), [rng.normal(size=p.shape).astype(np.float32) for p in projections]
        ends = [
            loss(f + s * df, [p + s * d for p, d in zip(projections, dp, strict=True)]) for s in (step, -step)
        ]
        direction = np.concatenate([df.view(np.float32), *(d.ravel() for d in dp)])
        slope = float((gradient * counts) @ direction)
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(slope, rel=2e-2, abs=1e-3)


def test_joint_training_lowers_the_loss_of_the_principal_projection() -> None:
    """The learned projection explains the desired response better than principal directions do."""
    filter_, features = small_filter()
    whole = [filter_._before.transform(x, block) for block, x in enumerate(features)]
    joint = JointProblem(filter_.layout, whole, filter_._wish, filter_._penalty, filter_._learning.ridge)

    def loss(flat: Spectrum, projections: list[Floats]) -> float:
        error = responses(joint.project(projections)[None], flat, filter_.layout)[0] - filter_._wish
        return float((np.abs(error) ** 2).sum())

    principal = [principal_projection(x, 2) for x in features]
    zero = np.zeros_like(filter_._filter)
    plain, _ = joint.solve(zero + filter_._filter, principal, steps=0, iterations=0)
    assert loss(filter_._filter, filter_._projections) < loss(plain, principal)


def test_without_joint_steps_the_projections_are_the_principal_directions() -> None:
    filter_, features = small_filter()
    filter_.start(features, steps=0)
    for got, x in zip(filter_._projections, features, strict=True):
        np.testing.assert_array_equal(got, principal_projection(x, 2))
    sample = filter_.transform([x[None] for x in features])
    assert samples(filter_.spectrum(sample))[0].argmax() == 0


def test_principal_projection_is_orthonormal_and_keeps_the_most_energy() -> None:
    rng = np.random.default_rng(9)
    features = (np.diag([1, 5, 0.1, 3]) @ rng.normal(size=(4, 400))).reshape(4, 20, 20).astype(np.float32)
    p = principal_projection(features, 2)
    np.testing.assert_allclose(p.T @ p, np.eye(2), atol=1e-6)
    assert (p[[1, 3]] ** 2).sum() > 1.98
    assert (p[[0, 2]] ** 2).sum() < 0.02


class TestSampleSpace:
    """The mixture by its definition, with distances computed anew."""

    layout = Layout([Block(1, (5, 5))])

    def distance(self, a: Spectrum, b: Spectrum) -> float:
        d = (a - b).view(np.float32)
        return float((d * self.layout.twice) @ d)

    def reference(self, inputs: list[Spectrum], capacity: int, rate: float) -> list[tuple[float, Spectrum]]:
        parts: list[tuple[float, Spectrum]] = []
        for sample in inputs:
            weight = rate if parts else 1.0
            parts = [(w * (1 - weight), x) for w, x in parts] + [(weight, sample)]
            if len(parts) <= capacity:
                continue
            pairs = [(i, j) for i in range(len(parts)) for j in range(i)]
            i, j = min(pairs, key=lambda ij: self.distance(parts[ij[0]][1], parts[ij[1]][1]))
            (wi, xi), (wj, xj) = parts[i], parts[j]
            rest = [part for k, part in enumerate(parts) if k not in (i, j)]
            parts = [*rest, (wi + wj, (wi * xi + wj * xj) / (wi + wj))]
        return parts

    def inputs(self, count: int) -> list[Spectrum]:
        rng = np.random.default_rng(10)
        return [random_flat(self.layout, rng) for _ in range(count)]

    def test_it_merges_the_nearest_two(self) -> None:
        inputs = self.inputs(30)
        space = SampleSpace(self.layout, capacity=6, rate=0.05, least=0.0)
        for sample in inputs:
            space.add(sample)
        got = sorted(zip(space.weights.tolist(), space.samples, strict=True), key=lambda part: part[0])
        expected = sorted(self.reference(inputs, 6, 0.05), key=lambda part: part[0])
        for (w, x), (weight, sample) in zip(got, expected, strict=True):
            assert w == pytest.approx(weight, rel=1e-4)
            np.testing.assert_allclose(x, sample, atol=1e-5)

    def test_its_products_stay_those_of_its_samples(self) -> None:
        space = SampleSpace(self.layout, capacity=6, rate=0.05, least=0.0)
        for sample in self.inputs(60):
            space.add(sample)
        data = space.samples.view(np.float32)
        np.testing.assert_allclose(space._products, (data * self.layout.twice) @ data.T, rtol=1e-3, atol=1e-4)

    def test_a_faded_component_makes_room(self) -> None:
        inputs = self.inputs(4)
        space = SampleSpace(self.layout, capacity=3, rate=0.9, least=0.1)
        for sample in inputs:
            space.add(sample)
        assert space.weights.sum() == pytest.approx(1)
        kept = [any(np.allclose(x, s) for x in space.samples) for s in inputs]
        assert kept == [False, True, True, True]


def test_a_known_shift_is_found() -> None:
    rng = np.random.default_rng(11)
    blocks = (Block(4, (20, 20)), Block(3, (30, 30)))
    layout = Layout(blocks)
    cells = [rng.normal(size=(b.channels, *b.size)).astype(np.float32) for b in blocks]
    filter_ = EcoFilter(blocks, (2, 2), (0.3, 0.3))
    filter_.start(cells)
    sample = filter_.transform([c[None] for c in cells])
    for dy, dx in ((0.0, 0.0), (0.111, -0.07)):
        spectrum = filter_.spectrum(filter_.layout.shift(sample, dy, dx))[0]
        grid = samples(spectrum)
        got = [shift / n for shift, n in zip(newton_peak(grid, spectrum), grid.shape, strict=True)]
        np.testing.assert_allclose(got, (dy, dx), atol=2e-3)
    assert layout.shape == filter_.layout.shape


def test_the_direction_is_given_up_where_the_polak_ribiere_factor_is_negative() -> None:
    """The residual has become half the last one: (|r|^2 - <last, r>) / |last|^2 is -1/4."""
    rng = np.random.default_rng(12)
    matrix = np.diag(rng.uniform(1, 3, 8)).astype(np.float32)
    ones, x = np.ones(8, np.float32), np.zeros(8, np.float32)
    solver = ConjugateGradient(ones, kept=1.0)
    first = rng.normal(size=8).astype(np.float32)
    solver.solve(lambda v: matrix @ v, first, x, ones, 1)  # its residual was `first`
    before = x.copy()
    solver.solve(lambda v: matrix @ v, matrix @ x + first / 2, x, ones, 1)
    steepest = first / 2 * (first @ first) / (first @ matrix @ first)
    np.testing.assert_allclose(x - before, steepest, rtol=1e-4)
