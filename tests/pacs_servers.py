"""Small PACS servers inside the test's own process, that do wrong what a real one seldom does."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydicom import Dataset
from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)

from engine.pacs_connection import DimseServer, Login, WebServer

TITLE = "PACS"


def closed_port() -> int:
    """A port of this computer on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@contextmanager
def dimse_server(
    handlers: Sequence[Any] = (), storage: Sequence[str] | None = None, **rules: Any
) -> Generator[DimseServer, None, None]:
    """A server with pynetdicom's (event, handler) pairs; `storage`: SOP classes that it takes, all if left out.

    `rules` are attributes of pynetdicom's application entity, such as `require_called_aet`.
    """
    entity = ApplicationEntity(TITLE)
    for context in AllStoragePresentationContexts:
        if storage is None or context.abstract_syntax in storage:
            entity.add_supported_context(context.abstract_syntax, scu_role=True, scp_role=True)
    for name in (
        Verification,
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelGet,
    ):
        entity.add_supported_context(name)
    for name, value in rules.items():
        setattr(entity, name, value)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(handlers))
    try:
        yield DimseServer("127.0.0.1", server.server_address[1], TITLE)
    finally:
        server.shutdown()
        entity.shutdown()


#: What an HTTP server answers: (status, content type, body).
Answer = tuple[int, str, bytes]


@contextmanager
def web_server(
    answer: Callable[[Any], Answer], login: Login | None = None, tls: ssl.SSLContext | None = None
) -> Generator[WebServer, None, None]:
    """A server that answers every request with what `answer` returns. It closes every connection afterwards."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError, ValueError):  # It may have closed the connection.
                self._send(*answer(self))

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.posted = _body_of(self)
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield WebServer(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/dicom-web", login)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _body_of(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers["Content-Length"]))
    body = b""
    while size := int(request.rfile.readline(), 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body


def multipart(parts: Sequence[bytes]) -> tuple[str, bytes]:
    """Return content type and body of DICOM files as WADO-RS sends them."""
    head = b"\r\n--cut\r\nContent-Type: application/dicom\r\n\r\n"
    return 'multipart/related; type="application/dicom"; boundary=cut', b"".join(
        head + part for part in parts
    ) + b"\r\n--cut--"


def image_match(uid: str) -> Dataset:
    """What a search for images answers of one."""
    match = Dataset()
    match.SOPInstanceUID = uid
    return match
