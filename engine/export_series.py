"""Every slice of a volume, edited or not, as one new series of derived CT images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.ct import CTVolume
from engine.events import GenerationResult
from engine.export_ct import (
    ct_image,
    image_in_place,
    mark_as_synthetic,
    must_come_back,
    set_pixels,
    source_image,
    source_rescale,
)
from engine.export_padding import keep_padding
from engine.export_stamp import Stamp, stamp_of
from engine.stored_values import Encoding, Plane, encoding_of, stored_values
from engine.synthetic_data import is_synthetic

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True, eq=False)
class ExportedSeries:
    """The new series of which all images of one export are, whether all its slices are written or one.

    Attributes
    ----------
    results : by slice index
        Of the slices that were edited. Where one has several nodules: the result that has them all.
    stamp : Stamp
        Of the images; what is said of them has stamps of its own, by `Stamp.of_marks`.
    encoding : Encoding
        Of the HU of all slices.
    """

    results: Mapping[int, GenerationResult]
    stamp: Stamp
    encoding: Encoding


def series_of(
    volume: CTVolume, results: Mapping[int, GenerationResult], made: datetime | None = None
) -> ExportedSeries:
    """Return the series that shows those results, made at that moment, or now: another choice is another series.

    Parameters
    ----------
    volume : CTVolume
        As it was opened.
    results : by slice index
        See `ExportedSeries`.

    Raises
    ------
    ValueError
        If there are HU that are not finite numbers.
    """
    planes = [_plane(volume, index, results.get(index)) for index in range(len(volume))]
    encoding = encoding_of(planes, (source_rescale(header) for header in volume.headers))
    return ExportedSeries(results, stamp_of(volume, results, made), encoding)


def series_image(volume: CTVolume, slice_index: int, series: ExportedSeries) -> Dataset:
    """Return one image of a series: edited if there is a result, as it was read if not.

    All have one new Series Instance UID and the frame of reference of the source, so that they overlay on it.
    Slices that were not edited are marked as derived, but not as synthetic, unless the source is.

    Parameters
    ----------
    volume : CTVolume
        That of the series; the header of the slice is the one that is exported.
    """
    if slice_index in series.results:
        return ct_image(volume, slice_index, series.results[slice_index], series.stamp, series.encoding)
    return _unedited_image(volume, slice_index, series)


def write_series(volume: CTVolume, series: ExportedSeries, folder: Path) -> None:
    """Write `0001.dcm`, `0002.dcm` ... in the order of the volume. See `series_image`."""
    folder.mkdir()
    for index in range(len(volume)):
        series_image(volume, index, series).save_as(folder / f"{index + 1:04}.dcm", enforce_file_format=True)


def _plane(volume: CTVolume, slice_index: int, result: GenerationResult | None) -> Plane:
    if result is not None:
        return result.slice.hu, must_come_back(result)
    hu = volume.slice_at(slice_index).hu
    return hu, np.broadcast_to(np.True_, hu.shape)  # Takes no memory, of however many slices.


def _unedited_image(volume: CTVolume, slice_index: int, series: ExportedSeries) -> Dataset:
    image, header = image_in_place(volume, slice_index, series.stamp)
    hu, outside = _plane(volume, slice_index, None)
    stored = stored_values(hu, outside, series.encoding)
    set_pixels(image, stored)
    keep_padding(image, header, hu, stored)
    image.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    step = series.encoding.slope
    changed = "HU are unchanged" if stored.exact else f"HU are unchanged but for rounding to steps of {step}"
    earlier = header.get("DerivationDescription") or ""
    image.DerivationDescription = (
        f"Copied into a series with synthetic nodules in other slices. {changed}. {earlier}"
    ).strip()[:1024]
    if "SOPInstanceUID" in header:
        image.SourceImageSequence = [source_image(header)]
    mark_as_synthetic(image, series.stamp, is_synthetic=is_synthetic(volume, slice_index))
    return image
