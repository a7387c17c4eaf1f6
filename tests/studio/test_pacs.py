"""Exports go to a PACS and series come from one, through the dialogs; the server stands on this computer."""

import threading

import pydicom
import pytest
from pynetdicom import evt
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from engine.ct_files import read_volume
from studio import network_work
from studio.background import Task
from studio.export_dialog import ExportDialog
from studio.network_work import NetworkWork
from studio.pacs_dialog import PacsDialog
from studio.send_dialog import SendDialog
from studio.server_fields import stored_addresses
from tests.engine.pacs_exports import SLICES, datasets_of, write_export, write_source
from tests.pacs_servers import closed_port, dimse_server
from tests.scripted_engine import PATIENCE
from tests.studio.driving import LEFT, draw_box, generate

KEY = Qt.Key
CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    write_source(folder, PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 192", StudyDate="20200102")
    return folder


@pytest.fixture(scope="module")
def export(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    write_export(source, folder)
    return folder


class Pacs:
    """Takes what is sent, and has one CT series; waits before each object while `go` is not set."""

    def __init__(self, source):
        self.files = [pydicom.dcmread(file) for file in sorted(source.iterdir())]
        self.received = {}
        self.go = threading.Event()
        self.go.set()
        self.handlers = [(evt.EVT_C_STORE, self.store), (evt.EVT_C_FIND, self.find), (evt.EVT_C_GET, self.get)]

    def store(self, event):
        self.go.wait(10)
        event.dataset.file_meta = event.file_meta
        self.received[event.dataset.SOPInstanceUID] = event.dataset
        return 0x0000

    def find(self, event):
        level = event.identifier.QueryRetrieveLevel
        if "Nobody" in str(event.identifier.get("PatientName")):
            return
        for one in self.files if level == "IMAGE" else self.files[:1]:
            match = pydicom.Dataset()
            match.SpecificCharacterSet = "ISO_IR 192"
            for element in event.identifier:
                if element.keyword in one:
                    match[element.tag] = one[element.tag]
            match.ModalitiesInStudy, match.NumberOfSeriesRelatedInstances = "CT", len(self.files)
            yield 0xFF00, match

    def get(self, event):
        yield len(self.files)
        for one in self.files:
            self.go.wait(10)
            yield 0xFF00, one


@pytest.fixture
def pacs(source):
    """A server and what it has received; `pacs.address` leads to it."""
    pacs = Pacs(source)
    with dimse_server(pacs.handlers) as server:
        pacs.address = server.address
        yield pacs
        pacs.go.set()


@pytest.fixture(autouse=True)
def work_ended(window):
    """End the network work before the test looks for threads that were left."""
    yield
    window.pacs.stop()
    for thread in threading.enumerate():
        if "Requestor" in thread.name or "Acceptor" in thread.name:
            thread.join(10)


def shown(window, kind):
    """The dialog of a kind that is open; closed ones may not have been deleted yet."""
    (dialog,) = [dialog for dialog in window.findChildren(kind) if dialog.isVisible()]
    return dialog


def send_dialog(window, folder, monkeypatch, qtbot):
    """Choose an export by the File menu's key, and wait until it has been looked through."""
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    with qtbot.waitActive(window):  # It is not by itself after another dialog was closed.
        window.activateWindow()
    QTest.keyClick(window.view, KEY.Key_E, CTRL_SHIFT)
    dialog = shown(window, SendDialog)
    qtbot.waitUntil(lambda: bool(dialog.what.text() or dialog.outcome.text()))
    return dialog


def idle(dialog):
    return dialog.close_button.text() == "Close"


def click(button, qtbot, dialog):
    assert button.isEnabled(), button.toolTip()
    QTest.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: idle(dialog))


def test_an_export_is_sent(window, export, pacs, monkeypatch, qtbot):
    dialog = send_dialog(window, export, monkeypatch, qtbot)
    assert dialog.what.text() == "5 CT, 1 SEG, 1 SR"
    assert not dialog.identity.isVisible()
    assert not dialog.send.isEnabled()
    assert (
        dialog.reason.text()
        == dialog.send.toolTip()
        == ("Type the address of a PACS, as your PACS administrator gives it.")
    )
    QTest.keyClicks(dialog.server.address_field, pacs.address)
    click(dialog.test, qtbot, dialog)
    assert dialog.outcome.text() == "The server answers."
    click(dialog.send, qtbot, dialog)
    assert dialog.outcome.text() == f"All 7 objects are at {pacs.address}."
    assert pacs.received == datasets_of(export)
    QTest.keyClick(dialog, KEY.Key_Escape)
    again = send_dialog(window, export, monkeypatch, qtbot)
    assert again.server.address.currentText() == pacs.address
    again.close()


def test_sending_is_cancelled_and_the_dialog_stays(window, export, pacs, monkeypatch, qtbot):
    dialog = send_dialog(window, export, monkeypatch, qtbot)
    QTest.keyClicks(dialog.server.address_field, pacs.address)
    pacs.go.clear()
    QTest.mouseClick(dialog.send, LEFT)
    assert dialog.close_button.text() == "Cancel"
    assert dialog.reason.text() == "Sending…"
    assert not dialog.send.isEnabled()
    QTest.keyClick(dialog, KEY.Key_Escape)
    assert dialog.isVisible()
    assert dialog.outcome.text() == "Cancelled after 0 of 7 objects."
    pacs.go.set()
    window.pacs.stop()
    assert len(pacs.received) <= 1
    click(dialog.send, qtbot, dialog)
    assert len(pacs.received) == 7
    dialog.close()


def test_other_work_is_cancelled_without_a_word_of_objects(window, export, pacs, monkeypatch, qtbot):
    dialog = send_dialog(window, export, monkeypatch, qtbot)
    QTest.keyClicks(dialog.server.address_field, pacs.address)
    QTest.mouseClick(dialog.test, LEFT)
    QTest.keyClick(dialog, KEY.Key_Escape)
    assert dialog.outcome.text() == "Cancelled."
    window.pacs.stop()
    dialog.close()


def test_what_cannot_be_sent_says_why_in_place(window, export, tmp_path, monkeypatch, qtbot):
    dialog = send_dialog(window, tmp_path / "nothing", monkeypatch, qtbot)
    assert dialog.outcome.text() == f'There is no folder "{tmp_path / "nothing"}"; check the name.'
    assert dialog.reason.text() == "There is nothing to send."
    dialog.close()
    dialog = send_dialog(window, export, monkeypatch, qtbot)
    QTest.keyClicks(dialog.server.address_field, "pacs")
    assert dialog.reason.text().startswith('"pacs" is not the address of a PACS; write it as dicom://AE@host:port')
    dialog.server.address.setEditText("http://pacs.example/dicom-web")
    QTest.keyClicks(dialog.server.user, "reader")
    QTest.keyClicks(dialog.server.secret, "secret")
    assert "others on the network can read" in dialog.server.warning.text()
    dialog.close()


# pynetdicom leaves the socket that did not connect to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_nobody_listens(window, source, tmp_path, monkeypatch, qtbot):
    write_export(source, tmp_path / "kept", keep_identity=True)
    dialog = send_dialog(window, tmp_path / "kept", monkeypatch, qtbot)
    assert dialog.identity.text().startswith("7 of 7 objects carry the patient's identity")
    assert dialog.identity.isVisible()
    QTest.keyClicks(dialog.server.address_field, f"dicom://PACS@127.0.0.1:{closed_port()}")
    click(dialog.send, qtbot, dialog)
    assert "does not answer as a PACS; check host and port" in dialog.outcome.text()
    assert not any("pacs" in key for key in QSettings().allKeys())
    dialog.close()


def test_secrets_are_kept_in_memory_only(window, export, monkeypatch, qtbot):
    dialog = send_dialog(window, export, monkeypatch, qtbot)
    address = "https://pacs.example/dicom-web"
    dialog.server.address.setEditText(address)
    QTest.keyClicks(dialog.server.user, "reader")
    QTest.keyClicks(dialog.server.secret, "very secret")
    dialog.server.remember(dialog.server.connection)
    dialog.close()
    assert QSettings().value("pacs addresses") in (address, [address])
    stored = " ".join(str(QSettings().value(key)) for key in QSettings().allKeys())
    assert "secret" not in stored
    assert "reader" not in stored
    again = send_dialog(window, export, monkeypatch, qtbot)
    assert (again.server.user.text(), again.server.secret.text()) == ("reader", "very secret")
    again.server.address.setEditText("https://other.example/dicom-web")
    assert again.server.secret.text() == ""
    again.close()


def test_what_was_just_exported_is_sent(window, tmp_path, qtbot):
    draw_box(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    window.export()
    dialog = shown(window, ExportDialog)
    assert not dialog.send.isVisible()
    dialog.folder.setText(str(tmp_path / "out"))
    QTest.mouseClick(dialog.export, LEFT)
    qtbot.waitUntil(dialog.send.isVisible)
    QTest.mouseClick(dialog.send, LEFT)
    sending = shown(window, SendDialog)
    qtbot.waitUntil(lambda: sending.what.text() == "1 CT, 1 SEG, 1 SR")
    assert sending.folders.text() == str(tmp_path / "out" / "slice-003")
    sending.close()


@pytest.fixture
def found(window, pacs, tmp_path, qtbot):
    """The dialog in which the study was found and its series listed, by keys alone."""
    QTest.keyClick(window.view, KEY.Key_P, CTRL_SHIFT)
    dialog = shown(window, PacsDialog)
    assert dialog.outcome.text() == "Type the address of a PACS, as your PACS administrator gives it."
    QTest.keyClicks(dialog.server.address_field, pacs.address)
    dialog.folder.text.setText(str(tmp_path / "fetched"))
    assert dialog.outcome.text() == dialog.open_button.toolTip() == "Choose a study."
    QTest.keyClick(dialog.search.fields["Patient name"], KEY.Key_Return)
    qtbot.waitUntil(lambda: dialog.studies.topLevelItemCount() == 1)
    assert [item.text(0) for item in dialog.studies.selectedItems()] == ["Müller Jürgen"]
    qtbot.waitUntil(lambda: dialog.series.chosen is not None and idle(dialog))
    return dialog


def test_a_series_is_found_fetched_and_opened(window, found, source, tmp_path, qtbot):
    texts = [found.studies.topLevelItem(0).text(column) for column in range(4)]
    assert texts == ["Müller Jürgen", "TEST", "2020-01-02", "CT"]
    assert [found.series.topLevelItem(0).text(column) for column in range(4)] == ["1", "CHEST", "CT", str(SLICES)]
    before = window.session.volume
    QTest.keyClick(found.series, KEY.Key_Return)
    qtbot.waitUntil(lambda: window.session.volume is not before)
    volume, expected = window.session.volume, read_volume(source)
    assert (volume.hu == expected.hu).all()
    assert volume.source.parent == tmp_path / "fetched"
    assert datasets_of(volume.source) == datasets_of(source)


def test_fetching_is_cancelled_and_leaves_nothing(window, found, pacs, tmp_path):
    before = window.session.volume
    pacs.go.clear()
    QTest.mouseClick(found.open_button, LEFT)
    assert found.outcome.text() == "Fetching…"
    assert not found.studies.isEnabled()
    QTest.keyClick(found, KEY.Key_Escape)
    assert found.isVisible()
    assert idle(found)
    pacs.go.set()
    window.pacs.stop()
    folder = tmp_path / "fetched"
    assert not folder.exists() or list(folder.iterdir()) == []
    assert window.session.volume is before
    found.close()


def test_what_was_found_stays_with_its_server_whatever_is_typed_meanwhile(found, pacs, tmp_path, qtbot):
    QTest.mouseClick(found.search.search, LEFT)
    found.server.address.setEditText("another")
    qtbot.waitUntil(lambda: found.studies.topLevelItemCount() == 1)
    assert stored_addresses() == [pacs.address]
    assert found.series.topLevelItemCount() == 0
    qtbot.waitUntil(lambda: found.series.chosen is not None and idle(found))
    assert found.open_button.isEnabled()
    found.close()


def test_servers_that_hang_hold_up_the_end_together_no_longer_than_one(window, monkeypatch):
    go, clock = threading.Event(), [0.0]
    work = NetworkWork(window)
    for _ in range(3):
        work.start("Hanging…", lambda progress: go.wait(PATIENCE), "", print)

    def wait(task, seconds):
        clock[0] += seconds

    with monkeypatch.context() as patch:
        patch.setattr(Task, "wait", wait)
        patch.setattr(network_work, "monotonic", lambda: clock[0])
        work.stop()
    go.set()
    assert 0 < clock[0] <= 5


def test_filters_say_what_is_wrong(found, qtbot):
    day = found.search.fields["From"]
    day.setText("5.6.2020")
    assert found.outcome.text() == found.search.search.toolTip() == '"5.6.2020" is not a day; write it as 2024-01-31.'
    assert not found.search.search.isEnabled()
    day.setText("2020-06-05")
    found.search.fields["To"].setText("2019-01-01")
    assert found.outcome.text() == "The first day is after the last; exchange them."
    found.search.fields["To"].clear()
    found.search.fields["Patient name"].setText("Nobody")
    click(found.search.search, qtbot, found)
    assert found.outcome.text() == "There is no such study; widen the search."
    found.close()
