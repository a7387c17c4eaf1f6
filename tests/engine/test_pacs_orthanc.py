"""To a real Orthanc and back, over DIMSE and over DICOMweb: what comes back is what was sent."""

import json
from datetime import date
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.uid import RLELossless

from engine.__main__ import main
from engine.ct_files import read_volume
from engine.errors import InputError
from engine.pacs import check_connection, fetch_series
from engine.pacs_connection import DimseServer, Login, WebServer
from engine.pacs_objects import find_objects, identity_warning, what_there_is
from engine.pacs_search import StudyFilter, find_series, find_studies
from tests.engine.pacs_exports import SLICES, datasets_of, send_export, write_export, write_source
from tests.orthanc import PASSWORD, USER, running_orthanc

OBJECTS = SLICES + 2


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(params=["dimse", "web"])
def connection(request, orthanc):
    """A way to an Orthanc that holds nothing."""
    orthanc.empty()
    return getattr(orthanc, request.param)


def stored_in(orthanc):
    """All objects that Orthanc holds, by SOP Instance UID."""
    files = [orthanc.ask(f"instances/{name}/file") for name in orthanc.ask("instances")]
    return {(one := pydicom.dcmread(BytesIO(file))).SOPInstanceUID: one for file in files}


def test_everything_of_an_export_is_there_as_it_was_sent(pacs_export, orthanc, connection):
    check_connection(connection)
    assert send_export(pacs_export, connection) == OBJECTS
    assert stored_in(orthanc) == datasets_of(pacs_export)
    assert send_export(pacs_export, connection) == OBJECTS
    assert stored_in(orthanc) == datasets_of(pacs_export)


def test_an_edited_series_comes_back_bit_for_bit(pacs_export, connection, tmp_path):
    send_export(pacs_export, connection)
    (study,) = find_studies(connection).studies
    assert set(study.modalities) == {"CT", "SEG", "SR"}
    all_series = find_series(connection, study.uid)
    assert [(one.modality, one.images) for one in all_series] == [("CT", SLICES), ("SEG", 1), ("SR", 1)]
    steps = []
    folder = fetch_series(
        connection, study.uid, all_series[0].uid, tmp_path / "fetched", lambda *step: steps.append(step)
    )
    sent, back = read_volume(pacs_export / "series"), read_volume(folder)
    assert back.hu.dtype == sent.hu.dtype
    assert np.array_equal(back.hu, sent.hu)
    assert back.positions == sent.positions
    assert steps == [(done, SLICES) for done in range(SLICES + 1)]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_compressed_series_stays_as_it_is(orthanc, connection, tmp_path):
    write_source(tmp_path / "source", encode=lambda image: image.compress(RLELossless))
    send_export(tmp_path / "source", connection)
    (one,) = {(image.StudyInstanceUID, image.SeriesInstanceUID) for image in datasets_of(tmp_path / "source").values()}
    folder = fetch_series(connection, *one, tmp_path / "fetched")
    assert {image.file_meta.TransferSyntaxUID for image in datasets_of(folder).values()} == {RLELossless}
    assert np.array_equal(read_volume(folder).hu, read_volume(tmp_path / "source").hu)


def test_searches(connection, tmp_path):
    for name, number, day in (("Müller^Jürgen", "P-17", "20200102"), ("Other^One", "Q-1", "20230506")):
        write_source(
            tmp_path / number,
            SpecificCharacterSet="ISO_IR 192",
            PatientName=name,
            PatientID=number,
            StudyDate=day,
            StudyDescription="Thorax",
        )
    send_export(tmp_path, connection)

    def patients(**wanted):
        return [study.patient_id for study in find_studies(connection, StudyFilter(**wanted)).studies]

    assert patients() == ["Q-1", "P-17"]
    # Debian's DICOMweb plugin does not decode addresses; they are percent-encoded UTF-8, as PS3.18, 8.2 wants them.
    name = "Müller jür" if isinstance(connection, DimseServer) else "ller rgen"
    assert patients(patient_name=name) == ["P-17"]
    assert patients(patient_id="Q") == ["Q-1"]
    assert patients(first=date(2021, 1, 1)) == ["Q-1"]
    assert patients(last=date(2021, 1, 1)) == ["P-17"]
    assert patients(first=date(2020, 1, 2), last=date(2020, 1, 2), modality="CT") == ["P-17"]
    assert patients(modality="MR") == []
    (study,) = find_studies(connection, StudyFilter(patient_id="P-17")).studies
    assert (study.patient_name, study.day, study.description) == ("Müller Jürgen", "2020-01-02", "Thorax")


def test_a_series_that_is_not_there(connection, tmp_path):
    with pytest.raises(InputError, match=r"no images of the series 1\.2\.3; search again|has no such thing"):
        fetch_series(connection, "1.2", "1.2.3", tmp_path / "fetched")
    assert list(tmp_path.iterdir()) == []


def test_wrong_titles_and_passwords(orthanc):
    with pytest.raises(InputError, match='it is not called "OTHER"'):
        check_connection(DimseServer(orthanc.dimse.host, orthanc.dimse.port, "OTHER"))
    for login in (None, Login(USER, "wrong"), Login(secret="token")):
        with pytest.raises(InputError, match="does not accept what it was given"):
            check_connection(WebServer(orthanc.web.url, login))


def test_from_the_command_line(pacs_export, orthanc, connection, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("NODULE_PACS_PASSWORD", PASSWORD)
    user = ["--user", USER] if connection is orthanc.web else []
    assert main(["send", str(pacs_export), "--to", connection.address, *user]) == 0
    sent = json.loads(capfd.readouterr().out)
    assert sent == {"sent": OBJECTS, "what": "5 CT, 1 SEG, 1 SR", "to": connection.address}
    ask = ["fetch", "--from", connection.address, *user]
    assert main([*ask, "--patient-id", "nobody"]) == 0
    assert capfd.readouterr().out == ""
    assert main(ask) == 0
    study = json.loads(capfd.readouterr().out)
    assert main([*ask, "--study", study["uid"]]) == 0
    series = json.loads(capfd.readouterr().out.splitlines()[0])
    assert series["modality"] == "CT"
    out = tmp_path / "out"
    assert main([*ask, "--study", study["uid"], "--series", series["uid"], "--out", str(out)]) == 0
    assert json.loads(capfd.readouterr().out) == {"images": SLICES, "series": series["uid"], "out": str(out)}
    assert np.array_equal(read_volume(out).hu, read_volume(pacs_export / "series").hu)


def test_an_export_with_the_identity_kept_is_warned_of(pacs_source, pacs_export, orthanc, tmp_path, capfd):
    write_export(pacs_source, tmp_path, keep_identity=True)
    objects = find_objects([tmp_path])
    assert what_there_is(objects) == "5 CT, 1 SEG, 1 SR"
    warning = identity_warning(objects)
    assert warning.startswith("7 of 7 objects carry the patient's identity: send only to a server that may have it")
    assert identity_warning(find_objects([pacs_export])) == ""
    assert main(["send", str(tmp_path), "--to", orthanc.dimse.address]) == 0
    assert capfd.readouterr().err.strip() == warning
