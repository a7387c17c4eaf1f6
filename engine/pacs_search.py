"""Find studies and series on a PACS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.errors import InputError
from engine.pacs_connection import Connection
from engine.pacs_service import service_of

if TYPE_CHECKING:
    from pydicom import Dataset

#: A search returns no more: whoever gets so many narrows it.
MOST_FOUND = 200


@dataclass(frozen=True)
class StudyFilter:
    """Which studies to look for; what is left empty matches all.

    Attributes
    ----------
    patient_name, patient_id : a part of it, or several in their order
    first, last : both included
    modality : that at least one series has
    """

    patient_name: str = ""
    patient_id: str = ""
    first: date | None = None
    last: date | None = None
    modality: str = ""


@dataclass(frozen=True)
class Study:
    """A study that a PACS has; texts are empty where it does not say. `day` is YYYY-MM-DD."""

    uid: str
    patient_name: str
    patient_id: str
    day: str
    description: str
    modalities: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """A series that a PACS has. `images` is None where it does not say how many there are."""

    uid: str
    study_uid: str
    number: str
    modality: str
    description: str
    images: int | None


class FoundStudies(NamedTuple):
    """Studies, the newest first; and whether the server may have more, for no more than `MOST_FOUND` are taken."""

    studies: list[Study]
    is_cut_off: bool


def find_studies(connection: Connection, wanted: StudyFilter = StudyFilter()) -> FoundStudies:
    """Return the studies that match.

    Raises
    ------
    InputError
        If the server cannot be reached or refuses.
    """
    keys = {
        "StudyInstanceUID": "",
        "PatientName": _part(wanted.patient_name),
        "PatientID": _part(wanted.patient_id),
        "StudyDate": _range(wanted.first, wanted.last),
        "ModalitiesInStudy": wanted.modality.strip(),
        "StudyDescription": "",
    }
    found = [_study(match) for match in service_of(connection).find("STUDY", keys, MOST_FOUND)]
    # Matching by modality is optional (PS3.4, C.6.2.1.2): some servers answer with all modalities.
    modality = keys["ModalitiesInStudy"]
    fitting = [study for study in found if not study.modalities or not modality or modality in study.modalities]
    return FoundStudies(sorted(fitting, key=lambda study: study.day, reverse=True), len(found) == MOST_FOUND)


def find_series(connection: Connection, study_uid: str) -> list[Series]:
    """Return the series of a study, by their numbers.

    Raises
    ------
    InputError
        If the server cannot be reached or refuses.
    """
    keys = {
        "StudyInstanceUID": checked_uid(study_uid),
        "SeriesInstanceUID": "",
        "Modality": "",
        "SeriesNumber": "",
        "SeriesDescription": "",
        "NumberOfSeriesRelatedInstances": "",
    }
    found = [_series(match, study_uid) for match in service_of(connection).find("SERIES", keys, MOST_FOUND)]
    return sorted(found, key=lambda series: (int(series.number) if series.number.isdecimal() else 0, series.uid))


def _study(match: Dataset) -> Study:
    day = text_of(match, "StudyDate")
    return Study(
        text_of(match, "StudyInstanceUID"),
        text_of(match, "PatientName").replace("^", " ").strip(),
        text_of(match, "PatientID"),
        f"{day[:4]}-{day[4:6]}-{day[6:8]}" if re.fullmatch(r"\d{8}", day) else "",
        text_of(match, "StudyDescription"),
        tuple(text_of(match, "ModalitiesInStudy").split("\\")) if text_of(match, "ModalitiesInStudy") else (),
    )


def _series(match: Dataset, study_uid: str) -> Series:
    count = text_of(match, "NumberOfSeriesRelatedInstances")
    return Series(
        text_of(match, "SeriesInstanceUID"),
        study_uid,
        text_of(match, "SeriesNumber"),
        text_of(match, "Modality"),
        text_of(match, "SeriesDescription"),
        int(count) if count.isdecimal() else None,
    )


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return an attribute as text, several values joined by a backslash; empty if it is missing or no value."""
    from pydicom.multival import MultiValue

    from engine.dicom_headers import value_of

    value: Any = value_of(dataset, keyword)
    # A person's name can be iterated over, too.
    several = type(value) in (list, MultiValue)
    return "" if value is None else "\\".join(map(str, value)) if several else str(value)


def _part(text: str) -> str:
    """Return what matches texts that have these words in this order: names have ^ between their parts."""
    return "*".join(["", *text.split(), ""]) if text.strip() else ""


def _range(first: date | None, last: date | None) -> str:
    if first is None and last is None:
        return ""
    return "-".join(day.strftime("%Y%m%d") if day else "" for day in (first, last))


def checked_uid(text: str) -> str:
    """Return a UID that may stand in addresses and names of folders.

    Raises
    ------
    InputError
        If it is none.
    """
    if not re.fullmatch(r"[0-9][0-9.]{0,63}", text):
        raise InputError(f'"{text}" is not a UID; copy it from the list of studies or series.')
    return text
