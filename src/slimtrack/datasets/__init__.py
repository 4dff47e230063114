"""Annotated sequences on disk, with one reader per layout."""

from slimtrack.datasets.dataset import Dataset
from slimtrack.datasets.reader import Reader
from slimtrack.datasets.rows import read_truth
from slimtrack.datasets.sequence import Sequence

__all__ = ["Dataset", "Reader", "Sequence", "read_truth"]
