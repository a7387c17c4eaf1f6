import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoint import load_checkpoint, read_manifest
from engine.errors import InputError
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint
from training.add_guide import add_guide
from training.checkpoint_copy import copy_checkpoint


def test_a_copy_stays_when_the_checkpoint_is_replaced(tmp_path: Path) -> None:
    run, copies = save_tiny_slice_checkpoint(tmp_path / "run"), tmp_path / "copies"
    add_guide(run, run, run)

    first = copy_checkpoint(run, copies)
    before = read_manifest(run)
    save_tiny_slice_checkpoint(run, seed=1)
    second = copy_checkpoint(run, copies)

    assert load_checkpoint(first).guide is not None
    assert read_manifest(first) == before
    assert read_manifest(second) == read_manifest(run)
    assert sorted(copies.iterdir()) == sorted([first, second])


def test_the_same_checkpoint_is_copied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, same = (save_tiny_checkpoint(tmp_path / name) for name in ("one", "same"))
    copy = copy_checkpoint(folder, tmp_path / "copies")

    monkeypatch.delattr(shutil, "copyfile")

    assert copy_checkpoint(same, tmp_path / "copies") == copy_checkpoint(copy, tmp_path / "copies") == copy


def test_a_checkpoint_that_is_replaced_as_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, copy_file = save_tiny_checkpoint(tmp_path / "run"), shutil.copyfile

    def copy_while_training_goes_on(source: Any, target: Any) -> None:
        copy_file(source, target)
        save_tiny_checkpoint(run, seed=1)

    monkeypatch.setattr(shutil, "copyfile", copy_while_training_goes_on)

    with pytest.raises(InputError, match="was replaced while it was copied; start again"):
        copy_checkpoint(run, tmp_path / "copies")
    assert list((tmp_path / "copies").iterdir()) == []
