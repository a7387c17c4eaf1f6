"""How a server of DICOM objects (a PACS) is reached: over DIMSE or over DICOMweb. Cheap to import."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from engine.errors import InputError

#: What this program calls itself towards a PACS, unless the PACS knows it by another name.
OWN_TITLE = "NODULESTUDIO"
#: PS3.8: the port that is registered for DICOM.
_DICOM_PORT = 104
_EXAMPLES = "dicom://AE@host:port or https://host/dicom-web"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class DimseServer:
    """A PACS that is spoken to in DIMSE (PS3.7): C-ECHO, C-STORE, C-FIND and C-GET.

    Attributes
    ----------
    host, port : name or address of the computer, and the port it listens on
    called : Application Entity title of the server
    calling : Application Entity title of this program, by which the server knows it

    Raises
    ------
    InputError
        If a title is not one (PS3.5: 1 to 16 printable ASCII characters without a backslash), or host or port.
    """

    host: str
    port: int
    called: str
    calling: str = OWN_TITLE

    def __post_init__(self) -> None:
        for title in (self.called, self.calling):
            printable = title.isascii() and title.isprintable() and "\\" not in title
            if not (title.strip() and len(title) <= 16 and printable):
                raise InputError(f'"{title}" is not an AE title; give 1 to 16 plain characters, as the PACS has it.')
        if not self.host or not 0 < self.port < 65536:
            raise InputError(f"{self.address} names no computer and port; write it as dicom://AE@host:port.")

    @property
    def address(self) -> str:
        """What `parse_address` reads; the calling title is not in it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"dicom://{self.called}@{host}:{self.port}"


@dataclass(frozen=True)
class Login:
    """What opens a DICOMweb server. Lives in memory only; its text shows no secret.

    Attributes
    ----------
    user : empty if `secret` is a bearer token (RFC 6750), else that of HTTP Basic (RFC 7617)
    secret : password or token
    """

    user: str = ""
    secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.user and not re.fullmatch(r"[A-Za-z0-9\-._~+/]*=*", self.secret):
            raise InputError("This is no bearer token; give a user name, too, if it is a password.")
        if ":" in self.user:
            raise InputError("A user name cannot have a colon in it; check it.")


@dataclass(frozen=True)
class WebServer:
    """A PACS that is spoken to in DICOMweb (PS3.18): STOW-RS, QIDO-RS and WADO-RS.

    Attributes
    ----------
    url : the part before /studies
    login : Login or None

    Raises
    ------
    InputError
        If the URL is not one, or has a password in it.
    """

    url: str
    login: Login | None = None

    def __post_init__(self) -> None:
        parts = _split(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise InputError(
                f'"{self.url}" is not the address of a DICOMweb server; write it as https://host/dicom-web.'
            )
        if parts.username is not None:
            raise InputError(
                "Leave user and password out of the address, which is remembered; give them by themselves."
            )

    @property
    def address(self) -> str:
        """What `parse_address` reads; without the login."""
        return self.url

    @property
    def warning(self) -> str:
        """One sentence if the login travels where others on the network can read it, else empty."""
        parts = urlsplit(self.url)
        if self.login is None or parts.scheme == "https" or parts.hostname in _LOOPBACK:
            return ""
        return "Over http, others on the network can read the password or token; use https if the server has it."


Connection = DimseServer | WebServer


def parse_address(text: str, calling: str = OWN_TITLE, login: Login | None = None) -> Connection:
    """Read `dicom://AE@host:port` (104 if there is no port) or `https://host/path`.

    Parameters
    ----------
    calling : this program's AE title, for DIMSE
    login : for DICOMweb

    Raises
    ------
    InputError
        If it is neither.
    """
    text = text.strip()
    parts = _split(text)
    if parts.scheme in ("http", "https"):
        # In small letters, as `urlsplit` has it: the libraries know no other.
        return WebServer(parts.scheme + text[len(parts.scheme) :].rstrip("/"), login)
    if parts.scheme != "dicom":
        raise InputError(f'"{text}" is not the address of a PACS; write it as {_EXAMPLES}.')
    title, _, _ = parts.netloc.rpartition("@")
    if not title or not parts.hostname or parts.path.strip("/"):
        raise InputError(f'"{text}" does not name AE title and computer; write it as dicom://AE@host:port.')
    return DimseServer(parts.hostname, _DICOM_PORT if parts.port is None else parts.port, title, calling.strip())


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # Read here, for it raises if it is no number or out of range.
    except ValueError as error:
        raise InputError(f'"{text}" is not the address of a PACS; write it as {_EXAMPLES}.') from error
    return parts
