"""What a batch is made of: one volume in memory at a time, whose patient it is, and in which part of the data set."""

from __future__ import annotations

import hashlib
from pathlib import Path

from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import GenerationResult
from engine.export_identity import identity_of
from engine.export_stamp import study_entropy
from engine.job_runner import failure_sentence

#: Parts of a data set.
SPLITS = ("train", "val", "test")


class OpenVolume:
    """Reads volumes and keeps the last one, so that nodules of one source read it once."""

    def __init__(self) -> None:
        self._key: tuple[Path, str | None] | None = None
        self._volume: CTVolume | None = None
        self._made_with: list[GenerationResult] | None = None
        self._refused = ""

    def read(self, source: Path, series_uid: str | None) -> CTVolume:
        """Return a volume.

        Raises
        ------
        InputError
            If it cannot be opened.
        """
        from engine.ct_files import read_volume

        if self._key != (source, series_uid):
            # Let go of the last one first: there is never more than one in memory.
            self._volume, self._made_with, self._refused, self._key = None, None, "", (source, series_uid)
            try:
                self._volume = read_volume(source, series_uid)
            except Exception as error:
                # Whatever a file does to its reader; it is not looked through again for each of its rows.
                self._refused = failure_sentence(error, "The input could not be used")
        if self._volume is None:
            raise InputError(self._refused)
        return self._volume

    def made_with(self) -> list[GenerationResult]:
        """Return the nodule that the volume read last was made with, if it is a slice that was made whole.

        Looked up once: see `engine.exported_result.made_whole_beside`.
        """
        from engine.exported_result import made_whole_beside

        if self._made_with is None:
            own = made_whole_beside(self._volume) if self._volume else None
            self._made_with = [own] if own else []
        return self._made_with


def patient_identity(volume: CTVolume) -> str:
    """Return what tells one patient from others: never to be written anywhere.

    What the header says, else the HU, so that copies of a file are one patient.
    """
    identity = identity_of(volume.headers[0]) if volume.headers else ""
    return identity or study_entropy(volume)


def split_of(identity: str, shares: tuple[int, ...]) -> str:
    """Return the part of the data set that a patient is in: the same in every batch with the same shares.

    Parameters
    ----------
    shares : of train, val and test, in percent
    """
    drawn = int.from_bytes(hashlib.sha256(f"split {identity}".encode()).digest()[:8]) / 2**64 * sum(shares)
    for name, share in zip(SPLITS, shares, strict=True):
        if drawn < share:
            return name
        drawn -= share
    return next(name for name, share in zip(SPLITS, shares, strict=True) if share)
