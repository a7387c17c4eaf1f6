"""DICOMweb servers that are not there, refuse or break off: one sentence, and nothing half-done is left."""

import io
import json
import shutil
import socket
import ssl
import subprocess
import sys

import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import SegmentationStorage

from engine.__main__ import main
from engine.errors import InputError
from engine.pacs import check_connection, fetch_series
from engine.pacs_connection import DimseServer, Login, WebServer, parse_address
from engine.pacs_search import StudyFilter, find_series, find_studies
from tests.engine.pacs_exports import SLICES, datasets_of, send_export, without_preamble, without_syntax
from tests.pacs_servers import closed_port, image_match, multipart, web_server

OBJECTS = SLICES + 2
JSON = "application/dicom+json; charset=utf-8"
SERIES = "1.2", "1.2.3"


def found(*matches):
    return 200, JSON, json.dumps([match.to_json_dict() for match in matches]).encode()


def refusing(reason):
    answer = Dataset()
    answer.FailedSOPSequence = [Dataset()]
    answer.FailedSOPSequence[0].FailureReason = reason
    return answer.to_json().encode()


def refusal_of(answer, work, login=None):
    with web_server(answer, login) as server, pytest.raises(InputError) as refusal:
        work(server)
    return str(refusal.value).replace(server.url, "URL")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((401, "text/plain", b""), "URL asks for a user and password, or a token, and does not accept what it was"),
        ((403, "text/plain", b""), "URL does not permit this to you; ask who runs it."),
        ((404, "text/html", b"?"), "URL has no such thing; check the address, which often ends in /dicom-web, or"),
        ((503, "text/plain", b""), "URL failed with HTTP status 503; try again, or ask who runs it."),
        (
            (200, "text/html", b"<html>Welcome</html>"),
            "URL sent what is no DICOMweb answer during the search; check the address and",
        ),
        (
            (200, JSON, b'[{"00100020": 7}]'),
            "URL sent what is no DICOMweb answer during the search; check the address and",
        ),
        ((200, JSON, b'"no"'), "URL sent what is no DICOMweb answer during the search; check the address and"),
    ],
)
def test_a_server_that_refuses(pacs_export, answer, sentence):
    for work in (check_connection, find_studies, lambda server: send_export(pacs_export, server)):
        assert refusal_of(lambda request: answer, work).startswith(sentence)


def test_nobody_listens(pacs_export, tmp_path):
    server = WebServer(f"http://127.0.0.1:{closed_port()}/dicom-web")
    for work in (
        check_connection,
        find_studies,
        lambda there: send_export(pacs_export, there),
        lambda there: fetch_series(there, *SERIES, tmp_path / "fetched"),
    ):
        with pytest.raises(InputError, match=r"^http://127.* does not answer, or broke off .*; check the address"):
            work(server)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which makes the certificate, is not installed")
def test_a_certificate_that_nobody_trusts(tmp_path):
    certificate, key = tmp_path / "certificate", tmp_path / "key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with web_server(lambda request: found(), tls=context) as server, pytest.raises(InputError) as refusal:
        check_connection(server)
    assert str(refusal.value).startswith(f"The certificate of {server.url} is not trusted by this computer;")


@pytest.mark.parametrize("status", [200, 202, 409])
def test_objects_are_refused_and_the_others_sent(pacs_export, status):
    posted = []

    def answer(request):
        if request.command == "GET":
            return found()
        posted.append(request.posted)
        if SegmentationStorage.encode() in request.posted[:600]:
            return status, JSON, refusing(0x0122)
        return 200, JSON, b"{}"

    sentence = refusal_of(answer, lambda server: send_export(pacs_export, server))
    assert sentence.startswith("1 of 7 objects were refused: mask.dcm (reason 0x0122); the others are there.")
    assert len(posted) == OBJECTS


def test_a_file_without_a_preamble_is_sent_like_any_other(pacs_source, tmp_path):
    one = next(pacs_source.iterdir())
    without_preamble(one, tmp_path / "bare")
    posted = []

    def answer(request):
        if request.command == "POST":
            posted.append(request.posted)
        return found() if request.command == "GET" else (200, JSON, b"{}")

    with web_server(answer) as server:
        assert send_export(tmp_path, server) == 1
    assert posted[0][posted[0].index(b"DICM") - 128 :].startswith(bytes(128) + b"DICM")
    assert pydicom.dcmread(one).PixelData in posted[0]


def test_the_server_dies_in_the_middle_of_sending(pacs_export):
    posted = []

    def answer(request):
        if request.command == "POST":
            posted.append(request.posted)
            if len(posted) == 3:
                request.connection.shutdown(socket.SHUT_RDWR)
        return found() if request.command == "GET" else (200, JSON, b"{}")

    sentence = refusal_of(answer, lambda server: send_export(pacs_export, server))
    assert sentence == (
        "URL does not answer, or broke off after 2 of 7 objects were sent; check the address and try again."
    )


@pytest.mark.parametrize(
    ("login", "header"),
    [
        (Login("reader", "pass:wörd"), "Basic cmVhZGVyOnBhc3M6d8O2cmQ="),
        (Login(secret="abc.def"), "Bearer abc.def"),
        (None, None),
    ],
)
def test_the_login_goes_into_the_header_and_nowhere_else(login, header):
    seen = []

    def answer(request):
        seen.append((request.headers["Authorization"], request.headers["Host"]))
        return found()

    with web_server(answer, login) as server:
        check_connection(server)
    assert seen == [(header, server.url.split("/")[2])]
    assert "pass" not in repr(server)
    assert "abc" not in repr(server)
    assert "pass" not in server.address


def test_a_search_in_words_of_the_standard():
    asked = []
    study = Dataset()
    study.StudyInstanceUID, study.PatientName, study.PatientID = "1.2", "Müller^Jürgen", "P-17"
    study.StudyDate, study.ModalitiesInStudy = "20240131", ["CT", "SEG"]
    other = Dataset()
    other.StudyInstanceUID, other.ModalitiesInStudy = "1.3", "MR"

    def answer(request):
        asked.append(request.path)
        return found(other, study)

    with web_server(answer) as server:
        (one,) = find_studies(server, StudyFilter(patient_name="Müller", modality="CT")).studies
        assert (one.uid, one.patient_name, one.patient_id, one.day) == ("1.2", "Müller Jürgen", "P-17", "2024-01-31")
        assert one.modalities == ("CT", "SEG")
        with pytest.raises(InputError, match="is not a UID"):
            find_series(server, "../../patients")
    assert "PatientName=*M%C3%BCller*" in asked[0]
    assert "ModalitiesInStudy=CT" in asked[0]


def fetching(pacs_source, tmp_path, change):
    """What is said when the body with the images is changed before it is sent."""
    files = sorted(pacs_source.iterdir())
    kind, body = multipart([file.read_bytes() for file in files])

    def answer(request):
        if "instances" in request.path:
            return found(*[image_match(uid) for uid in datasets_of(pacs_source)])
        return change(request, kind, body)

    sentence = refusal_of(answer, lambda server: fetch_series(server, *SERIES, tmp_path / "fetched"))
    assert list(tmp_path.iterdir()) == []
    return sentence


def test_names_that_the_console_has_no_letters_for(monkeypatch):
    study = Dataset()
    study.StudyInstanceUID, study.PatientName = "1.2", "山田^太郎"
    console = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", console)
    with web_server(lambda request: found(study)) as server:
        assert main(["fetch", "--from", server.url]) == 0
    console.flush()
    assert json.loads(console.buffer.getvalue())["patient_name"] == "山田 太郎"


def test_the_server_dies_in_the_middle_of_a_series(pacs_source, tmp_path):
    def cut(request, kind, body):
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: len(body) // 2])
        request.wfile.flush()
        request.connection.close()
        return 200, kind, b""

    sentence = fetching(pacs_source, tmp_path, cut)
    assert sentence == "URL broke off in the middle of the series; try again, which does no harm."


def test_a_series_that_ends_too_soon(pacs_source, tmp_path):
    sentence = fetching(pacs_source, tmp_path, lambda request, kind, body: (200, kind, body[: len(body) // 2]))
    assert sentence == "2 of 5 images did not arrive; fetch the series again."


def test_a_series_that_is_none(pacs_source, tmp_path):
    sentence = fetching(pacs_source, tmp_path, lambda request, kind, body: (200, "text/html", b"<html></html>"))
    assert (
        sentence == "URL sent what is no DICOMweb answer in the middle of the series; check the address and try again."
    )


def test_addresses():
    assert parse_address(" dicom://A B@[::1] ", "ME") == DimseServer("::1", 104, "A B", "ME")
    for text in ("dicom://PACS@host:4242", "dicom://PACS@[::1]:104", "https://host/dicom-web"):
        assert parse_address(text).address == text
    assert parse_address("HTTPS://host/dicom-web/").address == "https://host/dicom-web"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("host", '"host" is not the address of a PACS; write it as dicom://AE@host:port or https://host/dicom-web.'),
        ("", '"" is not the address of a PACS; write it as'),
        ("dicom://host:11112", '"dicom://host:11112" does not name AE title and computer; write it as'),
        ("dicom://PACS@host:99999", "is not the address of a PACS"),
        ("dicom://PACS@host:0", "names no computer and port"),
        ("dicom://SEVENTEEN-LETTERS@host", "is not an AE title; give 1 to 16 plain characters"),
        ("https://me:secret@host/dicom-web", "Leave user and password out of the address, which is remembered"),
        ("https:///dicom-web", "is not the address of a DICOMweb server"),
        ("https://host/dicom-web?x=1", "is not the address of a DICOMweb server"),
    ],
)
def test_what_is_no_address(text, sentence):
    with pytest.raises(InputError) as refusal:
        parse_address(text)
    assert sentence in str(refusal.value)
    assert "me:secret" not in str(refusal.value)


def test_logins_that_cannot_be():
    with pytest.raises(InputError, match="no bearer token; give a user name, too, if it is a password"):
        Login(secret="two words\r\nX: y")
    with pytest.raises(InputError, match="cannot have a colon"):
        Login("a:b", "c")


def test_a_login_over_http_is_warned_of():
    login = Login("reader", "secret")
    assert "others on the network can read" in WebServer("http://pacs.example/dicom-web", login).warning
    assert WebServer("https://pacs.example/dicom-web", login).warning == ""
    assert WebServer("http://127.0.0.1:8042/dicom-web", login).warning == ""
    assert WebServer("http://pacs.example/dicom-web").warning == ""


@pytest.mark.parametrize("part", [b"<html>an error page</html>", b"", b"\0" * 500, b"\0" * 128 + b"DICM" + b"\1" * 99])
def test_what_is_no_dicom_in_the_middle_of_a_series(tmp_path, part):
    def answer(request):
        if "instances" in request.path:
            return found(image_match("1.2.3.4"))
        return 200, *multipart([part])

    sentence = refusal_of(answer, lambda server: fetch_series(server, *SERIES, tmp_path / "fetched"))
    assert "in the middle of the series" in sentence or "did not arrive" in sentence or "damaged" in sentence
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_is_nested_too_deeply():
    sentence = refusal_of(lambda request: (200, JSON, b"[" * 100_000), find_studies)
    assert sentence.startswith("URL sent what is no DICOMweb answer during the search")


def test_a_file_without_a_transfer_syntax_is_refused_and_the_others_sent(pacs_source, tmp_path):
    files = without_syntax(pacs_source, tmp_path)

    def answer(request):
        return found() if request.command == "GET" else (200, JSON, b"{}")

    sentence = refusal_of(answer, lambda server: send_export(tmp_path, server))
    assert (
        sentence == f"1 of {files} objects were refused: 0.dcm (it has no Transfer Syntax UID; export it again); "
        "the others are there."
    )
