"""Sessions and projects that were damaged or edited by hand keep the studio from nothing."""

import json

import pytest

from engine.errors import InputError
from studio.autosave import read_session
from studio.project import read_project
from studio.welcome import last_text

DEEP = "[" * 100_000
SAVED = {
    "format_version": 1,
    "saved": "2031-05-09T14:03:59+02:00",
    "ended": True,
    "source": {"path": "/nowhere", "series_uid": None, "description": "C", "made": None},
    "slice_index": 6,
    "window": {"width": 1500, "level": -600},
    "shown": {"boxes": True, "divider": 0.5},
    "box": {"slice_index": 6, "row": 2, "column": 3, "side": 9},
    "attributes": dict.fromkeys(("sphericity", "margin", "lobulation", "spiculation", "texture"), 3),
    "options": {"seed": 7, "steps": 15, "guidance": 2.5, "solver": "ddim"},
    "accepted": [{"slice_index": 6, "result": "/r", "exported": False, "nodule": "n"}],
    "candidate": None,
    "framing": {"zoom": 3.5, "row": 40.0, "column": 50.5},
    "sweep": {"slice_index": 6, "across": "margin", "down": None, "shown": True, "cells": [None] * 5, "earlier": []},
    "unmade": [
        {
            "slice_index": 6,
            "slice_sha256": "9c",
            "box": {"row": 2, "column": 3, "side": 9},
            "attributes": dict.fromkeys(("sphericity", "margin", "lobulation", "spiculation", "texture"), 3),
            "options": {"seed": 7, "steps": 15, "guidance": 2.5, "solver": "ddim"},
            "swept": [],
        }
    ],
    "behind": None,
}
CHANGES = [
    {"slice_index": float("inf")},
    {"saved": "9999-12-31T23:59:59-12:00"},
    {"saved": "0001-01-01T00:00:00+12:00"},
    {"accepted": [{"slice_index": 6, "result": "/r", "exported": False, "nodule": [1]}]},
    {"options": {**SAVED["options"], "guidance": 10**400}},
    {"options": {**SAVED["options"], "seed": 1.5}},
    {"attributes": {**SAVED["attributes"], "margin": 4.0}},
    {"box": {**SAVED["box"], "row": float("inf")}},
    {"window": {"width": 1500, "level": "x"}},
    {"window": {"width": 1500, "level": None}},
    {"shown": {"divider": "x"}},
    {"source": {**SAVED["source"], "description": [1]}},
    {"source": {**SAVED["source"], "path": "a\0b"}},
    {"framing": {"zoom": 3.5}},
    {"framing": {**SAVED["framing"], "row": "x"}},
    {"framing": {**SAVED["framing"], "zoom": float("inf")}},
    {"sweep": [1]},
    {"sweep": {**SAVED["sweep"], "across": "colour"}},
    {"sweep": {**SAVED["sweep"], "down": "margin"}},
    {"sweep": {**SAVED["sweep"], "down": ["texture"]}},
    {"sweep": {**SAVED["sweep"], "cells": [None] * 25}},
    {"sweep": {**SAVED["sweep"], "cells": ["a\0b", None, None, None, None]}},
    {"sweep": {**SAVED["sweep"], "earlier": [5]}},
    {"unmade": 5},
    {"unmade": [5]},
    {"unmade": [{**SAVED["unmade"][0], "box": {"row": 2}}]},
    {"unmade": [{**SAVED["unmade"][0], "slice_sha256": None}]},
    {"unmade": [{**SAVED["unmade"][0], "swept": ["colour"]}]},
]


def changed(change):
    return json.dumps({**SAVED, **change})


@pytest.mark.parametrize("text", [DEEP, *map(changed, CHANGES)])
def test_the_last_session_is_left_out_if_it_cannot_be_read(tmp_path, text):
    file = tmp_path / "session.json"
    file.write_text(changed({}))
    assert last_text(read_session(file)).startswith("C, slice 7, 1 accepted nodule, ")
    file.write_text(text)
    assert read_session(file) is None


@pytest.mark.parametrize("text", [DEEP, *map(changed, CHANGES)])
def test_a_project_that_cannot_be_read(tmp_path, text):
    (tmp_path / "project.json").write_text(text)
    with pytest.raises(InputError, match=r"cannot be read|is not a project"):
        read_project(tmp_path)


@pytest.mark.parametrize("relative", [5, "a\0b", ["x"]])
def test_a_way_to_a_ct_that_is_none(tmp_path, relative):
    source = {**SAVED["source"], "relative_path": relative}
    (tmp_path / "project.json").write_text(changed({"source": source}))
    with pytest.raises(InputError, match="is not a project that can be read"):
        read_project(tmp_path)
