"""Lets pylidc 0.2.3 run beside numpy 2, Python 3.12 and current setuptools: the one place that knows how.

pylidc uses names that are gone: ``np.int``, ``np.float``, ``np.bool`` (numpy 1.24),
``configparser.SafeConfigParser`` (Python 3.12) and ``pkg_resources`` (setuptools 81). They are put back before
it is imported; nothing that exists is replaced.
"""

from __future__ import annotations

import configparser
import importlib.util
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np


def _resource_filename(package: str, name: str) -> str:
    """Do what ``pkg_resources.resource_filename`` did, while `package` itself is still being imported."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / name)


def _put_back_missing_names() -> None:
    for name, builtin in (("int", int), ("float", float), ("bool", bool)):
        if name not in np.__dict__:
            setattr(np, name, builtin)
    if not hasattr(configparser, "SafeConfigParser"):
        setattr(configparser, "SafeConfigParser", configparser.ConfigParser)  # noqa: B010 - a name pyright knows is gone
    # Not only what is imported counts: a stand-in would hide the real one from whoever imports it later.
    if "pkg_resources" not in sys.modules and importlib.util.find_spec("pkg_resources") is None:
        stand_in: Any = types.ModuleType("pkg_resources")
        stand_in.resource_filename = _resource_filename
        sys.modules["pkg_resources"] = stand_in


def import_pylidc() -> Any:
    """Import pylidc and return the module.

    Raises
    ------
    ModuleNotFoundError
        If pylidc is not installed (it comes with the extra ``train``).
    """
    _put_back_missing_names()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy's deprecations, and SyntaxWarnings of old escapes
        return __import__("pylidc")
