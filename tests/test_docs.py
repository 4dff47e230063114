"""What the documents show is run, and what they point to exists."""

import re
from pathlib import Path

import numpy as np
import pytest

from slimtrack import State, create
from slimtrack.video.synthetic import CLIPS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def block(page: str, name: str) -> str:
    """The code between two markers of a page."""
    text = (ROOT / page).read_text()
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```\n<!-- end of {name} -->", text, re.DOTALL)
    assert found, f"{page} has no block {name}"
    return found[1]


def test_the_tracker_of_the_guide_runs(tmp_path: Path) -> None:
    path = tmp_path / "template.py"
    path.write_text(block("docs/adding-a-tracker.md", "template.py"))
    frames = list(CLIPS["plain"].frames())
    tracker = create(f"{path}:template[reach=1.8]", rate=0.02)
    tracker.init(*frames[0])  # type: ignore[arg-type]
    tracks = [tracker.update(image) for image, _ in frames[1:]]
    black = [tracker.update(np.zeros_like(frames[0][0])) for _ in range(5)]
    assert np.mean([t.box.iou(box) for t, (_, box) in zip(tracks, frames[1:], strict=True) if box]) > 0.8
    assert tracks[-1].state is State.TRACKED
    assert black[-1].state is State.LOST


def test_the_three_lines_of_the_readme_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = block("README.md", "three lines")
    assert '"video.mp4", (100, 80, 40, 60)' in code
    frames = list(CLIPS["plain"].with_options(length=4).images())
    box = tuple(CLIPS["plain"].truth[0] or ())
    exec(code.replace('"video.mp4", (100, 80, 40, 60)', "frames, box"), {"frames": frames, "box": box})
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_the_readme_has_the_command_that_ci_runs() -> None:
    assert block("README.md", "test command").strip() == "make test"
    assert "\ntest:" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    for link in links:
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
