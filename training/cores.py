"""How many processes a script starts by itself."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return how many cores this process may use: those of its job, shared with the others of a launch.

    A job on a cluster is often given fewer cores than the machine has, and each process that ``accelerate launch``
    starts on a machine would take them all.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
