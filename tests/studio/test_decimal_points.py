"""Numbers have a point on all systems: in fields, and in the files of ITK, which would follow a system with commas."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK

from tests.scripted_engine import PATIENCE

GERMAN = "de_DE.UTF-8"


@pytest.fixture
def german(tmp_path):
    """An environment of a system that writes 1,5; the locale is made where the computer has none of that kind."""
    environment = {**os.environ, "LC_ALL": GERMAN, "XDG_DATA_HOME": str(tmp_path / "data")}
    if shutil.which("locale"):
        installed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout
        if "de_DE.utf8" in installed.split():
            return environment
    if not shutil.which("localedef"):
        pytest.skip("neither the locale de_DE.UTF-8 nor localedef, which would make it, is on this computer")
    made = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "UTF-8", str(tmp_path / GERMAN)], capture_output=True, text=True, check=False
    )
    if not (tmp_path / GERMAN / "LC_NUMERIC").exists():
        pytest.skip(f"localedef cannot make the locale de_DE.UTF-8 on this computer: {made.stderr.strip()}")
    return {**environment, "LOCPATH": str(tmp_path)}


def test_numbers_are_read_shown_typed_and_written_with_a_point_on_a_system_with_commas(german, tmp_path):
    path, copy = tmp_path / "ct.nrrd", tmp_path / "copy.nrrd"
    image = SimpleITK.GetImageFromArray(np.full((3, 64, 64), -850, np.int16))
    image.SetSpacing((1.5, 1.5, 2.5))
    SimpleITK.WriteImage(image, str(path))
    run = subprocess.run(
        [sys.executable, "-m", "tests.studio.foreign_studio", str(path), str(copy)],
        env=german,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["system"] == GERMAN
    assert (told["spacing"], told["slices apart"]) == ([1.5, 1.5], 2.5)
    assert (told["shown"], told["typed"], told["seed"]) == ("2.5", 3.5, "1234567")
    assert SimpleITK.ReadImage(str(copy)).GetSpacing() == (1.5, 1.5, 2.5)
