"""A zip unpacked into a folder that is removed afterwards."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import InputError

#: Bit 0 of a member's flags (PKWARE's APPNOTE.TXT, 4.4.4): it is encrypted.
_ENCRYPTED = 1


@contextmanager
def unpacked(archive: Path) -> Generator[Path, None, None]:
    """Unpack a zip and yield the folder; members whose names lead out of the folder land in it (zipfile's rule).

    Raises
    ------
    InputError
        If the zip is damaged, has a password, or is larger than the free space for temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="nodule-studio-") as folder:
        try:
            with zipfile.ZipFile(archive) as members:
                _require_unpackable(members, archive, Path(folder))
                members.extractall(folder)
        except InputError:
            raise
        except OSError as error:
            raise InputError(
                f'"{archive.name}" cannot be unpacked ({error.strerror or error}); make room for temporary files, or '
                "open the folder that it was packed from."
            ) from error
        except NotImplementedError as error:
            raise InputError(
                f'"{archive.name}" is compressed in a way that cannot be read here; unpack it and open the folder.'
            ) from error
        except Exception as error:  # zipfile lets through whatever damaged bytes set off
            raise InputError(f'"{archive.name}" is not a whole zip archive; get it or pack it again.') from error
        yield Path(folder)


def _require_unpackable(members: zipfile.ZipFile, archive: Path, folder: Path) -> None:
    if any(member.flag_bits & _ENCRYPTED for member in members.infolist()):
        raise InputError(f'"{archive.name}" has a password; unpack it and open the folder.')
    size = sum(member.file_size for member in members.infolist())
    if size > shutil.disk_usage(folder).free:
        raise InputError(
            f'"{archive.name}" unpacks to {size / 1e9:.1f} GB, more than the disk has free; open a smaller one.'
        )
