"""Runs a command of slimtrack with frames timed by processor time, for a machine that others keep busy.

    python benchmarks/processor_time.py bench sequences/dev --trackers kcf,feco --fps 10:100:10

The processor time of a tracker with one thread is about the time it takes on a quiet machine, however long it
has to wait for the processor. A run on a busy machine is marked as noisy all the same.
"""

import time

time.perf_counter_ns = time.process_time_ns  # before slimtrack's stopwatch reads it

from slimtrack.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
