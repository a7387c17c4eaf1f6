"""The plan of a batch: a CSV table, or a YAML list of mappings with the same names, one line a kind of nodule.

| column               | what                                                                  | if it is empty |
|----------------------|-----------------------------------------------------------------------|----------------|
| input                | DICOM file, folder or zip, NIfTI, NRRD or MHA; as seen from the plan  | must be given  |
| series               | which series, if the input holds several                              | the only one   |
| slice                | index from 0, a range (30-90), or suggest                             | suggest        |
| box                  | ROW COLUMN SIDE in pixels, or suggest                                 | suggest        |
| size_mm              | of suggested boxes: extent of the nodule, or a range (5-12)           | as in LIDC     |
| sphericity - texture | a score, a range (3-5), several (1 4-5), suggest, or none: not given  | suggest        |
| seed                 | of the noise; a range (1-50) is one nodule a seed                     | drawn          |
| count                | how many nodules                                                      | one, or a seed |

What is suggested is drawn from what LIDC's readers marked (`engine.prior`). A line that cannot be read does not stop
the others. Lines of CSV are separated by commas, semicolons or tabs.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from engine.batch_cells import read_box, read_count, read_extent, read_scores, read_seeds, read_slices
from engine.errors import InputError
from engine.nodule import ATTRIBUTE_NAMES

COLUMNS = ("input", "series", "slice", "box", "size_mm", *ATTRIBUTE_NAMES, "seed", "count")
_UID = re.compile(r"\b\d+(\.\d+){5,}")
#: What `PlanLine.about` says instead of the name.
_INPUT = re.compile('"the input"|the input')
_QUOTED = re.compile(r'"[^"]*"')
_YAML_SUFFIXES, _YAML_NULL = (".yaml", ".yml"), ("null", "~")

Cells = dict[str, str]


@dataclass(frozen=True)
class PlanLine:
    """What one line asks for.

    Attributes
    ----------
    number : int
        Of the line in the file, from 1.
    source : Path
        What is to be opened.
    series_uid : str or None
    slices : (first, last) or None
        Both included; None: any.
    box : (row, column, side) in pixels, or None
        None: to be suggested.
    extent_mm : (least, most) or None
        Of the nodule, where the box is suggested; None: as in LIDC.
    scores : five tuples of scores that may be drawn, in the order of Table 1; None where the score is not given
    first_seed : int or None
        The next nodules have the next seeds; None: drawn.
    count : int
        How many nodules.
    """

    number: int
    source: Path
    series_uid: str | None
    slices: tuple[int, int] | None
    box: tuple[int, int, int] | None
    extent_mm: tuple[float, float] | None
    scores: tuple[tuple[int, ...] | None, ...]
    first_seed: int | None
    count: int

    def about(self, reason: str) -> str:
        """Return a sentence about this line, without names of files and series, which are often a patient's, or UIDs.

        Sentences are kept with the data; whoever has the plan finds the name by the number of the line.
        """
        for name in (str(self.source), f'"{self.source.name}"'):
            reason = reason.replace(name, "the input")
        if self.series_uid is not None:
            reason = re.sub(rf"(?<![\w.]){re.escape(self.series_uid)}(?![\w.]*\w)", "a UID", reason)
        unnamed = _QUOTED.sub(lambda found: found[0] if _INPUT.fullmatch(found[0]) else "a name", reason)
        return f"Line {self.number}: {_UID.sub('a UID', unnamed)}"


@dataclass(frozen=True)
class Plan:
    """A plan, read.

    Attributes
    ----------
    lines : by number
    problems : dict
        One sentence for each line that cannot be used, by number.
    sha256 : str
        Of all cells: names the plan.
    """

    lines: dict[int, PlanLine]
    problems: dict[int, str]
    sha256: str

    def told(self, sentence: str, number: int) -> str:
        """Return a sentence of `PlanLine.about` for people at the screen: with the name of what the line opens."""
        line = self.lines.get(number)
        return _INPUT.sub(lambda _: f'"{line.source}"', sentence) if line else sentence


def read_plan(path: Path) -> Plan:
    """Read a plan; inputs are not opened yet.

    Raises
    ------
    InputError
        If the file cannot be read, is no table, has a column that is not known, or has no line.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"The plan {path} cannot be read ({error.strerror}); check the file.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The plan {path} is not text in UTF-8; save it as CSV (UTF-8) or YAML.") from error
    rows, problems = (_yaml_rows if path.suffix.lower() in _YAML_SUFFIXES else _csv_rows)(text, path)
    if not rows and not problems:
        raise InputError(f"The plan {path} has no line; give at least one, with an input.")
    _check_names({name for _, cells in rows for name in cells}, path)
    digest = hashlib.sha256(json.dumps([rows, problems], sort_keys=True).encode()).hexdigest()
    lines: dict[int, PlanLine] = {}
    for number, cells in rows:
        try:
            lines[number] = _line(number, cells, path.parent)
        except InputError as error:
            problems[number] = f"Line {number}: {error}"
    return Plan(lines, problems, digest)


def _csv_rows(text: str, path: Path) -> tuple[list[tuple[int, Cells]], dict[int, str]]:
    """Return the cells of each line that has any, and what is wrong with lines that do not fit the header."""
    header = text.lstrip().partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=header.count), strict=True)
    rows: list[tuple[int, Cells]] = []
    problems: dict[int, str] = {}
    names: list[str] = []
    try:
        for values in reader:
            stripped = [value.strip() for value in values]
            if not any(stripped):
                continue
            if not names:
                names = [name.lower() for name in stripped]
            elif any(stripped[len(names) :]):
                problems[reader.line_num] = (
                    f"Line {reader.line_num}: it has {len(stripped)} cells and the header {len(names)}; "
                    "put text that holds a separator in double quotes."
                )
            else:
                rows.append((reader.line_num, dict(zip(names, stripped, strict=False))))
    except csv.Error as error:
        raise InputError(f"The plan {path} is no CSV at line {reader.line_num} ({error}); correct it.") from error
    _check_names(set(names), path)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"The plan {path} has the column {twice!r} twice; keep one.")
    return rows, problems


def _yaml_rows(text: str, path: Path) -> tuple[list[tuple[int, Cells]], dict[int, str]]:
    """Return the cells of each entry by the line at which it begins, and which entries are no mappings."""
    # As Any, for its stubs say little.
    yaml: Any = import_module("yaml")
    rows: list[tuple[int, Cells]] = []
    problems: dict[int, str] = {}
    # Leaves scalars as they are typed: to other loaders 060 is 48, and 2024_01 is 202401.
    loader = yaml.BaseLoader(text)
    try:
        document: Any = loader.get_single_node()
        if not isinstance(document, yaml.SequenceNode):
            raise InputError(f"The plan {path} is no list; begin each entry with a dash, as in - input: ct.")
        for node in document.value:
            number, entry = node.start_mark.line + 1, loader.construct_object(node, deep=True)
            if isinstance(entry, dict):
                named = cast("dict[Any, Any]", entry)
                rows.append((number, {str(name).lower(): _cell(value) for name, value in named.items()}))
            else:
                problems[number] = f"Line {number}: it is no mapping; give names and values, such as input: ct."
    except (yaml.YAMLError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" at line {place.line + 1}" if place else ""
        raise InputError(f"The plan {path} is no YAML{where}; correct it.") from error
    finally:
        loader.dispose()
    return rows, problems


def _cell(value: object) -> str:
    """Return a value of YAML as it would stand in a table."""
    if isinstance(value, list):
        return " ".join(str(item) for item in cast("list[object]", value))
    text = str(value).strip()
    return "" if text.lower() in _YAML_NULL else text


def _check_names(names: set[str], path: Path) -> None:
    unknown = sorted(names - set(COLUMNS))
    if unknown:
        raise InputError(f"The plan {path} has the column {unknown[0]!r}; the columns are {', '.join(COLUMNS)}.")
    if names and "input" not in names:
        raise InputError(f"The plan {path} has no column input; name in it what is to be opened.")


def _with_home(name: str) -> Path:
    """Return a path whose ~ or ~user is the home that it stands for."""
    try:
        if "\0" in name:
            raise InputError("the input has a zero byte in its name; correct it.")
        return Path(name).expanduser()
    except RuntimeError as error:
        user = Path(name).parts[0].removeprefix("~")
        raise InputError(f"there is no user {user}; name the input by its whole path.") from error


def _line(number: int, cells: Cells, folder: Path) -> PlanLine:
    given = {name: cells.get(name, "") for name in COLUMNS}
    if not given["input"]:
        raise InputError("input is empty; name what is to be opened.")
    slices, box, extent = read_slices(given["slice"]), read_box(given["box"]), read_extent(given["size_mm"])
    if box is not None and (slices is None or slices[0] != slices[1]):
        raise InputError("a box was given without its slice; give one slice, or let the box be suggested.")
    if box is not None and extent is not None:
        raise InputError("size_mm was given beside a box, which has its side; give one of them.")
    seeds = read_seeds(given["seed"])
    return PlanLine(
        number=number,
        source=folder / _with_home(given["input"]),
        series_uid=given["series"] or None,
        slices=slices,
        box=box,
        extent_mm=extent,
        scores=tuple(read_scores(name, given[name]) for name in ATTRIBUTE_NAMES),
        first_seed=None if seeds is None else seeds[0],
        count=read_count(given["count"], seeds),
    )
