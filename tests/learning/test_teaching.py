"""A teacher's graph in torch, its lessons, and runs of training."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from slimtrack.errors import SourceError  # noqa: E402
from slimtrack.learning.augment import CALM, batch  # noqa: E402
from slimtrack.learning.backbones.inverted import MOBILENET_V2, Block, Plan  # noqa: E402
from slimtrack.learning.data import PairSampler, read_training_set  # noqa: E402
from slimtrack.learning.export import read_checkpoint  # noqa: E402
from slimtrack.learning.loop import Schedule, train  # noqa: E402
from slimtrack.learning.siamese import DESIGNS, Design, Siamese  # noqa: E402
from slimtrack.learning.teacher import FearTeacher, Graph, Seen  # noqa: E402

FEAR = Path(__file__).parents[3] / "shared" / "weights" / "fear_xs"
published = pytest.mark.skipif(not FEAR.is_dir(), reason="../shared/weights/fear_xs is not here")

TINY = Design(
    MOBILENET_V2,
    Plan(8, (Block(8, 8), Block(16, 8, 2), Block(16, 16, 2), Block(32, 16, 2))),
    16,
    search=64,
    template=32,
    depth=1,
)


@published
def test_a_published_graph_says_the_same_in_torch() -> None:
    runtime = pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    template, search = (rng.uniform(0, 255, (2, 3, side, side)).astype(np.float32) for side in (128, 256))
    look, find = Graph(FEAR / "template.onnx"), Graph(FEAR / "search.onnx")
    with torch.no_grad():
        features = look(torch.tensor(template))[0]
        sides, logits = find(torch.tensor(search), features)
    theirs = runtime.InferenceSession(str(FEAR / "search.onnx"))
    for index in range(2):
        image, kept = search[index : index + 1], features[index : index + 1].numpy()
        expected = theirs.run(None, {"image": image, "template_features": kept})
        np.testing.assert_allclose(sides[index].numpy(), expected[0][0], rtol=1e-3)
        np.testing.assert_allclose(logits[index].numpy(), expected[1][0], atol=1e-3)


def test_a_lesson_stands_where_the_teacher_saw_it(training_set: Path) -> None:
    """A teacher that says the true box in its own view says it in the student's, mirrored or not."""
    data = read_training_set(training_set, "train")
    generator = torch.Generator().manual_seed(0)
    pairs = PairSampler(data.objects, absent=0.0).draw(16, generator)
    drawn = batch(data.pictures, data.objects, pairs, CALM._replace(mirrored=0.5), generator)
    teacher = FearTeacher.__new__(FearTeacher)
    window = drawn.search_window * 1.0
    window[:, 2:] *= 1.25
    window[:, :2] -= drawn.search_window[:, 2:] / 8
    box = drawn._replace(search_window=window).box(256)
    column, row = ((box[:, :2] + box[:, 2:]) / 32).round().long().clamp(0, 15).unbind(1)
    scores = torch.zeros(16, 16, 16)
    scores[torch.arange(16), row, column] = 1.0
    x, y = column[:, None, None] * 16.0, row[:, None, None] * 16.0
    left, top, right, bottom = box[:, :, None, None].unbind(1)
    sides = torch.stack([x - left, y - top, right - x, bottom - y], 1).expand(16, 4, 16, 16)
    lesson = teacher.lesson(Seen(sides, scores, window), drawn, 224)
    torch.testing.assert_close(lesson.box, drawn.box(224), atol=0.02, rtol=1e-4)


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "x.onnx").write_bytes(b"no")
    with pytest.raises(SourceError, match=r"teacher .*x\.onnx cannot be read"):
        Graph(tmp_path / "x.onnx")


def trained(training_set: Path, out: Path, monkeypatch: pytest.MonkeyPatch, steps: int) -> list[dict]:
    monkeypatch.setitem(DESIGNS, "tiny", TINY)
    torch.manual_seed(0)
    data, held_out = (read_training_set(training_set, split) for split in ("train", "val"))
    schedule = Schedule(minutes=5, pairs=8, rate=1e-2, backbone_rate=1.0, steps=steps, judged=32, average=0.5)
    train({"tiny": Siamese(TINY)}, data, held_out, out, schedule, strength=CALM, device=torch.device("cpu"))
    return [json.loads(line)["tiny"] for line in (out / "log-tiny.jsonl").read_text().splitlines()]


def test_a_run_is_the_same_twice_and_leaves_its_network(
    training_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(training_set, tmp_path / "a", monkeypatch, 2)
    assert first == trained(training_set, tmp_path / "b", monkeypatch, 2)
    assert read_checkpoint(tmp_path / "a" / "tiny.pt").design == TINY


def test_training_learns_to_find_a_bright_rectangle(
    training_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trained(training_set, tmp_path / "a", monkeypatch, 1)[-1]
    after = trained(training_set, tmp_path / "b", monkeypatch, 80)[-1]
    assert after["giou"] < 0.8 * before["giou"]
    assert after["overlap"] > 2 * before["overlap"]
