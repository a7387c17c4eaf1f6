"""Where a nodule may be, how large and with which scores: the paper's way, and from what LIDC's readers marked.

The paper (section 3.2) draws the centre from a map of nodule presence, the size from a histogram and the scores
uniformly, each independent of the others and of the slice, and holds this responsible for nodules in muscle, in bone
and outside the body. That is `paper_box` and `paper_scores`.

Ours resamples real annotations. A whole entry of LIDC is drawn: its size, its place and how far it lies from the wall
of the lung belong together. Then a place in the lungs of this slice is drawn that resembles that of the entry. Scores
come from the smoothed joint of all five among nodules of about that size. Resampling keeps every dependence between
place and size, and the joint those among the scores and on the size, without a model of them; 6,859 annotations are
many, and what is smoothed is smoothed by less than readers differ. Given the size, place and scores are taken as
independent: in LIDC, the partial rank correlation of the distance from the wall with each score, given the size, is
at most 0.06.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.errors import InputError
from engine.lung_places import LungPlaces, NodulePlace, find_lung_places
from engine.nodule import ATTRIBUTE_NAMES, BOX_SIDE_MM, BoundingBox, NoduleAttributes
from engine.prior_table import RANKING_STEP, observed_scores, prior_table, score_joint

Weights = NDArray[np.float64]

#: Boxes for the nodule generator leave room around the outline, as those that it was trained with do on average.
_ROOM, _ROOM_MM = 0.3, 1.0
#: Side of the smallest box for the nodule generator that is suggested.
LEAST_SIDE_MM = 4.5
#: So many annotations are tried.
_TRIES = 30
#: So many of the annotations that are nearest in size stand in for one.
_ALIKE = 200
#: Grid of slices made whole, and how far a place is moved and a size changed there, so that none is an exact copy.
_GRID, _MOVED_MM, _RESIZED = 256, 4.0, 0.08
#: Smallest side of a box in such a slice, in pixels: two latents of the VQ-VAE. A nodule of one is hardly there.
_LEAST_SIDE = 8


def suggest_box(
    ct_slice: CTSlice, seed: int, places: LungPlaces | None = None, extent_mm: tuple[float, float] | None = None
) -> BoundingBox:
    """Return a box, at least 80 % of it in the lungs of this slice, of a size and at a place as in LIDC.

    Lungs are found unless `places` has those of the slice. The nodule's extent lies within `extent_mm`, if given.

    Raises
    ------
    InputError
        If the slice has no lung, or too little for the smallest box.
    """
    draw, table, places = np.random.default_rng(seed), prior_table(), places or find_lung_places(ct_slice)
    # A small lung has no room for large nodules: the smallest is tried last.
    among = _of_extent(extent_mm)
    extents = table.extent_mm if extent_mm is None else table.extent_mm.clip(*extent_mm)
    entries = [*among[draw.integers(len(among), size=_TRIES)].tolist(), int(among[extents[among].argmin()])]
    for entry in entries if places.mask.any() else []:
        side = _side_in_pixels(float(extents[entry]), ct_slice)
        if begin := places.draw(_place_of(entry, draw), side, draw):
            return BoundingBox(*begin, side, ct_slice.shape)
    raise InputError(
        "There is no lung in this slice with room for a nodule; choose another slice or draw the box yourself."
    )


def suggest_scores(seed: int, extent_mm: float | None = None, favour: Weights | None = None) -> NoduleAttributes:
    """Return five scores that occur together in LIDC among nodules of about this extent, or (None) of any.

    Parameters
    ----------
    favour : (5, 5, 5, 5, 5), optional
        By how much each combination is made more or less probable; 0 excludes it. In the order of Table 1.
    """
    joint = score_joint(_in_steps(extent_mm))
    return _draw_scores(np.random.default_rng(seed), joint if favour is None else joint * favour)


def extent_in_box(side_mm: float) -> float:
    """Return the extent in mm of the nodule that a box for the nodule generator is drawn around, with some room.

    Boxes for slices that are made whole have none: they are as large as the nodule.
    """
    return max(0.1, (side_mm - _ROOM_MM) / (1 + _ROOM))


def side_around(extent_mm: float) -> float:
    """Return the side in mm of the box that is drawn around a nodule of that extent: the inverse of `extent_in_box`."""
    return extent_mm * (1 + _ROOM) + _ROOM_MM


def suggest_for_generation(seed: int) -> tuple[BoundingBox, float, NoduleAttributes]:
    """Return a box on a grid of 256 x 256, the spacing of its pixels in mm, and scores, for a slice not yet made.

    Size, place and spacing are from one annotation of LIDC, slightly changed, of those that the compression does not
    lose; scores are drawn for that size, whatever the place. The side of the box is the nodule's extent rounded to
    pixels: about one pixel less than in prepared data, whose boxes are rounded outward.
    """
    draw, table = np.random.default_rng(seed), prior_table()
    entry = int(draw.choice(np.flatnonzero(table.extent_mm * _GRID >= _LEAST_SIDE * table.field_mm)))
    # No more digits than DICOM's Decimal Strings carry, so that what is exported opens as the same slice.
    spacing = round(float(table.field_mm[entry]) / _GRID, 4)
    extent = float(table.extent_mm[entry]) * np.exp(draw.normal(0, _RESIZED))
    centre = (table.place_mm[entry] + draw.normal(0, _MOVED_MM, 2)) / spacing + _GRID / 2
    side = max(_LEAST_SIDE, min(round(extent / spacing), int(BOX_SIDE_MM[1] / spacing)))
    box = BoundingBox.nearest(centre[0] - side / 2, centre[1] - side / 2, side, (_GRID, _GRID))
    return box, spacing, _draw_scores(draw, score_joint(_in_steps(extent)))


def paper_box(slice_shape: tuple[int, int], seed: int) -> BoundingBox:
    """Return a box as the paper draws it (section 3.2), blind to the slice: moved in where it would leave it."""
    draw, table = np.random.default_rng(seed), prior_table()
    cell = divmod(_draw_from(table.presence.ravel(), draw), table.presence.shape[1])
    row, column = (
        (index + draw.random()) / cells * pixels
        for index, cells, pixels in zip(cell, table.presence.shape, slice_shape, strict=True)
    )
    side = _draw_from(table.sides, draw) * min(slice_shape) / _GRID
    return BoundingBox.nearest(row - side / 2, column - side / 2, side, slice_shape)


def paper_scores(seed: int) -> NoduleAttributes:
    """Return scores as the paper draws them (section 3.2): uniform from 1 to 5, independent of each other."""
    return NoduleAttributes.from_scores(np.random.default_rng(seed).integers(1, 6, len(ATTRIBUTE_NAMES)).tolist())


def plausibility(attributes: NoduleAttributes, extent_mm: float | None = None) -> float:
    """Return how usual a combination of scores is in LIDC, from just above 0 to 1.

    It is the share of LIDC's annotations, of nodules of about this extent or (None) of any, whose combination is as
    rare as this one or rarer, by the smoothed joint of all five. 1: none is more common. 0.01: 99 of 100 are
    more common. Among the readers' own combinations every value is about as likely as the next. Scores that are not
    given are left out.
    """
    extent = _in_steps(extent_mm)
    absent = tuple(axis for axis, score in enumerate(attributes.scores) if score is None)
    expected = score_joint(extent, RANKING_STEP).sum(axis=absent)
    observed = observed_scores(extent).sum(axis=absent)
    here = float(expected[tuple(score - 1 for score in attributes.scores if score is not None)])
    # Sums in another order differ in the last digits. What no reader ever gave is still not impossible.
    share = float(observed[expected <= here * (1 + 1e-9)].sum())
    return min(1.0, max(share, here))


def plausibility_sentence(attributes: NoduleAttributes, extent_mm: float | None = None) -> str:
    """Return `plausibility` in words, one sentence."""
    share = plausibility(attributes, extent_mm)
    nodules = "nodules in LIDC" if extent_mm is None else "nodules of this size in LIDC"
    if share >= 0.25:
        return f"A usual combination among {nodules}."
    if share >= 0.05:
        return f"An uncommon combination: {1 - share:.0%} of the {nodules} have a more common one."
    rarity = f"1 in {round(1 / share)}" if share > 0.001 else "fewer than 1 in 1000"
    return f"A rare combination: {rarity} {nodules} have one as rare."


def _in_steps(extent_mm: float | None) -> float | None:
    """An extent in steps of 0.1 mm: joints of sizes that are asked for again are kept."""
    return None if extent_mm is None else max(0.1, round(extent_mm, 1))


def _side_in_pixels(extent_mm: float, ct_slice: CTSlice) -> int:
    spacing = max(ct_slice.pixel_spacing)
    side_mm = max(LEAST_SIDE_MM, side_around(extent_mm))
    return max(2, min(int(np.ceil(side_mm / spacing)), int(BOX_SIDE_MM[1] / spacing)))


def _draw_from(weights: NDArray[Any], draw: np.random.Generator) -> int:
    """Draw an index with a probability in proportion to its weight."""
    return int(draw.choice(len(weights), p=weights / weights.sum()))


def _draw_scores(draw: np.random.Generator, joint: Weights) -> NoduleAttributes:
    cell = np.unravel_index(_draw_from(joint.ravel(), draw), joint.shape)
    return NoduleAttributes.from_scores([int(level) + 1 for level in cell])


def similar_place(extent_mm: float, draw: np.random.Generator) -> tuple[float, float]:
    """Draw where a nodule of about this size lay, (row, column) mm from the middle of the lungs."""
    table = prior_table()
    return _from_lungs(int(draw.choice(_alike(np.arange(len(table)), extent_mm))))


def _of_extent(extent_mm: tuple[float, float] | None) -> NDArray[np.intp]:
    """Return the entries of extents within a range; the nearest ones where only few are."""
    table = prior_table()
    everyone = np.arange(len(table))
    if extent_mm is None:
        return everyone
    within = np.flatnonzero((table.extent_mm >= extent_mm[0]) & (table.extent_mm <= extent_mm[1]))
    return within if len(within) >= _ALIKE else _alike(everyone, sum(extent_mm) / 2)


def _alike(entries: NDArray[np.intp], extent_mm: float) -> NDArray[np.intp]:
    """Those of the entries whose sizes are most alike."""
    unlike = np.abs(np.log(prior_table().extent_mm[entries] / extent_mm))
    return entries[np.argsort(unlike, kind="stable")[:_ALIKE]]


def _from_lungs(entry: int) -> tuple[float, float]:
    row_mm, column_mm = (prior_table().place_mm[entry] - prior_table().lungs_mm).tolist()
    return row_mm, column_mm


def _place_of(entry: int, draw: np.random.Generator) -> NodulePlace:
    return NodulePlace(float(prior_table().extent_mm[entry]), _wall_distance(entry, draw), _from_lungs(entry))


def _wall_distance(entry: int, draw: np.random.Generator) -> float:
    """Distance from rim to wall; where it is not known, that of an annotation of about the same size."""
    table = prior_table()
    if np.isnan(table.wall_mm[entry]):
        known = np.flatnonzero(np.isfinite(table.wall_mm))
        entry = int(draw.choice(_alike(known, float(table.extent_mm[entry]))))
    return float(table.wall_mm[entry])
