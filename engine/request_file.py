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

from engine.ct import CTSlice, CTVolume, WindowLevel
from engine.errors import InputError
from engine.events import (
    Extension,
    GenerationRequest,
    GenerationResult,
    Request,
    SamplingOptions,
    SliceRequest,
    SliceSource,
)
from engine.json_files import number_of, parse_json, text_of, time_of, window_of
from engine.known_inputs import is_hash
from engine.measurement_record import measurement_record, scores_of
from engine.nodule import SCORE_NAMES, BoundingBox, NoduleAttributes
from engine.stored_values import Encoding, encoding_from
from engine.synthetic_data import is_synthetic
from engine.versions import library_versions
from engine.volume_headers import is_plausible_mm

FORMAT_VERSION = 1
Record = dict[str, Any]


@dataclass(frozen=True)
class SavedRequest:
    """What is needed to ask for the same again.

    Attributes
    ----------
    input_name : str
        Of the file or folder that was opened; of the hash, where the identity was not kept.
    input_sha256 : str or None
        `CTSlice.sha256` of the slice before; None for a slice that was made whole.
    sha256_as_read : str
        Of the slice before any nodule; empty where it is not known.
    is_input_synthetic : bool
        The slice was made whole, or had synthetic nodules when it was opened; False in exports of older versions.
    series_uid : str or None
        Of the DICOM series; another one than the file's where the identity was not kept.
    slice_index : int
        From 0.
    output_sha256 : str
        `CTSlice.sha256` of the finished slice.
    extension : Extension or None
        None where the nodule was placed in this very slice.
    export : ExportNote
    versions : dict
        Of the libraries by name, and the device, then.
    record : dict
        The whole file.
    """

    input_name: str
    input_sha256: str | None
    sha256_as_read: str
    is_input_synthetic: bool
    series_uid: str | None
    slice_index: int
    box: BoundingBox
    attributes: NoduleAttributes
    options: SamplingOptions
    checkpoint_name: str
    checkpoint_sha256: str
    output_sha256: str
    extension: Extension | None
    export: ExportNote
    versions: dict[str, str]
    record: Record

    @property
    def is_whole_slice(self) -> bool:
        """Was the slice made whole, of no input?"""
        return self.input_sha256 is None

    def request(self, ct_slice: CTSlice | None, source: SliceSource | None = None) -> Request:
        """Return the request, to be made of the same slice, read from `source`; of none where it was made whole.

        Raises
        ------
        InputError
            If it is another slice.
        """
        if self.input_sha256 is None:
            spacing = float(self.record["output"]["pixel_spacing_mm"][0])
            return SliceRequest(self.box, self.attributes, self.options, spacing)
        if ct_slice is None or ct_slice.sha256() != self.input_sha256:
            raise InputError(
                f"This is not the slice that the request was made for; open slice {self.slice_index} "
                f"of {self.input_name}."
            )
        return GenerationRequest(ct_slice, self.box, self.attributes, self.options, source, self.extension)


@dataclass(frozen=True)
class ExportNote:
    """What `request.json` says of the export that it is of.

    Attributes
    ----------
    made : datetime
        With its time zone.
    formats : tuple of str
        Of `engine.exports.FORMATS`.
    window : WindowLevel
        Of the pictures.
    identity_kept : bool
        If so, the record names what was opened, and where that is.
    series_entropy : str
        `engine.export_stamp.Stamp.entropy` of the series that the slice is of, from which its UIDs follow; empty in
        exports of older versions.
    encoding : Encoding or None
        Of that series; None likewise.
    """

    made: datetime
    formats: tuple[str, ...]
    window: WindowLevel
    identity_kept: bool
    series_entropy: str = ""
    encoding: Encoding | None = None


def request_record(volume: CTVolume, slice_index: int, result: GenerationResult, note: ExportNote) -> Record:
    """Return what `request.json` holds, as JSON types.

    Parameters
    ----------
    volume : CTVolume
        With the headers that are exported.
    """
    request, box = result.request, result.request.box
    return {
        "format_version": FORMAT_VERSION,
        "kind": "slice" if result.before is None else "nodule",
        "date": note.made.isoformat(),
        "input": None if result.before is None else _input_record(volume, slice_index, result.before, box, note),
        "box": {
            "row": box.row,
            "column": box.column,
            "side": box.side,
            "side_mm": [round(box.side * spacing, 3) for spacing in result.slice.pixel_spacing],
        },
        "attributes": _attributes_record(request.attributes),
        "options": asdict(request.options),
        "extension": asdict(request.extension) if request.extension else None,
        "checkpoint": {"name": result.checkpoint_name, "sha256": result.checkpoint_sha256},
        "output": {
            "slice_index": slice_index,
            "shape": list(result.slice.shape),
            "pixel_spacing_mm": list(result.slice.pixel_spacing),
            "sha256": result.slice.sha256(),
            "sha256_outside_box": outside_sha256(result.slice, box),
        },
        "changed_pixels": None if result.before is None else changed_pixels(result.before, result.slice, box),
        "measurement": {
            **measurement_record(result.measurement),
            "nodule_pixels": np.count_nonzero(result.measurement.mask),
        },
        "export": {
            "formats": list(note.formats),
            "window": {"width": note.window.width, "level": note.window.level},
            "identity_kept": note.identity_kept,
            "series": _series_record(note),
        },
        "seconds": result.seconds,
        "device": result.device,
        "versions": library_versions(),
    }


def changed_pixels(before: CTSlice, after: CTSlice, box: BoundingBox) -> dict[str, int]:
    """Count the pixels that differ in the box and outside of it, where there must be none."""
    changed = before.hu != after.hu
    inside = int(np.count_nonzero(changed[box.slices]))
    return {"in_box": inside, "outside_box": int(np.count_nonzero(changed)) - inside}


def outside_sha256(ct_slice: CTSlice, box: BoundingBox) -> str:
    """Return the hash of the HU outside the box, row by row: the same before and after."""
    return hashlib.sha256(ct_slice.hu[~box.mask()].tobytes()).hexdigest()


def write_request(volume: CTVolume, slice_index: int, result: GenerationResult, note: ExportNote, path: Path) -> None:
    """Write `request.json`; `read_request` reads it."""
    record = request_record(volume, slice_index, result, note)
    # Scalars of numpy count as numbers.
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False, default=operator.methodcaller("item"))
    # On Linux, bytes of a file's name that are no UTF-8 become \udcXX, which JSON reads as what it was.
    path.write_text(text + "\n", "utf-8", "backslashreplace")


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
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise InputError(f"{path} is incomplete or was changed; open a request.json as it was exported.") from error


def _input_record(volume: CTVolume, slice_index: int, before: CTSlice, box: BoundingBox, note: ExportNote) -> Record:
    header = volume.headers[slice_index] if volume.headers else None
    series_uid = header.get("SeriesInstanceUID") if header is not None else None
    sha256 = before.sha256()
    return {
        # Names of files and folders are often those of patients; warnings that name one put it between quotes.
        "name": volume.source.name if note.identity_kept else f"input-{sha256[:12]}",
        "path": str(volume.source.absolute()) if note.identity_kept else None,
        "series_uid": str(series_uid) if series_uid else None,
        "slice_index": slice_index,
        "warnings": [warning for warning in volume.warnings if note.identity_kept or '"' not in warning],
        "shape": list(before.shape),
        "pixel_spacing_mm": list(before.pixel_spacing),
        "sha256": sha256,
        # Another one where other nodules were put in before.
        "sha256_as_read": volume.slice_at(slice_index).sha256(),
        "sha256_outside_box": outside_sha256(before, box),
        # Made whole, or with synthetic nodules when it was opened: before this one, it was no slice without a nodule.
        "synthetic": is_synthetic(volume, slice_index),
    }


def _attributes_record(attributes: NoduleAttributes) -> Record:
    return {
        name: {"score": score, "name": SCORE_NAMES[name][score - 1] if score is not None else "Not given"}
        for name, score in zip(SCORE_NAMES, attributes.scores, strict=True)
    }


def _series_record(note: ExportNote) -> Record | None:
    if note.encoding is None:
        return None
    return {"entropy": note.series_entropy, **note.encoding.record()}


def _parse(path: Path) -> Record:
    try:
        # Also with the mark that some editors put before the text that they save.
        record: Any = parse_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read; check that the file is there.") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON; open a request.json as it was exported.") from error
    if not isinstance(record, dict):
        raise InputError(f"{path} holds no request; open a request.json as it was exported.")
    return cast("Record", record)


def _saved_request(record: Record) -> SavedRequest:
    source: Record = record["input"] or {}
    output, box, checkpoint = record["output"], record["box"], record["checkpoint"]
    _check_types(record)
    rows, columns = (source or output)["shape"]
    return SavedRequest(
        input_name=source["name"] if source else "",
        input_sha256=source["sha256"] if source else None,
        sha256_as_read=source.get("sha256_as_read", ""),
        is_input_synthetic=bool(source.get("synthetic", False)),
        series_uid=source["series_uid"] if source else None,
        slice_index=(source or output)["slice_index"],
        box=BoundingBox(box["row"], box["column"], box["side"], (rows, columns)),
        attributes=NoduleAttributes(**{name: record["attributes"][name]["score"] for name in SCORE_NAMES}),
        options=SamplingOptions(**record["options"]),
        checkpoint_name=checkpoint["name"],
        checkpoint_sha256=checkpoint["sha256"],
        output_sha256=output["sha256"],
        extension=Extension(**record["extension"]) if record.get("extension") else None,
        export=_export_note(record),
        versions={**record["versions"], "device": record["device"]},
        record=record,
    )


def _check_types(record: Record) -> None:
    """Refuse what no export writes: the file may have been edited by hand, and much of it is not read but later.

    Raises
    ------
    KeyError, TypeError, ValueError
        If a number or a text is missing, or is none.
    """
    place: Record = record["input"] or record["output"]
    box, output, measured = record["box"], record["output"], record["measurement"]
    options = asdict(SamplingOptions(**record["options"]))
    row_mm, column_mm = output["pixel_spacing_mm"]
    whole = (box["row"], box["column"], box["side"], place["slice_index"], options["seed"], options["steps"])
    numbers = (row_mm, column_mm, options["guidance"], measured["diameter_mm"], record["seconds"])
    texts = (record["checkpoint"]["name"], record["checkpoint"]["sha256"], output["sha256"], options["solver"])
    named = (*texts, record["device"], place.get("name", ""), place.get("path") or "", place.get("series_uid") or "")
    hashes = [place["sha256"], place.get("sha256_as_read") or place["sha256"]]
    if not all(type(number) is int for number in (*whole, *place["shape"])):
        raise TypeError("a number is none")
    for number in numbers:
        number_of(number)
    for text in named:
        text_of(text)
    if not all(map(is_plausible_mm, (row_mm, column_mm))) or not all(map(is_hash, hashes)):
        raise ValueError("a pixel has no size, or a hash is none")
    if extension := record.get("extension"):
        text_of(extension["continues"])
        number_of(extension["offset_mm"])
    if type(record["export"]["identity_kept"]) is not bool:
        raise TypeError("a switch is none")
    scores_of(measured)


def _export_note(record: Record) -> ExportNote:
    from engine.exports import FORMATS  # It imports this file.

    export, made, window = record["export"], time_of(record["date"]), window_of(record["export"]["window"])
    if not set(export["formats"]) <= set(FORMATS):
        raise ValueError("there is no such format")
    series: Record = export.get("series") or {}
    entropy, encoding = str(series.get("entropy", "")), encoding_from(series) if series else None
    return ExportNote(made, tuple(export["formats"]), window, export["identity_kept"], entropy, encoding)
