"""Quality of scores, against slow forms and by hand, and the fit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimtrack.errors import InputError
from slimtrack.evaluation.calibration import (
    auroc,
    expected_calibration_error,
    fit_logistic,
    held_out_scores,
    reliability,
)

pairs = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=30
)


@given(pairs)
def test_auroc_counts_pairs(rows):
    scores, labels = map(list, zip(*rows, strict=True))
    right = [s for s, label in rows if label]
    wrong = [s for s, label in rows if not label]
    found = auroc(scores, labels)
    if not right or not wrong:
        assert math.isnan(found)
        return
    wins = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a in right for b in wrong)
    assert found == pytest.approx(wins / (len(right) * len(wrong)))
    assert auroc([s / 3 for s in scores], labels) == pytest.approx(found)  # the order alone counts
    assert auroc(scores, [not label for label in labels]) == pytest.approx(1 - found)


def test_ece_by_hand():
    scores = [0.05, 0.05, 0.95, 0.95, 0.95, 1.0]
    labels = [0, 1, 1, 1, 0, 1]
    # bin 0: promised 0.05, came 0.5, 2 of 6; bin 14 (1.0 included): promised 0.9625, came 0.75, 4 of 6
    expected = 2 / 6 * 0.45 + 4 / 6 * 0.2125
    assert expected_calibration_error(scores, labels) == pytest.approx(expected)
    table = reliability(scores, labels)
    assert table.counts.tolist() == [2, *[0] * 13, 4]
    assert np.isnan(table.came[1:-1]).all() and table.came[-1] == 0.75


def test_a_score_that_is_the_probability_has_no_error():
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=200_000)
    labels = rng.uniform(size=200_000) < scores
    assert expected_calibration_error(scores, labels) < 0.01
    assert expected_calibration_error(np.sqrt(scores), labels) > 0.1


def test_quality_of_nothing():
    assert math.isnan(auroc([], [])) and math.isnan(expected_calibration_error([], []))


@pytest.mark.parametrize(("scores", "labels"), [([0.5], [1, 0]), ([[0.5]], [[1]]), ([math.nan], [1])])
def test_quality_refuses(scores, labels):
    with pytest.raises(InputError, match="scores"):
        auroc(scores, labels)


def test_reliability_wants_probabilities():
    with pytest.raises(InputError, match=r"0 \.\. 1"):
        reliability([1.5], [1])


def _sample(count=40_000, seed=1):
    rng = np.random.default_rng(seed)
    evidence = np.column_stack(
        [rng.normal(12, 4, count), rng.normal(0.01, 0.003, count), np.full(count, 7.0)]
    )
    logits = 0.4 * evidence[:, 0] - 200 * evidence[:, 1] - 2
    return evidence, rng.uniform(size=count) < 1 / (1 + np.exp(-logits))


def test_fit_recovers_the_model_on_any_scale():
    evidence, labels = _sample()
    model = fit_logistic(evidence, labels, ["psr", "apce", "constant"], l2=0)
    assert model.weights["psr"] == pytest.approx(0.4, rel=0.05)
    assert model.weights["apce"] == pytest.approx(-200, rel=0.08)
    assert model.weights["constant"] == 0
    assert model.bias == pytest.approx(-2, abs=0.25)
    scores = [
        model.score(dict(zip(["psr", "apce", "constant"], row, strict=True))) for row in evidence[:4000]
    ]
    assert expected_calibration_error(scores, labels[:4000]) < 0.03


def test_fit_is_the_minimum():
    """Gradient of the regularised loss by finite differences: zero at the fit."""
    evidence, labels = _sample(500)
    x = evidence[:, :2]
    model = fit_logistic(x, labels, ["a", "b"], l2=0.01)
    scale = x.std(axis=0)

    def loss(w, bias):
        logits = x @ w + bias
        return np.mean(np.logaddexp(0, logits) - labels * logits) + 0.005 * ((w * scale) ** 2).sum()

    at = np.array([model.weights["a"], model.weights["b"]])
    for change in ([0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]):
        step = np.array(change[:2]) / scale
        for sign in (1, -1):
            assert loss(at + sign * step, model.bias + sign * change[2]) > loss(at, model.bias)
        slope = loss(at + 1e-4 * step, model.bias + 1e-4 * change[2]) - loss(
            at - 1e-4 * step, model.bias - 1e-4 * change[2]
        )
        assert abs(slope) < 1e-9


def test_fit_survives_labels_that_a_line_parts():
    model = fit_logistic([[0.0], [1], [2], [3]], [0, 0, 1, 1], ["x"], l2=1e-3)
    assert model.score({"x": 3.0}) > 0.95 and model.score({"x": 0.0}) < 0.05
    assert np.isfinite(model.bias)


def test_groups_weigh_the_same():
    evidence = [[0.0]] * 90 + [[0.0]] * 10
    labels = [1] * 90 + [0] * 10
    groups = ["long"] * 90 + ["short"] * 10
    assert fit_logistic(evidence, labels, ["x"]).score({}) == pytest.approx(0.9, abs=1e-6)
    assert fit_logistic(evidence, labels, ["x"], groups=groups).score({}) == pytest.approx(0.5, abs=1e-6)


def test_held_out_scores_come_from_the_other_groups():
    evidence, labels = _sample(300)
    groups = np.repeat(["a", "b", "c"], 100)
    scores = held_out_scores(evidence, labels, ["p", "q", "r"], groups)
    model = fit_logistic(evidence[100:], labels[100:], ["p", "q", "r"], groups=groups[100:])
    assert scores[7] == pytest.approx(model.score(dict(zip("pqr", evidence[7], strict=True))))
    with pytest.raises(InputError, match="a single name"):
        held_out_scores(evidence, labels, ["p", "q", "r"], ["a"] * 300)


def test_rows_that_are_not_fitted_are_scored():
    evidence, labels = _sample(300)
    groups, fitted = np.repeat(["a", "b", "c"], 100), np.arange(300) % 2 == 0
    scores = held_out_scores(evidence, labels, ["p", "q", "r"], groups, fitted=fitted)
    rows = np.flatnonzero(fitted & (groups != "a"))
    model = fit_logistic(evidence[rows], labels[rows], ["p", "q", "r"], groups=groups[rows])
    assert scores[7] == pytest.approx(model.score(dict(zip("pqr", evidence[7], strict=True))))


@pytest.mark.parametrize(
    ("evidence", "labels", "names", "options", "what"),
    [
        ([[1.0], [2]], [1, 0], ["a", "b"], {}, "names 2"),
        ([[1.0], [2]], [1], ["a"], {}, "labels"),
        ([[1.0], [math.nan]], [1, 0], ["a"], {}, "not finite"),
        ([[1.0], [2]], [1, 1], ["a"], {}, "all the same"),
        ([[1.0], [2]], [1, 0], ["a"], {"l2": -1.0}, "l2"),
        ([[1.0], [2]], [1, 0], ["a"], {"groups": ["g"]}, "groups"),
    ],
)
def test_fit_refuses(evidence, labels, names, options, what):
    with pytest.raises(InputError, match=what):
        fit_logistic(evidence, labels, names, **options)
