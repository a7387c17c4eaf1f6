"""The plan of a reader study: a YAML file.

    title: Are placed nodules told from real ones?
    readers: [anna, ben]
    seed: 7
    synthetic: [results]                # journal entries, export folders, or folders that hold such
    real: [nodules.csv, other/chest]    # CSV, one slice a nodule: path, slice, row, column, side[, scores];
                                        # others: CT without nodules
    crop_mm: 60                         # leave it out for whole slices
    window: {width: 1500, level: -600}  # [lung]
    counts: {real_or_synthetic: 40, forced_choice: 20, rate_attributes: 20, find_nodule: 20}

Paths go from the folder of the plan.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

from engine.ct import LUNG, WindowLevel
from engine.errors import InputError
from engine.events import MOST_SEED
from engine.study_building import StudyPlan
from engine.study_trials import TRIAL_KINDS, TrialKind

_NEEDED = ("title", "readers", "seed", "synthetic", "counts")
_OTHER = ("real", "crop_mm", "window")
#: A crop in mm: as small as the smallest box and its surroundings, as large as a chest.
_CROP_MM = (10.0, 400.0)


def read_plan(path: Path) -> StudyPlan:
    """Read a plan.

    Raises
    ------
    InputError
        If it cannot be read, lacks something, or has what is not understood.
    """
    import yaml

    try:
        text = path.read_text("utf-8")
        record: Any = yaml.safe_load(text)
        typed: Any = yaml.load(text, yaml.BaseLoader)
    except OSError as error:
        raise InputError(f"The plan {path} cannot be read; check that the file is there.") from error
    # What a tag such as !!int or !!timestamp does not fit raises whatever its constructor stumbles over.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:
        raise InputError(f"The plan {path} is not YAML; nodule-engine study build --help shows one.") from error
    if not isinstance(record, dict):
        raise InputError(f"The plan {path} holds no names with values; give {', '.join(_NEEDED)}.")
    plan = cast("dict[str, Any]", record)
    missing, unknown = [name for name in _NEEDED if name not in plan], set(plan) - {*_NEEDED, *_OTHER}
    if missing:
        raise InputError(f"The plan {path} has no {missing[0]}; add it.")
    if unknown:
        raise InputError(f"The plan {path} has {min(map(str, unknown))!r}, which is not known; take it out.")
    # Names as they were typed: of 007, YAML makes a number, and of yes the word true.
    names: dict[str, Any] = {name: typed.get(name, value) for name, value in plan.items() if value is not None}
    return StudyPlan(
        title=str(names.get("title", "")),
        readers=tuple(str(code) for code in _list(names, "readers")),
        counts=_counts(plan["counts"]),
        seed=_seed(plan["seed"]),
        synthetic=tuple(path.parent / str(name) for name in _list(names, "synthetic")),
        real=tuple(path.parent / str(name) for name in _list(names, "real")),
        crop_mm=_crop(plan.get("crop_mm")),
        window=_window(plan.get("window")),
    )


def _list(plan: dict[str, Any], name: str) -> list[Any]:
    value: Any = plan.get(name) or []
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _counts(value: Any) -> dict[TrialKind, int]:
    if not isinstance(value, dict):
        raise InputError(f"counts is {value!r}; give a number to one or more of {', '.join(TRIAL_KINDS)}.")
    counts = cast("dict[Any, Any]", value)
    for kind, count in counts.items():
        if kind not in TRIAL_KINDS:
            raise InputError(f"counts has {kind!r}, which is no kind of trial; take some of {', '.join(TRIAL_KINDS)}.")
        if type(count) is not int or not 0 <= count <= 9999:
            raise InputError(f"The count of {kind} is {count!r}; give a whole number from 0 to 9999.")
    return counts


def _seed(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MOST_SEED:
        raise InputError(f"The seed is {value!r}; give a whole number from 0 to {MOST_SEED}.")
    return value


def _crop(value: Any) -> float | None:
    if value is None:
        return None
    least, most = _CROP_MM
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InputError(f"crop_mm is {value!r}; give {least:g} to {most:g} mm, or leave it out for whole slices.")
    return float(value)


def _window(value: Any) -> WindowLevel:
    if value is None:
        return LUNG
    try:
        width, level = float(value["width"]), float(value["level"])
        if not (math.isfinite(width) and math.isfinite(level)):
            raise ValueError("not finite")
        return WindowLevel(width, level)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"window is {value!r}; give width and level in HU.") from error
