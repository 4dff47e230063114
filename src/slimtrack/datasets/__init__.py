"""Annotated sequences on disk: one reader a layout, and what all of them give."""

from slimtrack.datasets.dataset import Dataset
from slimtrack.datasets.reader import Reader
from slimtrack.datasets.rows import read_truth
from slimtrack.datasets.sequence import Sequence

__all__ = ["Dataset", "Reader", "Sequence", "read_truth"]
