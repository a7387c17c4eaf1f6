"""Plain measures of a nodule whose mask is known: how even, how round, how sharp, how solid it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.edge_shape import REACH, measure_edge_shape

Mask = NDArray[np.bool_]

#: Shapes of fewer pixels are not told apart.
LEAST_PIXELS = 12
#: Solid are pixels above this, as in studies of part-solid nodules (Scholten et al., PLoS One 8 (2013) e80249).
SOLID_ABOVE = -300.0
#: Where the sides of pixels differ by more than this, shapes are measured on square ones.
_UNEQUAL_SIDES = 1.01
#: Lung is measured this far around the nodule, and is darker than `_LUNG_BELOW`.
_RING_MM, _LUNG_BELOW = 4.0, -500.0


@dataclass(frozen=True)
class PlainMeasures:
    """What can be measured of a nodule without knowing how readers score.

    Attributes
    ----------
    sd_hu : float
        Standard deviation of the HU inside the mask.
    circularity : float or None
        4 pi area / perimeter squared: about 1 for a disc, less the more ragged or the longer. None below
        `LEAST_PIXELS` pixels, or for a line.
    edge_sharpness : float or None
        Median slope of HU along the outline, where it borders lung, over the rise from lung to nodule, in 1/mm. None
        for shapes as above, or where there is no lung beside the nodule.
    solid_part : float
        Share of the mask's pixels above -300 HU, from 0 to 1. Pixels on the outline are half lung, so that a small
        solid nodule does not reach 1.
    axis_ratio, solidity, lobes, raggedness : float or None
        Of the edge between the pixels (`engine.edge_shape`): minor over major axis, 1 for a disc; area over that of the
        convex hull; amplitude of the harmonics 3 to 5 of log radius, and of 6 to 15. None for shapes as above, where
        there is no such edge, or where a version measured that did not measure these.
    """

    sd_hu: float
    circularity: float | None
    edge_sharpness: float | None
    solid_part: float
    axis_ratio: float | None = None
    solidity: float | None = None
    lobes: float | None = None
    raggedness: float | None = None


def measure_plainly(ct_slice: CTSlice, mask: Mask) -> PlainMeasures:
    """Measure the nodule of `mask`, bool of (rows, columns) of the slice, at least one pixel True."""
    hu = ct_slice.hu[mask]
    shaped = _has_shape(mask)
    near = _surroundings(mask, REACH)
    square_hu, square_mask = _in_square_pixels(ct_slice.hu[near], mask[near], ct_slice.pixel_spacing)
    edge = measure_edge_shape(square_hu, square_mask) if shaped else None
    return PlainMeasures(
        sd_hu=float(hu.std()),
        circularity=_circularity(square_mask) if shaped else None,
        edge_sharpness=_edge_sharpness(ct_slice, mask) if shaped else None,
        solid_part=float((hu > SOLID_ABOVE).mean()),
        **(asdict(edge) if edge else {}),
    )


def _has_shape(mask: Mask) -> bool:
    """Return whether a mask has pixels enough, three rows and three columns at least, to speak of its shape."""
    return bool(mask.sum() >= LEAST_PIXELS) and all(np.ptp(indices) >= 2 for indices in np.nonzero(mask))


def _in_square_pixels(hu: NDArray[Any], mask: Mask, spacing: tuple[float, float]) -> tuple[NDArray[Any], Mask]:
    """Return HU, interpolated, and mask, nearest, at the smaller spacing along both axes; as they are if square."""
    finest = min(spacing)
    if max(spacing) <= _UNEQUAL_SIDES * finest:
        return hu, mask
    ndimage: Any = import_module("scipy.ndimage")
    steps = [finest / length for length in spacing]
    shape = tuple(int(np.ceil(pixels / step)) for pixels, step in zip(hu.shape, steps, strict=True))
    # Pixels are counted at their middles.
    placed: dict[str, Any] = {"matrix": steps, "offset": [(step - 1) / 2 for step in steps], "output_shape": shape}
    finer = ndimage.affine_transform(hu.astype(np.float64), order=1, mode="nearest", **placed)
    nearest = ndimage.affine_transform(mask.astype(np.uint8), order=0, mode="nearest", **placed)
    return finer, nearest.astype(np.bool_)


def _circularity(mask: Mask) -> float:
    """Crofton's perimeter is not longer for the steps of pixels."""
    measure: Any = import_module("skimage.measure")
    return float(4 * np.pi * mask.sum() / measure.perimeter_crofton(_cropped(mask)) ** 2)


def _cropped(mask: Mask) -> Mask:
    rows, columns = np.nonzero(mask)
    return np.pad(mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1], 2)


def _edge_sharpness(ct_slice: CTSlice, whole_mask: Mask) -> float | None:
    """Median slope along the outline over the rise from lung to nodule, 1/mm; walls beside it do not count."""
    ndimage: Any = import_module("scipy.ndimage")
    pixel_mm = float(np.sqrt(np.prod(ct_slice.pixel_spacing)))
    around = _surroundings(whole_mask, reach=int(_RING_MM / min(ct_slice.pixel_spacing)) + 4)
    mask, hu = whole_mask[around], np.clip(ct_slice.hu[around].astype(np.float64), -1000, 150)
    distance = _distance(~mask) * pixel_mm
    lung = hu[(distance > 1.5) & (distance < _RING_MM) & (hu < _LUNG_BELOW)]
    if lung.size < 10:
        return None
    beside_lung = _distance(hu > _LUNG_BELOW) <= 2
    edge = (_distance(~mask) <= 1) & (_distance(mask) <= 1) & beside_lung
    rise = hu[mask].mean() - np.median(lung)
    if rise <= 0 or not edge.any():
        return None
    slope = np.hypot(*np.gradient(ndimage.gaussian_filter(hu, 0.5), *ct_slice.pixel_spacing))
    return float(np.median(slope[edge]) / rise)


def _surroundings(mask: Mask, reach: int) -> tuple[slice, slice]:
    """Index of the mask's rectangle and `reach` pixels around it."""
    rows, columns = (
        slice(max(0, int(indices.min()) - reach), int(indices.max()) + 1 + reach) for indices in np.nonzero(mask)
    )
    return rows, columns


def _distance(mask: Mask) -> NDArray[np.float64]:
    """Distance of each pixel that is set to the nearest one that is not, in pixels; 0 for the others."""
    ndimage: Any = import_module("scipy.ndimage")
    return ndimage.distance_transform_edt(mask)
