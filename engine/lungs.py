"""Where the lungs are in one axial slice, and whether a box is a place where a nodule can be.

Lung is air that the body encloses and that is neither airway nor bowel gas. Gas is told by its HU, near -1000 all
over, while lung holds blood and vessels; small pockets of lung lie at ribs, those of bowel do not. Lung that the field
of view cuts off is told from the air around the body in the same way, unless emphysema makes it as dark as that. What
lung encloses (vessels, nodules) and what dents it from the side (nodules at the pleura) is filled. Consolidated lung
has no air and is not found. The work is done on pixels of 1 to 2 mm.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.nodule import BoundingBox

Mask = NDArray[np.bool_]
Plane = NDArray[np.float32]
Spacing = tuple[float, float]
Place = tuple[slice, slice]

#: Finer pixels are joined, in whole numbers, to pixels of at most this size.
_WORKING_MM = 2.0
#: Halfway between lung and soft tissue.
AERATED_BELOW = -420
#: No HU, but what fills a square image around a round one.
_PADDING_BELOW = -1500
#: A table that hangs together with the body by less than twice this is taken off.
_TABLE_MM = 1.5
#: Pockets of air smaller than this are too small to be told from gas.
_LEAST_MM2 = 100.0
#: The middle of a pocket of gas is darker than this, by median; its rim, so wide, is blurred.
_GAS_BELOW, _RIM_MM = -935.0, 2.0
#: Lung that is hyperinflated or has emphysema is as dark. A pocket of at least this area and within these HU is such
#: lung, for so large a pocket of gas is darker; in its slice, gas is only what is darker than the lower one.
_LARGE_MM2, _DARK_LUNG = 5000.0, (-965.0, -915.0)
#: Pockets that are smaller, darker and nearer to the middle of the body than this are airway.
_AIRWAY_MM2, _AIRWAY_BELOW, _AIRWAY_FROM_MIDDLE_MM = 900.0, -850.0, 35.0
#: Pockets smaller than this are lung only if there is so much bone, brighter than this, so near ...
_SMALL_MM2, _RIB_MM2, _RIB_ABOVE, _RIB_WITHIN_MM = 1500.0, 40.0, 200.0, 12.0
#: ... or if only so much lies between them and lung: a vessel.
_VESSEL_MM = 6.0
#: Dents narrower than twice this are filled, and holes up to this area.
_DENT_MM, _HOLE_MM2 = 9.0, 2500.0
#: A box of which less lies in the lungs is not suggested, and is warned of where somebody draws it.
LEAST_SHARE_IN_LUNG = 0.8


def lung_mask(ct_slice: CTSlice) -> Mask:
    """Return where the lungs are, bool of (rows, columns).

    All False where there is no lung, as in the abdomen. Edges are right to a pixel of the working size, 2 mm.
    """
    factors = _joined_pixels(ct_slice)
    row_mm, column_mm = ct_slice.pixel_spacing
    spacing = row_mm * factors[0], column_mm * factors[1]
    lungs = _find_lungs(*_joined(ct_slice, factors), spacing)
    whole = lungs.repeat(factors[0], axis=0).repeat(factors[1], axis=1)
    short = [(0, length - have) for length, have in zip(ct_slice.shape, whole.shape, strict=True)]
    return np.pad(whole, short, "edge")


def share_in_lung(mask: Mask, box: BoundingBox) -> float:
    """Return the share of a box, 0 to 1, that lies in the lungs of `lung_mask`."""
    return float(mask[box.slices].mean())


def lung_warning(ct_slice: CTSlice, box: BoundingBox) -> str | None:
    """Return a sentence for people where less than `LEAST_SHARE_IN_LUNG` of a box is in lung; None without lungs."""
    mask = lung_mask(ct_slice)
    share = share_in_lung(mask, box)
    if share >= LEAST_SHARE_IN_LUNG or not mask.any():
        return None
    where = f"Only {share:.0%} of the box lies in the lungs" if share else "The box lies outside the lungs"
    return f"{where}; nodules were learned there, so look at the result, or choose another box."


def _ndimage() -> Any:
    """Import `scipy.ndimage`: not at start, for it takes 0.2 s; as Any, for it has no types."""
    return import_module("scipy.ndimage")


def _find_lungs(hu: Plane, padding: Mask, spacing: Spacing) -> Mask:
    """Large pockets of air and those at ribs; then small ones beside them, which vessels or disease cut off."""
    body = _body(hu, spacing)
    lungs = np.zeros(hu.shape, np.bool_)
    unclear: list[tuple[Place, Mask]] = []
    pockets = _pockets(_air_in(body, hu, padding), spacing)
    levels = [_level(hu[around], pocket, spacing) for around, pocket in pockets]
    large = [level for level, (_, pocket) in zip(levels, pockets, strict=True) if _area(pocket, spacing) >= _LARGE_MM2]
    darkest, brightest = _DARK_LUNG
    gas_below = darkest if any(darkest <= level < brightest for level in large) else _GAS_BELOW
    for level, (around, pocket) in zip(levels, pockets, strict=True):
        off_middle = abs(_middle(pocket) + around[1].start - _middle(body)) * spacing[1]
        is_airway = _area(pocket, spacing) < _AIRWAY_MM2 and off_middle < _AIRWAY_FROM_MIDDLE_MM
        if level < (_AIRWAY_BELOW if is_airway else gas_below):
            continue
        if _area(pocket, spacing) >= _SMALL_MM2 or _lies_at_rib(hu[around], pocket, spacing):
            lungs[around] |= _filled(pocket, spacing)
        else:
            unclear.append((around, pocket))
    for around, pocket in unclear:
        neighbour = lungs[around] & (_depth(~pocket, spacing) <= _VESSEL_MM)
        if neighbour.any():
            lungs[around] |= _filled(pocket | neighbour, spacing)
    return lungs


def _joined_pixels(ct_slice: CTSlice) -> tuple[int, int]:
    rows, columns = (max(1, int(_WORKING_MM / spacing)) for spacing in ct_slice.pixel_spacing)
    return min(rows, ct_slice.shape[0]), min(columns, ct_slice.shape[1])


def _joined(ct_slice: CTSlice, factors: tuple[int, int]) -> tuple[Plane, Mask]:
    """Mean HU of blocks of pixels, and which of them have padding; without what is left over at the far edges.

    Padding values and metal are clipped in the means.
    """
    rows, columns = (length // factor for length, factor in zip(ct_slice.shape, factors, strict=True))
    whole = ct_slice.hu[: rows * factors[0], : columns * factors[1]]
    blocks = whole.reshape(rows, factors[0], columns, factors[1])
    means = np.clip(blocks, -1000, 400).astype(np.float32).mean(axis=(1, 3))
    return means, blocks.min(axis=(1, 3)) < _PADDING_BELOW


def _body(hu: Plane, spacing: Spacing) -> Mask:
    """The largest piece of tissue after an opening, which takes off the table."""
    ndimage = _ndimage()
    size = [1 + 2 * round(_TABLE_MM / length) for length in spacing]
    labels, count = ndimage.label(ndimage.minimum_filter(hu, size) > AERATED_BELOW)
    if count == 0:
        return np.zeros(hu.shape, np.bool_)
    largest = 1 + np.bincount(labels.ravel())[1:].argmax()
    body: Mask = ndimage.maximum_filter(labels == largest, size)
    return body


def _spanned(mask: Mask, axis: int) -> Mask:
    """Fill each line along an axis from its first to its last True."""
    after_first = np.logical_or.accumulate(mask, axis=axis)
    before_last = np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis=axis), axis)
    return after_first & before_last


def _air_in(body: Mask, hu: Plane, padding: Mask) -> Mask:
    """Air with the body on all sides; with the body on two, what the edges of the image cut off and is no gas.

    The image ends where padding begins.
    """
    ndimage = _ndimage()
    labels, count = ndimage.label((hu < AERATED_BELOW) & ~padding)
    enclosed = ~_at_edges(labels, count)
    enclosed[labels[ndimage.binary_dilation(padding)]] = False
    cut_off = np.zeros_like(enclosed)
    for label in 1 + np.flatnonzero(~enclosed[1:]):
        cut_off[label] = np.median(hu[labels == label]) > _GAS_BELOW
    enclosed[0] = False  # tissue
    in_column, in_row = _spanned(body, 0), _spanned(body, 1)
    return (enclosed[labels] & in_column & in_row) | (cut_off[labels] & (in_column | in_row))


def _at_edges(labels: NDArray[np.int32], count: int) -> Mask:
    """Tell of each label, 0 to `count`, whether it reaches the edges."""
    reaching = np.zeros(count + 1, np.bool_)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        reaching[edge] = True
    return reaching


def _pockets(air: Mask, spacing: Spacing) -> list[tuple[Place, Mask]]:
    """The connected pieces of air that are large enough, each in a window with room for what is done around it."""
    ndimage = _ndimage()
    labels, _ = ndimage.label(air)
    areas = np.bincount(labels.ravel())[1:] * spacing[0] * spacing[1]
    room = [1 + int(np.ceil(max(_DENT_MM, _RIB_WITHIN_MM) / length)) for length in spacing]
    pockets: list[tuple[Place, Mask]] = []
    for index, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        if areas[index - 1] >= _LEAST_MM2:
            around = _widened(rows, room[0]), _widened(columns, room[1])
            pockets.append((around, labels[around] == index))
    return pockets


def _widened(edges: slice, room: int) -> slice:
    return slice(max(0, edges.start - room), edges.stop + room)


def _middle(mask: Mask) -> float:
    """Column halfway between the outermost ones of a mask."""
    columns = np.flatnonzero(mask.any(axis=0))
    return (columns[0] + columns[-1]) / 2


def _level(hu: Plane, pocket: Mask, spacing: Spacing) -> float:
    """Median HU of the middle of a pocket."""
    core = _depth(pocket, spacing) > _RIM_MM
    return float(np.median(hu[core if core.any() else pocket]))


def _area(mask: Mask, spacing: Spacing) -> float:
    return float(np.count_nonzero(mask) * spacing[0] * spacing[1])


def _lies_at_rib(hu: Plane, pocket: Mask, spacing: Spacing) -> bool:
    bone = (hu > _RIB_ABOVE) & (_depth(~pocket, spacing) <= _RIB_WITHIN_MM)
    return _area(bone, spacing) >= _RIB_MM2


def _filled(pocket: Mask, spacing: Spacing) -> Mask:
    """Fill dents, by a closing, and holes."""
    grown = _depth(~pocket, spacing) <= _DENT_MM
    closed = _depth(grown, spacing) > _DENT_MM
    labels, count = _ndimage().label(~closed)
    areas = np.bincount(labels.ravel()) * spacing[0] * spacing[1]
    holes = ~_at_edges(labels, count) & (areas <= _HOLE_MM2)
    return closed | holes[labels]


def _depth(mask: Mask, spacing: Spacing) -> NDArray[np.float64]:
    """Distance of each True to the nearest False, in mm; what lies beyond the edges counts as the edge itself."""
    if mask.all():
        return np.full(mask.shape, np.inf)
    return _ndimage().distance_transform_edt(mask, sampling=spacing)
