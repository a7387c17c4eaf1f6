"""Attributes of another type (VR, DICOM PS3.5, 6.2) than the one that the standard gives them (PS3.6).

A file with explicit types may call a Patient ID a code, a number, or a sequence. Whoever reads an attribute by its name
counts on its own type, and fails, or writes what nobody can read, where it is another. What can be told as text is
told, so that a patient stays the same one; what cannot is taken for missing, as every viewer shows it.
"""

from __future__ import annotations

from pydicom import DataElement, Dataset, config
from pydicom.datadict import dictionary_VR
from pydicom.tag import BaseTag
from pydicom.valuerep import FLOAT_VR, INT_VR, STR_VR, VR

#: Types of texts, and of numbers that can be written as one; not those of sequences, bytes and tags.
_TELLABLE = (STR_VR | INT_VR | FLOAT_VR) - {VR.AT}


def own_type(tag: BaseTag) -> str:
    """Return the type of an attribute by the standard, "US or SS" where there are several; empty if it has none."""
    try:
        return dictionary_VR(tag)
    except KeyError:  # Private, or younger than pydicom.
        return ""


def in_own_type(element: DataElement) -> DataElement | None:
    """Return an attribute in its own type: as it is, or else its values as text; None if they cannot be told so.

    Raises
    ------
    ValueError and others of pydicom
        If the text makes no value of that type.
    """
    if _is_of_own_type(element.tag, element.VR):
        return element
    own = own_type(element.tag)
    if own not in STR_VR or element.VR not in _TELLABLE or element.is_empty:
        return None
    values = element.value if element.VM > 1 else [element.value]
    # 9 digits: a decimal string has no room for more (16 bytes).
    texts = [f"{value:.9g}" if type(value) is float else str(value) for value in values]
    return DataElement(element.tag, own, texts, validation_mode=config.IGNORE)


def read_own(dataset: Dataset, keyword: str | BaseTag) -> DataElement | None:
    """Return an attribute in its own type; None if it is missing, or has no such value."""
    try:
        return in_own_type(dataset[keyword])
    except Exception:  # pydicom converts values on first use and lets through whatever bad ones set off
        return None


def set_own_types(header: Dataset) -> None:
    """Give each attribute of a header its own type, and take out what has no value of it; items stay as they are.

    Only what is of another type is converted: a series has many headers.
    """
    others = [tag for tag, element in header.items() if element.VR and not _is_of_own_type(tag, element.VR)]
    for tag in others:
        element = read_own(header, tag)
        if element is None:
            del header[tag]
        else:
            header[tag] = element


def _is_of_own_type(tag: BaseTag, representation: str) -> bool:
    own = own_type(tag)
    return not own or representation == own or representation in own.split(" or ")
