"""The nodule as LIDC-IDRI's radiologists' marks are stored: `LidcReadMessage`, for pylidc and its like.

Each outline runs through the pixels just outside of the nodule, as in the LIDC: xCoord is the column, yCoord the row,
from 0. Source: Armato et al., Medical Physics 38 (2011) 915-931, and the XML files of the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from itertools import groupby
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Comment, Element, ElementTree, SubElement, indent

import numpy as np
from numpy.typing import NDArray

from engine.events import GenerationResult
from engine.export_ct import algorithm_name
from engine.export_stamp import Stamp
from engine.export_tables import masks_on_slice
from engine.nodule import SCORE_NAMES
from engine.versions import PROGRAM, VERSION

if TYPE_CHECKING:
    from pydicom import Dataset

_NAMESPACE = "http://www.nih.gov"
#: The nine characteristics of the LIDC, in its order; those that nobody asked for are left out.
_CHARACTERISTICS = (
    "subtlety",
    "internalStructure",
    "calcification",
    "sphericity",
    "margin",
    "lobulation",
    "spiculation",
    "texture",
    "malignancy",
)
_NOTE = (
    " Synthetic nodule, not read by a person. The scores are those that the generator was asked for; characteristics "
    "that are not there were not given. "
)


def lidc_xml(ct: Dataset, results: Sequence[GenerationResult], stamp: Stamp) -> ElementTree[Element]:
    """Return the marks on an image; without a nodule, a reading session without marks.

    Parameters
    ----------
    ct : Dataset
        By `engine.export_ct.ct_image`: outlines are in its rows and columns.
    results : all nodules that the image shows, each built on the one before
    """
    root = Element("LidcReadMessage", {"uid": stamp.uid("XML"), "xmlns": _NAMESPACE})
    root.append(Comment(_NOTE))
    _add_header(root, ct, stamp)
    session = SubElement(root, "readingSession")
    _add(session, "annotationVersion", f"{PROGRAM} {VERSION}")
    _add(session, "servicingRadiologistID", algorithm_name(results[-1]))
    for number, (result, mask) in enumerate(zip(results, masks_on_slice(results), strict=True), start=1):
        if mask.any():
            _add_nodule(session, ct, number, result, mask)
    indent(root)
    return ElementTree(root)


def outlines(mask: NDArray[np.bool_]) -> list[tuple[NDArray[np.int64], bool]]:
    """Return the outlines of a mask, each with whether it includes (True) or cuts a hole (False).

    An outline is (points, 2) of (row, column): pixels outside of the mask whose polygon encloses all of the mask's and
    no others. Where the mask touches the edge of the slice, the outline runs along the edge itself.
    """
    # Not imported at start, for it takes 0.3 s; as Any, for its arrays are of no known type.
    measure: Any = import_module("skimage.measure")
    padded = np.pad(mask, 1).astype(np.float64)
    found: list[tuple[NDArray[np.int64], bool]] = []
    # Just above 0, a contour crosses between two pixels next to the one that is outside: rounded, it is that pixel.
    for contour in measure.find_contours(padded, 1e-6, positive_orientation="high"):
        pixels = np.clip(np.rint(contour).astype(np.int64) - 1, 0, np.array(mask.shape) - 1)
        points = np.array([point for point, _ in groupby(pixels.tolist())])
        found.append((points, _signed_area(contour) > 0))
    return sorted(found, key=lambda outline: not outline[1])


def _signed_area(contour: NDArray[Any]) -> float:
    """Twice the area, above 0 where the contour runs counter-clockwise as seen on the screen."""
    rows, columns = contour[:, 0], contour[:, 1]
    return float(np.sum(rows[:-1] * columns[1:] - rows[1:] * columns[:-1]))


def _add_header(root: Element, ct: Dataset, stamp: Stamp) -> None:
    header = SubElement(root, "ResponseHeader")
    _add(header, "Version", "1.8.1")
    _add(header, "MessageId", stamp.uid("XML"))
    _add_moment(header, "Request", stamp)
    _add(header, "RequestingSite", PROGRAM)
    _add(header, "ServicingSite", PROGRAM)
    _add(header, "TaskDescription", "Synthetic nodule")
    _add(header, "SeriesInstanceUid", str(ct.SeriesInstanceUID))
    _add_moment(header, "Service", stamp)
    _add(header, "ResponseDescription", "Made by a diffusion model, not read by a person")
    _add(header, "StudyInstanceUID", str(ct.StudyInstanceUID))


def _add_moment(header: Element, event: str, stamp: Stamp) -> None:
    _add(header, f"Date{event}", stamp.made.strftime("%Y-%m-%d"))
    _add(header, f"Time{event}", stamp.made.strftime("%H:%M:%S"))


def _add_nodule(session: Element, ct: Dataset, number: int, result: GenerationResult, mask: NDArray[np.bool_]) -> None:
    nodule = SubElement(session, "unblindedReadNodule")
    _add(nodule, "noduleID", str(number))
    scores = dict(zip(SCORE_NAMES, result.request.attributes.scores, strict=True))
    # There even if it is empty: readers of the LIDC take nodules without it for those below 3 mm.
    characteristics = SubElement(nodule, "characteristics")
    for name in _CHARACTERISTICS:
        if scores.get(name) is not None:
            _add(characteristics, name, str(scores[name]))
    for points, included in outlines(mask):
        roi = SubElement(nodule, "roi")
        _add(roi, "imageZposition", str(ct.ImagePositionPatient[2]))
        _add(roi, "imageSOP_UID", str(ct.SOPInstanceUID))
        _add(roi, "inclusion", "TRUE" if included else "FALSE")
        for row, column in points.tolist():
            edge = SubElement(roi, "edgeMap")
            _add(edge, "xCoord", str(column))
            _add(edge, "yCoord", str(row))


def _add(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text
