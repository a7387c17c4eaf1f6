"""Real nodules of held-out patients, each with the box that a user could have drawn around it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from engine.ct import CTSlice
from engine.nodule import BoundingBox, NoduleAttributes
from engine.window import WindowGrid, window_for
from training.nodule_crops import NoduleCrops

#: Fraction of the nodule's extent that the box adds to it.
_MARGIN = (0.2, 0.6)
#: The box is not smaller than this: the generator takes boxes from 4 mm on.
_LEAST_SIDE_MM = 4.5
#: Lung is darker than this, and of this HU where there is none in sight.
_LUNG_BELOW, _USUAL_LUNG = -500.0, -850.0
#: At least so much of the window must lie on the crop.
_LEAST_COVER = 0.85


@dataclass(frozen=True, eq=False)
class HeldOutCase:
    """One reader's nodule in one crop.

    Attributes
    ----------
    patient : str
    slice : CTSlice
        The crop.
    outline : bool (rows, columns)
        Inside of the reader's outline.
    box : BoundingBox
        A square around it.
    attributes : NoduleAttributes
        The reader's scores; None where not given.
    seed : int
        Of the noise from which the case is generated, the same for whatever is asked of it.
    """

    patient: str
    slice: CTSlice
    outline: NDArray[np.bool_]
    box: BoundingBox
    attributes: NoduleAttributes
    seed: int

    def without_nodule(self) -> CTSlice:
        """Return the slice with lung where the nodule is: what "before" is to a nodule generated in its place."""
        hu = self.slice.hu.astype(np.float32)
        lung = hu[hu < _LUNG_BELOW]
        # Outlines run inside the nodule's blurred edge: a pixel more is filled.
        hu[_dilated(self.outline)] = np.median(lung) if lung.size else _USUAL_LUNG
        return self.slice.with_hu(hu)


def _dilated(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(ndimage.binary_dilation(mask, np.ones((3, 3))), np.bool_)


def choose_cases(crops: NoduleCrops, count: int, grid: WindowGrid, seed: int = 0) -> list[HeldOutCase]:
    """Draw up to `count` cases, one a crop, patients in turn: as many patients as there are, then each again.

    Crops with too little around the box for its window are left out.
    """
    generator = np.random.default_rng(seed)
    units = generator.permutation(len(crops))
    times_drawn: Counter[str] = Counter()
    seen_crops: set[int] = set()
    in_turn: list[tuple[int, int]] = []
    for unit in units.tolist():
        crop = int(crops.unit_crop[unit])
        if crop not in seen_crops:
            seen_crops.add(crop)
            patient = str(crops.patients[crop])
            in_turn.append((times_drawn[patient], unit))
            times_drawn[patient] += 1
    cases: list[HeldOutCase] = []
    for _, unit in sorted(in_turn, key=lambda entry: entry[0]):
        case = _case_of(crops, unit, generator, seed=len(cases))
        if _leaves_room(case, grid):
            cases.append(case)
        if len(cases) == count:
            break
    return cases


def _case_of(crops: NoduleCrops, unit: int, generator: np.random.Generator, seed: int) -> HeldOutCase:
    crop = int(crops.unit_crop[unit])
    outline = ((crops.masks[crop] >> int(crops.unit_reader[unit])) & 1).astype(bool)
    spacing = float(crops.pixel_spacing[crop])
    ct_slice = CTSlice(crops.hu(crop), (spacing, spacing))
    edges = [np.flatnonzero(outline.any(axis=axis)) for axis in (1, 0)]
    middles = [(edge[0] + edge[-1] + 1) / 2 for edge in edges]
    extent = max(edge[-1] + 1 - edge[0] for edge in edges)
    side = max(extent * (1 + generator.uniform(*_MARGIN)), extent + 2, _LEAST_SIDE_MM / spacing)
    row, column = (middle - side / 2 for middle in middles)
    scores = [int(score) or None for score in crops.unit_scores[unit]]
    return HeldOutCase(
        patient=str(crops.patients[crop]),
        slice=ct_slice,
        outline=outline,
        box=BoundingBox.nearest(row, column, np.ceil(side), ct_slice.shape),
        attributes=NoduleAttributes.from_scores(scores),
        seed=seed,
    )


def _leaves_room(case: HeldOutCase, grid: WindowGrid) -> bool:
    """Tell whether the outline lies in the box and the window, for the most part, on the crop."""
    outside = case.outline.copy()
    outside[case.box.slices] = False
    window = window_for(case.slice, case.box, grid)
    rows, columns = case.slice.shape
    (x, y), reach = window.centre, window.size / 2 * window.scale[0]
    width = min(columns, x + reach) - max(0.0, x - reach)
    height = min(rows, y + reach) - max(0.0, y - reach)
    return not outside.any() and width * height >= _LEAST_COVER * (2 * reach) ** 2
