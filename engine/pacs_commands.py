"""``nodule-engine send`` and ``fetch``: exports to a PACS, and series from one."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from engine.pacs_connection import OWN_TITLE, Connection, Login, WebServer, parse_address
from engine.pacs_service import Progress

if TYPE_CHECKING:
    from engine.pacs_search import Series, Study

#: Secrets come from the environment or the keyboard: what stands in arguments, every user of the computer can read.
PASSWORD_VARIABLE, TOKEN_VARIABLE = "NODULE_PACS_PASSWORD", "NODULE_PACS_TOKEN"


def add_send(commands: Any) -> None:
    """Add the command."""
    send = commands.add_parser("send", help="send the DICOM objects of an export to a PACS", allow_abbrev=False)
    send.add_argument("folder", metavar="FOLDER", type=Path, help="of the export, with the folders in it")
    _add_connection(send, "--to")
    send.set_defaults(run=_send)


def add_fetch(commands: Any) -> None:
    """Add the command."""
    fetch = commands.add_parser(
        "fetch",
        help="find studies on a PACS, fetch a CT series",
        description="Without --study: lists studies. With it: lists its series. With --series, too: fetches it.",
        allow_abbrev=False,
    )
    _add_connection(fetch, "--from")
    add = fetch.add_argument
    add("--patient-name", default="", metavar="PART", help="of those who are looked for")
    add("--patient-id", default="", metavar="PART", help="of those who are looked for")
    add("--first", type=_day, metavar="YYYY-MM-DD", help="first day of the studies looked for")
    add("--last", type=_day, metavar="YYYY-MM-DD", help="last day of the studies looked for")
    add("--modality", default="CT", help="of the studies looked for; empty for all [%(default)s]")
    add("--study", metavar="UID", help="whose series are listed")
    add("--series", metavar="UID", help="of --study: fetched to --out")
    add("--out", type=Path, metavar="FOLDER", help="made; what INPUT is for place, afterwards")
    fetch.set_defaults(run=_fetch)


def _add_connection(command: argparse.ArgumentParser, name: str) -> None:
    add = command.add_argument
    add(
        name,
        dest="address",
        required=True,
        metavar="ADDRESS",
        help="dicom://AE@host:port, or https://host/dicom-web",
    )
    add("--calling", default=OWN_TITLE, metavar="AE", help="AE title by which the PACS knows us [%(default)s]")
    add(
        "--user",
        default="",
        help=f"of a DICOMweb server; the password is asked for, or taken from {PASSWORD_VARIABLE}; "
        f"without a user, a bearer token from {TOKEN_VARIABLE}",
    )


def _send(options: argparse.Namespace) -> None:
    from engine.pacs import send_objects
    from engine.pacs_objects import find_objects, identity_warning, what_there_is

    connection = _connection(options)
    objects = find_objects([options.folder])
    _warn(identity_warning(objects))
    with _bar("object") as progress:
        count = send_objects(objects, connection, progress)
    print(json.dumps({"sent": count, "what": what_there_is(objects), "to": connection.address}))


def _fetch(options: argparse.Namespace) -> None:
    from engine.pacs_search import MOST_FOUND, StudyFilter, find_series, find_studies

    connection = _connection(options)
    if options.series is not None:
        _fetch_series(connection, options)
        return
    found: Sequence[Study | Series]
    if options.study is not None:
        found = find_series(connection, options.study)
    else:
        wanted = StudyFilter(options.patient_name, options.patient_id, options.first, options.last, options.modality)
        found, is_cut_off = find_studies(connection, wanted)
        if is_cut_off:
            _warn(f"The search stopped after {MOST_FOUND} studies; narrow it to see others.")
    for one in found:
        print(_printable(asdict(one)))


def _printable(record: dict[str, Any]) -> str:
    """Return a line of JSON; a console that has not all of its letters gets JSON's own signs for them."""
    line = json.dumps(record, ensure_ascii=False)
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(record)
    return line


def _fetch_series(connection: Connection, options: argparse.Namespace) -> None:
    from engine.pacs import fetch_series

    if options.study is None or options.out is None:
        raise InputError("To fetch a series, give --study, --series and --out.")
    with _bar("image") as progress:
        fetch_series(connection, options.study, options.series, options.out, progress)
    images = sum(1 for _ in options.out.iterdir())
    print(json.dumps({"images": images, "series": options.series, "out": str(options.out)}))


def _connection(options: argparse.Namespace) -> Connection:
    connection = parse_address(options.address, options.calling, _login(options.user))
    if isinstance(connection, WebServer):
        _warn(connection.warning)
    return connection


def _login(user: str) -> Login | None:
    if not user:
        token = os.environ.get(TOKEN_VARIABLE, "")
        return Login(secret=token) if token else None
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is None and not sys.stdin.isatty():
        raise InputError(f"There is no password for {user}; put it into the environment variable {PASSWORD_VARIABLE}.")
    return Login(user, getpass(f"Password of {user}: ") if password is None else password)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2024-01-31") from None


def _warn(sentence: str) -> None:
    if sentence:
        print(sentence, file=sys.stderr)


@contextmanager
def _bar(unit: str) -> Generator[Progress, None, None]:
    """Yield what shows (done, in all) on standard error, if that is a terminal."""
    from tqdm import tqdm

    with tqdm(unit=unit, file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def show(done: int, count: int) -> None:
            bar.total = count
            bar.update(done - bar.n)

        yield show
