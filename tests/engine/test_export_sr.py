from __future__ import annotations

import highdicom as hd
import pydicom
import pytest

from engine.export_sr import SESSION, attribute_concept, score_concept
from engine.exports import export_files
from engine.nodule import ATTRIBUTE_NAMES
from tests.engine.placed_nodules import make_result, make_volume, make_whole_slice, source_header


@pytest.fixture
def volume():
    return make_volume((source_header(), source_header(SOPInstanceUID="1.2.3.4.6")))


def reported(volume, result, folder, slice_index=1):
    """Export; return the report and its one group of measurements, as highdicom reads them."""
    export_files(volume, slice_index, result, folder, ["DICOM"])
    report = hd.sr.srread(folder / "report.dcm")
    (group,) = report.content.get_planar_roi_measurement_groups()
    return report, group


def coded(code):
    return code.value, code.scheme_designator


def test_diameter_and_mean_hu(volume, tmp_path):
    _, group = reported(volume, make_result(volume), tmp_path)
    diameter, mean_hu = group.get_measurements()
    assert (coded(diameter.name), diameter.value, coded(diameter.unit)) == (
        ("81827009", "SCT"),
        5.4,
        ("mm", "UCUM"),
    )
    assert (coded(mean_hu.name), mean_hu.value, coded(mean_hu.unit)) == (("112031", "DCM"), 20.0, ("[hnsf'U]", "UCUM"))
    assert coded(mean_hu.derivation) == ("373098007", "SCT")


def test_scores_that_were_asked_for_and_no_others(volume, tmp_path):
    _, group = reported(volume, make_result(volume), tmp_path)
    scores = {item.name.meaning: item.value.meaning for item in group.get_qualitative_evaluations()}
    assert {name: scores.get(name) for name in ("Sphericity", "Margin", "Lobular Pattern", "Texture")} == {
        "Sphericity": "4 out of 5",
        "Margin": "Circumscribed margin",
        "Lobular Pattern": "1 out of 5 (No lobulation)",
        "Texture": "part-solid pulmonary nodule",
    }
    assert "Spiculation" not in scores


def test_it_does_not_pass_for_a_reading(volume, tmp_path):
    report, _ = reported(volume, make_result(volume), tmp_path)
    texts = {element.value for element in report.iterall() if element.keyword == "TextValue"}
    assert SESSION in texts
    assert report.SyntheticData == "YES"
    assert report.VerificationFlag == "UNVERIFIED"


def test_it_points_at_the_segment_of_the_nodule(volume, tmp_path):
    _, group = reported(volume, make_result(volume), tmp_path)
    mask = hd.seg.segread(tmp_path / "mask.dcm")
    image = pydicom.dcmread(tmp_path / "slice.dcm")
    assert group.tracking_uid == mask.SegmentSequence[0].TrackingUID
    segment, source = group.referenced_segmentation_frame
    assert segment.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == mask.SOPInstanceUID
    assert segment.ReferencedSOPSequence[0].ReferencedFrameNumber == 1
    assert source.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert mask.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0].ReferencedSegmentNumber == 1


def test_without_a_nodule_there_is_no_diameter(volume, tmp_path):
    _, group = reported(volume, make_result(volume, nodule=False), tmp_path)
    assert [item.name.meaning for item in group.get_measurements()] == ["Attenuation Coefficient"]


def test_of_a_slice_that_was_made_whole(tmp_path):
    volume, result = make_whole_slice()
    _, group = reported(volume, result, tmp_path, 0)
    assert [item.value for item in group.get_measurements()] == [10.6, 30.0]


def test_every_score_of_every_attribute_has_a_code_of_its_own():
    assert len({coded(attribute_concept(name)) for name in ATTRIBUTE_NAMES}) == 5
    for name in ATTRIBUTE_NAMES:
        codes = [score_concept(name, score) for score in range(1, 6)]
        assert len({coded(code) for code in codes}) == 5
        assert all(len(code.value) <= 16 and len(code.meaning) <= 64 for code in codes)
