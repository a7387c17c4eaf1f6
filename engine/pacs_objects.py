"""The DICOM objects of an export: which there are, and whether they still say whose they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.synthetic_data import says_made_whole

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True)
class DicomObject:
    """One file to send.

    Attributes
    ----------
    file : Path
    sop_class, sop_instance, transfer_syntax : UIDs
    modality : "CT", "SEG", "SR" ...
    has_no_identity : bool
        Does the object itself say that it is nobody's, or that Patient Identity was Removed?
    """

    file: Path
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    modality: str
    has_no_identity: bool


def find_objects(folders: Sequence[Path]) -> list[DicomObject]:
    """Find all DICOM objects in folders and those in them, each once: images first, what refers to them after.

    Raises
    ------
    InputError
        If there is no such folder, none holds DICOM, or a file is damaged.
    """
    found: dict[str, DicomObject] = {}
    try:
        for file in (file for folder in folders for file in _files_in(folder)):
            if (one := _read(file)) is not None:
                found.setdefault(one.sop_instance, one)
    except OSError as error:
        raise InputError(f'"{error.filename}" cannot be read ({error.strerror}); check the folder.') from error
    if not found:
        names = ", ".join(f'"{folder.name}"' for folder in folders)
        raise InputError(f"{names} holds no DICOM objects; choose the folder of an export with DICOM.")
    return sorted(found.values(), key=lambda one: one.modality != "CT")


def whole_file(one: DicomObject) -> Path | BytesIO:
    """Return an object as a whole DICOM file (PS3.10, 7.1): its own, or made of one that is a data set alone.

    Raises
    ------
    OSError
        If the file cannot be read.
    InputError
        If it is a damaged data set.
    """
    from engine.dicom_headers import read_dataset

    with one.file.open("rb") as file:
        if file.read(132)[128:] == b"DICM":
            return one.file
    stream = BytesIO()
    read_dataset(one.file, pixels=True).save_as(stream, enforce_file_format=True)
    stream.seek(0)
    return stream


def what_there_is(objects: Sequence[DicomObject]) -> str:
    """Return how many objects there are of which modality: "120 CT, 2 SEG, 2 SR"."""
    return ", ".join(f"{count} {modality}" for modality, count in Counter(one.modality for one in objects).items())


def identity_warning(objects: Sequence[DicomObject]) -> str:
    """Return one sentence if objects may still say whose they are; empty if none does."""
    count = sum(not one.has_no_identity for one in objects)
    if not count:
        return ""
    which = "The object carries" if len(objects) == 1 else f"{count} of {len(objects)} objects carry"
    return f"{which} the patient's identity: send only to a server that may have it, or export again without."


def _files_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f'There is no folder "{folder}"; check the name.')
    # Without hidden folders, too: an export that was killed leaves one (`engine.export_folder`).
    return sorted(file for file in folder.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(folder)))


def _is_hidden(file: Path) -> bool:
    return any(part.startswith(".") for part in file.parts)


def _read(file: Path) -> DicomObject | None:
    """Return the object of a file; None if it is not DICOM, or is the index of a folder."""
    from pydicom.uid import MediaStorageDirectoryStorage

    from engine.dicom_headers import is_dicom, read_dataset, value_of

    if not is_dicom(file):
        return None
    header = read_dataset(file, pixels=False)
    sop_class, sop_instance = (str(value_of(header, name) or "") for name in ("SOPClassUID", "SOPInstanceUID"))
    if value_of(header.file_meta, "MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        return None
    if not (sop_class and sop_instance):
        raise InputError(f'"{file.name}" is damaged: it has no SOP Class UID or no SOP Instance UID; export it again.')
    return DicomObject(
        file,
        sop_class,
        sop_instance,
        str(header.file_meta.TransferSyntaxUID),
        str(value_of(header, "Modality") or "other"),
        _has_no_identity(header),
    )


def _has_no_identity(header: Dataset) -> bool:
    """Was the identity taken out, or was there none: in a slice that was made whole (`engine.export_ct`)?"""
    from engine.dicom_headers import value_of

    return says_made_whole(header) or value_of(header, "PatientIdentityRemoved") == "YES"
