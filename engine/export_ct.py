"""The finished slice as a derived, synthetic DICOM CT image.

Sources: DICOM PS3.3, A.3 (CT Image IOD), C.7.6.1 (General Image), C.12.1 (SOP Common, with Synthetic Data).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.ct import WINDOW_PRESETS, CTSlice, CTVolume
from engine.events import GenerationResult
from engine.export_attributes import copy_source
from engine.export_identity import pseudonym
from engine.export_padding import keep_padding
from engine.export_stamp import Stamp, study_entropy
from engine.stored_values import Encoding, Rescale, StoredValues, stored_values
from engine.synthetic_data import NOBODY, NOBODY_ID, is_synthetic, says_made_whole
from engine.versions import PROGRAM, VERSION

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.sr.coding import Code

#: Series numbers of what is exported; scanners number from 1.
CT_SERIES_NUMBER = 9001
SEG_SERIES_NUMBER = 9002
SR_SERIES_NUMBER = 9003
#: Says that an identity was removed.
_IDENTITY_REMOVED = (
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
)


def ct_image(volume: CTVolume, slice_index: int, result: GenerationResult, stamp: Stamp, encoding: Encoding) -> Dataset:
    """Return the finished slice as a CT image, oriented as the studio shows it, with new UIDs.

    Parameters
    ----------
    volume : CTVolume
        What was opened. If it has no DICOM headers, the image gets a new study of an anonymous patient.
    slice_index : int
        Of the slice in `volume`.
    result : GenerationResult
        HU outside its box are stored exactly, if 16 bits can (`engine.stored_values`).
    stamp : Stamp
        Gives the moment, and the UIDs: images of one stamp are of one series.
    encoding : Encoding
        Of that series.
    """
    image, header = image_in_place(volume, slice_index, stamp)
    stored = stored_values(result.slice.hu, must_come_back(result), encoding)
    set_pixels(image, stored)
    keep_padding(image, header, volume.slice_at(slice_index).hu, stored)
    faithfulness = _faithfulness(stored, volume, slice_index, result)
    _describe_derivation(image, header, result, faithfulness, stamp)
    return image


def shows_more(volume: CTVolume, slice_index: int, result: GenerationResult) -> bool:
    """Does a finished slice differ from the one that was opened outside its box, too: by earlier nodules?"""
    opened = volume.slice_at(slice_index).hu
    return bool(((result.slice.hu != opened) & ~result.request.box.mask()).any())


def image_in_place(volume: CTVolume, slice_index: int, stamp: Stamp) -> tuple[Dataset, Dataset]:
    """Return a new image without pixels at the place of a slice, and the header of that slice.

    Where the source names no study or frame of reference, all images of one volume get the same new ones.
    """
    from pydicom import Dataset
    from pydicom.uid import CTImageStorage, generate_uid

    header = volume.headers[slice_index] if volume.headers else _anonymous_header(volume)
    image = Dataset()
    image.SpecificCharacterSet = "ISO_IR 192"
    copy_source(header, image)
    if volume.is_made_whole:
        _name_nobody(image, header, volume.slice_at(slice_index))
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = stamp.uid("CT", str(slice_index))
    image.SeriesInstanceUID = stamp.uid("CT series")
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        if not image.get(keyword):
            setattr(image, keyword, generate_uid(entropy_srcs=[study_entropy(volume), keyword]))
    _describe_series(image, header, volume, slice_index)
    _describe_plane(image, volume, slice_index)
    return image, header


def mark_as_synthetic(image: Dataset, stamp: Stamp, is_synthetic: bool = True) -> None:
    """Mark a data set as synthetic and for research (PS3.3, C.12.1), made at the moment of the stamp."""
    image.SyntheticData = "YES" if is_synthetic else "NO"
    image.ContentQualification = "RESEARCH"
    for kind in ("InstanceCreation", "Series", "Content"):
        setattr(image, f"{kind}Date", stamp.dicom_date)
        setattr(image, f"{kind}Time", stamp.dicom_time)
    equipment: Any = image.get("ContributingEquipmentSequence") or []
    for item in equipment:
        if item.get("ManufacturerModelName") == "highdicom":
            # It names its own moment, some milliseconds later: the same export must have the same bytes.
            item.ContributionDateTime = stamp.made


def synthesizing_equipment(result: GenerationResult, stamp: Stamp) -> Dataset:
    """Return the item of Contributing Equipment Sequence: this program, the checkpoint, and what was asked of it."""
    from highdicom import ContributingEquipment
    from pydicom.sr.codedict import codes

    made, options = "slice" if result.before is None else "nodule", result.request.options
    return ContributingEquipment(
        manufacturer=PROGRAM,
        purpose_of_reference=cast("Code", codes.DCM.SynthesizingEquipment),
        manufacturer_model_name=algorithm_name(result),
        software_versions=algorithm_version(result),
        contribution_datetime=stamp.made,
        contribution_description=(
            f"Made the {made} with a diffusion model: seed={options.seed}, steps={options.steps}, "
            f"guidance={options.guidance:g}, solver={options.solver}"
        ),
    )


def algorithm_name(result: GenerationResult) -> str:
    """Return the program and the checkpoint, in the 64 characters of a Long String."""
    return f"{PROGRAM} {result.checkpoint_name}"[:64]


def algorithm_version(result: GenerationResult) -> str:
    """Return the version of the program and the start of the checkpoint's hash."""
    return f"{VERSION} {result.checkpoint_sha256[:16]}"[:64]


def _anonymous_header(volume: CTVolume) -> Dataset:
    """Return a header for what has none: of a patient of its own, the one that `engine.batch_manifest` names, too."""
    from pydicom import Dataset

    header = Dataset()
    if not volume.is_made_whole:  # There is no patient then: see `_name_nobody`.
        header.PatientID = pseudonym(study_entropy(volume))
        header.PatientName = f"{header.PatientID}^Anonymous"
    header.PatientIdentityRemoved = "YES"
    header.DeidentificationMethod = "The source was a file without patient data"
    header.Manufacturer = PROGRAM
    return header


def _name_nobody(image: Dataset, header: Dataset, opened: CTSlice) -> None:
    """Say of a slice that was made whole that there is no patient, not that one's identity was removed."""
    # With nodules that were put in, the slice has another hash, and is nobody else for that.
    number = header.PatientID if says_made_whole(header) else f"{NOBODY_ID}{opened.sha256()[:12]}"
    image.PatientName, image.PatientID = NOBODY, number
    image.StudyDescription = "Synthetic chest slice"
    for keyword in _IDENTITY_REMOVED:
        image.pop(keyword, None)


def _describe_series(image: Dataset, header: Dataset, volume: CTVolume, slice_index: int) -> None:
    image.Modality = "CT"
    image.SeriesNumber = CT_SERIES_NUMBER
    if not image.get("BodyPartExamined"):
        image.BodyPartExamined = "CHEST"
    kind = "chest slice" if volume.is_made_whole else f"nodule {header.get('SeriesDescription') or ''}"
    image.SeriesDescription = f"Synthetic {kind}"[:64].strip()
    image.InstanceNumber = slice_index + 1


def _describe_plane(image: Dataset, volume: CTVolume, slice_index: int) -> None:
    from pydicom.valuerep import DSfloat

    from engine.dicom_headers import has_place  # Imports pydicom.

    def decimals(values: tuple[float, ...]) -> list[Any]:
        return [DSfloat(value, auto_format=True) for value in values]

    image.PixelSpacing = decimals(volume.pixel_spacing)
    image.ImagePositionPatient = decimals(volume.positions[slice_index])
    image.ImageOrientationPatient = decimals(volume.column_direction + volume.row_direction)
    if len(volume) > 1:
        image.SpacingBetweenSlices = DSfloat(volume.slice_spacing, auto_format=True)
    if not image.SliceThickness:
        # Slices lie as far apart as they do, however thick they are: nobody knows.
        image.SliceThickness = None
    if volume.headers and not has_place(volume.headers[slice_index]):
        image.ImageComments = "The source does not say where the slice lies; position or orientation were assumed."


def must_come_back(result: GenerationResult) -> NDArray[np.bool_]:
    """Pixels that must come back bit for bit: those outside the box; all of a slice that was made whole."""
    return np.ones(result.slice.shape, np.bool_) if result.before is None else ~result.request.box.mask()


def source_rescale(header: Dataset) -> Rescale | None:
    """Return slope and intercept of the image that was read, as Decimal Strings."""
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    if not slope or intercept is None:
        return None
    return str(slope), str(intercept)


def set_pixels(image: Dataset, stored: StoredValues) -> None:
    """Put pixels into an image, with the window presets of the studio."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.set_pixel_data(stored.array, "MONOCHROME2", 16, generate_instance_uid=False)
    encoding = stored.encoding
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = encoding.slope, encoding.intercept, "HU"
    image.WindowCenter = [int(preset.level) for preset in WINDOW_PRESETS.values()]
    image.WindowWidth = [int(preset.width) for preset in WINDOW_PRESETS.values()]
    image.WindowCenterWidthExplanation = list(WINDOW_PRESETS)


def _describe_derivation(
    image: Dataset, header: Dataset, result: GenerationResult, faithfulness: str, stamp: Stamp
) -> None:
    from highdicom.sr import CodedConcept

    image.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    box = result.request.box
    whole = result.before is None
    image.DerivationDescription = (
        f"Synthetic {'chest slice with a nodule' if whole else 'lung nodule'} made by {algorithm_name(result)}, "
        f"version {algorithm_version(result)}, in rows {box.row} to {box.row + box.side - 1} and columns "
        f"{box.column} to {box.column + box.side - 1}, counted from 0. {'' if whole else faithfulness}"
    ).strip()[:1024]
    # No code of CID 7203 stands for content that was made up.
    image.DerivationCodeSequence = [CodedConcept("synthetic-nodule", "99NODSTUDIO", "Synthetic lung nodule")]
    if "SOPInstanceUID" in header:
        image.SourceImageSequence = [source_image(header)]
    contributors = list(image.get("ContributingEquipmentSequence") or [])
    image.ContributingEquipmentSequence = [*contributors, synthesizing_equipment(result, stamp)]
    mark_as_synthetic(image, stamp)


def _faithfulness(stored: StoredValues, volume: CTVolume, slice_index: int, result: GenerationResult) -> str:
    """Return what is said of the HU outside the box, and of what the slice was when it was opened."""
    has_others = shows_more(volume, slice_index, result)
    changes = ["other synthetic nodules that were put in before"] if has_others else []
    if not stored.exact:
        changes.append(f"rounding to steps of {stored.encoding.slope}")
    unchanged = f"HU elsewhere are unchanged{' but for ' if changes else ''}{' and '.join(changes)}."
    if volume.is_made_whole:
        return f"The whole slice is synthetic, with a nodule of its own or more. Since it was opened, {unchanged}"
    if is_synthetic(volume, slice_index):
        return f"The slice was synthetic, or had synthetic nodules, before it was opened. Since then, {unchanged}"
    return unchanged


def source_image(header: Dataset) -> Dataset:
    """Return the item of Source Image Sequence that names the image that was read (PS3.3, C.7.6.1.1.4)."""
    from highdicom.sr import CodedConcept
    from pydicom import Dataset
    from pydicom.sr.codedict import codes
    from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

    purpose = cast("Code", codes.DCM.SourceImageForImageProcessingOperation)
    item = Dataset()
    item.ReferencedSOPClassUID = header.get("SOPClassUID", CTImageStorage)
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    if item.ReferencedSOPClassUID in (EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage):
        item.ReferencedFrameNumber = header.InstanceNumber  # That of the frame: see `engine.dicom_headers.read_frames`.
    item.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(purpose)]
    return item
