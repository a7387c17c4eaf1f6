"""Work for other processes, which import this module and nothing of the tests beside it."""

import os

from training.lidc_scans import ScanFiles
from training.prepare_lidc import Outcome


def die_of_the_second(scan: ScanFiles) -> Outcome:
    """Take the process down with it for scan 2, as the system does when memory is out."""
    if scan.scan_id == 2:
        os._exit(9)
    return Outcome(scan.name, slices=1)
