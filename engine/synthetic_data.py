"""What says of an image that it is synthetic already, before anything is put into it: DICOM PS3.3, C.12.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.ct import CTVolume

if TYPE_CHECKING:
    from pydicom import Dataset

#: The patient of a slice that was made whole: there is none. The ID goes on with the start of the slice's hash.
NOBODY, NOBODY_ID = "SYNTHETIC^", "SYNTHETIC-"


def says_synthetic(header: Dataset) -> bool:
    """Does a header say that its image is synthetic, whole or in part?"""
    from engine.dicom_headers import value_of  # Imports pydicom.

    return value_of(header, "SyntheticData") == "YES"


def says_made_whole(header: Dataset) -> bool:
    """Does a header say, as our own exports do, that its image is of no patient?"""
    from engine.dicom_headers import value_of

    name, number = (str(value_of(header, keyword) or "") for keyword in ("PatientName", "PatientID"))
    # Readers of names may leave out the separator of an empty part.
    return says_synthetic(header) and name.rstrip("^") == NOBODY.rstrip("^") and number.startswith(NOBODY_ID)


def is_synthetic(volume: CTVolume, slice_index: int) -> bool:
    """Is a slice synthetic as it was opened: made whole, or with nodules that were put in before?"""
    return volume.is_made_whole or bool(volume.headers and says_synthetic(volume.headers[slice_index]))


def synthetic_warning(volume: CTVolume) -> str:
    """Return that slices are synthetic already, as one sentence for people; empty if none is."""
    count = sum(is_synthetic(volume, index) for index in range(len(volume)))
    if count == 0:
        return ""
    which = "The image says that it is" if len(volume) == 1 else f"{count} of {len(volume)} slices say that they are"
    return f"{which} synthetic: nodules may have been put in before that nothing here marks."
