"""DIMSE servers that are not there, refuse or break off: one sentence, and nothing half-done is left."""

import re
import shutil
import threading

import pydicom
import pytest
from pydicom.uid import CTImageStorage
from pynetdicom import evt

from engine.ct_files import read_volume
from engine.errors import InputError
from engine.pacs import check_connection, fetch_series, send_objects
from engine.pacs_connection import DimseServer
from engine.pacs_objects import find_objects
from engine.pacs_search import MOST_FOUND, Study, StudyFilter, find_studies
from tests.engine.pacs_exports import SLICES, datasets_of, send_export, without_preamble, without_syntax
from tests.pacs_servers import TITLE, closed_port, dimse_server, image_match

OBJECTS = SLICES + 2


class Stop(Exception):
    """What a progress raises to end the work."""


@pytest.fixture(autouse=True)
def no_thread_left():
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) <= before


def storing(received, status=lambda dataset: 0x0000):
    def store(event):
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        answer = status(dataset)
        if answer == 0x0000:
            received[dataset.SOPInstanceUID] = dataset
        return answer

    return [(evt.EVT_C_STORE, store)]


def serving(source, send):
    """Handlers of a server that has a series; `send` yields what it sends of it."""
    files = [pydicom.dcmread(file) for file in sorted(source.iterdir())]

    def find(event):
        for one in files:
            yield 0xFF00, image_match(one.SOPInstanceUID)

    def get(event):
        yield len(files)
        yield from send(event, files)

    return [(evt.EVT_C_FIND, find), (evt.EVT_C_GET, get)]


def all_of(event, files):
    for one in files:
        yield 0xFF00, one


def uids(source):
    one = pydicom.dcmread(next(source.iterdir()))
    return one.StudyInstanceUID, one.SeriesInstanceUID


def test_all_objects_of_an_export_arrive_once_and_as_they_are(pacs_export):
    received, steps = {}, []
    with dimse_server(storing(received)) as server:
        assert send_export(pacs_export, server, lambda done, count: steps.append((done, count))) == OBJECTS
        assert send_export(pacs_export, server) == OBJECTS
    assert received == datasets_of(pacs_export)
    assert [one.Modality for one in received.values()] == ["CT"] * SLICES + ["SEG", "SR"]
    assert steps == [(done, OBJECTS) for done in range(OBJECTS + 1)]


def test_a_file_without_a_preamble_is_sent_like_any_other(pacs_source, tmp_path):
    without_preamble(next(pacs_source.iterdir()), tmp_path / "bare")
    received = {}
    with dimse_server(storing(received)) as server:
        assert send_export(tmp_path, server) == 1
    (sent,) = received.values()
    assert sent == pydicom.dcmread(next(pacs_source.iterdir()))


# pynetdicom leaves the socket that did not connect to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_nobody_listens(pacs_export):
    server = DimseServer("127.0.0.1", closed_port(), TITLE)
    sentence = f"PACS at 127.0.0.1:{server.port} does not answer as a PACS; check host and port, and whether it runs."
    for work in (check_connection, find_studies, lambda there: send_export(pacs_export, there)):
        with pytest.raises(InputError) as refusal:
            work(server)
        assert str(refusal.value) == sentence


def test_there_is_no_such_computer():
    with pytest.raises(InputError, match=r'^There is no computer called "nowhere.invalid"; check the address\.$'):
        check_connection(DimseServer("nowhere.invalid", 104, TITLE))
    with pytest.raises(InputError, match=r'^There is no computer called "nn+"; check the address\.$'):
        check_connection(DimseServer("n" * 64, 104, TITLE))


def test_the_title_is_wrong():
    with dimse_server(require_called_aet=True) as server:
        check_connection(server)
        with pytest.raises(InputError, match='refuses the connection: it is not called "OTHER"; check its AE title'):
            check_connection(DimseServer(server.host, server.port, "OTHER"))


def test_the_server_does_not_know_us():
    with dimse_server(require_calling_aet=["KNOWN"]) as server:
        check_connection(DimseServer(server.host, server.port, TITLE, "KNOWN"))
        with pytest.raises(InputError, match='it does not know the AE title "NODULESTUDIO"; have'):
            check_connection(server)


def test_an_object_is_refused_and_the_others_arrive(pacs_export):
    received = {}
    handlers = storing(received, lambda dataset: 0xA700 if dataset.Modality == "SEG" else 0x0000)
    with dimse_server(handlers) as server, pytest.raises(InputError) as refusal:
        send_export(pacs_export, server)
    assert str(refusal.value) == "1 of 7 objects were refused: mask.dcm (status 0xA700); the others are there."
    assert len(received) == OBJECTS - 1


def test_a_kind_of_object_is_not_taken(pacs_export):
    received = {}
    with dimse_server(storing(received), storage=[CTImageStorage]) as server, pytest.raises(InputError) as refusal:
        send_export(pacs_export, server)
    assert str(refusal.value) == (
        "2 of 7 objects were refused: mask.dcm (Segmentation Storage is not taken there), "
        "report.dcm (Comprehensive SR Storage is not taken there); the others are there."
    )
    assert len(received) == SLICES


def test_an_association_that_is_broken_off_before_the_answer_is_asked_for_again():
    asked = []

    def request(event):
        asked.append(event.assoc)
        if len(asked) == 1:
            event.assoc.abort(block=False)

    with dimse_server([(evt.EVT_REQUESTED, request)]) as server:
        check_connection(server)
    assert len(asked) == 2


def test_the_server_dies_in_the_middle(pacs_export):
    received = {}

    def store(event):
        if len(received) == 2:
            event.assoc.abort(block=False)
        received[event.request.AffectedSOPInstanceUID] = event
        return 0x0000

    with dimse_server([(evt.EVT_C_STORE, store)]) as server, pytest.raises(InputError) as refusal:
        send_export(pacs_export, server)
    assert re.search("broke off after 2 of 7 objects; send again, which does no harm", str(refusal.value))


def test_sending_is_cancelled(pacs_export):
    received = {}

    def progress(done, count):
        if done == 3:
            raise Stop

    with dimse_server(storing(received)) as server, pytest.raises(Stop):
        send_export(pacs_export, server, progress)
    assert len(received) == 3


def test_what_a_killed_export_left_is_not_sent_and_a_file_that_is_gone_is_named(pacs_export, tmp_path):
    shutil.copytree(pacs_export, tmp_path / "export")
    shutil.copytree(pacs_export / "series", tmp_path / "export" / ".nodule-studio-x" / "made" / "series")
    for file in (tmp_path / "export" / "series").iterdir():
        file.unlink()
    objects = find_objects([tmp_path / "export"])
    assert sorted(one.file.name for one in objects) == ["mask.dcm", "report.dcm", "slice.dcm"]
    (tmp_path / "export" / "mask.dcm").unlink()
    with dimse_server(storing({})) as server, pytest.raises(InputError, match=r'mask\.dcm" cannot be read \(No such'):
        send_objects(objects, server)


def test_a_search_asks_for_what_is_wanted_and_may_be_refused():
    asked = []

    def find(event):
        asked.append(event.identifier)
        yield 0xA700, None

    with dimse_server([(evt.EVT_C_FIND, find)]) as server, pytest.raises(InputError) as refusal:
        find_studies(server, StudyFilter(patient_name="Müller", modality="CT"))
    assert "refuses the search (status 0xA700); ask who runs it." in str(refusal.value)
    assert asked[0].PatientName == "*Müller*"
    assert (asked[0].QueryRetrieveLevel, asked[0].ModalitiesInStudy, asked[0].StudyDate) == ("STUDY", "CT", "")


def test_a_series_is_fetched(pacs_source, tmp_path):
    steps = []
    with dimse_server(serving(pacs_source, all_of)) as server:
        folder = fetch_series(server, *uids(pacs_source), tmp_path / "in" / "it", lambda *step: steps.append(step))
    assert datasets_of(folder) == datasets_of(pacs_source)
    assert (read_volume(folder).hu == read_volume(pacs_source).hu).all()
    assert steps == [(done, SLICES) for done in range(SLICES + 1)]


def refused(source, tmp_path, send):
    with dimse_server(serving(source, send)) as server, pytest.raises(InputError) as refusal:
        fetch_series(server, *uids(source), tmp_path / "fetched")
    assert list(tmp_path.iterdir()) == []
    return str(refusal.value)


def test_the_server_breaks_off_while_it_sends(pacs_source, tmp_path):
    def send(event, files):
        yield 0xFF00, files[0]
        event.assoc.abort(block=False)
        yield 0xFF00, files[1]

    assert "broke off during the retrieval (C-GET); try again." in refused(pacs_source, tmp_path, send)


def test_images_are_missing(pacs_source, tmp_path):
    def send(event, files):
        yield 0xFF00, files[0]
        yield 0xFF00, files[0]
        yield 0x0000, None

    assert refused(pacs_source, tmp_path, send) == "4 of 5 images did not arrive; fetch the series again."


def test_an_image_that_the_server_has_cut_short_is_named_when_the_series_is_opened(pacs_source, tmp_path):
    def send(event, files):
        files[1].PixelData = files[1].PixelData[:-100]
        return all_of(event, files)

    with dimse_server(serving(pacs_source, send)) as server:
        volume = read_volume(fetch_series(server, *uids(pacs_source), tmp_path / "fetched"))
    assert len(volume) == SLICES - 1
    assert volume.warnings[0].startswith('1 of 5 slices were left out: The pixels of "0002.dcm"')


def test_a_server_that_finds_too_few_images_sends_all_of_them(pacs_source, tmp_path):
    (_, get), first = serving(pacs_source, all_of), pydicom.dcmread(min(pacs_source.iterdir()))

    def find(event):
        yield 0xFF00, image_match(first.SOPInstanceUID)

    with dimse_server([(evt.EVT_C_FIND, find), get]) as server:
        folder = fetch_series(server, *uids(pacs_source), tmp_path / "fetched")
    assert datasets_of(folder) == datasets_of(pacs_source)


def test_an_image_that_cannot_be_written_is_one_sentence(pacs_source, tmp_path, monkeypatch):
    def damaged(*_, **__):
        raise ValueError("bytes")

    monkeypatch.setattr(pydicom.Dataset, "save_as", damaged)
    assert refused(pacs_source, tmp_path, all_of) == "The server sent an image that is damaged; ask who runs it."


def test_retrieval_is_refused(pacs_source, tmp_path):
    def send(event, files):
        yield 0xA702, None

    assert "refuses the retrieval (C-GET) (status 0xA702)" in refused(pacs_source, tmp_path, send)


def test_fetching_is_cancelled(pacs_source, tmp_path):
    sent = []

    def send(event, files):
        for one in files:
            sent.append(one)
            yield 0xFF00, one

    def progress(done, count):
        if done == 2:
            raise Stop

    with dimse_server(serving(pacs_source, send)) as server, pytest.raises(Stop):
        fetch_series(server, *uids(pacs_source), tmp_path / "fetched", progress)
    assert list(tmp_path.iterdir()) == []
    assert len(sent) < SLICES


def test_nothing_is_overwritten(pacs_source, tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(InputError, match="is there already; choose another folder for what is fetched"):
        fetch_series(DimseServer("127.0.0.1", 104, TITLE), *uids(pacs_source), tmp_path)
    with pytest.raises(InputError, match=r'^"\.\./x" is not a UID'):
        fetch_series(DimseServer("127.0.0.1", 104, TITLE), "1.2", "../x", tmp_path / "new")


@pytest.mark.parametrize(("modality", "shown"), [("", MOST_FOUND), ("CT", 0)])
def test_a_search_that_finds_too_much_is_cut_off(modality, shown):
    """Also where the server answers with other modalities than were asked for, which are left out."""

    def find(event):
        for number in range(MOST_FOUND + 50):
            match = pydicom.Dataset()
            match.StudyInstanceUID, match.StudyDate, match.ModalitiesInStudy = f"1.2.{number}", "20240131", "MR"
            yield 0xFF00, match

    with dimse_server([(evt.EVT_C_FIND, find)]) as server:
        found, is_cut_off = find_studies(server, StudyFilter(modality=modality))
    assert is_cut_off
    assert len(found) == shown
    assert found[:1] == [Study("1.2.0", "", "", "2024-01-31", "", ("MR",))][:shown]


def test_a_file_without_a_transfer_syntax_is_refused_and_the_others_sent(pacs_source, tmp_path):
    files, received = without_syntax(pacs_source, tmp_path), {}
    with (
        dimse_server(storing(received)) as server,
        pytest.raises(InputError, match=r"1 of 2 objects were refused: 0.dcm"),
    ):
        send_export(tmp_path, server)
    assert len(received) == files - 1
