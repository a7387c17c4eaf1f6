"""All files or none: moves that fail, folders that cannot be written to, and what a killed program leaves."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from filelock import FileLock

from engine.errors import InputError
from engine.export_folder import all_or_nothing, check_folder


def put(folder, text):
    """Two files and a folder between them, all of the same text."""
    (folder / "m").mkdir()
    for name in ("a.txt", "m/inner.txt", "z.txt"):
        (folder / name).write_text(text)


def texts(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["a.txt", "m", "z.txt"])
@pytest.mark.parametrize("part", ["made", "aside"])
def test_a_move_that_fails_leaves_the_old_files(part, name, tmp_path, monkeypatch):
    """Wherever the disk fails: while the old are moved aside, and while the new are moved in."""
    put(tmp_path, "old")
    (tmp_path / "notes.txt").write_text("mine")
    old, rename = texts(tmp_path), os.rename

    def failing(verb):
        def move(source, target, *rest, **options):
            if name == Path(source).name and part in (Path(source).parent.name, Path(target).parent.name):
                monkeypatch.undo()  # once: the disk is well when the files are put back
                raise OSError(5, "Input/output error")
            return verb(source, target, *rest, **options)

        return move

    monkeypatch.setattr(os, "rename", failing(rename))
    monkeypatch.setattr(os, "replace", failing(os.replace))
    with pytest.raises(InputError, match=r"Input/output error"):
        all_or_nothing(lambda folder: put(folder, "new"), tmp_path)
    assert texts(tmp_path) == old
    assert all_or_nothing(lambda folder: put(folder, "new"), tmp_path) == [
        tmp_path / name for name in ("a.txt", "m", "z.txt")
    ]
    assert texts(tmp_path) == {name: "new" for name in old if name != "notes.txt"} | {"notes.txt": "mine"}


def test_a_folder_that_may_not_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    with pytest.raises(InputError, match="cannot be written to; choose another folder"):
        check_folder(tmp_path / "new")


def test_an_export_that_fails_takes_the_folders_back_that_it_made(tmp_path):
    def full_disk(made):
        raise OSError(28, "No space left on device")

    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "new" / "deeper", tmp_path / "there"):
        with pytest.raises(InputError, match=r"cannot be written to \(No space left on device\); choose another"):
            all_or_nothing(full_disk, folder)
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


def test_what_was_left_by_a_killed_program_goes_and_what_is_being_made_stays(tmp_path):
    killed, running = tmp_path / ".nodule-studio-killed", tmp_path / ".nodule-studio-running"
    for folder in (killed, running):
        (folder / "made").mkdir(parents=True)
        (folder / "made" / "a.txt").write_text("half")
        (folder / "lock").touch()
    # It was killed between moving an older file aside and moving its own in.
    (killed / "aside").mkdir()
    (killed / "aside" / "older.txt").write_text("the only one")
    with FileLock(running / "lock"):
        all_or_nothing(put_new, tmp_path)
    assert not killed.exists()
    assert (running / "made" / "a.txt").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "m", "z.txt", "older.txt", running.name}
    assert (tmp_path / "older.txt").read_text() == "the only one"


def put_new(folder):
    put(folder, "new")


def test_a_disk_that_knows_no_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(FileLock, "acquire", MagicMock(side_effect=NotImplementedError("no flock here")))
    for text in ("old", "new"):
        all_or_nothing(lambda folder, text=text: put(folder, text), tmp_path)
    assert texts(tmp_path) == dict.fromkeys(("a.txt", "m/inner.txt", "z.txt"), "new")


def test_two_exports_at_the_same_moment_are_not_mixed(tmp_path, monkeypatch):
    """The other one moves its last file in when ours has its first one there: each file would be of another export."""
    move = Path.replace

    def moving(source, target):
        if source.parent.name == "made" and source.name == "a.txt":
            (tmp_path / "z.txt").write_text("theirs")
        return move(source, target)

    monkeypatch.setattr(Path, "replace", moving)
    with pytest.raises(InputError, match=r"\(another export writes z\.txt there\); choose another"):
        all_or_nothing(lambda folder: put(folder, "ours"), tmp_path)
    assert texts(tmp_path) == {"z.txt": "theirs"}
