from __future__ import annotations

import json
import os
import stat
from unittest.mock import MagicMock

import numpy as np
import platformdirs
import pydicom
import pytest
from pydicom.dataset import Dataset

from engine import export_identity
from engine.batch_sources import patient_identity
from engine.errors import InputError
from engine.export_identity import copied, deidentified, identity_of, new_uid, pseudonym
from engine.exports import FORMATS, ExportOptions, export_all, export_files
from engine.pacs_objects import find_objects, identity_warning
from tests.engine.placed_nodules import make_result, make_volume, make_whole_slice, source_header

#: Whatever of the patient, the place and the time stands in the headers below.
SECRETS = (
    *("Müller", "Jürgen", "P-17", "19610203", "059Y", "20200102", "101112", "S1-study", "A1-accession"),
    *("General Hospital", "Dr. Who", "Thorax", "SN-4711", "Ward 3", "20200103", "Maier", "secret"),
    *("1.2.3.4", "1339-11-14", "1402-01-01"),
)


def header(**changes):
    inner = Dataset()
    inner.InstitutionName, inner.Manufacturer = "General Hospital", "DEIDENTIFIERS INC"
    inner.private_block(0x0011, "SCANNERS INC", create=True).add_new(1, "LO", "secret")
    issuer = Dataset()
    issuer.UniversalEntityID = "General Hospital"
    made = source_header(
        **{
            "AccessionNumber": "A1-accession",
            "StudyID": "S1-study",
            "InstitutionName": "General Hospital",
            "ReferringPhysicianName": "Who^Dr. Who",
            "StudyDescription": "Thorax of Mr Maier",
            "DeviceSerialNumber": "SN-4711",
            "StationName": "Ward 3",
            "AcquisitionDate": "20200103",
            "AcquisitionDateTime": "20200103101112",
            "ProtocolName": "Thorax Maier",
            "ContrastBolusAgent": "by Maier",
            "PatientComments": "secret",
            "OtherPatientIDs": "P-17",
            "PatientBirthDateInAlternativeCalendar": "1339-11-14",
            "PatientDeathDateInAlternativeCalendar": "1402-01-01",
            "PatientAlternativeCalendar": "SOLAR",
            "IssuerOfPatientIDQualifiersSequence": [issuer],
            "IrradiationEventUID": "1.2.3.4.77",
            "ContributingEquipmentSequence": [inner],
            **changes,
        }
    )
    # Which the standard does not have.
    made.add_new(0x00101999, "LO", "secret")
    return made


@pytest.fixture
def volume():
    return make_volume((header(), header(SOPInstanceUID="1.2.3.4.6")))


def test_nothing_that_is_written_tells_whose_it_is(volume, tmp_path):
    export_files(volume, 1, make_result(volume), tmp_path, FORMATS)
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(written) > 20
    for file in written:
        content = file.read_bytes()
        for secret in SECRETS:
            assert secret.encode() not in content, (file.name, secret)


def test_the_identity_is_kept_where_asked_for(volume, tmp_path):
    export_all(volume, 1, make_result(volume), tmp_path, ExportOptions(keep_identity=True))
    for name in ("slice", "mask", "report"):
        image = pydicom.dcmread(tmp_path / f"{name}.dcm")
        assert (image.PatientName, image.PatientID, image.StudyDate) == ("Müller^Jürgen", "P-17", "20200102")
        assert image.StudyInstanceUID == "1.2.3.4"
        assert "PatientIdentityRemoved" not in image
    assert json.loads((tmp_path / "deidentification.json").read_text())["identity_kept"]


def test_what_was_done_is_said_in_every_object(volume, tmp_path):
    export_files(volume, 1, make_result(volume), tmp_path, ["DICOM", "DICOM series"])
    for file in (*tmp_path.glob("*.dcm"), *tmp_path.glob("series/*.dcm")):
        image = pydicom.dcmread(file)
        assert image.PatientIdentityRemoved == "YES"
        assert image.DeidentificationMethod == "Nodule Studio: PS3.15 Basic Profile, 2026c"
        assert image.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
        assert image.PatientID.startswith("NS-")
        assert image.PatientName == f"{image.PatientID}^Deidentified"
        assert not [element for element in image.iterall() if element.tag.is_private]
    assert pydicom.dcmread(tmp_path / "slice.dcm").LongitudinalTemporalInformationModified == "REMOVED"


def test_segmentation_report_and_series_refer_to_what_was_exported(volume, tmp_path):
    export_files(volume, 1, make_result(volume), tmp_path, ["DICOM", "DICOM series"])
    image, mask, report = (pydicom.dcmread(tmp_path / f"{name}.dcm") for name in ("slice", "mask", "report"))
    series = [pydicom.dcmread(file) for file in sorted(tmp_path.glob("series/*.dcm"))]
    everything = [image, mask, report, *series]
    for keyword in ("StudyInstanceUID", "PatientID"):
        assert len({dataset[keyword].value for dataset in everything}) == 1
    assert len({dataset.FrameOfReferenceUID for dataset in everything if "FrameOfReferenceUID" in dataset}) == 1
    assert mask.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == (
        image.SOPInstanceUID
    )
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0]
    assert evidence.StudyInstanceUID == image.StudyInstanceUID
    assert {
        (series.SeriesInstanceUID, series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for series in evidence.ReferencedSeriesSequence
    } == {(dataset.SeriesInstanceUID, dataset.SOPInstanceUID) for dataset in (image, mask)}
    assert image.SourceImageSequence[0].ReferencedSOPInstanceUID == new_uid("1.2.3.4.6")


def test_one_patient_stays_one_and_another_is_another():
    one, two = deidentified(header()), deidentified(header(SOPInstanceUID="1.2.3.4.6"))
    other = deidentified(header(PatientID="P-18", StudyInstanceUID="1.2.3.5"))
    assert one.PatientID == two.PatientID != other.PatientID
    assert one.StudyInstanceUID == two.StudyInstanceUID != other.StudyInstanceUID
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert pydicom.uid.UID(one.StudyInstanceUID).is_valid


def test_without_a_patient_id_the_study_stands_for_the_patient():
    one = deidentified(header(PatientID="", StudyInstanceUID="1.2.3.4"))
    other = deidentified(header(PatientID="", StudyInstanceUID="1.2.3.5"))
    assert one.PatientID != other.PatientID


def issuers(*names):
    items = [Dataset() for _ in names]
    for item, name in zip(items, names, strict=True):
        item.UniversalEntityID, item.UniversalEntityIDType = name, "DNS"
    return items


def test_headers_that_name_nobody_are_of_the_patient_of_their_volume():
    nobody = header(PatientID="", StudyInstanceUID="", SeriesInstanceUID="")
    one, other = deidentified(nobody, "one volume"), deidentified(nobody, "another one")
    assert one.PatientID == pseudonym("one volume") != other.PatientID


def test_the_same_number_of_two_hospitals_is_two_patients():
    bare = {"IssuerOfPatientIDQualifiersSequence": []}
    said = [
        bare,
        {**bare, "IssuerOfPatientID": "HOSPITAL A"},
        {**bare, "IssuerOfPatientID": "HOSPITAL B"},
        {"IssuerOfPatientIDQualifiersSequence": issuers("a.org")},
        {"IssuerOfPatientIDQualifiersSequence": issuers("b.org")},
        {"IssuerOfPatientIDQualifiersSequence": issuers("b.org", "c.org")},
        {"IssuerOfPatientIDQualifiersSequence": issuers("b.org"), "IssuerOfPatientID": "HOSPITAL B"},
    ]
    assert len({deidentified(header(**changes)).PatientID for changes in said}) == len(said)


def test_what_is_said_of_the_issuer_is_taken_without_what_is_private_or_damaged():
    item, plain = issuers("a.org", "a.org")
    item.private_block(0x0011, "SCANNERS INC", create=True).add_new(1, "LO", "secret")
    tag = pydicom.tag.Tag("PregnancyStatus")
    item._dict[tag] = pydicom.dataelem.RawDataElement(tag, "US", 1, b"\0", 0, False, True)
    one, other = (header(IssuerOfPatientIDQualifiersSequence=[changes]) for changes in (item, plain))
    names = {deidentified(one).PatientID, deidentified(other).PatientID, pseudonym(identity_of(one))}
    assert len(names) == 1


@pytest.mark.parametrize("issuer", [[], [Dataset()]])
def test_without_an_issuer_the_number_alone_is_the_patient(issuer):
    safe = deidentified(header(IssuerOfPatientIDQualifiersSequence=issuer, IssuerOfPatientID=""))
    assert safe.PatientID == pseudonym("P-17")


def test_an_issuer_without_a_number_says_nothing():
    assert identity_of(header(PatientID="", IssuerOfPatientID="HOSPITAL A")) == "1.2.3.4"


def test_files_without_headers_are_of_different_patients_as_in_a_batch(tmp_path):
    names = []
    for seed in (1, 2):
        hu = np.random.default_rng(seed).integers(-1000, 400, (2, 40, 48)).astype(np.int16)
        volume = make_volume(hu=hu)
        export_files(volume, 1, make_result(volume), tmp_path, ["DICOM"])
        for name in ("slice", "mask", "report"):
            image = pydicom.dcmread(tmp_path / f"{name}.dcm")
            assert image.PatientID == pseudonym(patient_identity(volume))
            assert image.PatientName == f"{image.PatientID}^Anonymous"
        names.append(image.PatientID)
    assert len(set(names)) == 2


def test_what_the_scanner_did_stays():
    safe = deidentified(header())
    for keyword in ("KVP", "ConvolutionKernel", "SliceThickness", "Manufacturer", "ManufacturerModelName", "Modality"):
        assert safe[keyword].value == header()[keyword].value, keyword


def test_the_source_header_is_left_alone():
    before, source = header(), header()
    deidentified(source)
    assert source == before


def test_earlier_methods_stay_named():
    safe = deidentified(header(DeidentificationMethod="CTP"))
    assert list(safe.DeidentificationMethod) == ["CTP", "Nodule Studio: PS3.15 Basic Profile, 2026c"]


def test_what_cannot_be_read_is_left_out():
    broken = header()
    raw = pydicom.dataelem.RawDataElement(pydicom.tag.Tag("Rows"), "US", 3, b"\x00\x01\x02", 0, False, True)
    broken._dict[raw.tag] = raw
    assert "Rows" not in deidentified(broken)


@pytest.mark.parametrize("keep_identity", [True, False])
@pytest.mark.parametrize(
    ("keyword", "representation", "content"),
    [("PregnancyStatus", "US", b"\0"), ("ProcedureCodeSequence", "SQ", b"zz"), ("InstitutionAddress", "US", b"\0")],
)
def test_what_makes_no_value_does_not_hinder_an_export(
    volume, tmp_path, keep_identity, keyword, representation, content
):
    tag = pydicom.tag.Tag(keyword)
    raw = pydicom.dataelem.RawDataElement(tag, representation, len(content), content, 0, False, True)
    broken = volume.headers[1]
    # One of them stands in an item of a sequence.
    holder = broken.ContributingEquipmentSequence[0] if keyword == "InstitutionAddress" else broken
    holder._dict[tag] = raw
    export_all(volume, 1, make_result(volume), tmp_path, ExportOptions(keep_identity=keep_identity))
    image = pydicom.dcmread(tmp_path / "slice.dcm")
    assert keyword not in image
    assert keyword not in image.ContributingEquipmentSequence[0]


def test_what_cannot_be_read_is_left_out_of_items_of_items():
    broken, innermost = header(), Dataset()
    tag = pydicom.tag.Tag("PregnancyStatus")
    innermost._dict[tag] = pydicom.dataelem.RawDataElement(tag, "US", 1, b"\0", 0, False, True)
    broken.ContributingEquipmentSequence[0].PurposeOfReferenceCodeSequence = [innermost]
    assert not copied(broken).ContributingEquipmentSequence[0].PurposeOfReferenceCodeSequence[0]


@pytest.mark.parametrize(
    ("representation", "value"), [("LO", "17"), ("SH", "17"), ("IS", "17"), ("US", 17), ("FD", 17.0)]
)
def test_an_id_of_another_type_is_the_same_patient(representation, value):
    source = header(IssuerOfPatientIDQualifiersSequence=[])
    source.add_new("PatientID", representation, value)
    assert deidentified(source).PatientID == pseudonym("17")


def test_an_id_of_several_values_is_one_patient():
    one, other = (header(PatientID=numbers) for numbers in (["P-17", "1"], ["P-17", "2"]))
    names = [deidentified(source).PatientID for source in (one, one, other, header())]
    assert names[0] == names[1]
    assert len(set(names)) == 3


@pytest.mark.parametrize("keep_identity", [True, False])
def test_what_is_of_another_type_or_no_date_does_not_hinder_an_export(tmp_path, keep_identity):
    spoilt = header()
    for keyword, representation, value in (
        *((keyword, "SQ", [Dataset()]) for keyword in ("PatientID", "StudyInstanceUID", "IssuerOfPatientID")),
        *(("FrameOfReferenceUID", "OB", b"1.2.3.4\0"), ("IssuerOfPatientIDQualifiersSequence", "LO", "text")),
        *(("StudyDate", "DA", "20200231"), ("StudyTime", "TM", ["1011", "1012"]), ("PatientBirthDate", "LO", "text")),
        *(("DeidentificationMethod", "US", 1), ("BurnedInAnnotation", "SQ", [Dataset()]), ("ImageType", "US", 7)),
        (0x00101998, "DS", ["1", "2"]),
    ):
        spoilt.add_new(keyword, representation, value)
    volume = make_volume((spoilt, spoilt))
    export_all(volume, 1, make_result(volume), tmp_path, ExportOptions(keep_identity=keep_identity))
    assert "does not say whether text is burnt" in (tmp_path / "deidentification.json").read_text()
    for name in ("slice", "mask", "report"):
        image = pydicom.dcmread(tmp_path / f"{name}.dcm")
        assert (image.StudyDate, image.StudyTime, image.PatientBirthDate) == ("", "", "")
        assert image.PatientID == ("" if keep_identity else pseudonym("1.2.3.4.1"))
        assert pydicom.uid.UID(image.StudyInstanceUID).is_valid


def test_the_list_of_what_was_kept(volume, tmp_path):
    export_all(volume, 1, make_result(volume), tmp_path)
    listed = json.loads((tmp_path / "deidentification.json").read_text())
    assert {"KVP (0018,0060)", "ConvolutionKernel (0018,1210)", "PatientPosition (0018,5100)"} <= set(listed["kept"])
    assert {"PatientID (0010,0020)", "StudyInstanceUID (0020,000D)"} <= set(listed["replaced"])
    removed = {"PatientBirthDate (0010,0030)", "StudyDate (0008,0020)", "InstitutionName (0008,0080)"}
    assert removed <= set(listed["removed"])
    assert listed["private_removed"] == ["(0011,0010)", "(0011,1001)"]
    groups = [set(listed[name]) for name in ("kept", "replaced", "removed")]
    assert sum(map(len, groups)) == len(set.union(*groups))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"BurnedInAnnotation": "YES"}, "says that text is burnt into its pixels"),
        ({"BurnedInAnnotation": "NO"}, "says that no text is burnt"),
        ({}, "does not say whether text is burnt into its pixels, which is rare"),
        ({"ImageType": ["DERIVED", "SECONDARY"]}, "processed before, so that there may be"),
    ],
)
def test_the_risk_of_text_in_the_pixels_is_named(changes, words, tmp_path):
    volume = make_volume((header(**changes),) * 2)
    export_all(volume, 1, make_result(volume), tmp_path)
    assert words in json.loads((tmp_path / "deidentification.json").read_text())["burnt_in"]


def test_without_a_header_there_is_nothing_to_take_out(tmp_path):
    volume = make_volume()
    export_all(volume, 1, make_result(volume), tmp_path)
    listed = json.loads((tmp_path / "deidentification.json").read_text())
    assert listed["method"] == "none: there was no DICOM header"
    assert listed["kept"] == listed["removed"] == []
    assert pydicom.dcmread(tmp_path / "slice.dcm").PatientIdentityRemoved == "YES"


def test_a_slice_that_was_made_whole_is_of_no_patient(tmp_path):
    volume, result = make_whole_slice()
    export_all(volume, 0, result, tmp_path)
    for name in ("slice", "mask", "report"):
        assert pydicom.dcmread(tmp_path / f"{name}.dcm").PatientName == "SYNTHETIC^"
    assert identity_warning(find_objects([tmp_path])) == ""
    assert json.loads((tmp_path / "deidentification.json").read_text())["private_removed"] == []


def key_file():
    return platformdirs.user_data_path("nodule-studio", appauthor=False) / "deidentification.key"


def test_pseudonyms_hang_on_a_secret_of_this_computer(tmp_path, monkeypatch):
    here = pseudonym("P-17"), new_uid("1.2.3")
    assert here == (pseudonym("P-17"), new_uid("1.2.3"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert (pseudonym("P-17"), new_uid("1.2.3")) != here
    assert key_file().is_relative_to(tmp_path)
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600
    assert len(bytes.fromhex(key_file().read_text())) == 32
    assert [file.name for file in key_file().parent.iterdir()] == ["deidentification.key"]


@pytest.mark.parametrize("kept", ["", "00", "no key"])
def test_a_damaged_key_makes_no_pseudonyms(tmp_path, monkeypatch, kept):
    """Whoever knew that the key was empty could try all names of patients."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    key_file().parent.mkdir()
    key_file().write_text(kept)
    with pytest.raises(InputError, match=r"deidentification\.key is damaged; restore it from a copy, or remove it"):
        pseudonym("P-17")


def test_a_key_is_kept_where_files_have_one_name_only(tmp_path, monkeypatch):
    """No hard links: exFAT, and some folders on a network."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(os, "link", MagicMock(side_effect=PermissionError(1, "Operation not permitted")))
    name = pseudonym("P-17")
    assert [file.name for file in key_file().parent.iterdir()] == ["deidentification.key"]
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600
    export_identity._secret.cache_clear()
    assert pseudonym("P-17") == name


def test_a_secret_that_cannot_be_kept_is_one_sentence(volume, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="export with the identity kept"):
        export_all(volume, 1, make_result(volume), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    export_all(volume, 1, make_result(volume), tmp_path / "out", ExportOptions(keep_identity=True))


def test_hu_do_not_change(volume, tmp_path):
    result = make_result(volume)
    export_all(volume, 1, result, tmp_path)
    image = pydicom.dcmread(tmp_path / "slice.dcm")
    np.testing.assert_array_equal(image.pixel_array, result.slice.hu)
