"""A slice and its masks as NIfTI and NRRD, at their place in the patient."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTVolume, HUArray
from engine.events import GenerationResult
from engine.synthetic_data import BOX, MASK, mark_of_slice, synthetic_mark
from engine.volume_files import FILE_NOTES, is_beyond_itk

if TYPE_CHECKING:
    from SimpleITK import Image

_NAMES_ON_WINDOWS = "on Windows, NIfTI and NRRD files need a path without letters other than A to Z"


def write_volumes(volume: CTVolume, slice_index: int, result: GenerationResult, folder: Path, suffix: str) -> None:
    """Write `slice`, `mask` (nodule) and `box` with a suffix that ITK knows: "nii.gz" or "nrrd".

    Each says in its header that it is synthetic: nothing else does, once it has left its folder.

    Raises
    ------
    OSError
        If a file did not become whole.
    """
    images = {
        "slice": (result.slice.hu, mark_of_slice(volume)),
        "mask": (result.measurement.mask.astype(np.uint8), synthetic_mark(MASK)),
        "box": (result.request.box.mask().astype(np.uint8), synthetic_mark(BOX)),
    }
    for name, (pixels, mark) in images.items():
        image: Any = _located(pixels, volume, slice_index)
        image.SetMetaData(FILE_NOTES, mark)
        _write(image, folder / f"{name}.{suffix}")


def _located(pixels: HUArray | NDArray[np.uint8], volume: CTVolume, slice_index: int) -> Image:
    """Return pixels of (rows, columns) as an image of one slice at its place in the patient."""
    import SimpleITK as sitk

    image: Any = sitk.GetImageFromArray(pixels[np.newaxis])
    rows, columns = volume.pixel_spacing
    image.SetSpacing((columns, rows, volume.slice_spacing))
    image.SetOrigin(volume.positions[slice_index])
    image.SetDirection(_direction_matrix(volume))
    return image


def _direction_matrix(volume: CTVolume) -> list[float]:
    """Return the direction cosines, orthonormal to the last bit: NIfTI takes nothing else."""
    column = np.asarray(volume.column_direction) / np.linalg.norm(volume.column_direction)
    row = np.asarray(volume.row_direction) - column * np.dot(column, volume.row_direction)
    row /= np.linalg.norm(row)
    matrix = np.stack([column, row, np.cross(column, row)], axis=1)
    return [float(cosine) for cosine in matrix.flat]


def _write(image: Image, path: Path) -> None:
    """Write an image and read it back: ITK says nothing of a disk that is full."""
    import SimpleITK as sitk

    try:
        sitk.WriteImage(image, path, useCompression=True)
        written = sitk.GetArrayFromImage(sitk.ReadImage(path))
    except RuntimeError as error:
        reason = _NAMES_ON_WINDOWS if is_beyond_itk(path) else os.strerror(errno.EIO)
        raise OSError(errno.EIO, reason, str(path)) from error
    if not np.array_equal(written, sitk.GetArrayViewFromImage(image)):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
