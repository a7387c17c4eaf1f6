"""A finished slice as files: what each format writes, whether it is asked for alone or with all others.

| format       | file                                  | what                                                     |
|--------------|---------------------------------------|----------------------------------------------------------|
| always       | request.json                          | what made the result; `nodule-engine replay` repeats it  |
|              | deidentification.json                 | what became of the patient's identity                    |
| DICOM        | slice.dcm                             | CT image of the finished slice                           |
|              | mask.dcm                              | segmentation (SEG): 1 nodule as measured, 2 box asked for |
|              | report.dcm                            | structured report (TID 1500): diameter, mean HU, scores  |
| DICOM series | series/0001.dcm ...                   | every slice as one new series, slice.dcm among them      |
| NIfTI        | slice.nii.gz, mask.nii.gz, box.nii.gz | HU, nodule, box                                          |
| NRRD         | slice.nrrd, mask.nrrd, box.nrrd       | the same                                                 |
| PNG          | before.png, after.png                 | 8 bit, in the window                                     |
|              | before-16bit.png, after-16bit.png     | HU + 32768                                               |
|              | mask.png                              | 255 in the nodule                                        |
|              | difference.png                        | 128 where HU stayed, brighter where they rose            |
| LIDC XML     | nodule.xml                            | outlines and scores, as marks of LIDC-IDRI are stored    |
| Tables       | boxes.json                            | COCO: rectangles and masks, on after.png                 |
|              | after.txt                             | YOLO: rectangles, named after after.png                  |
|              | nodule.csv                            | one line: place, measurements, scores, options           |

Marks and tables but `nodule.csv` are of all nodules that were put into the slice, masks of the last one alone. A slice
that was made whole has no `before` and no difference; what is put into it later is marked beside its own nodule, and
all of the slice is declared synthetic. A whole series with several nodules (`export_series`) has no `request.json`:
that comes with each nodule's own folder of single-slice exports. Every function here writes all of its files or none.
Images, pictures and masks say that they are synthetic, each in the way of its format (`engine.synthetic_data`): they
may be copied out of their folder. `before` says so only if there was a nodule already.

One export has one series: functions that are handed the same `ExportedSeries` write the same images of it, and marks
that refer to them. A result on which a later one was built is an image of a series of its own. `request.json` keeps
what UIDs and stored values of the series follow from: a result that is made again alone has the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.ct import LUNG, CTVolume, WindowLevel
from engine.events import GenerationResult
from engine.export_folder import all_or_nothing
from engine.export_series import ExportedSeries, series_image, series_of, write_series
from engine.export_stamp import Stamp, study_entropy
from engine.known_inputs import remember_input
from engine.request_file import ExportNote, write_request

if TYPE_CHECKING:
    from pydicom import Dataset

SERIES = "DICOM series"
#: What can be asked for; `ALL_FORMATS` is what `export_all` writes: a whole series is large.
ALL_FORMATS = ("DICOM", "NIfTI", "NRRD", "PNG", "LIDC XML", "Tables")
FORMATS = (*ALL_FORMATS, SERIES)


@dataclass(frozen=True)
class ExportOptions:
    """How files are written.

    Attributes
    ----------
    window : WindowLevel
        Of the 8-bit pictures.
    keep_identity : bool
        Leave the patient's identity in, and the names of what was opened.
    made : datetime or None
        The moment that the files name, with its time zone; None for now. Exports of the same result, named after the
        same moment, have the same bytes but for `request.json`, which says how long it took.
    """

    window: WindowLevel = LUNG
    keep_identity: bool = False
    made: datetime | None = None


@dataclass(frozen=True)
class _Export:
    """What the writers of all formats share; `stamp` is that of the marks."""

    volume: CTVolume
    slice_index: int
    result: GenerationResult
    earlier: Sequence[GenerationResult]
    options: ExportOptions
    series: ExportedSeries
    stamp: Stamp
    image: Dataset

    @property
    def on_slice(self) -> list[GenerationResult]:
        """All nodules that the slice shows."""
        return [*self.earlier, self.result]


def export_all(
    volume: CTVolume,
    slice_index: int,
    result: GenerationResult,
    folder: Path,
    options: ExportOptions = ExportOptions(),
) -> list[Path]:
    """Write all formats but the series. See `export_files`."""
    return export_files(volume, slice_index, result, folder, ALL_FORMATS, options)


def export_files(
    volume: CTVolume,
    slice_index: int,
    result: GenerationResult,
    folder: Path,
    formats: Collection[str],
    options: ExportOptions = ExportOptions(),
    earlier: Sequence[GenerationResult] = (),
    series: ExportedSeries | None = None,
) -> list[Path]:
    """Write a finished slice in the formats asked for; return what was written.

    Parameters
    ----------
    volume : CTVolume
        What was opened: gives geometry, DICOM headers and the name of the input.
    slice_index : int
        Of the slice in `volume` that the result is of, from 0.
    result : GenerationResult
    folder : Path
        Made if it is not there. Files of the same names in it are replaced, once all new ones are whole, but for what
        was opened.
    formats : names from `FORMATS`
    options : ExportOptions
    earlier : results that `result` was built on, the first one first
        The slice shows their nodules, too: COCO, YOLO and LIDC's XML mark them all. Masks are of `result` alone. In a
        slice that was made whole, that is the first one: it has a nodule of its own.
    series : ExportedSeries or None
        Of which the slice is an image, made at that one's moment. If it shows another result on the slice, or is None,
        the slice is of a series of its own.

    Raises
    ------
    InputError
        If the folder cannot be written to, or what was opened would be replaced, or a `series` of other files.
    ValueError
        If a format is none of `FORMATS`.
    """
    files = all_or_nothing(
        lambda into: write_files(volume, slice_index, result, into, formats, options, earlier, series),
        folder,
        volume.source,
        series=SERIES in formats,
    )
    remember_export(volume, slice_index, result, folder, formats)
    return files


def write_files(
    volume: CTVolume,
    slice_index: int,
    result: GenerationResult,
    into: Path,
    formats: Collection[str],
    options: ExportOptions,
    earlier: Sequence[GenerationResult] = (),
    series: ExportedSeries | None = None,
) -> None:
    """Write what `export_files` does into a folder that is there, for those who see to it that it is whole.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    ValueError
        If a format is none of `FORMATS`.
    """
    unknown = set(formats) - set(FORMATS)
    if unknown:
        raise ValueError(f"formats has {sorted(unknown)}; give some of {FORMATS}")
    if series is None or series.results.get(slice_index) is not result:
        series = series_of(volume, {slice_index: result}, series.stamp.made if series else options.made)
    safe = _identity_handled(volume, range(len(volume)) if SERIES in formats else [slice_index], options)
    image = series_image(safe, slice_index, series)
    _write_identity(volume, slice_index, image, options, into)
    stamp = series.stamp.of_marks(f"slice {slice_index}")
    export = _Export(safe, slice_index, result, earlier, options, series, stamp, image)
    for name in formats:
        _WRITERS[name](export, into)
    chosen = tuple(name for name in FORMATS if name in formats)
    made, entropy = series.stamp.made, series.stamp.entropy
    note = ExportNote(made, chosen, options.window, options.keep_identity, entropy, series.encoding)
    write_request(export.volume, slice_index, result, note, into / "request.json")


def export_series(
    volume: CTVolume, series: ExportedSeries, folder: Path, options: ExportOptions = ExportOptions()
) -> list[Path]:
    """Write `series/`: every slice of the volume, with the nodules of several results. See `export_files`.

    `deidentification.json` is of the last slice that was edited. There is no `request.json`: it is of one result, and
    comes with each nodule's own folder, which `export_files` writes.
    """
    last = max(series.results)

    def write(into: Path) -> None:
        safe = _identity_handled(volume, range(len(volume)), options)
        write_series(safe, series, into / "series")
        _write_identity(volume, last, series_image(safe, last, series), options, into)

    return all_or_nothing(write, folder, volume.source, series=True)


def export_extended(
    volume: CTVolume,
    index: int,
    parts: Mapping[int, GenerationResult],
    series: ExportedSeries,
    folder: Path,
    options: ExportOptions = ExportOptions(),
    with_series: bool = False,
) -> list[Path]:
    """Write one nodule over several slices: `mask.dcm` and `nodule.json`. See `export_series`.

    `mask.dcm` is one segmentation with a frame of the nodule, and one of the box, in each of its slices; `nodule.json`
    says which slices these are, and what the nodule measures over all of them.

    Parameters
    ----------
    index : int
        Of the slice in which the nodule was placed; one of those of `parts`.
    parts : results of the nodule, by slice index
    series : ExportedSeries
        To whose images the segmentation refers: they may show other nodules that were put in after this one.
    with_series : bool
        Write `series/` beside them, too: where `export_series` writes it nowhere else.
    """

    def write(into: Path) -> None:
        from engine.export_seg import segmentation_over_slices
        from engine.extension import extension_record

        indices = sorted(parts)
        safe = _identity_handled(volume, range(len(volume)) if with_series else indices, options)
        if with_series:
            write_series(safe, series, into / "series")
        images = {near: series_image(safe, near, series) for near in indices}
        stamp = series.stamp.of_marks(f"nodule {parts[index].nodule_sha256()}")
        segments = segmentation_over_slices(list(images.values()), [parts[near] for near in indices], stamp)
        segments.save_as(into / "mask.dcm", enforce_file_format=True)
        _write_json(extension_record(volume, index, parts), into / "nodule.json")
        _write_identity(volume, index, images[index], options, into)

    return all_or_nothing(write, folder, volume.source, series=with_series)


def remember_export(
    volume: CTVolume, slice_index: int, result: GenerationResult, folder: Path, formats: Collection[str]
) -> None:
    """Keep where the slice before can be opened again, and the finished one: another nodule may be built on it."""
    before = result.before
    opened = before is not None and before.sha256() == volume.slice_at(slice_index).sha256()
    # A slice that was made whole was opened from no file; where it was exported to is known already.
    if before is not None and opened and volume.source.exists():
        remember_input(before.sha256(), volume.source)
    if "DICOM" in formats:
        remember_input(result.slice.sha256(), folder / "slice.dcm")


def _write_identity(volume: CTVolume, slice_index: int, image: Dataset, options: ExportOptions, into: Path) -> None:
    from engine.export_identity import identity_record

    header = volume.headers[slice_index] if volume.headers else None
    _write_json(identity_record(header, image, options.keep_identity), into / "deidentification.json")


def _identity_handled(volume: CTVolume, needed: Collection[int], options: ExportOptions) -> CTVolume:
    """Return the volume with headers that may be exported; those that are not needed are empty."""
    from pydicom import Dataset

    from engine.export_identity import deidentified

    if options.keep_identity or not volume.headers:
        return volume
    otherwise = study_entropy(volume)
    headers = (
        deidentified(header, otherwise) if index in needed else Dataset() for index, header in enumerate(volume.headers)
    )
    return replace(volume, headers=tuple(headers))


def _write_json(record: dict[str, Any], path: Path) -> None:
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    path.write_text(text, "utf-8", "backslashreplace")  # As in `engine.request_file`.


def _write_dicom(export: _Export, folder: Path) -> None:
    from engine.export_seg import segmentation
    from engine.export_sr import structured_report

    image, result, stamp = export.image, export.result, export.stamp
    segments = segmentation(image, result, stamp)
    report = structured_report(image, segments, result, stamp)
    for name, dataset in (("slice", image), ("mask", segments), ("report", report)):
        dataset.save_as(folder / f"{name}.dcm", enforce_file_format=True)


def _write_series(export: _Export, folder: Path) -> None:
    write_series(export.volume, export.series, folder / "series")


def _write_itk(suffix: str) -> Callable[[_Export, Path], None]:
    def write(export: _Export, folder: Path) -> None:
        from engine.export_volumes import write_volumes

        write_volumes(export.volume, export.slice_index, export.result, folder, suffix)

    return write


def _write_png(export: _Export, folder: Path) -> None:
    from engine.export_pictures import write_pictures

    write_pictures(export.volume, export.slice_index, export.result, folder, export.options.window)


def _write_xml(export: _Export, folder: Path) -> None:
    from engine.export_lidc_xml import lidc_xml

    marks = lidc_xml(export.image, export.on_slice, export.stamp)
    marks.write(folder / "nodule.xml", encoding="UTF-8", xml_declaration=True)


def _write_tables(export: _Export, folder: Path) -> None:
    from engine.export_tables import coco_record, csv_text, nodule_row, yolo_lines

    row = nodule_row(export.volume, export.slice_index, export.result)
    _write_json(coco_record(export.on_slice, "after.png"), folder / "boxes.json")
    (folder / "after.txt").write_text(yolo_lines(export.on_slice), "utf-8")
    (folder / "nodule.csv").write_text(csv_text([row]), "utf-8", newline="")


_WRITERS: dict[str, Callable[[_Export, Path], None]] = {
    "DICOM": _write_dicom,
    SERIES: _write_series,
    "NIfTI": _write_itk("nii.gz"),
    "NRRD": _write_itk("nrrd"),
    "PNG": _write_png,
    "LIDC XML": _write_xml,
    "Tables": _write_tables,
}
