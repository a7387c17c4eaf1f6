"""Volumes and results to export: no network, the nodule is a disc."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from engine.ct import CTSlice, CTVolume
from engine.events import GenerationRequest, GenerationResult, SamplingOptions, SliceRequest, SliceSource
from engine.measurement import NoduleMeasurement
from engine.nodule import BoundingBox, NoduleAttributes
from engine.whole_slices import volume_of

SHAPE = (40, 48)
SPACING = (0.6, 0.8)
#: Turned by a few degrees about the patient's long axis, as no scanner's image is exactly straight.
COLUMN_DIRECTION = (0.9975640502598242, 0.0697564737441253, 0.0)
ROW_DIRECTION = (-0.0697564737441253, 0.9975640502598242, 0.0)


def source_header(**changes: object) -> Dataset:
    """A header as a scanner writes it, with much that must not be copied."""
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, "1.2.3.4.5"
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.1"
    header.FrameOfReferenceUID = "1.2.3.4.9"
    header.ImagePositionPatient, header.ImageOrientationPatient = [-12.5, 7.25, 100], [1, 0, 0, 0, 1, 0]
    header.PatientName, header.PatientID = "Müller^Jürgen", "P-17"
    header.PatientBirthDate, header.PatientSex, header.PatientAge = "19610203", "M", "059Y"
    header.StudyDate, header.StudyTime, header.StudyID = "20200102", "101112", "S1"
    header.AccessionNumber, header.ReferringPhysicianName = "A1", ""
    header.Modality, header.SeriesDescription, header.SeriesNumber = "CT", "Thorax 1.0 B70f", 4
    header.Manufacturer, header.ManufacturerModelName = "SCANNERS INC", "Sharp 64"
    header.BodyPartExamined, header.PatientPosition = "CHEST", "HFS"
    header.KVP, header.ConvolutionKernel, header.SliceThickness = "120", "B70f", "1.25"
    header.RescaleSlope, header.RescaleIntercept = "1", "-1024"
    header.SmallestImagePixelValue, header.LargestImagePixelValue = 0, 4095
    header.PixelPaddingValue = 63536
    header.add_new(0x60000010, "US", SHAPE[0])
    header.IconImageSequence = [Dataset()]
    header.private_block(0x0011, "SCANNERS INC", create=True).add_new(1, "LO", "secret")
    for keyword, value in changes.items():
        setattr(header, keyword, value)
    return header


def make_volume(headers: tuple[Dataset, ...] = (), dtype: type = np.int16, hu: np.ndarray | None = None) -> CTVolume:
    """Two slices, 2.5 mm apart, with padding of -3024 HU in a corner."""
    if hu is None:
        hu = np.random.default_rng(5).integers(-1000, 400, (2, *SHAPE)).astype(dtype)
        hu[:, :4, :4] = -3024
    return CTVolume(
        hu,
        SPACING,
        positions=((-12.5, 7.25, 100.0), (-12.5, 7.25, 102.5)),
        column_direction=COLUMN_DIRECTION,
        row_direction=ROW_DIRECTION,
        source=Path("/data/Thorax 3.zip"),
        headers=headers,
    )


def make_result(volume: CTVolume, slice_index: int = 1, nodule: bool = True) -> GenerationResult:
    """A disc of 20 HU in a box at row 10, column 20, of side 12; the mask is empty if there is no nodule."""
    before = volume.slice_at(slice_index)
    box = BoundingBox(10, 20, 12, before.shape)
    rows, columns = np.indices(before.shape)
    mask = ((rows - 15) ** 2 + (columns - 26) ** 2 < 16) & nodule
    hu = np.array(before.hu)
    hu[box.slices] = np.where(mask[box.slices], 20.25, -850).astype(hu.dtype)
    request = GenerationRequest(before, box, NoduleAttributes(4, 5, 1, None, 3), SamplingOptions(7, 12, 2.5))
    return GenerationResult(
        request=request,
        slice=before.with_hu(hu),
        measurement=NoduleMeasurement(mask, 5.4, float(np.float32(20.0))),
        seconds=0.75,
        checkpoint_name="disc",
        checkpoint_sha256="0123456789abcdef" * 4,
        device="CPU (1 thread)",
    )


def make_whole_slice() -> tuple[CTVolume, GenerationResult]:
    """A slice that was made whole, of noise with a disc, and the volume that it is shown as."""
    hu = np.random.default_rng(8).integers(-900, -800, SHAPE).astype(np.int16)
    rows, columns = np.indices(SHAPE)
    mask = (rows - 15) ** 2 + (columns - 26) ** 2 < 16
    hu[mask] = 30
    request = SliceRequest(BoundingBox(10, 20, 12, SHAPE), NoduleAttributes(4, 5, 1, None, 3), SamplingOptions(7, 12))
    result = GenerationResult(
        request=request,
        slice=CTSlice(hu, (1.4, 1.4)),
        measurement=NoduleMeasurement(mask, 10.6, 30.0),
        seconds=1.5,
        checkpoint_name="whole",
        checkpoint_sha256="fedcba9876543210" * 4,
        device="CPU (1 thread)",
    )
    return volume_of(result), result


def make_second(volume: CTVolume, source: SliceSource | None = None) -> GenerationResult:
    """A square of 20 HU in a box at row 26, column 4, of side 10, apart from the nodule that a slice was made with."""
    before = volume.slice_at(0)
    box = BoundingBox(26, 4, 10, before.shape)
    mask = np.zeros(before.shape, np.bool_)
    mask[29:33, 7:11] = True
    request = GenerationRequest(before, box, NoduleAttributes(4, 5, 1, 1, 3), SamplingOptions(3), source)
    return GenerationResult(
        request=request,
        slice=before.with_hu(np.where(mask, 20, before.hu).astype(before.hu.dtype)),
        measurement=NoduleMeasurement(mask, 5.6, 20.0),
        seconds=0.5,
        checkpoint_name="square",
        checkpoint_sha256="0123456789abcdef" * 4,
        device="CPU (1 thread)",
    )
