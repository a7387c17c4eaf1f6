"""What came out: the nodule's mask, measured from the finished slice.

The outline lies where HU rise above a part of the way from the local lung to the nodule itself, so that it
follows ground glass and solid nodules alike. What crosses the box is kept out: chest wall, mediastinum and
vessels, best where the slice without the nodule is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.nodule import BoundingBox
from engine.plain_measures import PlainMeasures, measure_plainly
from engine.score_reading import ReadBack

Mask = NDArray[np.bool_]
Plane = NDArray[np.float64]

#: HU are clipped first: calcification and metal say nothing about where soft tissue ends.
_CLIP = (-1000.0, 150.0)
#: Lung is darker than this; its HU and their standard deviation where none of it is in sight.
_LUNG_BELOW, _USUAL_LUNG = -500.0, (-850.0, 50.0)
#: The outline lies at this part of the way from lung to nodule; chosen on LIDC's readers' outlines.
_OUTLINE_LEVEL = 0.42
#: What has risen by less than this part of the way since before is not of the nodule.
_CHANGE_LEVEL = 0.3
#: A nodule rises above the lung by at least so many HU, and stands out from its noise: rise times the root of
#: the number of pixels over the standard deviation (Rose's criterion is 5; lung has a texture besides).
_LEAST_RISE, _LEAST_SIGNAL = 90.0, 7.0
#: The nodule's own HU: these percentiles, of the middle of the box at first, then of the first outline.
_FIRST_PERCENTILE, _SECOND_PERCENTILE = 80, 70
#: Radius of the middle of the box, in sides of the box.
_MIDDLE = 0.3
#: Walls are brighter than this, and a disc of this radius, in sides of the box, fits into them.
_WALL_ABOVE, _WALL_RADIUS = -400.0, 0.85
#: Vessels up to twice this radius are cut off.
_VESSEL_RADIUS_MM = 1.0
#: Old vessels up to twice this radius that run through a nodule belong to it.
_BRIDGED_RADIUS_MM = 2.0
#: What is looked at around the box: as much as its side, within these bounds.
_SURROUNDINGS_MM = (6.0, 25.0)


@dataclass(frozen=True, eq=False)
class NoduleMeasurement:
    """A nodule as it can be measured in a slice.

    Attributes
    ----------
    mask : bool array of (rows, columns) of the slice
        Pixels of the nodule; all False if no nodule was found.
    diameter_mm : float
        Of the circle with the area of the mask; 0 if no nodule was found.
    mean_hu : float
        Mean HU inside the mask; mean HU of the central third of the box if no nodule was found.
    plain : PlainMeasures or None
        None if no nodule was found, or it was measured by a version that did not measure these.
    scores : ReadBack or None
        As `engine.read_back` reads them; None if nothing was read.
    """

    mask: Mask
    diameter_mm: float
    mean_hu: float
    plain: PlainMeasures | None = None
    scores: ReadBack | None = None


@dataclass(frozen=True, eq=False)
class _Scene:
    """The box and its surroundings: planes of one shape, lengths in pixels unless they end in `_mm`."""

    hu: Plane
    old: Plane | None
    inside: Mask
    centre_distance: Plane
    side: int
    pixel_mm: float

    @property
    def reference(self) -> Plane:
        return self.hu if self.old is None else self.old


def measure_nodule(before: CTSlice | None, after: CTSlice, box: BoundingBox) -> NoduleMeasurement:
    """Measure the nodule in `box` of `after`.

    Parameters
    ----------
    before : CTSlice or None
        The slice without the nodule: walls and vessels that it shows are not counted. None, or the same HU as
        `after` in the box, for a nodule that has always been there.
    after : CTSlice
        The slice with the nodule.
    box : BoundingBox
        The mask lies inside it.
    """
    pixel_mm = float(np.sqrt(np.prod(after.pixel_spacing)))
    around = _surroundings(box, pixel_mm)
    mask = np.zeros(after.shape, np.bool_)
    mask[around] = _find_nodule(_look_at(before, after, box, around, pixel_mm))
    if not mask.any():
        third = box.side // 3
        middle = tuple(slice(edge.start + third, edge.stop - third) for edge in box.slices)
        return NoduleMeasurement(mask, 0.0, float(after.hu[middle].mean()))
    diameter = 2 * np.sqrt(mask.sum() / np.pi) * pixel_mm
    plain = measure_plainly(after, mask)
    return NoduleMeasurement(mask, float(diameter), float(after.hu[mask].mean()), plain)


def _ndimage() -> Any:
    """Import `scipy.ndimage`: not at start, for it takes 0.2 s; as Any, for it has no types."""
    return import_module("scipy.ndimage")


def _surroundings(box: BoundingBox, pixel_mm: float) -> tuple[slice, slice]:
    least, most = _SURROUNDINGS_MM
    reach = int(np.clip(box.side, least / pixel_mm, most / pixel_mm))
    rows, columns = (slice(max(0, edge.start - reach), edge.stop + reach) for edge in box.slices)
    return rows, columns


def _look_at(
    before: CTSlice | None, after: CTSlice, box: BoundingBox, around: tuple[slice, slice], pixel_mm: float
) -> _Scene:
    inside = box.mask()
    rows, columns = (np.arange(length) + 0.5 for length in after.shape)
    distance = np.hypot(rows[:, None] - box.centre[0], columns - box.centre[1])
    old = None
    if before is not None and not np.array_equal(before.hu[box.slices], after.hu[box.slices]):
        old = _clipped(before, around)
    return _Scene(_clipped(after, around), old, inside[around], distance[around], box.side, pixel_mm)


def _clipped(ct_slice: CTSlice, around: tuple[slice, slice]) -> Plane:
    return np.clip(ct_slice.hu[around].astype(np.float64), *_CLIP)


def _find_nodule(scene: _Scene) -> Mask:
    """Outline the nodule twice: the first outline tells how bright the nodule is, which sets the second."""
    lung, noise = _lung_level(scene)
    walls = _walls(scene)
    change = _change(scene, lung)
    middle = (scene.centre_distance <= max(1.5, _MIDDLE * scene.side)) & scene.inside & ~walls
    mask = np.zeros_like(walls)
    if not middle.any():
        return mask
    rise = float(np.percentile(change[middle], _FIRST_PERCENTILE))
    for _ in range(2):
        mask = _outline(scene, walls, change, lung, max(rise, _LEAST_RISE))
        if not mask.any():
            return mask
        rise = float(np.percentile(scene.hu[mask], _SECOND_PERCENTILE)) - lung
    mean_rise = float(scene.hu[mask].mean()) - lung
    stands_out = mean_rise * np.sqrt(mask.sum()) >= _LEAST_SIGNAL * noise
    return mask if stands_out and mean_rise >= _LEAST_RISE else np.zeros_like(mask)


def _lung_level(scene: _Scene) -> tuple[float, float]:
    """Median HU of the lung around, and their standard deviation, from the dark side: vessels are bright."""
    near = scene.reference[scene.centre_distance <= scene.side]
    lung = near[near < _LUNG_BELOW]
    if lung.size < 10:
        return _USUAL_LUNG
    level, one_below = np.percentile(lung, (50, 16))
    return float(level), float(level - one_below)


def _walls(scene: _Scene) -> Mask:
    """Mark tissue into which a disc fits that no nodule in this box could hold: a morphological opening."""
    ndimage = _ndimage()
    radius = _WALL_RADIUS * scene.side
    tissue = ndimage.gaussian_filter(scene.reference, 0.5) > _WALL_ABOVE
    reach = int(radius) + 2
    padded = np.pad(tissue, reach, mode="edge")
    if padded.all():
        return tissue
    discs = ndimage.distance_transform_edt(padded) > radius
    if not discs.any():
        return np.zeros_like(tissue)
    opened = ndimage.distance_transform_edt(~discs) <= radius
    return opened[reach:-reach, reach:-reach]


def _change(scene: _Scene, lung: float) -> Plane:
    """How far HU, slightly smoothed, lie above the lung or above what was there before, the brighter of them.

    What lay in the box without reaching out of it was replaced, for no generator sees it: it counts as lung.
    """
    ndimage = _ndimage()
    now = ndimage.gaussian_filter(scene.hu, 0.5)
    if scene.old is None:
        return now - lung
    old = ndimage.gaussian_filter(scene.old, 0.5)
    labels, _ = ndimage.label(old > lung + _LEAST_RISE)
    crossing = np.isin(labels, labels[~scene.inside])
    return now - np.where(crossing, np.maximum(old, lung), lung)


def _outline(scene: _Scene, walls: Mask, change: Plane, lung: float, rise: float) -> Mask:
    """Return the component of risen HU that is thickest near the middle of the box, vessels cut off."""
    ndimage = _ndimage()
    risen = (ndimage.gaussian_filter(scene.hu, 0.5) > lung + _OUTLINE_LEVEL * rise) & ~walls
    candidates = risen & scene.inside
    if scene.old is not None:
        new = candidates & (change > _CHANGE_LEVEL * rise)
        # Half a pixel more: edges lie within pixels.
        candidates &= new | _morphology("closing", new, _BRIDGED_RADIUS_MM / scene.pixel_mm + 0.5)
    nearness = np.exp(-((scene.centre_distance / (0.4 * scene.side)) ** 2))
    seeds = candidates & (change > _OUTLINE_LEVEL * rise)
    thickness = ndimage.distance_transform_edt(np.pad(risen, 1))[1:-1, 1:-1]
    score = np.where(seeds, thickness * nearness, 0)
    if not score.any():
        return np.zeros_like(walls)
    seed = np.unravel_index(score.argmax(), score.shape)
    trimmed = _morphology("opening", candidates, _VESSEL_RADIUS_MM / scene.pixel_mm)
    labels, _ = ndimage.label(trimmed if trimmed[seed] else candidates)
    return ndimage.binary_fill_holes(labels == labels[seed]) & scene.inside & ~walls


def _morphology(operation: Literal["opening", "closing"], mask: Mask, radius: float) -> Mask:
    """Open or close a mask with a disc; pixels beyond the edge are False."""
    ndimage = _ndimage()
    reach = int(radius)
    if reach < 1:
        return mask
    steps = np.arange(-reach, reach + 1)
    disc = np.hypot(steps[:, None], steps) <= radius
    run = ndimage.binary_opening if operation == "opening" else ndimage.binary_closing
    return run(np.pad(mask, reach), disc)[reach:-reach, reach:-reach]
