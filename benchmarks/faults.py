"""Puts known faults into a copy of the code, one at a time: the test named beside each has to turn red.

    python benchmarks/faults.py            # all of them
    python benchmarks/faults.py bias shift # those whose title contains one of these words

A test that sees nothing, or a fault whose old text is no longer in the code, ends the script with code 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        title: In a few words.
        file: Below ``src/slimtrack``.
        old: Text that stands once in the file.
        new: What takes its place.
        test: What has to fail, as pytest names it, below ``tests``.
    """

    title: str
    file: str
    old: str
    new: str
    test: str


_STRCF = "trackers/test_strcf_tracker.py::test_what_was_seen_is_learned_where_the_target_was_in_it"
_REDUCED = "compression/test_cpt.py::test_the_last_layer_is_reduced_by_the_settings_metric_and_error"
_ASKED = "trackers/test_cpt_trackers.py::test_a_network_is_pruned_as_the_options_say"
_ANEW = "trackers/test_channel_distillation.py::test_the_filter_begins_anew_on_both_frames"
_EQUATION_12 = "filters/test_eco.py::test_channels_are_chosen_by_equation_12"

FAULTS = [
    Fault(
        "STRCF and fDeepSTRCF learn at minus the shift", "filters/spectral.py",
        "(shift[0] * h, shift[1] * w)", "(-shift[0] * h, -shift[1] * w)", _STRCF,
    ),
    Fault(
        "HCF's layer weights reversed", "trackers/hcf.py", "weights[::-1]", "weights",
        "trackers/test_channel_distillation.py::test_the_deepest_layers_response_weighs_most",
    ),
    Fault(
        "reconstruction forgets the bias", "compression/pruning.py",
        "wished.values[0, rows] - bias[rows, None]", "wished.values[0, rows]",
        "compression/test_cpt.py::test_reconstruction_knows_that_the_bias_is_added",
    ),
    Fault(
        "CACF-CD's context is wished to respond", "compression/channels.py",
        "wishes[: len(frames)] = rfft2(label)", "wishes[:] = rfft2(label)",
        "compression/test_channels.py::test_context_is_wished_not_to_respond",
    ),
    Fault(
        "the PCA loss dropped from equation 6", "compression/information.py",
        "losses[count] = lost / energy + float(", "losses[count] = 0 * lost / energy + float(",
        "compression/test_information.py::test_the_loss_of_d_prime_is_the_three_terms_of_equation_6",
    ),
    Fault("the metric ignored", "compression/pruning.py", "metric=how.metric, ", "", _REDUCED),
    Fault("the tracking error ignored", "compression/pruning.py", "with_error=how.error,", "", _REDUCED),
    Fault(
        "CPT's option metric ignored", "compression/cpt.py", "d_prime, metric, ", 'd_prime, "l2", ', _ASKED,
    ),
    Fault(
        "CPT's option error ignored", "compression/cpt.py", "metric, error, ", "metric, True, ", _ASKED,
    ),
    Fault(
        "distillation's response has another width", "compression/distillation.py",
        "self._label_width * math.sqrt(target.w * target.h)", "self._label_width * math.sqrt(target.w)",
        "compression/test_methods.py::test_the_desired_response_is_a_share_of_the_target",
    ),
    Fault(
        "DeepCD learns one frame anew", "trackers/deepcd.py",
        "for patch in self._examples:", "for patch in self._examples[1:]:", _ANEW,
    ),
    Fault(
        "CACF-CD learns one frame anew", "trackers/channels_cd.py",
        "for seen in self._examples:", "for seen in self._examples[1:]:", _ANEW,
    ),
    Fault(
        "fDeepSTRCF-CD learns one frame anew", "trackers/channels_cd.py",
        "for example in self._examples:", "for example in self._examples[1:]:", _ANEW,
    ),
    Fault(
        "prune_inner ignores the weights", "compression/inner.py",
        "variance * (weights**2).sum((0, 2, 3))", "variance",
        "compression/test_channels_network.py"
        "::test_a_channel_that_nothing_reads_goes_before_a_quiet_one_that_is_read",
    ),
    Fault(
        "the direction is kept at a negative factor", "filters/eco/solver.py", "max(factor, 0.0)", "factor",
        "filters/test_eco.py::test_the_direction_is_given_up_where_the_polak_ribiere_factor_is_negative",
    ),
    Fault(
        "ECO-CD's samples weigh the same", "filters/eco/filter.py",
        "halves * np.sqrt(self._space.weights)[:, None, None]",
        "halves * np.ones_like(self._space.weights)[:, None, None]", _EQUATION_12,
    ),
    Fault(
        "ECO-CD's regularisation without its factor", "filters/eco/filter.py", "np.float32(price) * ", "",
        _EQUATION_12,
    ),
]  # fmt: skip


def main(words: list[str]) -> int:
    """Tries the faults whose titles contain one of the words; gives the exit code."""
    faults = [fault for fault in FAULTS if not words or any(word in fault.title for word in words)]
    with tempfile.TemporaryDirectory(prefix="slimtrack-faults-") as folder:
        copy = Path(folder) / "slimtrack"
        for part in ("src", "tests"):
            shutil.copytree(ROOT / part, copy / part)
        shutil.copy(ROOT / "pyproject.toml", copy)
        whole = {fault.test for fault in faults}
        if ran(copy, *sorted(whole)) != 0:
            print("the tests named here do not pass without a fault")
            return 1
        wrong = [line for fault in faults for line in tried(copy, fault)]
    print(f"{len(faults)} faults, {len(faults) - len(wrong)} seen")
    return int(bool(wrong))


def tried(copy: Path, fault: Fault) -> list[str]:
    """What is wrong with the test of a fault; the copy is as before afterwards."""
    path = copy / "src" / "slimtrack" / fault.file
    text = path.read_text()
    if text.count(fault.old) != 1:
        said = f"stale: {fault.file} has {text.count(fault.old)} times {fault.old!r}"
    else:
        path.write_text(text.replace(fault.old, fault.new))
        code = ran(copy, fault.test)
        path.write_text(text)
        said = {0: "NOT SEEN", 1: ""}.get(code, f"pytest ended with {code}: is there a test of that name?")
    print(f"{fault.title}: {said or 'red'}", flush=True)
    return [said] if said else []


def ran(copy: Path, *tests: str) -> int:
    """Pytest's exit code: 0 all passed, 1 some failed."""
    shared = os.environ.get("SLIMTRACK_SHARED", str(ROOT.parent / "shared"))
    environment = os.environ | {"PYTHONPATH": str(copy / "src"), "SLIMTRACK_SHARED": shared}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    paths = [str(copy / "tests" / test) for test in tests]
    return subprocess.run([*command, *paths], cwd=copy, env=environment, capture_output=True).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
