"""What a derived image takes over from the image it is made from, attribute by attribute.

A list of what is copied, not of what is left out: private attributes, overlays, icons, pixel statistics and
whatever else describes the source's own pixels stay behind. Source: modules of the CT Image IOD, DICOM PS3.3.
"""

from __future__ import annotations

import math
import warnings
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset
    from pydicom.tag import BaseTag

#: Copied whole: patient; clinical trial and de-identification.
_GROUPS = (0x0010, 0x0012)

_GENERAL_STUDY = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "StudyDescription",
    "ReferringPhysicianName",
    "ProcedureCodeSequence",
)
_GENERAL_SERIES = ("BodyPartExamined", "PatientPosition", "Laterality", "ProtocolName")
_FRAME_OF_REFERENCE = ("FrameOfReferenceUID", "PositionReferenceIndicator")
#: The scanner that the image still looks like; what made the nodule is Contributing Equipment (C.12.1).
_GENERAL_EQUIPMENT = (
    "Manufacturer",
    "ManufacturerModelName",
    "InstitutionName",
    "StationName",
    "SoftwareVersions",
    "DeviceSerialNumber",
)
_ACQUISITION = (
    "AcquisitionNumber",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "IrradiationEventUID",
    "ContrastBolusAgent",
    "ContrastBolusRoute",
    "ContrastBolusVolume",
    "ContrastBolusTotalDose",
)
_IMAGE_PLANE = ("SliceThickness", "SpacingBetweenSlices", "SliceLocation")
_CT_IMAGE = (
    "ScanOptions",
    "KVP",
    "DataCollectionDiameter",
    "ReconstructionDiameter",
    "DistanceSourceToDetector",
    "DistanceSourceToPatient",
    "GantryDetectorTilt",
    "TableHeight",
    "RotationDirection",
    "ExposureTime",
    "XRayTubeCurrent",
    "Exposure",
    "FilterType",
    "GeneratorPower",
    "FocalSpots",
    "ConvolutionKernel",
    "RevolutionTime",
    "SingleCollimationWidth",
    "TotalCollimationWidth",
    "TableSpeed",
    "TableFeedPerRotation",
    "SpiralPitchFactor",
    "ExposureModulationType",
    "CTDIvol",
)
#: What stays true of an image that is made from another.
_INHERITED = (
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
    "BurnedInAnnotation",
    "RecognizableVisualFeatures",
    "LongitudinalTemporalInformationModified",
    "ContributingEquipmentSequence",
)
_COPIED = (
    *_GENERAL_STUDY,
    *_GENERAL_SERIES,
    *_FRAME_OF_REFERENCE,
    *_GENERAL_EQUIPMENT,
    *_ACQUISITION,
    *_IMAGE_PLANE,
    *_CT_IMAGE,
    *_INHERITED,
)
#: Say where the image lies, and mean nothing where the source does not say that of itself.
_OF_PLACE = ("FrameOfReferenceUID", "PositionReferenceIndicator", "SliceLocation")
#: They must be there, and may be empty (Type 2, and PatientPosition of Type 2C).
_TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
    "PatientPosition",
    "PositionReferenceIndicator",
    "SliceThickness",
    "Manufacturer",
    "AcquisitionNumber",
    "KVP",
)


def copy_source(header: Dataset, image: Dataset) -> None:
    """Copy what describes patient, study, equipment and acquisition from `header` to `image`.

    Attributes of Type 2 that are missing are added empty. Dates, codes, numbers and UIDs that break their own
    rules stay behind: they would make the new image invalid, too. Without position and orientation in `header`, the
    image is not in its frame of reference.
    """
    from engine.dicom_headers import has_place  # Imports pydicom.

    groups = [tag for tag in header.keys() if tag.group in _GROUPS]  # noqa: SIM118, values may raise
    for tag in [*groups, *_COPIED]:
        element = read_element(header, tag)
        if element is not None and _is_sound(element):
            image.add(element)
    for keyword in () if has_place(header) else _OF_PLACE:
        image.pop(keyword, None)
    for keyword in _TYPE_2:
        if keyword not in image:
            setattr(image, keyword, None)
    if not image.get("Laterality"):
        # Lungs are examined together: empty would say that the side is not known.
        image.pop("Laterality", None)
    image.remove_private_tags()


def read_element(header: Dataset, tag: BaseTag | str) -> DataElement | None:
    """Return a copy of an attribute in its own type (`engine.dicom_types`), and so what is in its items.

    None if it is not there, or makes no value of that type: a date is not told by a sequence, nor an ID by bytes.
    """
    from engine.dicom_types import in_own_type  # Imports pydicom.

    try:
        element = in_own_type(deepcopy(header[tag]))
    except Exception:  # pydicom converts values on first use and lets through whatever bad ones set off
        return None
    if element is not None and element.VR == "SQ":
        for item in element.value:
            _keep_readable(item)
    return element


def _keep_readable(item: Dataset) -> None:
    for tag in list(item.keys()):
        element = read_element(item, tag)
        if element is None:
            del item[tag]
        elif not tag.is_private:  # Those go whole, by whoever copies the item.
            item[tag] = element


def _is_sound(element: DataElement) -> bool:
    from pydicom import config
    from pydicom.datadict import dictionary_VM
    from pydicom.valuerep import validate_value

    if element.keyword == "PatientSex":
        return element.value in ("M", "F", "O", "", None)
    values: Any = element.value if element.VM > 1 else [element.value]
    try:
        if element.VR in ("DS", "IS", "UI", "DA", "TM") and len(values) > 1 and dictionary_VM(element.tag) == "1":
            return False
        for value in values:
            if element.VR in ("DS", "IS") and not math.isfinite(float(value or 0)):
                return False
            if element.VR in ("DA", "TM", "DT", "CS", "UI", "AS"):
                validate_value(element.VR, "" if value is None else str(value), config.RAISE)
                _check_moment(element.VR, value)
    except (ValueError, KeyError):  # KeyError: the standard does not have it, so that nobody knows how many are right.
        return False
    return True


def _check_moment(representation: str, value: Any) -> None:
    """Raise a ValueError if a date or time is none that there is: the rules above let 31 February and ranges through.

    highdicom takes it for one, and fails.
    """
    from pydicom.valuerep import DA, TM

    kinds: dict[str, Any] = {"DA": DA, "TM": TM}
    if value and representation in kinds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of leap seconds, which are copied as they are.
            kinds[representation](str(value))
