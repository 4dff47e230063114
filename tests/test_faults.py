"""The known faults of ``benchmarks/faults.py`` can still be put into the code."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
from faults import FAULTS, Fault  # noqa: E402  (the table lies beside the script that tries them)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.title for fault in FAULTS])
def test_a_fault_has_its_place_and_its_test(fault: Fault) -> None:
    """Where the code has moved on, the fault moves with it: ``python benchmarks/faults.py`` tries it."""
    assert (ROOT / "src" / "slimtrack" / fault.file).read_text().count(fault.old) == 1
    file, _, name = fault.test.partition("::")
    assert re.search(rf"^def {re.escape(name)}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE)
