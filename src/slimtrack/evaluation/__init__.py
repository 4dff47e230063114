"""Measures trackers: accuracy with the metrics of the public toolkits, speed, and the quality of scores."""

from slimtrack.datasets import Dataset, Sequence
from slimtrack.evaluation.runner import Evaluation, Running, evaluate
from slimtrack.evaluation.runs import Run, Store
from slimtrack.evaluation.summary import summarise, to_json
from slimtrack.evaluation.watcher import Watcher

__all__ = [
    "Dataset", "Evaluation", "Run", "Running", "Sequence", "Store", "Watcher", "evaluate", "summarise",
    "to_json",
]  # fmt: skip
