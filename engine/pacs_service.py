"""What every kind of PACS server can be asked, whichever way it is spoken to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from engine.pacs_connection import Connection, DimseServer
from engine.pacs_objects import DicomObject

if TYPE_CHECKING:
    from pydicom import Dataset

#: Why a file is not sent that nobody could read there.
NO_SYNTAX = "it has no Transfer Syntax UID; export it again"
Level = Literal["STUDY", "SERIES", "IMAGE"]
#: Called with (objects done, objects in all); what it raises ends the work.
Progress = Callable[[int, int], None]
#: Called with each object as it arrives, file meta information included; what it raises ends the work.
Take = Callable[["Dataset"], None]


@dataclass(frozen=True)
class Refusal:
    """An object that a server did not take, and why in a few words."""

    one: DicomObject
    reason: str


class Service(Protocol):
    """A server. All of its methods raise `InputError` with one sentence where it does not do what was asked."""

    def check(self) -> None:
        """Find out whether the server is there and talks to us."""
        ...

    def store(self, objects: Sequence[DicomObject], progress: Progress) -> list[Refusal]:
        """Send objects; return those that were refused."""
        ...

    def find(self, level: Level, keys: Mapping[str, str], most: int) -> list[Dataset]:
        """Return at most so many matches.

        Parameters
        ----------
        level : of the query/retrieve information model (PS3.4, C.3.2: study root)
        keys : keywords of attributes to match and to return, with wildcards and ranges as PS3.4, C.2.2.2 has them
            An empty text matches all.
        """
        ...

    def retrieve(self, study_uid: str, series_uid: str, take: Take) -> None:
        """Have all objects of a series sent here, in the transfer syntax in which the server has them."""
        ...


def service_of(connection: Connection) -> Service:
    """Return the server that a connection leads to; nothing is sent yet."""
    if isinstance(connection, DimseServer):
        from engine.pacs_dimse import DimseService

        return DimseService(connection)
    from engine.pacs_web import WebService

    return WebService(connection)
