"""The journal at a glance: entries without their images, stars, the trash, copies."""

import errno
import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from engine import history, journal
from engine.errors import InputError
from engine.events import SliceRequest, SliceSource
from tests.scripted_engine import scripted_request, scripted_result


def record(folder, seed=0, **changes):
    request = replace(scripted_request(seed=seed), **changes)
    return journal.record(scripted_result(request), folder)


def test_an_entry_says_what_was_asked_and_measured(tmp_path):
    source = SliceSource(Path("/scans/one"), "1.2.3", 4, "CHEST")
    before = datetime.now(UTC)
    entry = history.read_entry(record(tmp_path, seed=7, source=source))
    assert entry.options.seed == 7
    assert entry.attributes.spiculation is None
    assert (entry.diameter_mm, entry.source) == (1.58, source)
    assert before <= entry.recorded <= datetime.now(UTC)
    assert not entry.is_starred
    assert not entry.is_deleted


def test_an_entry_of_before_sources_were_recorded_is_read(tmp_path):
    path = record(tmp_path)
    written = json.loads((path / "result.json").read_text())
    del written["source"], written["output"]
    (path / "result.json").write_text(json.dumps(written))
    assert history.read_entry(path).source is None
    assert journal.read(path).request.source is None


def test_all_are_listed_newest_first_with_those_in_the_trash_and_without_the_broken(tmp_path, caplog):
    paths = [record(tmp_path, seed) for seed in range(4)]
    history.delete(paths[1])
    (paths[2] / "result.json").write_text("{}")
    found = history.list_entries(tmp_path)
    assert [entry.options.seed for entry in found] == [3, 1, 0]
    assert [entry.is_deleted for entry in found] == [False, True, False]
    assert "cannot be read" in caplog.text
    assert history.list_entries(tmp_path / "none") == []


def test_stars_are_put_and_taken(tmp_path):
    path = record(tmp_path)
    for starred in (True, True, False, False):
        history.star(path, starred)
        assert history.read_entry(path).is_starred is starred


def test_what_is_deleted_is_whole_in_the_trash_and_can_be_put_back(tmp_path):
    path = record(tmp_path)
    trashed = history.delete(path)
    assert journal.entries(tmp_path) == []
    assert history.located(path) == trashed
    assert journal.read(trashed).request.options.seed == 0
    assert history.put_back(trashed) == path
    assert history.located(path) == path
    assert journal.entries(tmp_path) == [path]
    assert history.put_back(path) == path
    assert journal.entries(tmp_path) == [path]
    # Also for whoever has met it in the trash.
    assert history.located(trashed) == path
    history.delete(path)
    assert history.located(trashed) == trashed


def test_the_trash_is_emptied_thirty_days_after_the_deletion(tmp_path):
    """Not thirty days after the result was made: what was deleted yesterday is there, however old it is."""
    old, fresh = record(tmp_path, 1), record(tmp_path, 2)
    long_ago = (datetime.now(UTC) - timedelta(days=90)).timestamp()
    for path in (old, fresh):
        os.utime(path, (long_ago, long_ago))
    trashed = history.delete(old)
    assert history.tidy(tmp_path, datetime.now(UTC) + timedelta(days=29)) == 0
    assert trashed.exists()
    assert history.tidy(tmp_path, datetime.now(UTC) + timedelta(days=31)) == 1
    assert not trashed.exists()
    assert fresh.exists()


def test_what_a_crash_left_half_written_is_removed_after_a_day(tmp_path):
    partial = tmp_path / ".2001-half"
    partial.mkdir(parents=True)
    assert history.tidy(tmp_path) == 0
    assert history.tidy(tmp_path, datetime.now(UTC) + timedelta(days=2)) == 1
    assert not partial.exists()


def test_what_is_renamed_while_it_is_looked_at_is_passed_over(tmp_path, monkeypatch):
    """An entry that is being written is renamed by its own thread, at any moment."""
    (tmp_path / ".2001-half").mkdir()
    is_dir = Path.is_dir

    def vanish(path):
        was_there = is_dir(path)
        if path.name == ".2001-half":
            shutil.rmtree(path)
        return was_there

    monkeypatch.setattr(Path, "is_dir", vanish)
    assert history.tidy(tmp_path, datetime.now(UTC) + timedelta(days=2)) == 0


@pytest.mark.parametrize("name", ["result.json", "result.npz"])
def test_an_entry_that_lacks_a_file_is_not_copied(tmp_path, name):
    path = record(tmp_path / "project")
    (path / name).unlink()
    with pytest.raises(InputError, match="could not be copied"):
        history.adopt(path, tmp_path / "journal")
    assert not (tmp_path / "journal").exists()


def test_an_entry_is_copied_once_and_whole(tmp_path):
    path = record(tmp_path / "project")
    history.star(path, True)
    path.chmod(0o555)
    copy = history.adopt(path, tmp_path / "journal")
    assert copy.stat().st_mode & 0o200
    assert copy == tmp_path / "journal" / path.name
    assert history.read_entry(copy).is_starred
    history.delete(copy)
    assert history.read_entry(history.adopt(path, tmp_path / "journal")).is_deleted
    with pytest.raises(InputError, match="could not be copied"):
        history.adopt(tmp_path / "nowhere", tmp_path / "journal")
    assert sorted(child.name for child in (tmp_path / "journal").iterdir()) == [".trash"]


def test_a_journal_that_cannot_be_written_to_is_one_sentence(tmp_path, monkeypatch):
    path = record(tmp_path)

    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr(Path, "touch", refuse)
    for act in (history.delete, lambda path: history.star(path, True)):
        with pytest.raises(InputError, match=r"Read-only file system.*written to\.$"):
            act(path)
    assert path.exists()


def test_a_copy_for_which_there_is_no_room_names_its_folder(tmp_path, monkeypatch):
    path = record(tmp_path / "journal")

    def refuse(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", refuse)
    with pytest.raises(InputError, match=r"\(No space left on device\): check that .*project can be written to\.$"):
        history.adopt(path, tmp_path / "project")
    assert list((tmp_path / "project").iterdir()) == []


def test_a_slice_made_whole_is_recorded_and_comes_back(tmp_path):
    result = scripted_result(scripted_request())
    request = SliceRequest(result.request.box, result.request.attributes, result.request.options, 0.7)
    path = journal.record(replace(result, request=request), tmp_path)
    restored = journal.read(path)
    assert restored.request == request
    assert restored.before is None
    np.testing.assert_array_equal(restored.slice.hu, result.slice.hu)
    assert restored.slice.pixel_spacing == (0.7, 0.7)
    assert history.read_entry(path).source is None
