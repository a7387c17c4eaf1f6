"""What is running: this program and the libraries that influence a result."""

from __future__ import annotations

import platform
from importlib.metadata import version

PROGRAM = "Nodule Studio"
VERSION = version("nodule-studio")
_LIBRARIES = ("nodule-studio", "torch", "diffusers", "numpy")


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that influence a result, without importing them."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}
