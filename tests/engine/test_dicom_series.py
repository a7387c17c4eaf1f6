"""Images at the same position: phases and blocks are told apart, copies left out, the rest is refused."""

import shutil

import numpy as np
import pytest
from pydicom.uid import generate_uid

from engine.ct_files import list_series, read_volume
from tests.engine.test_ct_files import refusal


@pytest.mark.parametrize(
    "told_apart_by",
    ["AcquisitionNumber", "TemporalPositionIdentifier", "FrameAcquisitionNumber", "TemporalPositionIndex"],
)
def test_phases_at_the_same_positions_are_told_apart(write_ct_series, chest, tmp_path, told_apart_by):
    uid = generate_uid()
    for phase in (1, 2, 3):
        write_ct_series(tmp_path, chest + phase, series_uid=uid, prefix=f"{phase}-", **{told_apart_by: phase})
    listed = list_series(tmp_path)
    assert [info.slices for info in listed] == [4, 4, 4]
    found = {int(read_volume(tmp_path, info.series_uid).hu[0, 0, 0]) for info in listed}
    assert found == {-999, -998, -997}
    assert "3 axial series" in refusal(tmp_path)


def test_blocks_that_overlap_at_their_ends_are_told_apart(write_ct_series, chest, tmp_path):
    for block in range(3):
        place = {"first_position": (-100, -120, 7.5 * block), "prefix": f"{block}-"}
        write_ct_series(tmp_path, chest, series_uid="1.2.3", AcquisitionNumber=block, **place)
    assert [info.slices for info in list_series(tmp_path)] == [4, 4, 4]


def test_phases_that_were_acquired_in_blocks_are_not_cut_into_blocks(write_ct_series, chest, tmp_path):
    for block in range(4):
        place = {"first_position": (-100, -120, 5 * (block % 2)), "prefix": f"{block}-"}
        numbers = {"AcquisitionNumber": block, "TemporalPositionIdentifier": block // 2}
        write_ct_series(tmp_path, chest[:2], series_uid="1.2.3", **numbers, **place)
    assert [info.slices for info in list_series(tmp_path)] == [4, 4]


def test_same_positions_that_nothing_tells_apart_are_refused(write_ct_series, chest, tmp_path):
    uid = generate_uid()
    write_ct_series(tmp_path, chest, series_uid=uid)
    write_ct_series(tmp_path, chest + 9, series_uid=uid, prefix="again")
    assert "same position" in refusal(tmp_path)


def test_slices_that_all_claim_one_position_are_refused(write_ct_series, chest, tmp_path):
    files = write_ct_series(tmp_path, chest, slice_step=(0, 0, 0))
    assert "same position" in refusal(tmp_path)
    np.testing.assert_array_equal(read_volume(files[2]).hu, chest[2:3])


def test_copies_of_files_are_left_out(write_ct_series, chest, tmp_path):
    files = write_ct_series(tmp_path, chest)
    shutil.copy(files[1], tmp_path / "copy.dcm")
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.hu, chest)
    assert "left out: 1." in volume.warnings[0]


def test_of_two_copies_the_whole_one_is_read(write_ct_series, chest, tmp_path):
    files = write_ct_series(tmp_path / "again", chest)
    (tmp_path / "aborted").mkdir()
    (tmp_path / "aborted" / files[3].name).write_bytes(files[3].read_bytes()[:-200])
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


def test_one_uid_for_all_slices_is_no_copy(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path, chest, SOPInstanceUID="1.2.3")
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


@pytest.mark.parametrize("kept", [{"series_uid": "1.2.3"}, {"without": ["SeriesInstanceUID", "PatientID"]}])
def test_what_anonymisers_gave_one_uid_or_none_is_not_mixed(write_ct_series, chest, tmp_path, kept):
    for patient, height in (("A", -50), ("B", -48.75)):
        place = {"first_position": (-100, -120, height), "PatientID": patient}
        write_ct_series(tmp_path / patient, chest, **place, **kept)
    listed = list_series(tmp_path)
    assert [info.slices for info in listed] == [4, 4]
    read = [read_volume(tmp_path, info.series_uid) for info in listed]
    assert {volume.positions[0][2] for volume in read} == {-50, -48.75}
