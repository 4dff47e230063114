"""What every filter holds to."""

import numpy as np
import pytest

from slimtrack.errors import NotStartedError
from slimtrack.filters._average import Average
from slimtrack.filters.context import ContextFilter
from slimtrack.filters.correlation import KernelFilter, LinearFilter
from slimtrack.filters.fft import irfft2, rfft2
from slimtrack.filters.histogram import ColorModel
from slimtrack.filters.mosse import MosseFilter
from slimtrack.filters.response import gaussian_label
from slimtrack.filters.scale import FastScaleFilter, ScaleFilter

LABEL = gaussian_label(8, 9, 1.0)
LABEL.setflags(write=False)


def some(seed, *shape):
    array = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    array.setflags(write=False)
    return array


def images(make):
    def ask(model):
        return irfft2(model.spectrum(rfft2(some(9, 2, 3, 8, 9))), (8, 9))

    return (lambda rate: make(LABEL, rate=rate)), lambda model, seed: model.learn(seen(seed, 3, 8, 9)), ask


def seen(seed, *shape):
    """A spectrum that is not to be written to."""
    spectrum = rfft2(some(seed, *shape))
    spectrum.setflags(write=False)
    return spectrum


def contexts():
    make, _, ask = images(ContextFilter)
    return make, lambda model, seed: model.learn(seen(seed, 3, 3, 8, 9)), ask


def columns(make):
    count = len(make().factors)
    return (
        lambda rate: make(rate=rate),
        lambda model, seed: model.learn(some(seed, 40, count)),
        lambda model: model.respond(some(9, 40, count)),
    )


def learn_colours(model, seed):
    patch = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    inside = np.arange(42).reshape(6, 7) % 3 == 0
    for array in (patch, inside):
        array.setflags(write=False)
    model.learn(patch, inside, ~inside)


COLOURS = np.stack(np.meshgrid(*[np.arange(0, 256, 8, dtype=np.uint8)] * 3), axis=-1).reshape(64, -1, 3)
"""Every colour that a histogram tells apart."""

FILTERS = {
    "kernel": images(KernelFilter),
    "linear": images(LinearFilter),
    "context": contexts(),
    "mosse": (
        lambda rate: MosseFilter(LABEL, rate=rate),
        lambda model, seed: model.learn(seen(seed, 1, 8, 9)),
        lambda model: irfft2(model.spectrum(rfft2(some(9, 2, 1, 8, 9))), (8, 9)),
    ),
    "scale": columns(ScaleFilter),
    "fast scale": columns(FastScaleFilter),
    "colours": (ColorModel, learn_colours, lambda model: model.likelihood(COLOURS)),
}
every = pytest.mark.parametrize(("make", "learn", "ask"), FILTERS.values(), ids=FILTERS.keys())


def taught(make, learn, rate, *seeds):
    model = make(rate)
    for seed in seeds:  # of read-only arrays: an argument that is written to raises
        learn(model, seed)
    return model


@every
def test_rate_one_forgets(make, learn, ask):
    mixed, fresh = taught(make, learn, 1.0, 1, 2), taught(make, learn, 0.1, 2)
    np.testing.assert_allclose(ask(mixed), ask(fresh), atol=1e-4)


@every
def test_rate_zero_keeps_the_first(make, learn, ask):
    mixed, first = taught(make, learn, 0.0, 1, 2), taught(make, learn, 0.1, 1)
    np.testing.assert_array_equal(ask(mixed), ask(first))


@every
def test_a_rate_between_does_neither(make, learn, ask):
    mixed = ask(taught(make, learn, 0.5, 1, 2))
    for seed in (1, 2):
        assert np.abs(mixed - ask(taught(make, learn, 0.5, seed))).max() > 1e-3


@every
def test_asking_changes_nothing(make, learn, ask):
    model = taught(make, learn, 0.5, 1, 2)
    np.testing.assert_array_equal(ask(model), ask(model))


@pytest.mark.parametrize("name", [name for name in FILTERS if name != "colours"])
def test_to_ask_before_learning_is_refused(name):
    make, _, ask = FILTERS[name]
    with pytest.raises(NotStartedError, match="learn"):
        ask(make(0.1))


def test_average_keeps_no_argument():
    average, first = Average(0.25), np.zeros(3, np.float32)
    average.add(first)
    average.add(np.full(3, 4, np.float32))
    np.testing.assert_array_equal(average.value, [1, 1, 1])
    np.testing.assert_array_equal(first, 0)
