"""What says of an image that it is synthetic already, before anything is put into it.

Of DICOM that is Synthetic Data (PS3.3, C.12.1); files that have no such attribute carry `synthetic_mark`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.ct import CTVolume
from engine.versions import PROGRAM, VERSION

if TYPE_CHECKING:
    from pydicom import Dataset

#: The patient of a slice that was made whole: there is none. The ID goes on with the start of the slice's hash.
NOBODY, NOBODY_ID = "SYNTHETIC^", "SYNTHETIC-"
#: What files hold that carry a mark.
NODULE, WHOLE_SLICE = "Synthetic nodule", "Synthetic chest slice"
MASK, BOX, CHANGE = "Mask of a synthetic nodule", "Box of a synthetic nodule", "Change by a synthetic nodule"
#: Other versions of this program are known by this, too.
_MADE_BY = f", made by {PROGRAM}"
#: The description of a NIfTI file has 80 bytes, the last one 0; ITK writes no file with a longer one.
_LONGEST_MARK = 79


def synthetic_mark(what: str) -> str:
    """Return the sentence by which a NIfTI, NRRD or PNG file is known where it lies alone, far from its export.

    It names no moment: the same export has the same bytes.
    """
    return f"{what}{_MADE_BY} {VERSION}; not for diagnosis"[:_LONGEST_MARK]


def is_synthetic_mark(text: str) -> bool:
    """Is a text the mark of an image or of what belongs to one, by whatever version of this program?"""
    return _MADE_BY in text and "synthetic" in text.lower()


def mark_of_slice(volume: CTVolume) -> str:
    """Return the mark of a slice of a volume that has a nodule."""
    return synthetic_mark(WHOLE_SLICE if volume.is_made_whole else NODULE)


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
    if volume.is_made_whole or volume.has_synthetic_mark:
        return True
    return bool(volume.headers and says_synthetic(volume.headers[slice_index]))


def synthetic_warning(volume: CTVolume) -> str:
    """Return that slices are synthetic already, as one sentence for people; empty if none is."""
    count = sum(is_synthetic(volume, index) for index in range(len(volume)))
    if count == 0:
        return ""
    which = "The image says that it is" if len(volume) == 1 else f"{count} of {len(volume)} slices say that they are"
    return f"{which} synthetic: nodules may have been put in before that nothing here marks."
