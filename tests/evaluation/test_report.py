"""Tables and plots: complete, readable at 80 columns, files where they were asked for."""

import io

import cv2
import numpy as np
import pytest
from rich.console import Console

from slimtrack.errors import OutputError
from slimtrack.evaluation import Dataset, evaluate, summarise
from slimtrack.evaluation.report.plots import _speed_accuracy, save_plots
from slimtrack.evaluation.report.tables import (
    accuracy_table,
    attribute_tables,
    difference_tables,
    sequence_tables,
    speed_table,
)


@pytest.fixture
def done(write_sequence):
    folder = write_sequence("A", [[11 + k, 9, 10, 8] for k in range(12)])
    write_sequence("Long-name", [[11, 9, 10, 8], *[[np.nan] * 4] * 3, *[[11, 9, 10, 8]] * 8])
    (folder / "attributes.csv").write_text("sequence,OCC,SV\nA,1,0\nLong-name,1,1\n")
    result = evaluate(["gives-up", "still[score=0.9]", "still"], Dataset.read(folder), jitter=1)
    return result, summarise(result)


def text_of(*tables, width=80):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(*tables, sep="\n")
    return console.file.getvalue()


def test_tables_name_trackers_with_their_options(done):
    _, summary = done
    text = text_of(accuracy_table(summary), speed_table(summary))
    assert "still[score=0.9]" in text and "mean of 5 first boxes" in text and "data: 2 sequences" in text
    lines = [line.split() for line in text.splitlines() if line.split()[:1] == ["still"]]
    row = summary["trackers"]["still"]
    assert lines[0][1] == f"{row['auc']:.3f}" and lines[0][-1] == "100%"
    assert [line.split()[-1] for line in text.splitlines() if line.startswith(" gives-up")] == ["100%", "10"]


def test_cross_tables_break_where_the_line_ends(done):
    _, summary = done
    assert len(sequence_tables(summary, 80)) == 1 and len(sequence_tables(summary, 30)) == 2
    text = text_of(*sequence_tables(summary, 80), *attribute_tables(summary, 80))
    assert "OCC (2)" in text and "Long-name" in text
    assert max(map(len, text.splitlines())) <= 80


def test_no_attributes_no_table(write_sequence):
    result = evaluate(["still"], Dataset.read(write_sequence("A", [[11, 9, 10, 8]] * 8)))
    assert attribute_tables(summarise(result), 80) == []


def compared(first, second):
    def row(aucs):
        return {"auc": np.mean(aucs), "sequences": {f"S{k}": {"auc": auc} for k, auc in enumerate(aucs)}}

    return difference_tables({"trackers": {"worse": row(first), "best": row(second)}})


def test_differences_come_with_their_interval():
    text = text_of(*compared([0.2, 0.3, 0.4], [0.3, 0.5, 0.7]))
    assert "AUC of best less the others', 95 % interval" in text
    assert " worse         +0.200   +0.100   +0.300   best is better" in text
    assert "not told apart" in text_of(*compared([0.2, 0.3, 0.4], [0.1, 0.5, 0.7]))
    assert compared([0.2], [0.3]) == []


def test_a_single_tracker_is_not_compared(write_sequence):
    result = evaluate(["still"], Dataset.read(write_sequence("A", [[11, 9, 10, 8]] * 8)))
    assert difference_tables(summarise(result)) == []


@pytest.mark.parametrize(
    ("speeds", "ticks"),
    [
        ((230.0, 410.0), ["200", "500", "1,000"]),
        ((1033.0, 1758.0), ["1,000", "2,000"]),
        ((6.0, 1900.0), ["5", "10", "20", "50", "100", "200", "500", "1,000", "2,000"]),
    ],
)
def test_speeds_are_written_out(speeds, ticks):
    rows = {f"{fps:g}": {"auc": 0.5, "auc_spread": None, "fps": fps} for fps in speeds}
    data = {"name": "data", "sequences": 2}
    summary = {"trackers": rows, "dataset": data, "protocol": {"runs": 1}, "machine": {"cpu": "here"}}
    figure = _speed_accuracy(None, summary)
    axes = figure.axes[0]
    low, high = axes.get_xlim()
    labels = [t.label1.get_text() for t in axes.xaxis.get_major_ticks() if low <= t.get_loc() <= high]
    assert labels == ticks
    assert [t.label1.get_text() for t in axes.xaxis.get_minor_ticks()] == []


def test_plots_are_pictures(done, tmp_path):
    files = save_plots(*done, tmp_path / "plots")
    assert [f.stem for f in files] == ["success", "precision", "reliability", "speed_accuracy", "attributes"]
    for file in files:
        image = cv2.imread(str(file))
        assert image.shape[0] > 200 and image.shape[1] > 400
        assert 0.3 < (image > 250).all(axis=2).mean() < 0.99 or file.stem == "attributes"


def test_plots_without_times_or_attributes(write_sequence, tmp_path):
    result = evaluate(["gives-up"], Dataset.read(write_sequence("A", [[11, 9, 10, 8]] * 8)))
    files = save_plots(result, summarise(result), tmp_path)
    assert [f.stem for f in files] == ["success", "precision", "reliability"]


def test_plots_where_nothing_can_be_written(done, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        save_plots(*done, tmp_path / "file" / "plots")


def test_drawing_leaves_matplotlib_as_it_was(done, tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    save_plots(*done, tmp_path)
    assert dict(matplotlib.rcParams) == before
