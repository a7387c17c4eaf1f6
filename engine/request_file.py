"""`request.json`: what made a result, in words and numbers, and how to ask for it again."""

from __future__ import annotations

import hashlib
import json
import operator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import numpy as np

from engine.ct import CTSlice, CTVolume
from engine.errors import InputError
from engine.events import GenerationRequest, GenerationResult, SamplingOptions
from engine.nodule import SCORE_NAMES, BoundingBox, NoduleAttributes
from engine.versions import library_versions

FORMAT_VERSION = 1
Record = dict[str, Any]


@dataclass(frozen=True)
class SavedRequest:
    """What is needed to ask for the same nodule again.

    Attributes
    ----------
    input_name, input_sha256 : str
        Name of the file or folder that was opened, and `CTSlice.sha256` of the slice before.
    series_uid : str or None
        Of the DICOM series.
    slice_index : int
        From 0.
    record : dict
        The whole file.
    """

    input_name: str
    input_sha256: str
    series_uid: str | None
    slice_index: int
    box: BoundingBox
    attributes: NoduleAttributes
    options: SamplingOptions
    checkpoint_name: str
    checkpoint_sha256: str
    record: Record

    def request(self, ct_slice: CTSlice) -> GenerationRequest:
        """Return the request, to be made of the same slice.

        Raises
        ------
        InputError
            If it is another slice.
        """
        if ct_slice.sha256() != self.input_sha256:
            raise InputError(
                f"This is not the slice that the request was made for; open slice {self.slice_index} "
                f"of {self.input_name}."
            )
        return GenerationRequest(ct_slice, self.box, self.attributes, self.options)


def request_record(volume: CTVolume, slice_index: int, result: GenerationResult) -> Record:
    """Return what `request.json` holds, as JSON types."""
    request, box = result.request, result.request.box
    return {
        "format_version": FORMAT_VERSION,
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "input": _input_record(volume, slice_index, result),
        "box": {
            "row": box.row,
            "column": box.column,
            "side": box.side,
            "side_mm": [round(box.side * spacing, 3) for spacing in request.slice.pixel_spacing],
        },
        "attributes": _attributes_record(request.attributes),
        "options": asdict(request.options),
        "checkpoint": {"name": result.checkpoint_name, "sha256": result.checkpoint_sha256},
        "output": {
            "sha256": result.slice.sha256(),
            "sha256_outside_box": outside_sha256(result.slice, box),
        },
        "measurement": {
            "diameter_mm": result.measurement.diameter_mm,
            "mean_hu": result.measurement.mean_hu,
            "nodule_pixels": np.count_nonzero(result.measurement.mask),
        },
        "seconds": result.seconds,
        "device": result.device,
        "versions": library_versions(),
    }


def outside_sha256(ct_slice: CTSlice, box: BoundingBox) -> str:
    """Return the hash of the HU outside the box, row by row: the same before and after."""
    outside = np.ones(ct_slice.shape, np.bool_)
    outside[box.slices] = False
    return hashlib.sha256(ct_slice.hu[outside].tobytes()).hexdigest()


def write_request(volume: CTVolume, slice_index: int, result: GenerationResult, path: Path) -> None:
    """Write `request.json`; `read_request` reads it."""
    record = request_record(volume, slice_index, result)
    # Scalars of numpy count as numbers.
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False, default=operator.methodcaller("item"))
    path.write_text(text + "\n", "utf-8")


def read_request(path: Path) -> SavedRequest:
    """Read a `request.json`.

    Raises
    ------
    InputError
        If it cannot be read, or is not such a file of this format version.
    """
    record = _parse(path)
    if record.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path} has format {record.get('format_version')!r} and this program reads format "
            f"{FORMAT_VERSION}; open a request.json that this version exported."
        )
    try:
        return _saved_request(record)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is incomplete; open a request.json as it was exported.") from error


def _input_record(volume: CTVolume, slice_index: int, result: GenerationResult) -> Record:
    before, box = result.request.slice, result.request.box
    header = volume.headers[slice_index] if volume.headers else None
    series_uid = header.get("SeriesInstanceUID") if header is not None else None
    return {
        "name": volume.source.name,
        "series_uid": str(series_uid) if series_uid else None,
        "slice_index": slice_index,
        "warnings": list(volume.warnings),
        "shape": list(before.shape),
        "pixel_spacing_mm": list(before.pixel_spacing),
        "sha256": before.sha256(),
        "sha256_outside_box": outside_sha256(before, box),
    }


def _attributes_record(attributes: NoduleAttributes) -> Record:
    return {
        name: {"score": score, "name": SCORE_NAMES[name][score - 1] if score is not None else "Not given"}
        for name, score in zip(SCORE_NAMES, attributes.scores, strict=True)
    }


def _parse(path: Path) -> Record:
    try:
        record: Any = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read; check that the file is there.") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON; open a request.json as it was exported.") from error
    if not isinstance(record, dict):
        raise InputError(f"{path} holds no request; open a request.json as it was exported.")
    return cast("Record", record)


def _saved_request(record: Record) -> SavedRequest:
    source, box, checkpoint = record["input"], record["box"], record["checkpoint"]
    rows, columns = source["shape"]
    return SavedRequest(
        input_name=source["name"],
        input_sha256=source["sha256"],
        series_uid=source["series_uid"],
        slice_index=source["slice_index"],
        box=BoundingBox(box["row"], box["column"], box["side"], (rows, columns)),
        attributes=NoduleAttributes(**{name: record["attributes"][name]["score"] for name in SCORE_NAMES}),
        options=SamplingOptions(**record["options"]),
        checkpoint_name=checkpoint["name"],
        checkpoint_sha256=checkpoint["sha256"],
        record=record,
    )
