"""The hostile cases of the tests, on our trackers and OpenCV's: the tables of docs/hostile-input.md.

    python benchmarks/hostile.py [--trackers kcf,opencv:csrt] [--write] [--frames 20000]

A tracker plays its cases in a process with a time limit, because OpenCV's may end or hold up theirs.
OpenCV's are called as they are (``cv2.TrackerKCF.create()``), not through our interface.
"""

import argparse
import itertools
import math
import os
import re
import resource
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from _names import ours

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from hostile_cases import CASES, Case, scene  # noqa: E402  (the table lies beside the tests that use it)

PAGE = ROOT / "docs" / "hostile-input.md"
THEIRS = ("opencv:mosse", "opencv:kcf", "opencv:medianflow", "opencv:csrt", "opencv:mil")
LIMIT = 60.0
"""Seconds after which a case of OpenCV's trackers is called a hang; good ones take up to 10."""
PATIENCE = 600.0
"""The same for ours, some of which run a large network in each of 300 frames."""

GOOD = ("refused", "sound", "lost")
"""Outcomes that a user can work with."""


class Target(Protocol):
    """What a case is played on."""

    def init(self, image: Any, box: Any) -> None:
        """Takes a target."""

    def update(self, image: Any) -> tuple[bool, tuple[float, ...]]:
        """Whether it claims to see the target, and every number it gave."""


class Ours:
    """A tracker of slimtrack."""

    def __init__(self, name: str) -> None:
        from slimtrack import create

        self._tracker = create(name)
        self.init = self._tracker.init

    def update(self, image: Any) -> tuple[bool, tuple[float, ...]]:
        """Not LOST, and the box with its score."""
        track = self._tracker.update(image)
        return track.state != "lost", (*track.box, track.score)


class Theirs:
    """A tracker of OpenCV, as it comes."""

    def __init__(self, name: str) -> None:
        import cv2

        class_name = {
            "kcf": "KCF",
            "csrt": "CSRT",
            "mil": "MIL",
            "mosse": "MOSSE",
            "medianflow": "MedianFlow",
        }[name]
        holders = (cv2, getattr(cv2, "legacy", cv2))
        self._tracker = next(
            getattr(holder, f"Tracker{class_name}_create")()
            for holder in holders
            if hasattr(holder, f"Tracker{class_name}_create")
        )
        self._error = cv2.error

    def init(self, image: Any, box: Any) -> None:
        """Starts it in whole pixels, which is what it takes; a caller would round."""
        whole = tuple(round(v) if math.isfinite(v) else v for v in box) if isinstance(box, tuple) else box
        self._tracker.init(image, whole)

    def update(self, image: Any) -> tuple[bool, tuple[float, ...]]:
        """OpenCV's flag, and its box."""
        found, box = self._tracker.update(image)
        return bool(found), tuple(map(float, box))


def made(name: str) -> Target:
    return Theirs(name.removeprefix("opencv:")) if name.startswith("opencv:") else Ours(name)


def played(name: str, case: Case) -> str:
    """One word for what came of a case, and details after a colon."""
    target = made(name)
    if case.first is not None:
        target.init(case.first(), case.box)
    answers = [target.update(image) for image in case.later()]
    if not all(math.isfinite(value) for _, values in answers for value in values):
        return "not finite"
    if case.expected.startswith("refuses"):
        # OpenCV's way to refuse a frame may be to say that the target is not in it.
        refused = case.expected == "refuses image" and not answers[-1][0]
        return "lost" if refused else "accepted: bad input taken for good"
    if case.expected == "lost":
        return "lost" if not any(found for found, _ in answers[10:]) else f"tracked: {answers[-1][1]}"
    return "sound"


def judged(name: str, case: Case) -> str:
    """What came of a case, errors included, on one line."""
    from slimtrack import SlimtrackError
    from slimtrack.errors import InternalError

    try:
        return played(name, case)
    except InternalError as error:
        return f"internal error: {error}"
    except SlimtrackError as error:
        return f"{'refused' if case.expected.startswith('refuses') else 'error'}: {error}"
    except Exception as error:
        text = re.sub(r"\s+", " ", str(error))
        # An assertion deep inside OpenCV says nothing that its caller can use; its typed refusals do.
        inside = type(error).__name__ == "error" and "Can't parse" not in text and "Overload" not in text
        refused = case.expected.startswith("refuses") and not inside
        return f"{'refused' if refused else 'internal error'}: {type(error).__name__}: {text[:200]}"


def outcomes(name: str) -> list[str]:
    """What came of every case, in processes that the tracker may end or hold up.

    A process plays on until it dies or hangs; the cases after that one get another.
    """
    found: list[str] = []
    limit = LIMIT if name.startswith("opencv:") else PATIENCE
    while len(found) < len(CASES):
        command = [sys.executable, __file__, "--child", name, str(len(found))]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            for line in iter(lambda: _line(process, limit), ""):
                found.append(line.strip())
            hung = process.poll() is None and not _ended(process)
            if hung:
                process.kill()
        if len(found) < len(CASES):
            code = process.returncode
            died = f"crash: {signal.Signals(-code).name}" if code < 0 else f"crash: exit code {code}"
            found.append(f"hang: more than {limit:g} s" if hung else died)
    return found


def _line(process: subprocess.Popen[str], limit: float) -> str:
    """The next line of a process; empty when it ended or said nothing for too long."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], limit)
    return process.stdout.readline() if ready else ""


def _ended(process: subprocess.Popen[str]) -> bool:
    """Whether it ends within a moment: its output is closed a little before."""
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return False
    return True


def table(names: list[str], results: dict[tuple[str, int], str]) -> Iterator[str]:
    """Markdown: what came of each case, ours in one column; then the counts of each tracker."""
    own = [name for name in names if not name.startswith("opencv:")]
    columns = [name for name in names if name.startswith("opencv:")]
    yield f"| input | has to be | slimtrack ({len(own)} trackers) | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 3) + "|"
    for index, case in enumerate(CASES):
        cells = [together({name: word(results[name, index]) for name in own})]
        cells += [marked(word(results[name, index])) for name in columns]
        yield f"| {case.title} | {case.expected} | " + " | ".join(cells) + " |"
    yield ""
    words = (*GOOD, "internal error", "error", "accepted", "not finite", "tracked", "crash", "hang")
    yield f"| tracker | {' | '.join(words)} |"
    yield "|---" * (len(words) + 1) + "|"
    for name in names:
        counts = Counter(word(results[name, index]) for index in range(len(CASES)))
        yield f"| {name} | {' | '.join(str(counts[each]) for each in words)} |"


def word(result: str) -> str:
    """The outcome without its details."""
    return result.partition(":")[0]


def marked(outcome: str) -> str:
    """An outcome, bold where a user cannot work with it."""
    return outcome if outcome in GOOD else f"**{outcome}**"


def together(outcomes: dict[str, str]) -> str:
    """The outcome of most trackers, and by name that of the others."""
    if not outcomes:
        return ""
    usual, _ = Counter(outcomes.values()).most_common(1)[0]
    others = [f"{name}: {marked(outcome)}" for name, outcome in outcomes.items() if outcome != usual]
    return "; ".join([marked(usual), *others])


def long_run(name: str, count: int) -> tuple[int, int, int, float]:
    """Resident KiB after warm-up and at the end of a looped clip, frames, and seconds."""
    frames = [np.ascontiguousarray(scene(index)[20:84, 40:136]) for index in range(20)]
    frames += frames[::-1]
    tracker = made(name)
    tracker.init(frames[0], (20, 20, 36, 28))
    start, early = time.perf_counter(), 0
    for index, image in enumerate(itertools.islice(itertools.cycle(frames), count)):
        tracker.update(image)
        if index == min(2000, count // 5):
            early = resident()
    return early, resident(), count, time.perf_counter() - start


def resident() -> int:
    """KiB of this process in memory now; the peak where the system does not say."""
    status = Path("/proc/self/status")
    if status.exists():
        match = re.search(r"VmRSS:\s+(\d+)", status.read_text())
        if match:
            return int(match[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def long_table(names: list[str], count: int) -> Iterator[str]:
    """Markdown: memory over many frames, each tracker in a process of its own."""
    warm = min(2000, count // 5)
    yield f"| tracker | frames | MiB after {warm:,} | MiB at the end | growth, KiB | seconds |"
    yield "|---|---|---|---|---|---|"
    for name in names:
        command = [sys.executable, __file__, "--long", name, "--frames", str(count)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        early, late, frames, seconds = done.stdout.split()
        yield (
            f"| {name} | {int(frames):,} | {int(early) / 1024:.1f} | {int(late) / 1024:.1f} "
            f"| {int(late) - int(early)} | {float(seconds):.0f} |"
        )


def replaced(text: str, mark: str, lines: Iterator[str]) -> str:
    """The page with what stands between two marks exchanged."""
    pattern = re.compile(rf"(<!-- table:{mark} -->\n).*?(<!-- end of table:{mark} -->)", re.DOTALL)
    body = "\n".join(lines) + "\n"
    return pattern.sub(lambda match: match[1] + body + match[2], text)


def show(mark: str, make: Callable[[], Iterator[str]], write: bool) -> None:
    lines = list(make())
    print("\n".join(lines), flush=True)
    if write:
        PAGE.write_text(replaced(PAGE.read_text(), mark, iter(lines)))


def compare(names: list[str], write: bool) -> None:
    results = {(name, index): text for name in names for index, text in enumerate(outcomes(name))}
    show("hostile", lambda: table(names, results), write)
    for (name, index), text in results.items():
        if text.partition(":")[0] not in GOOD:
            print(f"{name}: {CASES[index].title}: {text}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trackers", help="with commas between; ours and OpenCV's if not given")
    parser.add_argument(
        "--frames", type=int, default=20_000, help="of our trackers' long run; 0 leaves it out"
    )
    parser.add_argument("--only-long", action="store_true", help="leave the cases out")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/hostile-input.md")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--long", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        for case in CASES[int(arguments.child[1]) :]:
            print(judged(arguments.child[0], case).replace("\n", " "), flush=True)
        return
    if arguments.long:
        print(*long_run(arguments.long, arguments.frames))
        return
    names = arguments.trackers.split(",") if arguments.trackers else [*ours(), *THEIRS]
    if not arguments.only_long:
        compare(names, arguments.write)
    if arguments.frames:
        tracked = [name for name in names if not name.startswith("opencv:")]
        show("long", lambda: long_table(tracked, arguments.frames), arguments.write)


if __name__ == "__main__":
    main()
