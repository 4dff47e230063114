"""A teacher's graph in torch, and its lessons."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from slimtrack.errors import InputError, MissingError  # noqa: E402
from slimtrack.learning.augment import CALM, batch  # noqa: E402
from slimtrack.learning.data import PairSampler, read_training_set  # noqa: E402
from slimtrack.learning.recipes import make  # noqa: E402
from slimtrack.learning.teacher import FearTeacher, Seen, published  # noqa: E402
from slimtrack.networks.find import VARIABLE  # noqa: E402

FEAR = Path(__file__).parents[3] / "shared" / "weights" / "fear_xs"
with_fear = pytest.mark.skipif(not FEAR.is_dir(), reason="../shared/weights/fear_xs is not here")


@with_fear
def test_a_published_graph_says_the_same_in_torch() -> None:
    runtime = pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    template, search = (rng.uniform(0, 255, (2, 3, side, side)).astype(np.float32) for side in (128, 256))
    look, find = published(FEAR / "template.onnx"), published(FEAR / "search.onnx")
    with torch.no_grad():
        features = look(torch.tensor(template))["features"]
        sides, logits = find(torch.tensor(search), features).values()
    theirs = runtime.InferenceSession(str(FEAR / "search.onnx"))
    for index in range(2):
        image, kept = search[index : index + 1], features[index : index + 1].numpy()
        expected = theirs.run(None, {"image": image, "template_features": kept})
        np.testing.assert_allclose(sides[index].numpy(), expected[0][0], rtol=1e-3)
        np.testing.assert_allclose(logits[index].numpy(), expected[1][0], atol=1e-3)


@with_fear
def test_the_teacher_of_slim_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(FEAR.parent))
    make("slim").recipe.teach(Path("fear_xs"))
    with pytest.raises(MissingError, match=r"network file nobody/template\.onnx was not found"):
        make("slim").recipe.teach(Path("nobody"))


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
    with pytest.raises(InputError, match=r"teacher .*x\.onnx is not an ONNX model"):
        published(tmp_path / "x.onnx")
