import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest

from engine.errors import InputError
from tests.training.crops_file import HELD_OUT, TRAINING, disc
from training.nodule_crops import load_crops, sampling_weights
from training.prepared import (
    CROP_SIZE,
    SLICE_SIZE,
    ImageSource,
    NoduleRow,
    ReaderNodule,
    SliceRow,
    box_around,
    hu_from_stored,
    outline_mask,
    read_description,
    read_nodules,
    read_slices,
    stored_from_hu,
    write_description,
    write_nodules,
    write_slices,
)

SQUARE = np.array([[10, 20], [30, 20], [30, 44.5], [10, 44.5]], np.float32)


def origin(patient: str, is_from_initial: bool = False) -> ImageSource:
    return ImageSource(patient, "1.2", "1.2.3", "made up", -12.5, 1.4, 2.5, 7, is_from_initial)


def seen(nodule: int = 0, reader: int = 0) -> ReaderNodule:
    return ReaderNodule(nodule, 84 + reader, (5, 4, 3, 2, 1), box_around(SQUARE, SLICE_SIZE), SQUARE)


def slice_row(patient: str, *nodules: ReaderNodule, is_from_initial: bool = False) -> SliceRow:
    hu = np.linspace(-3000, 4000, SLICE_SIZE**2).reshape(SLICE_SIZE, SLICE_SIZE)
    return SliceRow(origin(patient, is_from_initial), stored_from_hu(hu), nodules)


def nodule_row(patient: str) -> NoduleRow:
    hu = np.where(disc(10), 20.0, -860.0)
    masks = (disc(10) | disc(8) << np.uint8(1)).astype(np.uint8)
    return NoduleRow(origin(patient), 3, stored_from_hu(hu), masks, (seen(3), seen(3, 1)))


def test_a_slice_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_slices(tmp_path, "one", [slice_row(TRAINING[0], seen(), seen(0, 1)), slice_row(TRAINING[0])])

    slices = read_slices(tmp_path, held_out=False)

    assert len(slices) == 2
    assert slices.images.dtype == np.uint16
    assert slices.hu(0).min() == -1000
    assert slices.hu(0).max() == 2500
    assert slices.pixel_spacing.tolist() == pytest.approx([1.4, 1.4])
    assert slices.sources.tolist() == ["made up", "made up"]
    assert slices.sop_uids[0] == "1.2.3"
    assert slices.z_mm[1] == -12.5
    assert slices.scan_ids.tolist() == [7, 7]
    assert slices.ct_slice(0).pixel_spacing == pytest.approx((1.4, 1.4))
    np.testing.assert_array_equal(slices.ct_slice(0).hu, slices.hu(0))
    first, second = slices.nodules[0]
    assert (first.nodule, first.annotation_id, second.annotation_id) == (0, 84, 85)
    assert first.scores == (5, 4, 3, 2, 1)
    assert first.box == (20, 7, 25)
    np.testing.assert_array_equal(second.outline, SQUARE)
    assert slices.nodules[1] == []


def test_slices_are_chosen_by_patient_and_by_nodules(tmp_path: Path) -> None:
    write_slices(tmp_path, "one", [slice_row(TRAINING[0], seen()), slice_row(HELD_OUT[0])])
    write_slices(tmp_path, "two", [slice_row(HELD_OUT[1], seen())])

    assert len(read_slices(tmp_path, None)) == 3
    assert read_slices(tmp_path, True).patients.tolist() == list(HELD_OUT)
    assert read_slices(tmp_path, False).patients.tolist() == [TRAINING[0]]
    assert read_slices(tmp_path, True, with_nodules=True).patients.tolist() == [HELD_OUT[1]]
    assert read_slices(tmp_path, True, with_nodules=False).patients.tolist() == [HELD_OUT[0]]
    with pytest.raises(InputError, match="has no slices without a nodule of patients who are not held out; prepare"):
        read_slices(tmp_path, False, with_nodules=False)


def test_lobulation_and_spiculation_of_initial_scans_are_not_given_unless_asked_for(tmp_path: Path) -> None:
    write_slices(tmp_path, "one", [slice_row(TRAINING[0], seen(), is_from_initial=True)])

    assert read_slices(tmp_path, None).nodules[0][0].scores == (5, 4, 0, 0, 1)
    assert read_slices(tmp_path, None, trusted=False).nodules[0][0].scores == (5, 4, 3, 2, 1)


def test_crops_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_nodules(tmp_path, "one", [nodule_row(TRAINING[0])])

    nodules = read_nodules(tmp_path, held_out=False)

    assert nodules.hu(0)[48, 48] == 20
    assert nodules.hu(0)[0, 0] == -860
    assert nodules.annotation_ids.tolist() == [[84, 85, -1, -1]]
    assert nodules.scores[0].tolist() == [[5, 4, 3, 2, 1], [5, 4, 3, 2, 1], [0] * 5, [0] * 5]
    np.testing.assert_array_equal(nodules.reader_masks[0] >> 1 == 1, disc(8))


def test_the_nodule_trainer_draws_from_prepared_crops(tmp_path: Path) -> None:
    write_nodules(tmp_path, "one", [nodule_row(patient) for patient in (*TRAINING, *HELD_OUT)])

    crops = load_crops(tmp_path, held_out=False)

    assert len(crops) == 2 * len(TRAINING)
    assert crops.hu(0)[48, 48] == 20
    assert crops.unit_scores.tolist() == [[5, 4, 3, 2, 1]] * len(crops)
    assert set(crops.unit_annotation.tolist()) == {84, 85}
    assert sampling_weights(crops).sum() == pytest.approx(1)


def test_a_shard_is_whole_or_not_there(tmp_path: Path) -> None:
    def rows() -> object:
        yield slice_row(TRAINING[0])
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        write_slices(tmp_path, "one", rows())  # type: ignore[arg-type]

    assert list((tmp_path / "slices").iterdir()) == []


def test_shards_stream_by_groups_of_rows(tmp_path: Path) -> None:
    count = write_slices(tmp_path, "one", (slice_row(TRAINING[0]) for _ in range(70)))

    assert count == 70
    assert parquet.read_metadata(tmp_path / "slices" / "one.parquet").num_row_groups == 2


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    row = SliceRow(origin("a"), np.zeros((CROP_SIZE, CROP_SIZE), np.uint16))

    with pytest.raises(ValueError, match=r"must be <u2 \(256, 256\)"):
        write_slices(tmp_path, "one", [row])


def test_the_folder_says_what_it_is_and_who_made_it(tmp_path: Path) -> None:
    write_description(tmp_path, "first", spacing_mm=0.7)
    write_description(tmp_path, "second", file="a")

    description = json.loads((tmp_path / "prepared.json").read_text())

    assert description["hu_range"] == [-1000, 2500]
    assert description["made_by"] == {"first": [{"spacing_mm": 0.7}], "second": [{"file": "a"}]}


def test_the_folder_remembers_every_call_of_a_command_once(tmp_path: Path) -> None:
    for file in ("a", "b", "a"):
        write_description(tmp_path, "import", file=file)

    assert read_description(tmp_path)["made_by"] == {"import": [{"file": "a"}, {"file": "b"}]}


def test_a_folder_that_holds_the_last_call_alone_is_added_to(tmp_path: Path) -> None:
    write_description(tmp_path)
    description = json.loads((tmp_path / "prepared.json").read_text())
    (tmp_path / "prepared.json").write_text(json.dumps({**description, "made_by": {"import": {"file": "a"}}}))

    write_description(tmp_path, "import", file="b")

    assert read_description(tmp_path)["made_by"] == {"import": [{"file": "a"}, {"file": "b"}]}


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-100], lambda data: b"\0" * len(data)])
def test_a_damaged_shard_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    write_slices(tmp_path, "one", [slice_row(TRAINING[0])])
    shard = tmp_path / "slices" / "one.parquet"
    shard.write_bytes(damage(shard.read_bytes()))

    with pytest.raises(InputError, match=r'slices/one\.parquet" is damaged; delete it'):
        read_slices(tmp_path, None)


def test_damaged_pixels_are_named(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    noise = stored_from_hu(generator.normal(0, 300, (SLICE_SIZE, SLICE_SIZE)))
    write_slices(tmp_path, "one", [SliceRow(origin(TRAINING[0]), noise)])
    shard = tmp_path / "slices" / "one.parquet"
    data = bytearray(shard.read_bytes())
    data[4000:60_000] = bytes(56_000)
    shard.write_bytes(data)

    with pytest.raises(InputError, match=r'slices/one\.parquet" is damaged'):
        read_slices(tmp_path, None)


def test_a_shard_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("fsync"), fsync(number))[1])
    monkeypatch.setattr(Path, "replace", lambda part, path: (done.append("rename"), replace(part, path))[1])

    write_slices(tmp_path, "one", [slice_row(TRAINING[0])])

    assert done == ["fsync", "rename"] * 2  # prepared.json and the shard


@pytest.mark.parametrize("text", [None, "{", "[]", '{"format_version": 99}'])
def test_what_is_no_prepared_data_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "prepared.json").write_text(text)

    with pytest.raises(InputError, match=r"prepared\.json|format 99"):
        read_slices(tmp_path, None)


def test_hu_are_stored_to_the_unit() -> None:
    hu = np.array([-3024, -1000, -0.6, 0.4, 2500, 3071])

    assert hu_from_stored(stored_from_hu(hu)).tolist() == [-1000, -1000, -1, 0, 2500, 2500]


def test_a_box_holds_its_outline_on_the_image() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        outline = (generator.uniform(-2, 258, 2) + generator.uniform(-9, 9, (12, 2))).clip(0, 256).astype(np.float32)
        row, column, side = box_around(outline, 256)
        assert (outline >= (column, row)).all()
        assert (outline <= (column + side, row + side)).all()
        assert min(row, column) >= 0
        assert max(row, column) + side <= 256


def test_pixels_on_the_line_are_not_nodule() -> None:
    ring = np.array([[2.5, 2.5], [6.5, 2.5], [6.5, 6.5], [2.5, 6.5]], np.float32)

    assert outline_mask(ring, 10).sum() == 9
    assert outline_mask(ring, 10, with_line=True).sum() == 25
    assert outline_mask(ring, 10)[3:6, 3:6].all()
    assert not outline_mask(ring[:2], 10).any()
