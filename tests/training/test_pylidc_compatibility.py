"""Names that pylidc needs: put back where they are gone, and left alone where they are not."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest

from training.pylidc_compatibility import _put_back_missing_names


@pytest.fixture(autouse=True)
def _nothing_imported() -> Iterator[None]:
    """As in a new process, and afterwards as it was."""
    before = sys.modules.pop("pkg_resources", None)
    yield
    sys.modules.pop("pkg_resources", None)
    if before is not None:
        sys.modules["pkg_resources"] = before


def test_a_pkg_resources_that_is_installed_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pkg_resources.py").write_text("is_real = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    _put_back_missing_names()

    assert "pkg_resources" not in sys.modules
    assert importlib.import_module("pkg_resources").is_real


def test_one_that_is_gone_is_stood_in_for(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec

    def find_others(name: str) -> ModuleSpec | None:
        return None if name == "pkg_resources" else find_spec(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_others)

    _put_back_missing_names()
    stand_in = sys.modules["pkg_resources"]
    _put_back_missing_names()

    assert sys.modules["pkg_resources"] is stand_in
    assert Path(stand_in.resource_filename("training", "README.md")).is_file()


def test_names_that_are_there_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "int", "theirs", raising=False)

    _put_back_missing_names()

    assert np.__dict__["int"] == "theirs"
