"""The nodule as rows and boxes, for training detectors: COCO, YOLO and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTVolume
from engine.events import GenerationResult
from engine.measurement import NoduleMeasurement
from engine.nodule import SCORE_NAMES
from engine.plain_measures import PlainMeasures
from engine.versions import PROGRAM, VERSION

Record = dict[str, Any]
#: (column, row, width, height) in pixels, the top left corner of pixel (0, 0) being (0, 0).
Rectangle = tuple[int, int, int, int]


def nodule_rectangle(mask: NDArray[np.bool_]) -> Rectangle | None:
    """Return the smallest rectangle around a mask; None if it is empty."""
    if not mask.any():
        return None
    rows, columns = np.nonzero(mask)
    top, left = int(rows.min()), int(columns.min())
    return left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top


def masks_on_slice(results: Sequence[GenerationResult]) -> list[NDArray[np.bool_]]:
    """Return what can be seen of each nodule of one slice, the first one first: a later box is of a later nodule."""
    covered = np.zeros(results[-1].slice.shape, np.bool_)
    masks: list[NDArray[np.bool_]] = []
    for result in reversed(results):
        masks.insert(0, result.measurement.mask & ~covered)
        covered |= result.request.box.mask()
    return masks


def coco_record(results: Sequence[GenerationResult], file_name: str) -> Record:
    """Return one image and the nodules measured in it in COCO's format for detection.

    The segmentation is COCO's uncompressed run lengths: column by column, beginning with pixels outside. A nodule
    without a pixel has no annotation. The box that was asked for, and the scores, stand beside it.

    Parameters
    ----------
    results : all nodules that the slice shows, each built on the one before; the last one is the slice
    file_name : of the picture
    """
    rows, columns = results[-1].slice.shape
    shown = [(result, mask) for result, mask in zip(results, masks_on_slice(results), strict=True) if mask.any()]
    annotations = [_annotation(number, result, mask) for number, (result, mask) in enumerate(shown, start=1)]
    return {
        "info": {"description": "Synthetic lung nodule", "version": f"{PROGRAM} {VERSION}"},
        "licenses": [],
        "images": [{"id": 1, "file_name": file_name, "width": columns, "height": rows}],
        "categories": [{"id": 1, "name": "nodule", "supercategory": "lesion"}],
        "annotations": annotations,
    }


def _annotation(number: int, result: GenerationResult, mask: NDArray[np.bool_]) -> Record:
    box = result.request.box
    return {
        "id": number,
        "image_id": 1,
        "category_id": 1,
        "bbox": list(nodule_rectangle(mask) or ()),
        "area": int(np.count_nonzero(mask)),
        "iscrowd": 0,
        "segmentation": {"size": list(mask.shape), "counts": run_lengths(mask)},
        "box_asked_for": [box.column, box.row, box.side, box.side],
        "attributes": dict(zip(SCORE_NAMES, result.request.attributes.scores, strict=True)),
    }


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Return COCO's run lengths of a mask: of pixels outside and inside in turn, column by column."""
    flat = mask.T.ravel()
    starts = np.flatnonzero(np.diff(flat)) + 1
    lengths: list[int] = np.diff(np.concatenate(([0], starts, [flat.size]))).tolist()
    return [0, *lengths] if flat[0] else lengths


def yolo_lines(results: Sequence[GenerationResult]) -> str:
    """Return a line `class x y width height` of each nodule, class 0; its centre and size as parts of the picture.

    Without a nodule in any mask the text is empty, which YOLO takes for a picture of background. `results` are as for
    `coco_record`.
    """
    rows, columns = results[-1].slice.shape
    lines: list[str] = []
    for left, top, width, height in filter(None, map(nodule_rectangle, masks_on_slice(results))):
        numbers = ((left + width / 2) / columns, (top + height / 2) / rows, width / columns, height / rows)
        lines.append("0 " + " ".join(f"{number:.6f}" for number in numbers) + "\n")
    return "".join(lines)


def nodule_row(volume: CTVolume, slice_index: int, result: GenerationResult) -> Record:
    """Return what one line of a table says of a result; lengths in mm, the centre in DICOM patient coordinates (LPS).

    The centre is that of the nodule, or of the box where no nodule was found. The last three columns tell which lines
    are of one nodule: `continues` is the `nodule_sha256` of the slice in which it was placed, `offset_mm` how far away
    that is; both are empty there.
    """
    request, measured = result.request, result.measurement
    box, options, extension = request.box, request.options, request.extension
    centre = patient_point(volume, slice_index, *_centre(result))
    return {
        "slice_index": slice_index,
        "box_row": box.row,
        "box_column": box.column,
        "box_side": box.side,
        **dict(zip(("x_mm", "y_mm", "z_mm"), (round(value, 3) for value in centre), strict=True)),
        "diameter_mm": round(float(measured.diameter_mm), 3),
        "mean_hu": round(float(measured.mean_hu), 2),
        "nodule_pixels": int(np.count_nonzero(measured.mask)),
        **_plain_columns(measured),
        **dict(zip(SCORE_NAMES, request.attributes.scores, strict=True)),
        **_read_columns(measured),
        "seed": options.seed,
        "steps": options.steps,
        "guidance": options.guidance,
        "solver": options.solver,
        "checkpoint": result.checkpoint_name,
        "checkpoint_sha256": result.checkpoint_sha256,
        "output_sha256": result.slice.sha256(),
        "nodule_sha256": result.nodule_sha256(),
        "continues": extension.continues if extension else None,
        "offset_mm": _rounded(extension.offset_mm if extension else None),
    }


def _plain_columns(measured: NoduleMeasurement) -> Record:
    plain = measured.plain
    return {field.name: _rounded(getattr(plain, field.name) if plain else None) for field in fields(PlainMeasures)}


def _read_columns(measured: NoduleMeasurement) -> Record:
    """Scores read back and their standard deviations."""
    columns: Record = {}
    for name in SCORE_NAMES:
        reading = measured.scores[name] if measured.scores else None
        columns[f"{name}_read"] = _rounded(reading.score if reading else None)
        columns[f"{name}_read_sd"] = _rounded(reading.deviation if reading else None)
    return columns


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)


def csv_text(rows: list[Record]) -> str:
    """Return rows that have the same keys as CSV with a header; what is None is an empty field (RFC 4180)."""
    written = io.StringIO(newline="")
    table = csv.DictWriter(written, list(rows[0]))
    table.writeheader()
    table.writerows(rows)
    return written.getvalue()


def patient_point(volume: CTVolume, slice_index: int, row: float, column: float) -> tuple[float, float, float]:
    """Return a point of a slice in DICOM patient coordinates, mm; (0, 0) is the centre of the first pixel."""
    row_mm, column_mm = row * volume.pixel_spacing[0], column * volume.pixel_spacing[1]
    corner, along, down = (
        np.asarray(vector) for vector in (volume.positions[slice_index], volume.column_direction, volume.row_direction)
    )
    x, y, z = (float(value) for value in corner + along * column_mm + down * row_mm)
    return x, y, z


def _centre(result: GenerationResult) -> tuple[float, float]:
    """(row, column), counted from the centre of the first pixel."""
    if result.measurement.mask.any():
        row, column = (float(indices.mean()) for indices in np.nonzero(result.measurement.mask))
        return row, column
    row, column = result.request.box.centre
    return row - 0.5, column - 0.5
