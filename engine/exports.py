"""A finished slice as files: DICOM, NIfTI, PNG, and the request that made it.

Every function here writes all of its files or none: they are made in a folder beside their place and moved in
only when the last one is whole.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import LUNG, CTSlice, CTVolume, HUArray, WindowLevel
from engine.errors import InputError
from engine.events import GenerationResult
from engine.nodule import BoundingBox
from engine.request_file import write_request

if TYPE_CHECKING:
    from SimpleITK import Image


def export_all(
    volume: CTVolume, slice_index: int, result: GenerationResult, folder: Path, window: WindowLevel = LUNG
) -> list[Path]:
    """Write the slice and its masks in every format, and the request; return the files.

    Parameters
    ----------
    volume : CTVolume
        What was opened: gives geometry, DICOM headers and the name of the input.
    slice_index : int
        Of the slice in `volume` that the result is of, from 0.
    result : GenerationResult
    folder : Path
        Made if it is not there. Files of the same names in it are replaced, once all new ones are whole.
    window : WindowLevel
        Of the PNG files.

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """

    def write(into: Path) -> None:
        _write_dicom(volume, slice_index, result, into)
        _write_nifti(volume, slice_index, result, into)
        _write_png(result, into, window)
        write_request(volume, slice_index, result, into / "request.json")

    return _all_or_nothing(write, folder)


def export_dicom(volume: CTVolume, slice_index: int, result: GenerationResult, folder: Path) -> list[Path]:
    """Write `slice.dcm` (CT image) and `mask.dcm` (segmentation of nodule and box). See `export_all`."""
    return _all_or_nothing(lambda into: _write_dicom(volume, slice_index, result, into), folder)


def export_nifti(volume: CTVolume, slice_index: int, result: GenerationResult, folder: Path) -> list[Path]:
    """Write `slice.nii.gz` (HU), `mask.nii.gz` (nodule) and `box.nii.gz`. See `export_all`."""
    return _all_or_nothing(lambda into: _write_nifti(volume, slice_index, result, into), folder)


def export_png(
    volume: CTVolume, slice_index: int, result: GenerationResult, folder: Path, window: WindowLevel = LUNG
) -> list[Path]:
    """Write `before.png`, `after.png`, `mask.png` (nodule) and `request.json`. See `export_all`."""

    def write(into: Path) -> None:
        _write_png(result, into, window)
        write_request(volume, slice_index, result, into / "request.json")

    return _all_or_nothing(write, folder)


def check_folder(folder: Path) -> None:
    """Find out, without writing, whether files can be exported to a folder that may not be there yet.

    Raises
    ------
    InputError
        If they cannot.
    """
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise InputError(f"{there} is a file, not a folder; choose another folder to export to.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"The folder {there} cannot be written to; choose another folder to export to.")


def to_grey(hu: HUArray, window: WindowLevel) -> NDArray[np.uint8]:
    """Return HU as 8-bit grey values of the same shape: the window's bounds are 0 and 255."""
    black, white = window.bounds
    grey = (hu.astype(np.float64) - black) * (255 / (white - black))
    return np.rint(np.clip(grey, 0, 255)).astype(np.uint8)


def _all_or_nothing(write: Callable[[Path], None], folder: Path) -> list[Path]:
    check_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".nodule-studio-", dir=folder) as temporary:
            write(Path(temporary))
            return [file.replace(folder / file.name) for file in sorted(Path(temporary).iterdir())]
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"The folder {folder} cannot be written to ({reason}); choose another.") from error


def _write_dicom(volume: CTVolume, slice_index: int, result: GenerationResult, folder: Path) -> None:
    from engine.export_ct import ct_image
    from engine.export_seg import segmentation

    image = ct_image(volume, slice_index, result)
    image.save_as(folder / "slice.dcm", enforce_file_format=True)
    segmentation(image, result).save_as(folder / "mask.dcm", enforce_file_format=True)


def _write_nifti(volume: CTVolume, slice_index: int, result: GenerationResult, folder: Path) -> None:
    images = {
        "slice.nii.gz": result.slice.hu,
        "mask.nii.gz": result.measurement.mask.astype(np.uint8),
        "box.nii.gz": _box_mask(result.request.box).astype(np.uint8),
    }
    for name, pixels in images.items():
        _write_image(_located(pixels, volume, slice_index), folder / name)


def _box_mask(box: BoundingBox) -> NDArray[np.bool_]:
    mask = np.zeros(box.slice_shape, np.bool_)
    mask[box.slices] = True
    return mask


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


def _write_image(image: Image, path: Path) -> None:
    """Write an image and read it back: ITK says nothing of a disk that is full."""
    import SimpleITK as sitk

    try:
        sitk.WriteImage(image, path, useCompression=True)
        written = sitk.GetArrayFromImage(sitk.ReadImage(path))
    except RuntimeError as error:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path)) from error
    if not np.array_equal(written, sitk.GetArrayViewFromImage(image)):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _write_png(result: GenerationResult, folder: Path, window: WindowLevel) -> None:
    from PIL import Image

    def grey(ct_slice: CTSlice) -> NDArray[np.uint8]:
        return to_grey(ct_slice.hu, window)

    images = {
        "before.png": grey(result.request.slice),
        "after.png": grey(result.slice),
        "mask.png": result.measurement.mask.astype(np.uint8) * 255,
    }
    for name, pixels in images.items():
        Image.fromarray(pixels).save(folder / name)
