"""What is running: this program and the libraries that influence a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PROGRAM = "Nodule Studio"
VERSION = version("nodule-studio")
_LIBRARIES = ("nodule-studio", "torch", "diffusers", "numpy")


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that influence a result, without importing them."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
