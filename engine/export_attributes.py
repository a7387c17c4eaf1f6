"""What a derived image takes over from the image it is made from, attribute by attribute.

A list of what is copied, not of what is left out: private attributes, overlays, icons, pixel statistics and
whatever else describes the source's own pixels stay behind. Source: modules of the CT Image IOD, DICOM PS3.3.
"""

from __future__ import annotations

import math
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
    """Return a copy of an attribute; None if it is not there or its bytes make no value. So it is with its items."""
    try:
        element = deepcopy(header[tag])
    except Exception:  # pydicom converts values on first use and lets through whatever bad ones set off
        return None
    for item in element.value if element.VR == "SQ" else ():
        for inner in [inner for inner in item.keys() if read_element(item, inner) is None]:  # noqa: SIM118, as above
            del item[inner]
    return element


def _is_sound(element: DataElement) -> bool:
    from pydicom import config
    from pydicom.datadict import dictionary_VM
    from pydicom.valuerep import validate_value

    if element.keyword == "PatientSex":
        return element.value in ("M", "F", "O", "", None)
    values: Any = element.value if element.VM > 1 else [element.value]
    if element.VR in ("DS", "IS", "UI") and len(values) > 1 and dictionary_VM(element.tag) == "1":
        return False
    try:
        for value in values:
            if element.VR in ("DS", "IS") and not math.isfinite(float(value or 0)):
                return False
            if element.VR in ("DA", "TM", "DT", "CS", "UI", "AS"):
                validate_value(element.VR, "" if value is None else str(value), config.RAISE)
    except ValueError:
        return False
    return True
