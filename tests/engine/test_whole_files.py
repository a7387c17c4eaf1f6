from __future__ import annotations

import os

import pytest

from engine.whole_files import write_whole


@pytest.mark.parametrize("content", ["lungs: \u80ba\r\n", "lungs: \u80ba\r\n".encode()])
def test_a_file_is_written_as_it_is_and_nothing_beside_it(tmp_path, content):
    path = tmp_path / "new/file"
    write_whole(path, "old")
    write_whole(path, content)
    assert path.read_bytes() == "lungs: \u80ba\r\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
