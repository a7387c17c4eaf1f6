"""When an export is made, and the UIDs that follow from that: the same export has the same ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from engine.ct import CTVolume
from engine.events import GenerationResult


def _now() -> datetime:
    return datetime.now().astimezone()


@dataclass(frozen=True)
class Stamp:
    """Names what is written at one moment.

    Attributes
    ----------
    entropy : str
        What the UIDs are derived from, beside the moment: see `stamp_of`.
    made : datetime
        With its time zone.
    """

    entropy: str
    made: datetime = field(default_factory=_now)

    def uid(self, *role: str) -> str:
        """Return the UID of one object of the export: always the same for the same role, never that of another.

        Hashed with SHA-512 under the root of pydicom, since results must be repeatable byte by byte.
        """
        from pydicom.uid import generate_uid

        return str(generate_uid(entropy_srcs=[self.entropy, self.made.isoformat(), *role]))

    def of_marks(self, what: str) -> Stamp:
        """Return the stamp of what marks one nodule in images of this one: of the same moment, with UIDs of its own."""
        return replace(self, entropy=f"{self.entropy} {what}")

    @property
    def dicom_date(self) -> str:
        """The day, as a DICOM Date."""
        return self.made.strftime("%Y%m%d")

    @property
    def dicom_time(self) -> str:
        """The time of day, as a DICOM Time."""
        return self.made.strftime("%H%M%S")


def stamp_of(volume: CTVolume, results: Mapping[int, GenerationResult], made: datetime | None = None) -> Stamp:
    """Return the stamp of images of those results, by slice index: of the moment `made`, or of now.

    Another choice of results has other UIDs.
    """
    parts = [study_entropy(volume)]
    for index, result in sorted(results.items()):
        request = result.request
        parts += [str(index), result.slice.sha256(), result.checkpoint_sha256, repr(request.box), repr(request.options)]
    # A hash of it, as short as it is: `request.json` keeps it.
    entropy = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    return Stamp(entropy, made) if made else Stamp(entropy)


def study_entropy(volume: CTVolume) -> str:
    """Return what tells a volume from others: for UIDs of the study where the source has none."""
    first, last = volume.slice_at(0).sha256(), volume.slice_at(len(volume) - 1).sha256()
    return f"{first} {last} {len(volume)} {volume.positions[0]} {volume.positions[-1]}"
