"""Metrics: equal to the toolkits' own numbers, and sound on any boxes."""

import csv
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from slimtrack.datasets import read_truth
from slimtrack.errors import InputError, UnknownNameError
from slimtrack.evaluation.metrics import bootstrap_difference, center_errors, measure, overlaps, repaired
from slimtrack.evaluation.protocols import GOT10K, OTB, PROTOCOLS, PYSOT, protocol

numbers = st.floats(0, 200, width=32)
sides = st.floats(1, 100, width=32)
boxes = st.integers(1, 20).flatmap(
    lambda n: st.tuples(arrays(float, (n, 2), elements=numbers), arrays(float, (n, 2), elements=sides))
).map(np.hstack)  # fmt: skip


def test_every_number_of_the_oracles(shared):
    folder = shared("oracles")
    worst = defaultdict(float)
    with (folder / "RESULTS.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 649
    for row in rows:
        found = read_truth(folder / "otb" / row["tracker"] / f"{row['sequence']}.txt")
        truth = read_truth(folder / "otb" / "groundtruth" / f"{row['sequence']}.txt")
        assert len(truth) == int(row["n_frames"])
        # MDNet's files of two sequences end a frame early
        curves = measure(found, truth, may_end_early=True)
        for name in ("auc", "precision20"):
            worst[name] = max(worst[name], abs(getattr(curves, name) - float(row[name])))
    assert max(worst.values()) < 1e-6  # the file has six digits; 5e-4 is asked for


def test_published_means(shared):
    """The toolkit's figure, and the other AUC of the same boxes: mean IoU."""
    folder = shared("oracles/otb")
    aucs, ious = [], []
    for file in sorted(shared("sequences/otb").iterdir()):
        truth = read_truth(file / "groundtruth_rect.txt")
        found = read_truth(folder / "KCF" / f"{file.name}.txt")
        aucs.append(measure(found, truth).auc)
        ious.append(overlaps(repaired(found, truth), truth).mean())
    assert np.mean(aucs) == pytest.approx(0.370, abs=5e-4)
    assert np.mean(ious) > np.mean(aucs)


def test_thresholds_are_those_of_matlab():
    """``0:0.05:1`` from both ends: 0.15 = 3 * 0.05 rounds up, 0.85 = 1 - 3 * 0.05 rounds down."""
    assert OTB.overlap_thresholds[3] == 3 * 0.05 != 0.15
    assert OTB.overlap_thresholds[17] == 1 - 3 * 0.05
    assert OTB.overlap_thresholds[0] == 0 and OTB.overlap_thresholds[20] == 1
    assert len(OTB.overlap_thresholds) == 21 and len(OTB.error_thresholds) == 51


def test_comparisons_are_strict_for_overlap_only():
    truth = np.array([[10.0, 10, 10, 10]] * 2)
    half = np.array([[10.0, 10, 10, 10], [10, 10, 10, 5]])  # IoU exactly 0.5
    assert measure(half, truth).success[10] == 0.5
    shifted = truth + np.array([[0, 0, 0, 0], [20, 0, 0, 0]])
    curves = measure(shifted, truth)
    assert curves.precision[19] == 0.5 and curves.precision20 == 1
    assert measure(truth, truth).success[20] == 0  # IoU 1 is not greater than 1


def test_invalid_truth_is_a_miss_and_a_hit():
    truth = np.array([[10.0, 10, 10, 10], [10, 10, 0, 10], [-1, 10, 10, 10]])  # the last: x = 0 in the file
    curves = measure(np.tile(truth[0] + [99, 0, 0, 0], (3, 1)), truth)
    assert curves.success[0] == pytest.approx(1 / 3)
    assert curves.precision[0] == 1


def test_rows_replaced():
    nan = [np.nan] * 4
    found = np.array([[50.0, 50, 5, 5], [1, 1, 5, 5], nan, [2, 2, 0, 5], [3, 3, 5, -1], [4, 4, 5, 5]])
    truth = np.full((6, 4), 7.0)
    expected = [[7, 7, 7, 7], [1, 1, 5, 5], [1, 1, 5, 5], [1, 1, 5, 5], [1, 1, 5, 5], [4, 4, 5, 5]]
    np.testing.assert_array_equal(repaired(found, truth), expected)
    np.testing.assert_array_equal(repaired(found, truth, PYSOT), found)


def test_absent_frames_are_left_out_or_count_as_the_toolkits_count_them():
    truth = np.array([[10.0, 10, 10, 10], [np.nan] * 4, [10, 10, 10, 10]])
    found = np.array([[10.0, 10, 10, 10], [90, 90, 5, 5], [90, 90, 10, 10]])
    curves = measure(found, truth)
    assert curves.success[0] == 0.5 and curves.precision20 == 0.5 and curves.normalized[50] == 0.5
    for rules, hits in (
        (PYSOT, (1, 2)),
        (GOT10K, (1, 1)),
    ):  # of three: absent is a miss, for pysot's errors a hit
        curves = measure(found, truth, rules)
        assert (curves.success[0], curves.precision20) == pytest.approx(np.divide(hits, 3))
    assert np.isnan(overlaps(found, truth)).tolist() == [False, True, False]


def test_toolkits_differ_where_they_do():
    truth = np.array([[10.0, 10, 10, 10], [10, 10, 0, 0], [10, 10, 10, 10]])
    found = np.array([[90.0, 90, 10, 10], [10, 10, 10, 10], [np.nan] * 4])
    success = {rules.name: measure(found, truth, rules).success[0] for rules in PROTOCOLS.values()}
    precision = {rules.name: measure(found, truth, rules).precision20 for rules in PROTOCOLS.values()}
    # otb: first box replaced, invalid row a miss and a hit, nan repaired by (10, 10, 10, 10)
    assert (success["otb"], precision["otb"]) == (pytest.approx(2 / 3), 1)
    # pysot: the bad first box counts, validity of precision by the centre, nan is a miss
    assert (success["pysot"], precision["pysot"]) == (0, pytest.approx(1 / 3))
    # got10k: first box replaced, nothing else
    assert (success["got10k"], precision["got10k"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_normalised_error_divides_by_the_true_size():
    truth = np.array([[0.0, 0, 20, 10]])
    found = np.array([[6.0, 4, 20, 10]])
    assert center_errors(found, truth)[0] == pytest.approx(np.hypot(6, 4))
    assert center_errors(found, truth, normalized=True)[0] == pytest.approx(0.5)
    truth, found = np.vstack([truth, truth]), np.vstack([truth, found])
    # the first is right at all 51 thresholds, the second (0.5) at the last alone
    assert measure(found, truth).normalized_precision == pytest.approx((51 + 1) / 2 / 51)
    flat = center_errors(found, truth * [1, 1, 0, 1], normalized=True)
    assert np.isinf(flat).all()


def test_missing_boxes_are_an_error_unless_accepted():
    truth = np.full((4, 4), 10.0)
    with pytest.raises(InputError, match=r"\(3, 4\).*\(4, 4\)"):
        measure(truth[:3], truth)
    curves = measure(truth[:3], truth, may_end_early=True)
    assert (curves.success[0], curves.precision20, curves.normalized[50]) == (0.75, 0.75, 0.75)
    with pytest.raises(InputError):
        measure(np.full((5, 4), 10.0), truth, may_end_early=True)
    with pytest.raises(InputError, match="so nothing can be measured"):
        measure(np.full((2, 4), 5.0), np.full((2, 4), np.nan))


@given(boxes)
def test_truth_against_itself_is_perfect(truth):
    curves = measure(truth, truth)
    assert (curves.success[:20] == 1).all() and curves.precision[0] == 1 and curves.normalized[0] == 1
    assert curves.auc == pytest.approx(20 / 21)


@given(boxes, st.randoms(use_true_random=False), st.sampled_from(list(PROTOCOLS.values())))
def test_curves_are_bounded_and_monotone(truth, random, rules):
    found = truth + np.array([[random.uniform(-30, 30) for _ in range(4)] for _ in truth])
    curves = measure(found, truth, rules)
    for curve in (curves.success, curves.precision, curves.normalized):
        assert ((curve >= 0) & (curve <= 1)).all()
    assert (np.diff(curves.success) <= 0).all()
    assert (np.diff(curves.precision) >= 0).all() and (np.diff(curves.normalized) >= 0).all()


@given(boxes, st.integers(-8, 64), st.integers(-8, 64), st.sampled_from([0.5, 2.0, 4.0]))
def test_moving_and_scaling_both_changes_nothing(truth, dx, dy, factor):
    found = np.roll(truth, 1, axis=0)
    moved = [row + np.array([dx, dy, 0, 0]) for row in (found, truth)]
    np.testing.assert_allclose(overlaps(*moved), overlaps(found, truth), atol=1e-5)
    np.testing.assert_allclose(center_errors(*moved), center_errors(found, truth), atol=1e-4)
    scaled = [row * factor for row in (found, truth)]
    np.testing.assert_allclose(overlaps(*scaled), overlaps(found, truth), atol=1e-9)
    np.testing.assert_allclose(center_errors(*scaled), factor * center_errors(found, truth))
    relative = [center_errors(*pair, normalized=True) for pair in (scaled, (found, truth))]
    np.testing.assert_allclose(*relative)


@given(boxes)
def test_arguments_stay_as_they_are(truth):
    found = np.roll(truth, 1, axis=0)
    for array in (truth, found):
        array.flags.writeable = False
    before = truth.copy(), found.copy()
    measure(found, truth, GOT10K)
    measure(found, truth)
    np.testing.assert_array_equal(before, (truth, found))


def test_bootstrap_tells_a_clear_lead_from_luck():
    names = [f"s{k}" for k in range(20)]
    rng = np.random.default_rng(3)
    b = {name: float(rng.uniform()) for name in names}
    better = {name: value + 0.05 + 0.01 * float(rng.normal()) for name, value in b.items()}
    clear = bootstrap_difference(better, b)
    assert clear.says_better and clear.low < clear.difference < clear.high
    assert clear == bootstrap_difference(dict(reversed(better.items())), b)  # order and call do not matter
    luck = bootstrap_difference({name: float(rng.uniform()) for name in names}, b)
    assert not luck.says_better
    back = bootstrap_difference(b, better)
    assert (back.difference, back.low) == pytest.approx((-clear.difference, -clear.high))


def test_bootstrap_agrees_with_the_normal_interval():
    rng = np.random.default_rng(0)
    apart = rng.normal(0.1, 1, 400)
    found = bootstrap_difference({str(k): v for k, v in enumerate(apart)}, {str(k): 0.0 for k in range(400)})
    half = 1.96 * apart.std(ddof=1) / 20
    assert (found.low, found.high) == pytest.approx((apart.mean() - half, apart.mean() + half), abs=0.01)


def test_bootstrap_needs_pairs():
    with pytest.raises(InputError, match="different sequences: a, b"):
        bootstrap_difference({"a": 1.0}, {"b": 1.0})
    with pytest.raises(InputError, match="at least two"):
        bootstrap_difference({"a": 1.0}, {"a": 1.0})


def test_protocols_by_name():
    assert protocol("otb") is OTB
    with pytest.raises(UnknownNameError, match="pysot"):
        protocol("pysott")
