"""A real Orthanc (Debian: orthanc, orthanc-dicomweb) on free ports of this computer, for tests."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.pacs_connection import DimseServer, Login, WebServer

_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_PATIENCE = 60.0
TITLE, USER, PASSWORD = "ORTHANC", "reader", "pass:wörd"


@dataclass(frozen=True)
class Orthanc:
    """A running server. `dimse` and `web` are ways to reach it."""

    dimse: DimseServer
    web: WebServer

    def ask(self, path: str, method: str = "GET") -> Any:
        """Ask Orthanc's own interface; return what it answers as JSON, or as bytes if it is none."""
        with urllib.request.urlopen(_request(self.web, path, method), timeout=_PATIENCE) as answer:
            content = answer.read()
        try:
            return json.loads(content)
        except ValueError:
            return content

    def empty(self) -> None:
        """Delete all patients."""
        for patient in self.ask("patients"):
            self.ask(f"patients/{patient}", "DELETE")


@contextmanager
def running_orthanc(folder: Path) -> Generator[Orthanc, None, None]:
    """Start an Orthanc that keeps its data in a folder, and stop it; skip the test where it is not installed."""
    program = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None or not _DICOMWEB.exists():
        pytest.skip("Orthanc (Debian: orthanc, orthanc-dicomweb) is not installed")
    dicom_port, http_port = _free_ports(2)
    settings = folder / "orthanc.json"
    settings.write_text(json.dumps(_settings(folder, dicom_port, http_port)))
    login = Login(USER, PASSWORD)
    server = Orthanc(
        DimseServer("127.0.0.1", dicom_port, TITLE), WebServer(f"http://127.0.0.1:{http_port}/dicom-web", login)
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, str(settings)], stdout=log, stderr=log)
        try:
            _wait_for(server, process, folder / "log")
            yield server
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _settings(folder: Path, dicom_port: int, http_port: int) -> dict[str, Any]:
    return {
        "Name": "Test",
        "StorageDirectory": str(folder / "data"),
        "IndexDirectory": str(folder / "data"),
        "Plugins": [str(_DICOMWEB)],
        "DicomAet": TITLE,
        "DicomCheckCalledAet": True,
        "DicomPort": dicom_port,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _request(web: WebServer, path: str, method: str = "GET") -> urllib.request.Request:
    from engine.pacs_web import authorization

    assert web.login is not None
    url = f"{web.url.removesuffix('dicom-web')}{path}"
    return urllib.request.Request(url, method=method, headers={"Authorization": authorization(web.login)})


def _wait_for(server: Orthanc, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server.ask("system")
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    process.terminate()
    raise RuntimeError(f"Orthanc did not start: {log.read_text()[-2000:]}")
