"""Open what a user points at: DICOM files, folders and zips of them, NIfTI, NRRD and MetaImage files.

What is opened is read as it is: no HU changed, no pixel interpolated. Where a file does not say enough (no pixel
spacing, not CT, not axial), it is refused with one sentence; where it can be shown nevertheless, the volume carries
a warning.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from engine.ct import CTVolume
from engine.errors import InputError
from engine.orientation import Plane

#: Called with (slices done, slices in all), and before that with (0, 1) for each file that is looked at. Where it
#: raises, the work ends.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SeriesInfo:
    """What can be opened in a file or folder, so that the user picks one.

    Attributes
    ----------
    series_uid : str
        For `read_volume`: Series Instance UID, with #2, #3 ... behind it for further phases or reconstructions
        that share it; the name of the file if it is not DICOM.
    description : str
    slices : int
    pixel_spacing : (row, column) in mm, zeros if the file does not say
    slice_spacing : float
        Median distance between neighbouring slices in mm; 0 if there is one slice or they have no position.
    files : one path a slice, or that of the one file; inside a zip: relative to it
    plane : plane of the body along which the slices lie, "unknown" if the file does not say
    problem : str
        One sentence on why it cannot be opened; empty if it can.
    """

    series_uid: str
    description: str
    slices: int
    pixel_spacing: tuple[float, float]
    slice_spacing: float
    files: tuple[Path, ...]
    plane: Plane | Literal["unknown"]
    problem: str = ""


@dataclass(frozen=True)
class _Choice:
    info: SeriesInfo
    read: Callable[[Path, Progress | None], CTVolume]


def list_series(path: Path, progress: Progress | None = None) -> list[SeriesInfo]:
    """List what a DICOM file, folder (with those in it), zip or volume file holds; what can be opened first.

    A folder that holds DICOM is listed as DICOM, whatever else is in it. A DICOM file stands for itself, not
    for the series it belongs to; a DICOMDIR stands for its folder. Files that cannot be read are passed over.

    Parameters
    ----------
    path : Path
    progress : see `Progress`

    Raises
    ------
    InputError
        If there is nothing in it that could be a CT.
    """
    with _opened(path) as place:
        return [_outside(choice.info, place, path) for choice in _choices(place, path, progress)]


def read_volume(path: Path, series_uid: str | None = None, progress: Progress | None = None) -> CTVolume:
    """Read one series as Hounsfield units in radiological orientation.

    Parameters
    ----------
    path : Path
        A DICOM file (read as one slice), a folder, a zip, or a NIfTI, NRRD or MetaImage file.
    series_uid : str, optional
        `SeriesInfo.series_uid` of one of `list_series(path)`. If left out, there must be only one axial CT.
    progress : called after each slice with (slices done, slices in all); see `Progress`

    Raises
    ------
    InputError
        If nothing there can be opened, or if several axial series can and none is named.
    """
    with _opened(path) as place:
        choice = _chosen(_choices(place, path, progress), series_uid, path)
        return choice.read(path, progress)


@contextmanager
def _opened(path: Path) -> Generator[Path, None, None]:
    """Yield the file or folder to look at: the path itself, or a folder with what a zip held, removed afterwards.

    pydicom warns of whatever is not quite as the standard has it, which no user can act on: not shown.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not path.exists():
                raise InputError(f'There is no file or folder "{path}"; check the name.')
            if _is_zip(path):
                from engine.zip_files import unpacked

                with unpacked(path) as folder:
                    yield folder
            else:
                yield path
    except OSError as error:
        raise _unreadable(path, error) from error


def _is_zip(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04" or path.suffix.lower() == ".zip"


def _choices(place: Path, path: Path, progress: Progress | None) -> list[_Choice]:
    """Return what `place` holds; `path` is what the user calls it. Never empty."""
    from engine.dicom_headers import is_dicom, is_dicomdir
    from engine.volume_files import is_volume_file

    if place.is_file() and is_dicom(place) and is_dicomdir(place):
        place = place.parent
    unread: list[InputError] = []
    files = [place] if place.is_file() else _files_in(place, progress, unread)
    dicom = _dicom_among(_reported(files, progress), unread)
    volumes = [file for file in files if is_volume_file(file)]
    try:
        found = _dicom_choices(_reported(dicom, progress), unread)
    except InputError:  # Reports and the like, without an image.
        if not volumes:
            raise
        found = []
    found = found or _volume_choices(_reported(volumes, progress), place)
    if found:
        return found
    if unread:
        raise unread[0]
    if place.is_file():
        raise InputError(
            f'"{path.name}" is not a CT image; open a DICOM, NIfTI, NRRD or MHA file, or a folder or zip of one.'
        )
    raise InputError(f'"{path.name}" holds no CT image; open a folder or zip with DICOM, NIfTI, NRRD or MHA files.')


def _files_in(folder: Path, progress: Progress | None, unread: list[InputError]) -> list[Path]:
    """Return all files in a folder and those in it, but for what macOS puts beside each file on foreign disks."""
    found = _reported(_walked(folder, unread), progress)
    return sorted(file for file in found if file.is_file() and not file.name.startswith("._"))


def _walked(folder: Path, unread: list[InputError]) -> Iterator[Path]:
    """Yield what a folder holds, links followed, each folder once; why others cannot be read goes to `unread`.

    Hidden folders are passed over: they are trash, or what an export that was killed has left.
    """

    def tell(error: OSError) -> None:
        unread.append(_unreadable(Path(error.filename).name, error))

    seen: set[str] = set()
    for place, folders, files in os.walk(folder, onerror=tell, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else [name for name in folders if not name.startswith(".")]
        if real not in seen:
            yield from (Path(place, name) for name in files)
        seen.add(real)


def _reported(files: Iterable[Path], progress: Progress | None) -> Iterator[Path]:
    """Yield files one by one, and report each before it is looked at."""
    for file in files:
        if progress is not None:
            progress(0, 1)
        yield file


def _dicom_among(files: Iterable[Path], unread: list[InputError]) -> list[Path]:
    """Return which files are DICOM; why others cannot be read (locked, or on a scratched disc) goes to `unread`."""
    from engine.dicom_headers import is_dicom

    dicom: list[Path] = []
    for file in files:
        try:
            if is_dicom(file):
                dicom.append(file)
        except OSError as error:
            unread.append(_unreadable(file.name, error))
    return dicom


def _unreadable(name: Path | str, error: OSError) -> InputError:
    return InputError(f'"{name}" cannot be read ({error.strerror or error}); check the file.')


def _dicom_choices(files: Iterable[Path], unread: list[InputError]) -> list[_Choice]:
    from engine.dicom_series import DicomSeries, find_series
    from engine.dicom_volume import read_series

    passed_over = list(unread)

    def choice(series: DicomSeries) -> _Choice:
        info = SeriesInfo(
            series.uid,
            series.description,
            len(series.frames),
            series.frames[0].pixel_spacing or (0.0, 0.0),
            series.slice_spacing,
            tuple(frame.file for frame in series.frames),
            series.plane,
            series.problem,
        )

        def read(source: Path, progress: Progress | None) -> CTVolume:
            volume = read_series(series, source, progress)
            if not passed_over:
                return volume
            told = f"Files that were passed over: {len(passed_over)}, since {passed_over[0]}"
            return replace(volume, warnings=(*volume.warnings, told))

        return _Choice(info, read)

    return [choice(series) for series in find_series(files, passed_over.append)]


def _volume_choices(files: Iterable[Path], place: Path) -> list[_Choice]:
    from engine.volume_files import VolumeFile, inspect_volume_file, read_volume_file

    def choice(file: VolumeFile) -> _Choice:
        info = SeriesInfo(
            file.path.name if file.path == place else str(file.path.relative_to(place)),
            file.path.name,
            len(file.geometry.positions),
            file.geometry.pixel_spacing,
            file.slice_spacing,
            (file.path,),
            file.plane,
            file.problem,
        )

        def read(source: Path, progress: Progress | None) -> CTVolume:
            volume = read_volume_file(file, source)
            if progress is not None:
                progress(len(volume), len(volume))
            return volume

        return _Choice(info, read)

    found: list[_Choice] = []
    reasons: list[InputError] = []
    for file in files:
        try:
            found.append(choice(inspect_volume_file(file)))
        except InputError as error:
            reasons.append(error)
        except OSError as error:
            reasons.append(_unreadable(file.name, error))
    if reasons and not found:
        raise reasons[0]
    return found


def _chosen(choices: list[_Choice], series_uid: str | None, path: Path) -> _Choice:
    if series_uid is not None:
        for choice in choices:
            if choice.info.series_uid == series_uid:
                return choice
        raise InputError(f'"{path.name}" holds no series {series_uid}; name one of {_named(choices)}.')
    axial = [choice for choice in choices if choice.info.plane == "axial" and not choice.info.problem]
    candidates = axial or [choice for choice in choices if not choice.info.problem] or choices[:1]
    if len(candidates) > 1:
        raise InputError(
            f'"{path.name}" holds {len(candidates)} axial series: {_named(candidates)}; open a folder or file with '
            "one of them, or name one by its UID."
        )
    return candidates[0]


def _named(choices: list[_Choice]) -> str:
    infos = [choice.info for choice in choices[:4]]
    # Both in quotes: what is kept with data goes without what stands in them, for these may be names of patients.
    names = [f'"{_unquoted(info.description)}" ("{info.series_uid}", slices: {info.slices})' for info in infos]
    return ", ".join(names) + (f" and {len(choices) - 4} more" if len(choices) > 4 else "")


def _unquoted(name: str) -> str:
    return name.replace('"', "'")


def _outside(info: SeriesInfo, place: Path, path: Path) -> SeriesInfo:
    """Name files of an unpacked zip as they are called in it."""
    if place == path:
        return info
    return replace(info, files=tuple(file.relative_to(place) for file in info.files))
