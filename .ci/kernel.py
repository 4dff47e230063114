"""Ends with 0 when NumPy's and SciPy's OpenBLAS run the kernels that OPENBLAS_CORETYPE names."""

import os
import sys

import numpy as np
import scipy.linalg  # noqa: F401  # it brings an OpenBLAS of its own
from threadpoolctl import threadpool_info

wanted = os.environ["OPENBLAS_CORETYPE"]
np.ones((64, 64), np.float32) @ np.ones((64, 64), np.float32)  # a wrong one dies here
found = {pool.get("architecture", "?") for pool in threadpool_info() if pool["user_api"] == "blas"}
if {name.casefold() for name in found} != {wanted.casefold()}:
    sys.exit(f"BLAS runs {', '.join(sorted(found)) or 'no OpenBLAS'}")
