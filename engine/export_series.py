"""Every slice of a volume, edited or not, as one new series of derived CT images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.ct import CTVolume
from engine.events import GenerationResult
from engine.export_ct import ct_image, image_in_place, mark_as_synthetic, set_pixels, source_image, source_rescale
from engine.export_stamp import Stamp
from engine.stored_values import stored_values
from engine.synthetic_data import is_synthetic

if TYPE_CHECKING:
    from pydicom import Dataset


def series_images(volume: CTVolume, results: Mapping[int, GenerationResult], stamp: Stamp) -> Iterator[Dataset]:
    """Yield one image a slice, in the order of the volume: those in `results` edited, the others as they were read.

    All have one new Series Instance UID and the frame of reference of the source, so that they overlay on it.
    Slices that were not edited are marked as derived, but not as synthetic, unless the source is.

    Parameters
    ----------
    results : by slice index
        Where a slice has several nodules: the result that has them all.
    """
    for index in range(len(volume)):
        if index in results:
            yield ct_image(volume, index, results[index], stamp)
        else:
            yield _unedited_image(volume, index, stamp)


def write_series(volume: CTVolume, results: Mapping[int, GenerationResult], stamp: Stamp, folder: Path) -> None:
    """Write `0001.dcm`, `0002.dcm` ... in the order of the volume. See `series_images`."""
    folder.mkdir()
    for number, image in enumerate(series_images(volume, results, stamp), 1):
        image.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)


def _unedited_image(volume: CTVolume, slice_index: int, stamp: Stamp) -> Dataset:
    image, header = image_in_place(volume, slice_index, stamp)
    hu = volume.slice_at(slice_index).hu
    stored = stored_values(hu, np.ones(hu.shape, np.bool_), source_rescale(header))
    set_pixels(image, stored)
    image.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    changed = "HU are unchanged" if stored.exact else f"HU are unchanged but for rounding to steps of {stored.slope}"
    earlier = header.get("DerivationDescription") or ""
    image.DerivationDescription = (
        f"Copied into a series with synthetic nodules in other slices. {changed}. {earlier}"
    ).strip()[:1024]
    if "SOPInstanceUID" in header:
        image.SourceImageSequence = [source_image(header)]
    mark_as_synthetic(image, stamp, is_synthetic=is_synthetic(volume, slice_index))
    return image
