from __future__ import annotations

from pathlib import Path

import pytest

from engine.batch_plan import COLUMNS, Plan, read_plan
from engine.errors import InputError
from engine.events import MOST_SEED


@pytest.fixture
def read(tmp_path: Path):
    """Write a plan and read it."""

    def written(text: str, name: str = "plan.csv") -> Plan:
        (tmp_path / name).write_text(text, "utf-8")
        return read_plan(tmp_path / name)

    return written


def test_a_line_with_everything(read, tmp_path):
    cells = ["ct", "1.2.3", "60", "210 150 28", "", "4", "3-5", "none", "1 4-5", "suggest", "7-9", ""]
    plan = read(f"{','.join(COLUMNS)}\n{','.join(cells)}\n")
    line = plan.lines[2]
    assert (line.number, line.source, line.series_uid) == (2, tmp_path / "ct", "1.2.3")
    assert (line.slices, line.box, line.extent_mm) == ((60, 60), (210, 150, 28), None)
    assert line.scores == ((4,), (3, 4, 5), None, (1, 4, 5), (1, 2, 3, 4, 5))
    assert (line.first_seed, line.count) == (7, 3)
    assert plan.problems == {}


def test_only_the_input_must_be_given(read):
    line = read("input\nct\n").lines[2]
    assert (line.series_uid, line.slices, line.box, line.extent_mm, line.first_seed) == (None,) * 5
    assert line.scores == ((1, 2, 3, 4, 5),) * 5
    assert line.count == 1


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_capitals_blank_lines_and_the_mark_of_excel(read, separator):
    text = f"\ufeffInput{separator}Size_mm\n\n ct {separator} 5-12.5 \n{separator}\nother\n"
    plan = read(text)
    assert [line.number for line in plan.lines.values()] == [3, 5]
    assert plan.lines[3].extent_mm == (5, 12.5)


def test_yaml_is_the_same_by_line(read):
    text = (
        "# nodules\n- input: ct\n  slice: 60\n  box: [210, 150, 28]\n  margin: 3-5\n\n"
        "- {input: other, count: 4, seed:}\n- ct\n"
    )
    plan = read(text, "plan.yaml")
    assert plan.lines[2].box == (210, 150, 28)
    assert plan.lines[2].scores[1] == (3, 4, 5)
    assert (plan.lines[7].count, plan.lines[7].first_seed) == (4, None)
    assert plan.problems == {8: "Line 8: it is no mapping; give names and values, such as input: ct."}


def test_yaml_means_what_a_table_means(read):
    table = "input,slice,box,seed,margin\n2024_01,060,0120 077 028,010,\n2024-13-01,,,,none\n"
    entries = (
        "# nodules\n- {input: 2024_01, slice: 060, box: [0120, 077, 028], seed: 010, margin: ~}\n"
        "- {input: 2024-13-01, slice: null, margin: none}\n"
    )
    assert read(entries, "plan.yaml").lines == read(table).lines


@pytest.mark.parametrize(
    ("name", "cell", "words"),
    [
        ("input", "", "input is empty"),
        ("slice", "-1", "slice is '-1'; give an index"),
        ("slice", "9-3", "slice is '9-3'"),
        ("slice", "1.5", "slice is '1.5'"),
        ("box", "1 2", "box is '1 2'; give ROW COLUMN SIDE"),
        ("box", "1 2 3", "a box was given without its slice"),
        ("size_mm", "0", "size_mm is '0'; give millimetres from 2.7 to 45.3, a range"),
        ("size_mm", "1-8", "size_mm is '1-8'"),
        ("size_mm", "5-50", "size_mm is '5-50'"),
        ("size_mm", "large", "size_mm is 'large'"),
        ("margin", "6", "margin is '6'; give a score from 1 to 5"),
        ("margin", "0-3", "margin is '0-3'"),
        ("margin", "sharp", "margin is 'sharp'"),
        ("texture", "2.5", "texture is '2.5'"),
        ("seed", "x", "seed is 'x'; give a whole number"),
        ("seed", "9" * 20, "seed is '9999"),
        ("seed", "0-9000000", "9000001 seeds are asked for"),
        ("seed", "9" * 5000, "give a whole number up to"),
        ("box", "1 2 " + "9" * 5000, "give ROW COLUMN SIDE"),
        ("count", "9" * 5000, "give a whole number from 1"),
        ("count", "0", "count is '0'; give a whole number from 1"),
        ("count", "many", "count is 'many'"),
    ],
)
def test_a_bad_cell_is_one_sentence_and_leaves_the_other_lines(read, name, cell, words):
    given = {"input": "ct", name: cell}
    usable = {**given, name: "ct" if name == "input" else ""}
    bad, good = (",".join(cells.values()) for cells in (given, usable))
    plan = read(f"series,{','.join(given)}\n1.2,{bad}\n1.2,{good}\n")
    assert list(plan.problems) == [2]
    assert plan.problems[2].startswith("Line 2: ")
    assert words in plan.problems[2]
    assert plan.problems[2].count("\n") == 0
    assert 3 in plan.lines


def test_a_home_that_there_is_not_leaves_the_other_lines(read):
    plan = read("input\n~nobody-of-that-name/ct\nct\n")
    assert plan.problems == {2: "Line 2: there is no user nobody-of-that-name; name the input by its whole path."}
    assert list(plan.lines) == [3]


def test_seeds_that_do_not_suffice_and_cells_that_do_not_fit(read):
    plan = read("input,seed,count\nct,1-3,4\nct,1,4\nct,1,4,5\n")
    assert "count is 4 but there are 3 seeds" in plan.problems[2]
    assert plan.lines[3].count == 4
    assert "seeds go up to" in read(f"input,seed,count\nct,{MOST_SEED},2\n").problems[2]
    assert read(f"input,seed,count\nct,{MOST_SEED - 1},2\n").problems == {}
    assert "it has 4 cells and the header 3" in plan.problems[4]


def test_the_smallest_and_the_largest_size_are_taken(read):
    plan = read("input,size_mm\nct,2.7\nct,45.3\n")
    assert [line.extent_mm for line in plan.lines.values()] == [(2.7, 2.7), (45.3, 45.3)]


def test_a_size_beside_a_box(read):
    plan = read("input,slice,box,size_mm\nct,1,1 2 3,8\n")
    assert "size_mm was given beside a box" in plan.problems[2]


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("", "plan.csv", "has no line"),
        ("input\n", "plan.csv", "has no line"),
        ("input,colour\nct,red\n", "plan.csv", "has the column 'colour'; the columns are input, series"),
        ("slice\n3\n", "plan.csv", "has no column input"),
        ("input,seed,Seed\nct,1,2\n", "plan.csv", "has the column 'seed' twice; keep one"),
        ('input\n"ct\n', "plan.csv", "is no CSV at line"),
        ("input: ct\n", "plan.yaml", "is no list"),
        ("- input: [ct\n- a", "plan.yml", "is no YAML at line"),
        ("- colour: red\n", "plan.yaml", "has the column 'colour'"),
        ("", "plan.yaml", "is no list"),
    ],
)
def test_what_is_no_plan_is_refused(read, text, name, words):
    with pytest.raises(InputError, match=words):
        read(text, name)


def test_a_plan_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_plan(tmp_path / "missing.csv")
    (tmp_path / "latin.csv").write_bytes(b"input\nM\xfcller\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_plan(tmp_path / "latin.csv")


def test_every_cell_counts_in_the_hash(read):
    first = read("input,count\nct,3\n").sha256
    assert read("input;count\nct;3\n").sha256 == first
    assert read("input,count\nct,4\n").sha256 != first
    assert read("input,count\n\nct,3\n").sha256 != first


def test_sentences_that_are_kept_name_neither_files_nor_uids(read, tmp_path):
    line = read("input\nMuster Max\n").lines[2]
    kept = line.about(f'"Muster Max" in {tmp_path / "Muster Max"} has 1.2.840.1.2.3.4 at 1.25 mm.')
    assert kept == "Line 2: the input in the input has a UID at 1.25 mm."
    assert line.about('"Muster.nii" is damaged.') == "Line 2: a name is damaged."
    named = read("input,series\nct,Muster.nii\n").lines[2]
    assert named.about('"ct" holds no series Muster.nii.') == "Line 2: the input holds no series a UID."
