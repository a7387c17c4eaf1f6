"""Which pixels of an exported CT image are padding, where its source says so: in stored values of its own.

Pixel Padding Value is a stored value, before slope and intercept, and with Pixel Padding Range Limit one end of a range
(DICOM PS3.3, C.7.5.1.1.2). Exports store HU with another slope and intercept, so that the source's own numbers would
name other pixels, or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.ct import HUArray
from engine.hounsfield import to_hu
from engine.stored_values import StoredValues, nearest_stored

if TYPE_CHECKING:
    from pydicom import Dataset

_KEYWORDS = ("PixelPaddingValue", "PixelPaddingRangeLimit")


def keep_padding(image: Dataset, header: Dataset, opened: HUArray, stored: StoredValues) -> None:
    """Say of an image which stored values are padding, as the header of its source does of its own.

    Nothing is said where that would not be true: the standard forbids it if a pixel that is none of padding has such a
    value, be it one of a nodule, or one that was rounded to it.

    Parameters
    ----------
    image : of which `stored` are the pixels
    header : of the source
    opened : (rows, columns)
        HU of the source.
    stored : StoredValues
        Of the same shape.
    """
    limits = _padding_hu(header)
    values = None if limits is None else nearest_stored(limits, stored.encoding)
    # Of MONOCHROME2, which exports are, the limit is above the value.
    if limits is None or values is None or values[0] > values[-1]:
        return
    is_padding = (stored.array >= values[0]) & (stored.array <= values[-1])
    was_padding = (opened >= limits.min()) & (opened <= limits.max())
    if (is_padding & ~was_padding).any():
        return
    representation = "SS" if values.dtype == np.int16 else "US"
    # As many as the source has: one value, or a range.
    for keyword, value in zip(_KEYWORDS, values, strict=False):
        image.add_new(keyword, representation, int(value))


def _padding_hu(header: Dataset) -> HUArray | None:
    """Return the HU of padding, (1,) or (2,), as they were read with the pixels; None if the header does not tell."""
    from engine.dicom_headers import number_of  # Imports pydicom.

    given = [number for keyword in _KEYWORDS if (number := number_of(header, keyword)) is not None]
    slope, intercept = number_of(header, "RescaleSlope"), number_of(header, "RescaleIntercept")
    signed = number_of(header, "PixelRepresentation")
    if number_of(header, _KEYWORDS[0]) is None or not slope or intercept is None or signed is None:
        return None
    # Scanners name -2000 of signed pixels as 63536, the same 16 bits.
    bits = np.array([int(number) & 0xFFFF for number in given], np.uint16)
    return to_hu(bits.view(np.int16) if signed else bits, slope, intercept)
