"""Headers without the patient's identity, and a list of what became of it.

The Basic Application Confidentiality Profile of DICOM PS3.15, Annex E, with the actions of its Table E.1-1 as the
library dicom-anonymizer has them. What may be removed is removed, dates included; what must be there is emptied; UIDs,
the patient's name and ID are replaced by what a secret of this computer makes of them, so that one study stays one
study over many exports, and nobody without the secret can tell whose it is.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from engine.errors import InputError
from engine.export_attributes import read_element
from engine.synthetic_data import NOBODY, says_made_whole
from engine.versions import PROGRAM

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.tag import BaseTag

#: Edition of the standard whose Table E.1-1 is followed.
EDITION = "2026c"
METHOD = f"{PROGRAM}: PS3.15 Basic Profile, {EDITION}"
#: Identity of which the table says nothing: who gave the patient's ID; dates of birth and death in another calendar.
_NOT_IN_TABLE = ((0x0010, 0x0024), (0x0010, 0x0033), (0x0010, 0x0034), (0x0010, 0x0035))
_KEY_BYTES = 32
_Rules = dict[tuple[int, ...], Callable[[Any, Any], None]]


def deidentified(header: Dataset, otherwise: str = "") -> Dataset:
    """Return a copy of a header without identity; without private and unknown attributes and what cannot be read.

    Where the image was made whole, the ID stays: it is nobody's.

    Parameters
    ----------
    otherwise : str
        What tells the patient from others where the header does not (`identity_of`).
    """
    library: Any = import_module("dicomanonymizer.simpledicomanonymizer")
    known = copied(header)
    number, identity, is_nobodys = _text(known, "PatientID"), identity_of(known), says_made_whole(known)
    for dataset in _with_items(known):
        _remove_unknown(dataset)
        library.anonymize_dataset(dataset, base_rules_gen=_rules)
    if is_nobodys:
        known.PatientName, known.PatientID = NOBODY, number
    else:
        _name_patient(known, pseudonym(identity or otherwise))
    _say_what_was_done(known)
    return known


def identity_of(header: Dataset) -> str:
    """Return what tells a patient from others, never to be written anywhere; empty if the header says nothing.

    That is the patient's ID, together with who issued it if that is said: other hospitals give the same one to other
    people. Without an ID, it is the UID of the study, or else of the series.
    """
    number = _text(header, "PatientID")
    issuer = _issuer(header) if number else []
    if issuer:
        return json.dumps([number, *issuer])
    return number or _text(header, "StudyInstanceUID") or _text(header, "SeriesInstanceUID")


def copied(header: Dataset) -> Dataset:
    """Return a copy of a header without private attributes and without what makes no value."""
    from pydicom import Dataset

    copy = Dataset()
    for tag in header.keys():  # noqa: SIM118, a Dataset iterates over values, and some of them raise
        element = None if tag.is_private else read_element(header, tag)
        if element is not None:
            copy.add(element)
    copy.remove_private_tags()
    return copy


def pseudonym(identity: str) -> str:
    """Return what stands for a patient: the same for the same one on this computer, and for no other."""
    return f"NS-{_keyed('patient', identity)[:12].upper()}"


def new_uid(uid: str) -> str:
    """Return what stands for a UID: the same for the same one on this computer."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=[_keyed("uid", uid)]))


def identity_record(header: Dataset | None, image: Dataset, keep_identity: bool) -> dict[str, Any]:
    """Return what `deidentification.json` holds: names of attributes, never the values that were removed.

    Parameters
    ----------
    header : the source's, as it was read; None if the source was not DICOM
    image : the CT image that was made of it
    """
    tags = list(header.keys()) if header is not None else []
    standard = [tag for tag in tags if not tag.is_private]
    kept = [tag for tag in standard if header is not None and _same(header, image, tag)]
    gone = [tag for tag in standard if tag not in image or image[tag].is_empty]
    return {
        "identity_kept": keep_identity,
        "method": _method(header, keep_identity),
        "kept": _names(kept),
        "replaced": _names([tag for tag in standard if tag not in kept and tag not in gone]),
        "removed": _names([tag for tag in gone if tag not in kept]),
        "private_removed": [str(tag) for tag in tags if tag.is_private],
        "burnt_in": _burnt_in(header),
        "also_kept": "Hashes of the HU before and after, in request.json: who has the source can recognise it by them.",
    }


def _issuer(header: Dataset) -> list[str]:
    """Return what the header says of who issued the patient's ID; empty if it says nothing."""
    from pydicom.tag import Tag

    qualifiers = read_element(header, Tag("IssuerOfPatientIDQualifiersSequence"))
    items = qualifiers.value if qualifiers is not None and qualifiers.VR == "SQ" else ()
    # As `deidentified` does, so that both see the same: without what is private or makes no value.
    elements = [element for item in items for element in copied(item).iterall() if element.VR != "SQ"]
    said = [f"{element.tag} {element.value}" for element in elements if not element.is_empty]
    return [text for text in (_text(header, "IssuerOfPatientID"), *said) if text]


def _text(header: Dataset, keyword: str) -> str:
    """Return an attribute as text; empty if it is missing, or is none (`engine.dicom_types`).

    Several values stay several, as `['1', '2']`: a backslash in an ID makes two of it, and both make the patient.
    """
    from pydicom.tag import Tag

    element = read_element(header, Tag(keyword))
    return "" if element is None else str(element.value or "").strip()


def _method(header: Dataset | None, keep_identity: bool) -> str:
    if header is None:
        return "none: there was no DICOM header"
    return "none: the identity was to be kept" if keep_identity else METHOD


@cache
def _rules() -> _Rules:
    """Return the action for each attribute of Table E.1-1: the library's, but for dates and UIDs; and for some more.

    Where the table leaves the choice, the library puts the word ANONYMIZED, 0, or a date of the year 1. Here such
    attributes go, and `engine.export_attributes.copy_source` adds empty ones of Type 2 again.
    """
    library: Any = import_module("dicomanonymizer.simpledicomanonymizer")
    instead: dict[Any, Any] = {
        library.delete: _remove,
        library.delete_or_empty: _remove,
        library.delete_or_replace: _remove,
        library.delete_or_empty_or_replace: _remove,
        library.empty: _empty,
        library.empty_or_replace: _empty,
        library.replace_UID: _replace_uid,
    }
    actions: dict[Any, Any] = library.initialize_actions(f"dicomfields_{EDITION}")
    rules = {tag: instead.get(action, action) for tag, action in actions.items()}
    return rules | dict.fromkeys(_NOT_IN_TABLE, _remove)


def _remove_unknown(dataset: Dataset) -> None:
    """Remove what the standard does not name: nobody can say what it holds."""
    from pydicom.datadict import keyword_for_tag

    for tag in list(dataset.keys()):
        if not keyword_for_tag(tag):
            del dataset[tag]


def _remove(dataset: Dataset, tag: Any) -> None:
    dataset.pop(tag, None)


def _empty(dataset: Dataset, tag: Any) -> None:
    element: Any = dataset.get(tag)
    if element is not None:
        element.clear()


def _replace_uid(dataset: Dataset, tag: Any) -> None:
    element: Any = dataset.get(tag)
    if element is not None and not element.is_empty:
        uids: Any = element.value if element.VM > 1 else [element.value]
        element.value = [new_uid(str(uid)) for uid in uids]


def _with_items(dataset: Dataset) -> list[Dataset]:
    """Return a data set and those in its sequences, at every depth."""
    items = [item for element in dataset if element.VR == "SQ" for item in element.value]
    return [dataset, *(deeper for item in items for deeper in _with_items(item))]


def _name_patient(header: Dataset, name: str) -> None:
    header.PatientID = name
    header.PatientName = f"{name}^Deidentified"


def _say_what_was_done(header: Dataset) -> None:
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    earlier: Any = header.get("DeidentificationMethod") or []
    methods = [earlier] if isinstance(earlier, str) else list(earlier)
    header.PatientIdentityRemoved = "YES"
    header.DeidentificationMethod = [*methods, METHOD]
    profile: Any = codes.DCM.BasicApplicationConfidentialityProfile
    items = list(header.get("DeidentificationMethodCodeSequence") or [])
    header.DeidentificationMethodCodeSequence = [*items, CodedConcept.from_code(profile)]
    header.LongitudinalTemporalInformationModified = "REMOVED"


def _same(header: Dataset, image: Dataset, tag: BaseTag) -> bool:
    before, after = read_element(header, tag), read_element(image, tag)
    if before is None or after is None or after.is_empty:
        return False
    return bool(before.value == after.value)


def _names(tags: list[Any]) -> list[str]:
    from pydicom.datadict import keyword_for_tag

    return [f"{keyword_for_tag(tag)} {tag}".strip() for tag in tags]


def _burnt_in(header: Dataset | None) -> str:
    stated = _text(header, "BurnedInAnnotation") if header is not None else ""
    if stated == "YES":
        return "The source says that text is burnt into its pixels; look at every picture before you pass it on."
    if stated == "NO":
        return "The source says that no text is burnt into its pixels; faces and jewellery can still be recognised."
    kinds = _text(header, "ImageType") if header is not None else "DERIVED"
    secondary = "DERIVED" in kinds or "SECONDARY" in kinds
    likely = "and it was processed before, so that there may be" if secondary else "which is rare in slices as scanned"
    return f"The source does not say whether text is burnt into its pixels, {likely}; look before you pass it on."


def _keyed(what: str, identity: str) -> str:
    path = platformdirs.user_data_path("nodule-studio", appauthor=False) / "deidentification.key"
    return hmac.new(_secret(path), f"{what} {identity}".encode(), "sha256").hexdigest()


@cache
def _secret(path: Path) -> bytes:
    """Return the secret of this computer's user, made at its first use."""
    try:
        if not path.is_file():
            _make_secret(path)
        secret = bytes.fromhex(path.read_text())
    except OSError as error:
        raise InputError(
            f"The key that stands between pseudonyms and patients cannot be kept in {path}; "
            "make that file's folder writable, or export with the identity kept."
        ) from error
    except ValueError:
        secret = b""
    if len(secret) != _KEY_BYTES:  # With an empty one, anybody could find the patients again by trying names.
        raise InputError(
            f"The key in {path} is damaged; restore it from a copy, or remove it: patients then get new pseudonyms."
        )
    return secret


def _make_secret(path: Path) -> None:
    """Write a new key, whole or not at all; that of another process stays."""
    key = secrets.token_hex(_KEY_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{key[:8]}")
    written.touch(mode=0o600)
    try:
        with written.open("w") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        os.link(written, path)
    except OSError:  # Another process was quicker; or the disk is one on which files have one name only.
        if not path.exists() and written.read_text() == key:
            written.replace(path)
    finally:
        written.unlink(missing_ok=True)
