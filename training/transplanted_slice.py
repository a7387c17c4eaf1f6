"""One slice with one transplanted nodule, as a row of prepared data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.lung_places import LungPlaces, NodulePlace
from engine.prior import similar_place
from training.lung_walls import direction_to
from training.prepared import SLICE_SIZE, ImageSource, ReaderNodule, SliceRow, box_around, stored_from_hu
from training.transplant import Pose, moved_outline, transplant
from training.transplant_donors import CutDonor, Donors
from training.transplant_hosts import TRANSPLANTED, Hosts

#: Nearer to the wall than this, a nodule is turned to it, and moved by at most so much to be exactly as near.
_NEAR_WALL_MM, _MOST_MOVED_MM = 6.0, 4.0


def transplanted_slice(
    hosts: Hosts, host: int, donors: Donors, donor: int, draw: np.random.Generator
) -> SliceRow | None:
    """Put a nodule into a slice; None if the slice has too little lung for it."""
    places = hosts.lungs(host)
    if places is None:
        return None
    cut = donors.cut(donor)
    nodule, spacing = cut.nodule, float(hosts.slices.pixel_spacing[host])
    side = max(2, int(np.ceil(nodule.extent_mm / spacing)))
    wanted = NodulePlace(nodule.extent_mm, cut.wall_mm, similar_place(nodule.extent_mm, draw))
    begin = places.draw(wanted, side, draw)
    if begin is None:
        return None
    pose = _pose(places, cut, (begin[1] + side / 2, begin[0] + side / 2), draw)
    moved = [None if drawn is None else moved_outline(drawn, nodule, pose, spacing) for drawn in nodule.outlines]
    readers = _readers(hosts.slices.nodules[host], donors, donor, moved)
    image = stored_from_hu(transplant(places.slice, nodule, pose))
    return SliceRow(_origin(hosts, host, donors, donor), image, (*hosts.slices.nodules[host], *readers))


def _pose(places: LungPlaces, cut: CutDonor, place: tuple[float, float], draw: np.random.Generator) -> Pose:
    angle, mirrored = float(draw.uniform(-np.pi, np.pi)), bool(draw.random() < 0.5)
    if cut.wall_mm >= _NEAR_WALL_MM or np.isnan(cut.wall_angle):
        return Pose(place, angle, mirrored)
    to_wall = direction_to(~places.mask, *place)
    angle = to_wall - (np.pi - cut.wall_angle if mirrored else cut.wall_angle)
    missing = places.wall_mm[int(place[1]), int(place[0])] - cut.nodule.extent_mm / 2 - cut.wall_mm
    step = float(np.clip(missing, -_MOST_MOVED_MM, _MOST_MOVED_MM)) / places.slice.pixel_spacing[0]
    return Pose((place[0] + step * np.cos(to_wall), place[1] + step * np.sin(to_wall)), angle, mirrored)


def _readers(
    there: Sequence[ReaderNodule], donors: Donors, donor: int, outlines: Sequence[NDArray[np.float32] | None]
) -> Iterator[ReaderNodule]:
    """The nodule as each of its readers saw it, numbered after the nodules that the slice has."""
    number = 1 + max((seen.nodule for seen in there), default=-1)
    scores = donors.nodules.scores[donor].tolist()
    for reader, annotation in enumerate(donors.nodules.annotation_ids[donor].tolist()):
        outline = outlines[reader]
        if annotation >= 0 and outline is not None:
            yield ReaderNodule(number, annotation, tuple(scores[reader]), box_around(outline, SLICE_SIZE), outline)


def _origin(hosts: Hosts, host: int, donors: Donors, donor: int) -> ImageSource:
    slices = hosts.slices
    # It says whether scores in the row are to be trusted: those of the transplant, and of nodules that the slice has.
    of_host = bool(slices.is_from_initial[host]) and bool(slices.nodules[host])
    return ImageSource(
        str(slices.patients[host]),
        str(slices.series_uids[host]),
        str(slices.sop_uids[host]),
        f"{slices.sources[host]}{TRANSPLANTED}",
        float(slices.z_mm[host]),
        float(slices.pixel_spacing[host]),
        float("nan"),
        int(slices.scan_ids[host]),
        bool(donors.nodules.is_from_initial[donor]) or of_host,
    )
