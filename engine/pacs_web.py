"""A PACS over DICOMweb (PS3.18), through dicomweb-client: STOW-RS, QIDO-RS and WADO-RS."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

import requests
from pydicom import Dataset
from pydicom.filereader import dcmread  # pyright: ignore[reportUnknownVariableType]
from requests.auth import AuthBase

from engine.errors import InputError
from engine.pacs_connection import Login, WebServer
from engine.pacs_objects import DicomObject, whole_file
from engine.pacs_service import NO_SYNTAX, Level, Progress, Refusal, Take

#: Seconds until a computer that does not answer is given up, and an answer that does not go on.
_CONNECT_SECONDS, _ANSWER_SECONDS = 10, 60
#: What the servers' answers mean for the user.
_STATUS_SENTENCES = {
    401: "{name} asks for a user and password, or a token, and does not accept what it was given; check them.",
    403: "{name} does not permit this to you; ask who runs it.",
    404: "{name} has no such thing; check the address, which often ends in /dicom-web, or search again.",
    405: "{name} does not do this; check the address, which often ends in /dicom-web.",
    413: "{name} takes no objects of this size; ask who runs it.",
}


class WebService:
    """See `engine.pacs_service.Service`."""

    def __init__(self, server: WebServer) -> None:
        self._server = server
        self._name = server.url

    def check(self) -> None:
        """Ask for one study."""
        self.find("STUDY", {}, 1)

    def store(self, objects: Sequence[DicomObject], progress: Progress) -> list[Refusal]:
        """Ask for one study, then send each object in a request of its own; return those that were refused."""
        self.check()
        refused: list[Refusal] = []
        with self._client() as client:
            for done, one in enumerate(objects):
                progress(done, len(objects))
                with self._sentences(f"after {done} of {len(objects)} objects were sent"):
                    reason = _store(client, one)
                if reason:
                    refused.append(Refusal(one, reason))
        progress(len(objects), len(objects))
        return refused

    def find(self, level: Level, keys: Mapping[str, str], most: int) -> list[Dataset]:
        """Ask QIDO-RS."""
        filters: dict[str, Any] = {keyword: value for keyword, value in keys.items() if value}
        study, series = filters.pop("StudyInstanceUID", None), filters.pop("SeriesInstanceUID", None)
        asked: dict[str, Any] = {"search_filters": filters, "fields": list(keys), "limit": most}
        with self._client() as client, self._sentences("during the search"):
            match level:
                case "STUDY":
                    matches = client.search_for_studies(**asked)
                case "SERIES":
                    matches = client.search_for_series(study, **asked)
                case "IMAGE":
                    matches = client.search_for_instances(study, series, **asked)
            return [Dataset.from_json(match) for match in matches[:most]]

    def retrieve(self, study_uid: str, series_uid: str, take: Take) -> None:
        """Ask WADO-RS for the series, as one stream."""
        as_stored = (("application/dicom", "*"),)
        with self._client() as client:
            with self._sentences("before anything was received"):
                datasets = client.iter_series(study_uid, series_uid, as_stored)
            while True:
                with self._sentences("in the middle of the series"):
                    dataset = next(datasets, None)
                if dataset is None:
                    return
                take(dataset)

    @contextmanager
    def _client(self) -> Generator[Any, None, None]:
        def answered(response: requests.Response, *_args: Any, **_kwargs: Any) -> None:
            # The session leaves the connection of an answer open that is streamed and not read to its end.
            answers.callback(response.close)
            _strip_parameters(response)

        with requests.Session() as session, ExitStack() as answers:
            session.auth = _Finish(self._server.login)
            # Without types for the type checker: its annotations are partial.
            client: Any = import_module("dicomweb_client.web").DICOMwebClient(
                self._server.url,
                session,
                callback=answered,
                permissive_uid=True,
                timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS),
            )
            # Of its own, the client sends again after errors; a body that it streams would then be empty.
            client.set_http_retry_params(retry=False)
            yield client

    @contextmanager
    def _sentences(self, when: str) -> Generator[None, None, None]:
        """Turn what libraries raise into one sentence."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except requests.HTTPError as error:
            response: Any = error.response
            raise InputError(self._status_sentence(response.status_code)) from error
        except requests.exceptions.SSLError as error:
            raise InputError(
                f"The certificate of {self._name} is not trusted by this computer; have its authority entered there."
            ) from error
        except (requests.ConnectionError, requests.exceptions.InvalidURL) as error:
            raise InputError(
                f"{self._name} does not answer, or broke off {when}; check the address and try again."
            ) from error
        except InputError:
            raise
        except ValueError as error:  # Some `requests.RequestException`, too: an answer that is no JSON.
            raise self._no_answer(when) from error
        except requests.RequestException as error:
            raise InputError(f"{self._name} broke off {when}; try again, which does no harm.") from error
        except (OSError, MemoryError):
            raise
        except Exception as error:  # pydicom lets through whatever damaged bytes set off
            raise self._no_answer(when) from error

    def _no_answer(self, when: str) -> InputError:
        return InputError(f"{self._name} sent what is no DICOMweb answer {when}; check the address and try again.")

    def _status_sentence(self, status: int) -> str:
        known = _STATUS_SENTENCES.get(status)
        if known:
            return known.format(name=self._name)
        return f"{self._name} failed with HTTP status {status}; try again, or ask who runs it."


class _Finish(AuthBase):
    """Gives each request its login, before it is sent. With this in place, requests looks into no .netrc."""

    def __init__(self, login: Login | None) -> None:
        self._login = login

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # dicomweb-client names the host without its port; without a name, the right one is sent.
        request.headers.pop("Host", None)
        # The same to the standard (RFC 3986, 3.4), but Debian 12's Orthanc finds nothing with it encoded.
        request.url = (request.url or "").replace("%2A", "*")
        if self._login is not None:
            request.headers["Authorization"] = authorization(self._login)
        return request


def authorization(login: Login) -> str:
    """Return the value of the header Authorization: Basic (RFC 7617, in UTF-8), or Bearer (RFC 6750)."""
    if not login.user:
        return f"Bearer {login.secret}"
    return f"Basic {base64.b64encode(f'{login.user}:{login.secret}'.encode()).decode()}"


def _strip_parameters(response: requests.Response) -> None:
    """Strip "; charset=utf-8", with which dicomweb-client would pass over what the server says of stored objects."""
    kind, _, rest = response.headers.get("Content-Type", "").partition(";")
    if rest and "boundary" not in rest:
        response.headers["Content-Type"] = kind.strip()


def _store(client: Any, one: DicomObject) -> str:
    """Send one object; return why it was refused, empty if it was not."""
    dataset: Dataset = dcmread(whole_file(one))
    if "TransferSyntaxUID" not in dataset.file_meta:
        return NO_SYNTAX
    try:
        answer = client.store_instances([dataset])
    except requests.HTTPError as error:
        response: Any = error.response
        # PS3.18, table 10.5.3-1: what concerns this object, not the server or the login.
        if response.status_code not in (400, 409, 415, 422):
            raise
        return _failure(response) or f"HTTP status {response.status_code}"
    return _failure_in(answer)


def _failure(response: requests.Response) -> str:
    try:
        return _failure_in(Dataset.from_json(response.json()))
    except (ValueError, TypeError, AttributeError, LookupError):
        return ""


def _failure_in(answer: Dataset) -> str:
    failed: Any = answer.get("FailedSOPSequence")
    return f"reason 0x{int(failed[0].get('FailureReason') or 0):04X}" if failed else ""
