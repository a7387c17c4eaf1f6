"""A PACS over DIMSE (PS3.7), through pynetdicom: C-ECHO, C-STORE, C-FIND and C-GET on one association each."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydicom import Dataset
from pydicom.filereader import dcmread  # pyright: ignore[reportUnknownVariableType]
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    LegacyConvertedEnhancedCTImageStorage,
    RLELossless,
)
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import PresentationContext, build_context, build_role
from pynetdicom.status import code_to_category

from engine.errors import InputError
from engine.pacs_connection import DimseServer
from engine.pacs_objects import DicomObject, whole_file
from engine.pacs_service import NO_SYNTAX, Level, Progress, Refusal, Take

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.events import Event

#: Seconds until a computer that does not answer is given up, and an answer that does not come.
_CONNECT_SECONDS, _ANSWER_SECONDS = 10, 60
#: PS3.8, 9.3.2: an association has at most 128 presentation contexts; one is for C-ECHO, C-FIND or C-GET.
_MOST_CONTEXTS = 127
#: PS3.6, table A-1: SOP classes of C-ECHO and of the study root's C-FIND and C-GET.
_VERIFICATION = UID("1.2.840.10008.1.1")
_FIND, _GET = UID("1.2.840.10008.5.1.4.1.2.2.1"), UID("1.2.840.10008.5.1.4.1.2.2.3")
_CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
#: All that can be opened, so that a server need not decompress.
_CT_SYNTAXES = (
    *(ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian),
    *(*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes, RLELossless),
)
#: PS3.8, 9.3.4: (source, diagnostic) of a rejected association, and what to do about it.
_REJECTIONS = {
    (1, 3): 'it does not know the AE title "{calling}"; have this program\'s title entered there, or give another',
    (1, 7): 'it is not called "{called}"; check its AE title',
    (3, 1): "it is too busy; try again later",
    (3, 2): "it has too many connections open; try again later",
}


class _Stopped(BaseException):
    """Takes an error out of a handler: pynetdicom answers every `Exception` there and goes on."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class DimseService:
    """See `engine.pacs_service.Service`."""

    def __init__(self, server: DimseServer) -> None:
        self._server = server
        self._name = f"{server.called} at {server.host}:{server.port}"

    def check(self) -> None:
        """Associate and send a C-ECHO."""
        with self._association([]) as association:
            self._echo(association)

    def store(self, objects: Sequence[DicomObject], progress: Progress) -> list[Refusal]:
        """Send a C-ECHO, then one C-STORE after the other; return those that were refused."""
        refused: list[Refusal] = []
        with self._association(_storage_contexts(objects)) as association:
            self._echo(association)
            for done, one in enumerate(objects):
                progress(done, len(objects))
                reason = self._store(association, one, f"after {done} of {len(objects)} objects")
                if reason:
                    refused.append(Refusal(one, reason))
            progress(len(objects), len(objects))
        return refused

    def find(self, level: Level, keys: Mapping[str, str], most: int) -> list[Dataset]:
        """Send a C-FIND of the study root; stop listening after so many matches."""
        found: list[Dataset] = []
        with self._association([build_context(_FIND)]) as association:
            for status, match in association.send_c_find(_identifier(level, keys), _FIND):
                self._require_going(status, "search")
                if match is not None:
                    found.append(match)
                if len(found) == most:
                    association.abort()
                    break
        return found

    def retrieve(self, study_uid: str, series_uid: str, take: Take) -> None:
        """Send a C-GET of the series; the server sends its objects back on the same association."""

        def receive(event: Event) -> int:
            try:
                take(self._received(event))
            except Exception as error:
                raise _Stopped(error) from error
            return 0x0000

        contexts = [build_context(name, syntax) for name in _CT_CLASSES for syntax in _CT_SYNTAXES]
        roles = [build_role(name, scp_role=True) for name in _CT_CLASSES]
        keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
        with self._association([build_context(_GET), *contexts], roles, [(evt.EVT_C_STORE, receive)]) as association:
            try:
                for status, _ in association.send_c_get(_identifier("SERIES", keys), _GET):
                    self._require_going(status, "retrieval (C-GET)")
            except _Stopped as stopped:
                raise stopped.error from None

    def _received(self, event: Event) -> Dataset:
        try:
            dataset = event.dataset
            dataset.file_meta = event.file_meta
        except Exception as error:  # pydicom lets through whatever damaged bytes set off
            raise InputError(f"{self._name} sent an image that is damaged; ask who runs it.") from error
        return dataset

    @contextmanager
    def _association(
        self, contexts: Iterable[PresentationContext], roles: Sequence[Any] = (), handlers: Sequence[Any] = ()
    ) -> Generator[Association, None, None]:
        entity: Any = ApplicationEntity(ae_title=self._server.calling)
        entity.connection_timeout = entity.acse_timeout = _CONNECT_SECONDS
        entity.dimse_timeout = entity.network_timeout = _ANSWER_SECONDS
        asked = [build_context(_VERIFICATION), *contexts]
        association = self._associate(entity, asked, roles, handlers)
        if not association.is_established:
            raise InputError(self._why_not(association))
        try:
            yield association
            association.release()
        finally:
            if association.is_established:
                association.abort()
            association.join(_CONNECT_SECONDS)

    def _associate(
        self, entity: Any, contexts: list[PresentationContext], roles: Sequence[Any], handlers: Sequence[Any]
    ) -> Association:
        """Ask for an association, again if it was broken off at once.

        A server that refuses may close the connection so soon that its reason is lost on the way: one refusal in 150 of
        Orthanc was.
        """
        server, began = self._server, time.monotonic()

        def ask() -> Association:
            return entity.associate(
                server.host, server.port, contexts, server.called, ext_neg=list(roles), evt_handlers=list(handlers)
            )

        try:
            association = ask()
            answered = association.is_established or association.is_rejected
            return association if answered or time.monotonic() - began >= _CONNECT_SECONDS else ask()
        except (OSError, UnicodeError) as error:  # UnicodeError: a label that no name of a computer may have.
            raise InputError(f'There is no computer called "{server.host}"; check the address.') from error

    def _why_not(self, association: Association) -> str:
        if not association.is_rejected:
            return f"{self._name} does not answer as a PACS; check host and port, and whether it runs."
        answer: Any = association.acceptor.primitive
        known = _REJECTIONS.get((answer.result_source, answer.diagnostic))
        reason = known or f"{answer.reason_str}; ask who runs it"
        return f"{self._name} refuses the connection: {reason.format(**vars(self._server))}."

    def _echo(self, association: Association) -> None:
        try:
            status = association.send_c_echo()
        except ValueError as error:  # It does not take C-ECHO, which every DICOM server must.
            raise InputError(f"{self._name} does not answer as a PACS; check host and port.") from error
        self._require_going(status, "C-ECHO")

    def _store(self, association: Association, one: DicomObject, how_far: str) -> str:
        """Send one object; return why it was refused, empty if it was not."""
        try:
            file = whole_file(one)
            status = association.send_c_store(file if isinstance(file, Path) else dcmread(file))
        except ValueError:
            return f"{UID(one.sop_class).name} is not taken there"
        except AttributeError:  # pynetdicom looks for it in the file, without which there is no such attribute.
            return NO_SYNTAX
        except RuntimeError:  # The association ended between two objects.
            status = Dataset()
        if "Status" not in status:
            raise InputError(
                f"{self._name} broke off {how_far}; send again, which does no harm to those that are there."
            )
        if code_to_category(status.Status) in ("Success", "Warning"):
            return ""
        return _reason(status)

    def _require_going(self, status: Dataset, what: str) -> None:
        if "Status" not in status:
            raise InputError(f"{self._name} broke off during the {what}; try again.")
        if code_to_category(status.Status) not in ("Success", "Warning", "Pending"):
            raise InputError(f"{self._name} refuses the {what} ({_reason(status)}); ask who runs it.")


def _storage_contexts(objects: Sequence[DicomObject]) -> list[PresentationContext]:
    """Return one context for each kind of object and transfer syntax, so that each can be taken as it is.

    With Implicit VR Little Endian beside them, the default of DICOM (PS3.5, 10.1), for what is not compressed.
    """
    wanted: dict[tuple[str, str], None] = {}
    for one in objects:
        wanted[one.sop_class, one.transfer_syntax] = None
        if not UID(one.transfer_syntax).is_compressed:
            wanted[one.sop_class, ImplicitVRLittleEndian] = None
    return [build_context(sop_class, syntax) for sop_class, syntax in wanted][:_MOST_CONTEXTS]


def _identifier(level: Level, keys: Mapping[str, str]) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    if not "".join(keys.values()).isascii():
        identifier.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def _reason(status: Dataset) -> str:
    comment = str(status.get("ErrorComment") or "").strip()
    return f"{comment or 'status'} 0x{status.Status:04X}"
