from __future__ import annotations

import highdicom as hd
import pydicom
import pytest

from engine.export_sr import SESSION, attribute_concept, score_concept
from engine.exports import export_files
from engine.nodule import ATTRIBUTE_NAMES
from engine.versions import VERSION
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


def test_without_a_nodule_it_is_absent_and_nothing_is_measured(volume, tmp_path):
    export_files(volume, 1, make_result(volume, nodule=False), tmp_path, ["DICOM"])
    report = hd.sr.srread(tmp_path / "report.dcm")
    assert report.content.get_planar_roi_measurement_groups() == []
    (group,) = report.content.get_image_measurement_groups()
    (said,) = group.get_qualitative_evaluations()
    assert (said.name.meaning, said.value.meaning) == ("Nodule", "Absent")
    assert group.get_measurements() == []
    assert group.finding_type is None
    (source,) = group.source_images
    assert source.referenced_sop_instance_uid == pydicom.dcmread(tmp_path / "slice.dcm").SOPInstanceUID
    assert not [element for element in report.iterall() if element.keyword == "NumericValue"]
    assert "Texture" not in str(report)


def test_the_measurement_is_this_program_s_and_no_network_s(volume, tmp_path):
    report, group = reported(volume, make_result(volume), tmp_path)
    families = {"Morphological Operations"}
    for item in group.get_measurements():
        said = {child.name.meaning: child.value for child in item[0].ContentSequence}
        assert (said["Algorithm Name"], said["Algorithm Version"]) == ("Nodule Studio measurement", VERSION)
        assert {said["Algorithm Family"].meaning} == families
    assert "Artificial Intelligence" not in str(report)
    (observer,) = report.content.get_observer_contexts()
    attributes = observer.observer_identifying_attributes
    assert (attributes.name, attributes.serial_number) == ("Nodule Studio measurement", VERSION)
    assert report.ManufacturerModelName == "Nodule Studio"


def test_what_made_the_nodule_is_named_as_equipment(volume, tmp_path):
    reported(volume, make_result(volume), tmp_path)
    for name in ("slice", "mask", "report"):
        items = pydicom.dcmread(tmp_path / f"{name}.dcm").ContributingEquipmentSequence
        (maker,) = [item for item in items if item.ManufacturerModelName == "Nodule Studio disc"]
        assert maker.ContributionDescription.endswith("seed=7, steps=12, guidance=2.5, solver=dpm++2m")


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
