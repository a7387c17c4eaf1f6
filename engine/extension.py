"""A nodule over neighbouring slices: each gets a box as wide as the nodule is there, and noise like its neighbour's.

The generator knows one slice at a time. Two things make its slices one nodule:

- *Size.* The nodule is taken for an ellipsoid: at a distance z from the slice in which it was placed, its extent, and
  with it the box, shrinks by sqrt(1 - (z / r)^2), with r = `ROUNDNESS` times the radius measured in that slice. Slices
  are told by their positions; slices that are thicker than the nodule leave it in one. The centres of the boxes lie
  along the slice normal, also where it leans, as with a tilted gantry.
- *Shape and texture.* Where noise, scores and surroundings are alike, so is what the deterministic solvers make of
  them. `engine.nodule_noise` turns the noise with the distance, so that closer slices are more alike.

The slice in which the nodule was placed stays as it is; HU of the others change inside their boxes only. Each slice
is a result of its own, of a `GenerationRequest` whose `extension` says which nodule it continues and how far away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import Extension, Finished, GenerationRequest, GenerationResult, Preview, SliceSource
from engine.nodule import BOX_SIDE_MM, BoundingBox
from engine.prior import extent_in_box, side_around
from engine.synthetic_data import is_synthetic

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint

#: Length of a nodule along z over its largest diameter in a slice: the median of 319 nodules of LIDC-IDRI of 6 to 25 mm
#: in slices of up to 1.3 mm (quartiles 0.77 and 1.12).
ROUNDNESS = 0.95
#: Where the nodule would be narrower than this, it has ended: the generator has not learned the thin ends of nodules.
_LEAST_EXTENT_MM = 4.0


@dataclass(frozen=True)
class NoduleExtent:
    """A nodule as it is measured over several slices.

    Attributes
    ----------
    diameter_mm : float
        The largest of any slice; 0 if no nodule was found.
    length_mm : float
        Along the slice normal, each slice reaching half the way to its neighbours.
    volume_mm3 : float
        Sum of the areas of the masks, each over the length that its slice stands for.
    """

    diameter_mm: float
    length_mm: float
    volume_mm3: float


def extension_requests(volume: CTVolume, index: int, result: GenerationResult) -> dict[int, GenerationRequest]:
    """Return what to generate for a nodule to go on in the slices beside it: by slice index, the nearest first.

    Parameters
    ----------
    volume : CTVolume
    index : int
        Of the slice in `volume` in which the nodule was placed.
    result : GenerationResult
        The nodule there. The other slices are those of `volume`: put in those that have been edited instead.

    Raises
    ------
    InputError
        If the slice was made whole, no nodule was found in it, there is no other slice, or the nodule has ended, or all
        but, in the next one.
    """
    request = result.request
    if not isinstance(request, GenerationRequest):
        raise InputError("A slice that was made whole has no slices beside it; place the nodule in a slice of a scan.")
    if result.measurement.diameter_mm == 0:
        raise InputError("No nodule was found in the box, so that its size is not known; try another seed.")
    if len(volume) == 1:
        raise InputError("This series has one slice, so that the nodule has no other to go on in; open a whole one.")
    reach_mm = ROUNDNESS * result.measurement.diameter_mm / 2
    offsets = slice_offsets(volume, index)
    sides = {near: _side_at(volume, request, offsets[near] / reach_mm) for near in _outwards(index, offsets, reach_mm)}
    boxes = {
        near: _box_around(request.box, side, _shift(volume, index, near), volume)
        for near, side in sides.items()
        if side is not None
    }
    if sides and not boxes:
        raise InputError(
            f"In the next slice the nodule would be narrower than {_LEAST_EXTENT_MM:g} mm, which the generator has not "
            "learned; place a larger one to extend it."
        )
    if not boxes:
        next_mm = min(abs(offset) for near, offset in enumerate(offsets) if near != index)
        raise InputError(
            f"The next slice is {next_mm:.1f} mm away and the nodule measures {result.measurement.diameter_mm:.1f} mm, "
            "so that it lies in one slice; place a larger one to extend it."
        )
    continues = result.nodule_sha256()
    return {
        near: replace(
            request,
            slice=volume.slice_at(near),
            box=box,
            source=_source_at(request.source, near, volume),
            extension=Extension(continues, offsets[near]),
        )
        for near, box in boxes.items()
    }


def _source_at(source: SliceSource | None, index: int, volume: CTVolume) -> SliceSource | None:
    if source is None:
        return None
    sha256 = volume.slice_at(index).sha256()
    return replace(source, slice_index=index, sha256=sha256, is_synthetic=is_synthetic(volume, index))


def extend_nodule(
    checkpoint: Checkpoint,
    volume: CTVolume,
    index: int,
    result: GenerationResult,
    job_id: int = 0,
    previews: bool = True,
) -> Iterator[Preview | Finished]:
    """Extend a nodule over the slices beside it: for each, the nearest first, what `place_nodule` yields.

    The order is that of `extension_requests`. The caller may stop between any two of the events; slices that are
    finished are whole. The same nodule in the same volume gives the same HU on the same machine.

    Raises
    ------
    InputError
        As `extension_requests` and `engine.generation.place_nodule`, before the first event.
    FloatingPointError
        If the network returns values that are not finite.
    """
    from engine.generation import place_nodule

    for request in extension_requests(volume, index, result).values():
        yield from place_nodule(checkpoint, request, job_id, previews)


def measure_extent(volume: CTVolume, results: Mapping[int, GenerationResult]) -> NoduleExtent:
    """Measure a nodule over all of its slices.

    Parameters
    ----------
    results : by slice index in `volume`
    """
    lengths = _lengths(volume)
    found = {index: result.measurement for index, result in results.items() if result.measurement.mask.any()}
    pixel_mm2 = float(np.prod(volume.pixel_spacing))
    return NoduleExtent(
        diameter_mm=max((measured.diameter_mm for measured in found.values()), default=0.0),
        length_mm=sum(lengths[index] for index in found),
        volume_mm3=sum(lengths[index] * pixel_mm2 * int(measured.mask.sum()) for index, measured in found.items()),
    )


def extension_record(volume: CTVolume, index: int, results: Mapping[int, GenerationResult]) -> dict[str, Any]:
    """Return what `nodule.json` holds, as JSON types: what the nodule measures over its slices, and in each of them.

    Parameters
    ----------
    index : int
        Of the slice in which the nodule was placed.
    results : by slice index in `volume`
    """
    extent, offsets = measure_extent(volume, results), slice_offsets(volume, index)
    return {
        "placed_in_slice": index,
        "diameter_mm": round(extent.diameter_mm, 3),
        "length_mm": round(extent.length_mm, 3),
        "volume_mm3": round(extent.volume_mm3, 2),
        "slices": [
            {
                "slice_index": near,
                "offset_mm": round(offsets[near], 3),
                "box": [result.request.box.row, result.request.box.column, result.request.box.side],
                "diameter_mm": round(float(result.measurement.diameter_mm), 3),
                "mean_hu": round(float(result.measurement.mean_hu), 2),
                "output_sha256": result.slice.sha256(),
            }
            for near, result in sorted(results.items())
        ],
    }


def slice_offsets(volume: CTVolume, index: int) -> list[float]:
    """Return how far each slice lies from one of them along the slice normal, in mm; negative before it."""
    places = volume.slice_places
    offsets: list[float] = (places - places[index]).tolist()
    return offsets


def _outwards(index: int, offsets: list[float], reach_mm: float) -> list[int]:
    """Return the slices within reach, without the first one, the nearest first."""
    near = (other for other, offset in enumerate(offsets) if other != index and abs(offset) < reach_mm)
    return sorted(near, key=lambda other: (abs(offsets[other]), other))


def _side_at(volume: CTVolume, request: GenerationRequest, share: float) -> float | None:
    """Return the side in mm of the box where `share` of the way to the nodule's end has gone; None if it has ended."""
    extent = extent_in_box(request.box.side_mm(volume.pixel_spacing)) * sqrt(1 - share**2)
    return max(BOX_SIDE_MM[0], side_around(extent)) if extent >= _LEAST_EXTENT_MM else None


def _shift(volume: CTVolume, index: int, near: int) -> tuple[float, float]:
    """Return by how many (rows, columns) a point moves on its way along the slice normal from one slice to another.

    By none where the slices lie one above the other. Where the gantry was tilted they do not: the table moves on, and
    the normal leans.
    """
    way = np.subtract(volume.positions[index], volume.positions[near])
    row_mm, column_mm = volume.pixel_spacing
    rows, columns = (
        float(np.dot(way, volume.row_direction)) / row_mm,
        float(np.dot(way, volume.column_direction)) / column_mm,
    )
    # Headers carry a few digits: what is left of them must not decide to which side the middle of a pixel is rounded.
    return round(rows, 2), round(columns, 2)


def _box_around(first: BoundingBox, side_mm: float, shift: tuple[float, float], volume: CTVolume) -> BoundingBox:
    """Return the box of that side with the same centre but for the shift, no larger than the first one."""
    side = min(first.side, int(np.ceil(side_mm / max(volume.pixel_spacing))))
    row, column = (at + by for at, by in zip(first.centre, shift, strict=True))
    return BoundingBox.nearest(row - side / 2, column - side / 2, side, first.slice_shape)


def _lengths(volume: CTVolume) -> list[float]:
    """Return the length along the normal that each slice stands for, in mm: half the way to each neighbour."""
    offsets = np.asarray(slice_offsets(volume, 0))
    if len(offsets) == 1:
        return [volume.slice_spacing]
    gaps = np.abs(np.diff(offsets))
    lengths: list[float] = ((np.append(gaps, gaps[-1]) + np.insert(gaps, 0, gaps[0])) / 2).tolist()
    return lengths
