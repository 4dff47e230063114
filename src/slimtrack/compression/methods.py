"""Compression methods by name; each becomes a subcommand of `slimtrack compress`."""

from collections.abc import Mapping
from typing import Any

from slimtrack.compression.cpt import Cpt
from slimtrack.compression.distillation import Distillation
from slimtrack.compression.method import Method

__all__ = ["METHODS"]

METHODS: Mapping[str, type[Method[Any]]] = {method.name: method for method in (Cpt, Distillation)}
"""Methods by name."""
