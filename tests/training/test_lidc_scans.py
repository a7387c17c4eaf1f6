from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import generate_uid

from engine.errors import InputError
from tests.training.made_up_scan import MadeUpScan
from training.lidc_scans import read_whole_scan


def test_a_gap_that_the_database_has_too_is_a_missing_slice(tmp_path: Path) -> None:
    scan = MadeUpScan(generate_uid())
    files = scan.write(tmp_path)
    files.pop(5).unlink()

    with pytest.raises(InputError, match=r"neighbours lie up to 5 mm apart, elsewhere 2\.5 mm"):
        read_whole_scan(files, np.delete(scan.annotated().z_mm, 5))
