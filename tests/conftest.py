"""Fixtures for every test: real data where there is some, and small CT series written on the spot."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

#: Row direction and column direction of a slice as most scanners write it: patient's right on the left, front up.
STANDARD_ORIENTATION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.fixture(scope="session", autouse=True)
def own_user_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing that a test exports or records lands among the user's own data."""
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("user-data"))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data: NODULE_STUDIO_DATA, else `shared/data` beside the repository.

    It holds `dicom/`, scans of TCIA by patient, and the Parquet files that `training.import_public` reads.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NODULE_STUDIO_DATA", beside))
    if not ((folder / "dicom").is_dir() and (folder / "chest_slices.parquet").is_file()):
        pytest.skip(f"there is no real data in {folder}; name its folder in NODULE_STUDIO_DATA")
    return folder


@pytest.fixture(scope="session")
def chest() -> NDArray[np.int16]:
    """HU of (slices 4, rows 24, columns 32): a body in air with two unequal lungs, the spine at the back.

    No two of its eight flips and transposes are alike, and every slice differs from its neighbours.
    """
    hu = np.full((4, 24, 32), -1000, np.int16)
    hu[:, 3:21, 3:29] = 30
    hu[:, 6:16, 5:12] = -850
    hu[:, 7:17, 18:27] = -800
    hu[:, 17:20, 14:17] = 700
    hu[:, 4:6, 20] = 300
    hu += np.arange(4, dtype=np.int16)[:, None, None] * 7
    return hu


def ct_header(series_uid: str, description: str) -> FileDataset:
    """A CT data set with what every slice of a series has in common."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID = CTImageStorage
    header.PatientName, header.PatientID = "Written^By A Test", "TEST"
    header.PatientBirthDate = header.PatientSex = header.StudyDate = header.StudyTime = ""
    header.AccessionNumber = header.ReferringPhysicianName = header.StudyID = header.Manufacturer = ""
    header.PatientPosition, header.ImageType = "HFS", ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.StudyInstanceUID, header.SeriesInstanceUID = generate_uid(), series_uid
    header.FrameOfReferenceUID = generate_uid()
    header.Modality, header.SeriesDescription, header.SeriesNumber = "CT", description, 1
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.SliceThickness = 2.5
    return header


def set_pixels(header: FileDataset, stored: NDArray[Any], bits_stored: int, high_bit: int | None) -> None:
    """Put stored values of (rows, columns) into a data set."""
    header.Rows, header.Columns = stored.shape
    header.BitsAllocated = stored.dtype.itemsize * 8
    header.BitsStored = bits_stored
    header.HighBit = bits_stored - 1 if high_bit is None else high_bit
    header.PixelRepresentation = int(stored.dtype.kind == "i")
    header.PixelData = stored.tobytes()
    header["PixelData"].VR = "OW"


def write_series(
    folder: Path,
    hu: NDArray[Any],
    *,
    orientation: Sequence[float] = STANDARD_ORIENTATION,
    first_position: Sequence[float] = (-100.0, -120.0, -50.0),
    slice_step: Sequence[float] | None = None,
    pixel_spacing: tuple[float, float] = (0.75, 0.75),
    slope: float | Sequence[float] = 1.0,
    intercept: float | Sequence[float] = -1024.0,
    signed: bool = True,
    bits_stored: int = 16,
    high_bit: int | None = None,
    description: str = "CHEST",
    series_uid: str | None = None,
    prefix: str = "slice",
    without: Sequence[str] = (),
    encode: Callable[[FileDataset], Any] | None = None,
    **tags: Any,
) -> list[Path]:
    """Write HU of (slices, rows, columns) as a CT series, one file a slice, and return the files.

    `slice_step` goes from one position to the next: by default 2.5 mm along the slice normal. `slope` and
    `intercept` are those of the series or one a slice; stored values are (HU - intercept) / slope, rounded.
    `tags` are set on every slice; the keywords in `without` are deleted; `encode` may compress a slice or
    change it in any other way before it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    normal = np.cross(orientation[:3], orientation[3:])
    step = 2.5 * normal if slice_step is None else np.asarray(slice_step)
    uid = series_uid or generate_uid()
    files: list[Path] = []
    for index, plane in enumerate(hu):
        header = ct_header(uid, description)
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        header.InstanceNumber = index + 1
        header.ImageOrientationPatient = [float(f"{value:.8f}") for value in orientation]
        position = np.asarray(first_position) + index * step
        header.ImagePositionPatient = [float(f"{value:.6f}") for value in position]
        header.PixelSpacing = list(pixel_spacing)
        header.RescaleSlope = float(np.broadcast_to(slope, len(hu))[index])
        header.RescaleIntercept = float(np.broadcast_to(intercept, len(hu))[index])
        stored = np.rint((plane.astype(float) - header.RescaleIntercept) / header.RescaleSlope)
        set_pixels(header, stored.astype(np.int16 if signed else np.uint16), bits_stored, high_bit)
        for keyword, value in tags.items():
            setattr(header, keyword, value)
        for keyword in without:
            delattr(header, keyword)
        if encode is not None:
            encode(header)
        files.append(folder / f"{prefix}{index:03}.dcm")
        header.save_as(files[-1], enforce_file_format=True)
    return files


@pytest.fixture(scope="session")
def write_ct_series() -> Callable[..., list[Path]]:
    """The function `write_series` above, for tests in any folder."""
    return write_series
