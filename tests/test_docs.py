"""What the documents show is run, and what they point to exists."""

import itertools
import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import slimtrack
import small_networks
from slimtrack import Box, State, create
from slimtrack.cli import main
from slimtrack.cli.compress import command_of
from slimtrack.datasets import Dataset
from slimtrack.errors import InputError, SourceError
from slimtrack.networks.card import Card
from slimtrack.networks.entry import Entry, File
from slimtrack.networks.network import Network
from slimtrack.plugins import import_file
from slimtrack.video.synthetic import CLIPS

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def block(page: str, name: str) -> str:
    """The code between two markers of a page."""
    text = (ROOT / page).read_text()
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```\n<!-- end of {name} -->", text, re.DOTALL)
    assert found, f"{page} has no block {name}"
    return found[1]


def test_the_tracker_of_the_guide_runs(tmp_path: Path) -> None:
    path = tmp_path / "template.py"
    path.write_text(block("docs/adding-a-tracker.md", "template.py"))
    assert len(path.read_text().splitlines()) < 60
    frames = list(CLIPS["plain"].frames())
    tracker = create(f"{path}:template[reach=1.8]", rate=0.02)
    tracker.init(*frames[0])  # type: ignore[arg-type]
    tracks = [tracker.update(image) for image, _ in frames[1:]]
    black = [tracker.update(np.zeros_like(frames[0][0])) for _ in range(5)]
    assert np.mean([t.box.iou(box) for t, (_, box) in zip(tracks, frames[1:], strict=True) if box]) > 0.8
    assert tracks[-1].state is State.TRACKED and type(tracker).calibrated()
    with pytest.raises(InputError, match="option reach=9 must be between 1 and 8"):
        create(f"{path}:template", reach=9)
    assert black[-1].state is State.LOST


def test_the_correlation_tracker_of_the_guide_follows_and_resizes(tmp_path: Path) -> None:
    path = tmp_path / "colors.py"
    path.write_text(block("docs/adding-a-tracker.md", "colors.py"))
    assert len(path.read_text().splitlines()) < 40
    for clip in ("plain", "scale"):
        frames = list(CLIPS[clip].frames())
        tracker = create(f"{path}:colors", rate=0.03)
        tracker.init(*frames[0])  # type: ignore[arg-type]
        tracks = [tracker.update(image) for image, _ in frames[1:]]
        overlaps = [t.box.iou(box) for t, (_, box) in zip(tracks, frames[1:], strict=True) if box]
        assert np.mean(overlaps) > 0.75, clip


def test_the_wrapper_of_the_guide_finds_what_jumped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = block("docs/adding-a-wrapper.md", "detected.py")
    assert len(code.splitlines()) < 60
    (tmp_path / "detected.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    frames = [(image, box) for image, box in itertools.islice(CLIPS["plain"].frames(), 24) if box]
    shifted = [(np.roll(image, 110, axis=0), box.moved(0, 110)) for image, box in frames[8:]]
    scenes = [*frames[:8], *shifted]
    use = block("docs/adding-a-wrapper.md", "use of detected.py")
    use = use.replace('"video.mp4", box=(100, 80, 40, 60)', "images, box=first")
    asked: list[Box] = []

    def detect(image: np.ndarray) -> Box:
        asked.append(next(box for known, box in scenes if np.array_equal(known, image)))
        return asked[-1]

    names = {"images": [image for image, _ in scenes], "first": frames[0][1], "detect": detect}
    exec(use, names)
    assert len(capsys.readouterr().out.splitlines()) == 24
    assert 2 <= len(asked) < 6
    assert names["step"].box.iou(shifted[-1][1]) > 0.7  # type: ignore[attr-defined]
    assert names["tracker"].name == "detected kcf"  # type: ignore[attr-defined]


def test_the_wrapper_of_the_guide_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "detected.py"
    file.write_text(block("docs/adding-a-wrapper.md", "detected.py"))
    monkeypatch.chdir(tmp_path)
    images = tmp_path / "sequences" / "Plain" / "img"
    images.mkdir(parents=True)
    shown = list(itertools.islice(CLIPS["plain"].frames(), 6))
    for number, (image, _) in enumerate(shown, start=1):
        cv2.imwrite(str(images / f"{number:04}.png"), image)
    rows = [",".join(map(str, (box.x + 1, box.y + 1, box.w, box.h))) for _, box in shown if box]
    (images.parent / "groundtruth_rect.txt").write_text("\n".join(rows))
    names = {"tracker": import_file(file, "wrapper").Detected(create("kcf"), lambda image: None)}
    exec(block("docs/adding-a-wrapper.md", "measuring a wrapper"), names)
    name, auc = capsys.readouterr().out.split()
    assert name == "Plain" and float(auc) > 0.7


def test_the_dataset_of_the_guide_is_read_and_benched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("corners.py").write_text(block("docs/adding-a-dataset.md", "corners.py"))
    assert len(Path("corners.py").read_text().splitlines()) < 60
    frames = Path("sequences/walk/frames")
    frames.mkdir(parents=True)
    for number in range(5):
        cv2.imwrite(str(frames / f"{number}.png"), np.full((40, 60, 3), 40 * number, np.uint8))
    Path("sequences/walk/boxes.csv").write_text("1,10,5,30,25\n2,11,5,31,25\n4,13,5,33,25\n")
    (sequence,) = Dataset.read("sequences", layout="corners.py:Corners")
    assert [file.stem for file in sequence.frames] == ["1", "2", "3", "4"]
    assert sequence.absent.tolist() == [False, False, True, False]
    assert (sequence.name, sequence.first_box) == ("walk", Box(10, 5, 20, 20))
    with pytest.raises(SystemExit) as stop:
        main(["bench", "sequences/", "--layout", "corners.py:Corners", "--trackers", "mosse"])
    assert not stop.value.code
    assert "mosse" in capsys.readouterr().out
    Path("sequences/walk/boxes.csv").write_text("1,10,5,30,25\n2,11,5,31\n")
    with pytest.raises(SourceError, match=r"boxes\.csv, line 2"):
        Dataset.read("sequences", layout="corners.py:Corners")


def first_frames(count: int) -> list[tuple[np.ndarray, Box]]:
    frames = itertools.islice(CLIPS["plain"].frames(), count)
    return [(image, box) for image, box in frames if box is not None]


def test_the_compression_method_of_the_guide_prunes_and_becomes_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx"), pytest.importorskip("onnxruntime"), pytest.importorskip("matplotlib")
    small_networks.write(tmp_path)
    monkeypatch.setenv("SLIMTRACK_NETWORKS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path("loudest.py").write_text(block("docs/adding-a-compression-method.md", "loudest.py"))
    assert len(Path("loudest.py").read_text().splitlines()) < 60
    loudest = import_file(Path("loudest.py"), "compression method").Loudest
    ((image, box),) = first_frames(1)
    names = {"Loudest": loudest, "image": image, "box": box}
    exec(block("docs/adding-a-compression-method.md", "code: loudest"), names)
    whole, found = names["whole"], names["found"]
    assert found.feature.channels == round(whole.channels / 4)  # type: ignore[attr-defined]
    assert Network.load("small.onnx").parameters < whole.network.parameters  # type: ignore[attr-defined]
    cv2.imwrite("frame.png", image)
    app = typer.Typer()
    app.command()(command_of(loudest))
    words = ["cf_vggm", "--video", "frame.png", "--box", f"{box}", "--keep", "0.5", "--out", "half.onnx"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0 and "target information ratio" in result.output
    half = Network.load("half.onnx")
    assert half.tap(whole.tap.name).channels == whole.channels // 2  # type: ignore[attr-defined]
    assert CliRunner().invoke(app, [*words, "--keep", "0"]).exit_code != 0


def test_the_feature_of_the_guide_is_followed_with_and_keeps_its_contract(tmp_path: Path) -> None:
    path = tmp_path / "edges.py"
    path.write_text(block("docs/adding-a-feature.md", "edges.py"))
    assert len(path.read_text().splitlines()) < 60
    frames = first_frames(20)
    tracker = create(f"{path}:kcf-edges", rate=0.03)
    tracker.init(*frames[0])
    overlaps = [tracker.update(image).box.iou(box) for image, box in frames[1:]]
    assert np.mean(overlaps) > 0.7
    edges = import_file(path, "tracker").Edges(4)
    patches = np.random.default_rng(0).integers(0, 256, (3, 37, 50, 3), dtype=np.uint8)
    patches.setflags(write=False)
    found = edges(patches)
    assert (found.shape, found.dtype) == ((3, 2, 9, 12), np.float32)
    np.testing.assert_array_equal(found, [edges(patch) for patch in patches])


def test_the_network_of_the_guide_is_imported_and_followed_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    exec(block("docs/adding-a-network.md", "make_edges.py"), {})
    images = Path("sequences/walk/img")
    images.mkdir(parents=True)
    rows = []
    for number, (image, box) in enumerate(first_frames(6), start=1):
        cv2.imwrite(str(images / f"{number:04d}.png"), image)
        rows.append(f"{box.x + 1},{box.y + 1},{box.w},{box.h}\n")
    (images.parent / "groundtruth_rect.txt").write_text("".join(rows))
    Path("networks").mkdir()
    for line in block("docs/adding-a-network.md", "import").splitlines():
        with pytest.raises(SystemExit) as stop:
            main(shlex.split(line)[1:])
        assert not stop.value.code, line
    told = capsys.readouterr().out
    assert "licence MIT" in told and "hcf[network=edges,taps=relu2]" in told


def test_the_entry_of_the_guide_is_one_of_the_catalogue() -> None:
    code = block("docs/adding-a-network.md", "entry")
    entry = eval(code, {"Entry": Entry, "Card": Card, "File": File})
    assert entry.published and entry.taps and entry.card.name == "edges"
    assert re.fullmatch(r"[0-9a-f]{64}", entry.files[0].sha256)


def test_the_five_lines_of_the_readme_run(capsys: pytest.CaptureFixture[str]) -> None:
    code = block("README.md", "five lines")
    assert '"video.mp4", box=(100, 80, 40, 60)' in code
    frames = list(CLIPS["plain"].with_options(length=4).images())
    names = {"frames": frames, "first": CLIPS["plain"].truth[0]}
    exec(code.replace('"video.mp4", box=(100, 80, 40, 60)', "frames, box=first"), names)
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert names["picture"].shape == frames[0].shape  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["cv2 loop", "our loop", "several", "video"])
def test_the_code_for_those_who_come_from_opencv_runs(name: str) -> None:
    if name == "cv2 loop" and not hasattr(pytest.importorskip("cv2"), "TrackerKCF_create"):
        pytest.skip("this OpenCV has no contributed trackers")
    frames, truth = zip(*itertools.islice(CLIPS["plain"].frames(), 6), strict=True)
    x, y, w, h = truth[0].int_xywh
    names = {"frames": frames, "x": x, "y": y, "w": w, "h": h}
    code = block("docs/coming-from-opencv.md", f"code: {name}")
    exec(code.replace('"video.mp4"', "frames"), names)
    if name == "our loop":
        assert names["track"].box.iou(truth[-1]) > 0.8
    if name == "cv2 loop":
        assert Box(*(names[side] for side in ("left", "top", "width", "height"))).iou(truth[-1]) > 0.8


def test_the_readme_has_the_command_that_ci_runs() -> None:
    assert block("README.md", "test command").strip() == "make test"
    assert "\ntest:" in (ROOT / "Makefile").read_text()


def rows(page: str, name: str) -> dict[str, list[str]]:
    """The rows of a table of a page, by tracker."""
    text = (ROOT / page).read_text()
    table = text.split(f"<!-- {name} -->")[1].split("<!-- ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line]
    return {row[0].strip("*"): row for row in cells[2:]}


def test_the_figures_of_the_readme_are_the_measured_ones() -> None:
    measured = rows("docs/measurement.md", "table:bench")
    short = rows("README.md", "table:short")
    assert len(short) == 10
    for name, row in short.items():
        assert row == measured[name][: len(row)], name
    for _, tracker, auc, speed, _ in rows("README.md", "--8<-- [start:which]").values():
        name = re.findall(r"`(.+?)`", tracker)[0]
        assert [auc, speed] == [measured[name][1].split()[0], measured[name][3]], name


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    listed = (ROOT / "mkdocs.yml").read_text()
    for page in sorted((ROOT / "docs").rglob("*.md")):
        name = page.relative_to(ROOT / "docs").as_posix()
        assert f" {name}\n" in listed, f"add docs/{name} to `nav` in mkdocs.yml"


def test_the_version_is_the_same_everywhere() -> None:
    assert f'version: "{slimtrack.__version__}"' in (ROOT / "CITATION.cff").read_text()
    assert f"## {slimtrack.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text()):
        if "://" not in link:
            target = page.parent / link if link else page
            assert target.exists(), f"{page.name} links to {link}"
            assert not anchor or anchor in anchors(target), f"{page.name} links to {link}#{anchor}"
