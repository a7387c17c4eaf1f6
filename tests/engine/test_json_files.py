"""JSON and YAML that were damaged or edited by hand: one sentence each, wherever they are read."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from engine import batch_plan, journal, study_plan
from engine.batch_folder import BatchSettings, begin, read_batch
from engine.batch_manifest import COLUMNS, manifest_rows, write_row
from engine.batch_rows import BatchRow
from engine.checkpoint import MANIFEST, digest_of_manifest, load_checkpoint, read_manifest
from engine.errors import InputError
from engine.events import SamplingOptions
from engine.exports import export_files
from engine.history import list_entries
from engine.json_files import number_of, object_of, parse_json, text_of, time_of, window_of
from engine.known_inputs import is_hash, known_input
from engine.nodule import NoduleAttributes
from engine.request_file import read_request
from engine.study import open_study, read_answers
from tests.checkpoints import save_tiny_checkpoint
from tests.engine.placed_nodules import make_result, make_volume
from tests.made_up_study import made_up_study
from tests.scripted_engine import scripted_request, scripted_result

DEEP, LONG = "[" * 100_000, "9" * 400


def test_json_is_read_as_it_was_written():
    value = {"a": [1, -(2**63), 2**53, 0.1, 1e300, "\udc80", None, True]}
    assert parse_json(json.dumps(value)) == value
    assert parse_json(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize("text", [DEEP, LONG, "1e400", "Infinity", "NaN", "", "{", str(2**63)])
def test_what_is_no_json_or_overflows_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"Expect|nested|too large|no number"):
        parse_json(text)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "soon"])
def test_a_time_that_cannot_be_shown(text):
    with pytest.raises(ValueError, match=r"Invalid isoformat|no time that can be shown"):
        time_of(text)
    assert time_of("2031-05-09T14:03:59+00:00") == datetime(2031, 5, 9, 14, 3, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        *[(number_of, value) for value in ("1", None, True, [1])],
        *[(object_of, value) for value in ([{}], "{}", None, 5)],
        *[(text_of, value) for value in (5, None, ["a"], "a\0b")],
        *[(window_of, {"width": 1500, "level": level}) for level in ("x", None)],
    ],
)
def test_a_value_of_another_type(read, value):
    with pytest.raises((TypeError, ValueError)):
        read(value)


@pytest.mark.parametrize("score", [4.0, True, "4", 0, 6])
def test_a_score_is_a_whole_number(score):
    with pytest.raises(InputError, match=rf"^sphericity is {score!r}; give a whole number from 1 to 5.$"):
        NoduleAttributes(score, 3, 3, 3, 3)


@pytest.mark.parametrize("options", [{"seed": 1.5}, {"seed": True}, {"steps": 10.0}])
def test_seed_and_steps_are_whole_numbers(options):
    with pytest.raises(InputError, match=r"asked for|whole number"):
        SamplingOptions(**options)


@pytest.mark.parametrize(
    "text", [DEEP, f'{{"options": {{"guidance": {LONG}}}}}', '{"recorded": "9999-12-31T23:59-12:00"}']
)
def test_one_bad_entry_does_not_hide_the_others(tmp_path, text):
    good, bad = (journal.record(scripted_result(scripted_request(seed)), tmp_path) for seed in (1, 2))
    (bad / journal.JSON_NAME).write_text(text)
    assert [entry.path for entry in list_entries(tmp_path)] == [good]
    with pytest.raises(InputError, match="cannot be read"):
        journal.read(bad)


@pytest.fixture
def request_json(tmp_path):
    volume = make_volume()
    export_files(volume, 1, make_result(volume), tmp_path, ["PNG"])
    return tmp_path / "request.json"


@pytest.mark.parametrize("text", [DEEP, LONG])
def test_a_request_that_is_no_json(request_json, text):
    request_json.write_text(text)
    with pytest.raises(InputError, match="is not JSON; open a request"):
        read_request(request_json)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *[(("export", "window", "level"), value) for value in ("x", None)],
        (("export", "identity_kept"), "false"),
        (("attributes", "sphericity", "score"), 4.0),
        (("input", "path"), "a\0b"),
        *[(("input", "sha256"), value) for value in ("/dev/zero", "../" * 4 + "etc/passwd", 5, "0" * 63, None)],
        *[(("input", "sha256_as_read"), value) for value in (["a"], "a\0")],
        (("input", "series_uid"), {"a": 1}),
        (("extension",), {"continues": 5, "offset_mm": "x"}),
        (("output", "pixel_spacing_mm"), [1e-300, 0.7]),
        (("input", "shape"), [40.0, 48]),
        (("measurement", "scores"), {"sphericity": 1}),
        (("date",), "9999-12-31T23:59:59-12:00"),
    ],
)
def test_a_request_that_was_changed(request_json, place, value):
    record = json.loads(request_json.read_text())
    part = record
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    request_json.write_text(json.dumps(record))
    with pytest.raises(InputError, match="is incomplete or was changed; open a request"):
        read_request(request_json)


@pytest.mark.parametrize("text", ["/dev/zero", "../x", "0" * 63, "0" * 65, "g" * 64, "0" * 64 + "\n"])
def test_a_hash_names_no_file_elsewhere(text):
    assert not is_hash(text)
    assert known_input(text) is None
    assert is_hash("0a" * 32)


@pytest.mark.parametrize("scalar", ["!!bool maybe", '!!int ""', '!!float ""', "!!timestamp x", "[" * 5000])
def test_a_plan_of_a_study_that_is_no_yaml(tmp_path, scalar):
    path = tmp_path / "plan.yaml"
    path.write_text(f"title: t\nreaders: [a]\nseed: {scalar}\nsynthetic: [x]\ncounts: {{find_nodule: 2}}\n")
    with pytest.raises(InputError, match="is not YAML"):
        study_plan.read_plan(path)


def test_a_plan_of_a_batch_that_is_no_yaml_or_names_no_file(tmp_path):
    (tmp_path / "plan.yaml").write_text("[" * 5000)
    with pytest.raises(InputError, match="is no YAML"):
        batch_plan.read_plan(tmp_path / "plan.yaml")
    (tmp_path / "plan.csv").write_text("input\n~\0/x\n")
    assert "zero byte" in batch_plan.read_plan(tmp_path / "plan.csv").problems[2]


@pytest.fixture
def small_batch(tmp_path):
    """A batch of one nodule, which is not made yet."""
    (tmp_path / "batch").mkdir()
    settings = BatchSettings(1, (), (80, 10, 10), 2, 1.0, "ddim", ("PNG",), "tiny", "0" * 64)
    return begin(tmp_path / "batch", settings, "0" * 64, lambda: [BatchRow(1, 2, box=(60, 30, 6))])


@pytest.mark.parametrize(
    "change",
    [DEEP, LONG, "[1]", "{}", {"settings": []}, {"settings": {}}, {"versions": 5}, {"made": "soon"}, {"made": 5}],
)
def test_a_batch_that_was_changed(small_batch, change):
    assert read_batch(small_batch.folder) == small_batch
    path = small_batch.folder / "batch.json"
    if isinstance(change, dict):
        change = json.dumps({**json.loads(path.read_text()), **change})
    path.write_text(change)
    with pytest.raises(InputError, match="is missing or was altered; restore them"):
        read_batch(small_batch.folder)


@pytest.mark.parametrize("line", [DEEP, LONG, "5", '{"number": 1}', '{"number": 1, "line": 1e400}'])
def test_rows_of_a_batch_that_were_changed_together_with_their_hash(small_batch, line):
    path = small_batch.folder / "batch.json"
    (small_batch.folder / "rows.jsonl").write_text(line + "\n")
    digest = hashlib.sha256(f"{line}\n".encode()).hexdigest()
    path.write_text(json.dumps({**json.loads(path.read_text()), "rows_sha256": digest}))
    with pytest.raises(InputError, match="is missing or was altered; restore them"):
        read_batch(small_batch.folder)


@pytest.mark.parametrize(
    "change", [DEEP, LONG, "[]", "{}", {"seed": "1"}, {"box_row": 1.5}, {"x_mm": True}, {"more": 1}]
)
def test_a_line_of_a_manifest_that_was_changed(small_batch, change):
    folder, row = small_batch.result_folder(small_batch.rows[0]), {**dict.fromkeys(COLUMNS), "number": 1, "x_mm": 5}
    folder.mkdir(parents=True)
    write_row(row, folder)
    assert list(manifest_rows(small_batch)) == [row]
    (folder / "row.json").write_text(json.dumps({**row, **change}) if isinstance(change, dict) else change)
    with pytest.raises(InputError, match=r"row\.json is missing or damaged; remove the folder 000001"):
        list(manifest_rows(small_batch))


@pytest.mark.parametrize("change", [DEEP, {"window": {"width": 1500, "level": "x"}}, {"title": None}, {"number": 1.0}])
def test_a_study_that_was_changed(tmp_path, change):
    path = made_up_study(tmp_path / "study").folder / "study.json"
    if isinstance(change, dict):
        record = json.loads(path.read_text())
        (record["trials"][0] if "number" in change else record).update(change)
        change = json.dumps(record)
    path.write_text(change)
    with pytest.raises(InputError, match=r"is damaged|is incomplete"):
        open_study(path.parent)


@pytest.mark.parametrize("line", [DEEP, f'{{"study": "u", "seconds": {LONG}}}'])
def test_answers_that_were_changed(tmp_path, line):
    study = made_up_study(tmp_path / "study")
    (study.folder / "answers" / f"{study.readers[0]}.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match="is damaged; restore the file"):
        read_answers(study, study.readers[0])


def test_a_checkpoint_that_is_no_json(tmp_path):
    (tmp_path / MANIFEST).write_text(DEEP)
    with pytest.raises(InputError, match="is not JSON; get a fresh copy"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("change", "read"),
    [
        *[({"name": None}, read_manifest), ({"grid": {}}, read_manifest), ({"scheduler": []}, read_manifest)],
        ({"scheduler": {"num_train_timesteps": "x"}}, read_manifest),
        *[({"network": {}}, load_checkpoint), ({"codec": {"x": 1}}, load_checkpoint)],
    ],
)
def test_a_checkpoint_whose_settings_were_changed_together_with_their_hash(tmp_path, change, read):
    folder = save_tiny_checkpoint(tmp_path / "tiny")
    manifest = {**json.loads((folder / MANIFEST).read_text()), **change}
    (folder / MANIFEST).write_text(json.dumps({**manifest, "sha256": digest_of_manifest(manifest)}))
    with pytest.raises(InputError, match="lacks settings, or has some that do not fit its weights; get a fresh"):
        read(folder)
