"""Options of a training run: those that it saves, its pace, and how the command line gives both."""

from __future__ import annotations

import argparse
import re
from dataclasses import Field, dataclass, fields, replace
from inspect import cleandoc
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from engine.errors import InputError


class RunOptions(Protocol):
    """What a run needs of its options, a frozen dataclass, which are saved with it."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def samples(self) -> int:
        """Samples of the whole run."""
        ...

    @property
    def batch(self) -> int:
        """Samples a step, over all processes."""
        ...

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        ...

    @property
    def learning_rate(self) -> float:
        """Of AdamW, between warm-up and fall."""
        ...

    @property
    def ema_decay(self) -> float:
        """Of the averaged weights, at the most: they warm up, see `TrainingRun`."""
        ...


@dataclass(frozen=True)
class Pace:
    """When a run saves, validates and stops; of no influence on its weights.

    Attributes
    ----------
    validate_on : held-out samples in a validation
    save_every : seconds between saved states
    validate_every : steps between validations
    stop_at : step to stop at before the end, to be taken up later

    Raises
    ------
    InputError
        If there is no step between validations.
    """

    validate_on: int
    save_every: float = 180
    validate_every: int = 500
    stop_at: int | None = None

    def __post_init__(self) -> None:
        if self.validate_every < 1:
            raise InputError(f"--validate-every is {self.validate_every}; give 1 step or more between validations.")


#: What `take_options` takes.
Settings = TypeVar("Settings", bound=RunOptions | Pace)


def add_run_arguments(parser: argparse.ArgumentParser, pace: Pace, *defaults: RunOptions) -> None:
    """Add the options of `Pace` that the command line has, and one for each of the run's, for `take_options`.

    Parameters
    ----------
    pace : what its options are where they are not given
    defaults : what the options are where they are not given; several if it depends on another argument
    """
    group = parser.add_argument_group("pace", argument_default=argparse.SUPPRESS)
    for name, kind in (("save_every", float), ("validate_every", int)):
        group.add_argument(_option(name), type=kind, help=_explained(name, pace))
    group = parser.add_argument_group("options, saved with the run", argument_default=argparse.SUPPRESS)
    options = type(defaults[0])
    choices = getattr(options, "choices", {})
    for field in fields(options):
        kind = type(field.default)
        how: dict[str, Any] = {"type": kind, "choices": choices.get(field.name)}
        if kind is bool:
            how = {"action": argparse.BooleanOptionalAction}
        elif kind is tuple:
            how = {"type": int, "nargs": "+"}
        group.add_argument(_option(field.name), help=_explained(field.name, *defaults), **how)


def add_options(parser: argparse.ArgumentParser, default: Any) -> None:
    """Add an option for each field of a dataclass, whose docstring explains it."""
    for field in fields(default):
        value = getattr(default, field.name)
        parser.add_argument(_option(field.name), type=type(value), default=value, help=_explained(field.name, default))


def add_out(parser: argparse.ArgumentParser, folder: str) -> None:
    """Add the option that names the folder of a report."""
    parser.add_argument("--out", type=Path, default=Path(folder), help="report folder (default: %(default)s)")


def check_counts(options: Any, **least: int) -> None:
    """Compare options, by their names, with the least of which anything can be measured.

    Raises
    ------
    InputError
        If one is less.
    """
    for name, count in least.items():
        if getattr(options, name) < count:
            raise InputError(f"{name} is {getattr(options, name)}; give {count} or more.")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _explained(name: str, *defaults: Any) -> str:
    """What the docstring of their class says of an attribute, and its defaults."""
    usual = " or ".join(dict.fromkeys(_as_typed(getattr(each, name)) for each in defaults))
    return f"{_meanings(type(defaults[0])).get(name, '')} (default: {usual})".replace("%", "%%")


def _meanings(options: type) -> dict[str, str]:
    """Return what its docstring says of each attribute of a class, or that of the class that it comes from."""
    meanings: dict[str, str] = {}
    for its in reversed(options.__mro__):
        _, _, attributes = cleandoc(its.__doc__ or "").partition("Attributes\n----------\n")
        # An entry is "name, name : meaning", and goes on in lines that are indented.
        for entry in re.split(r"\n(?! )", attributes.partition("\n\n")[0]):
            names, _, meaning = entry.partition(" : ")
            meanings.update(dict.fromkeys(names.split(", "), " ".join(meaning.split())))
    return meanings


def _as_typed(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value) or "none"


def take_options(given: dict[str, Any], default: Settings) -> Settings:
    """Take what `add_run_arguments` added for `default` out of the arguments given; the rest is as it is there.

    Raises
    ------
    InputError
        If the options cannot be such.
    """
    taken = {field.name: given.pop(field.name) for field in fields(default) if field.name in given}
    return replace(default, **{name: tuple(its) if isinstance(its, list) else its for name, its in taken.items()})


def as_arguments(options: RunOptions) -> list[str]:
    """Return the arguments that `take_options` takes for such options, those that are empty left out."""
    arguments: list[str] = []
    for field in fields(options):
        value = getattr(options, field.name)
        if isinstance(value, bool):
            arguments.append(_option(field.name if value else f"no_{field.name}"))
        elif isinstance(value, tuple):
            arguments += [_option(field.name), *map(str, value)]  # pyright: ignore[reportUnknownArgumentType]
        elif value != "":
            arguments += [_option(field.name), str(value)]
    return arguments


def learning_rate_at(step: int, options: RunOptions, first_step: int = 0) -> float:
    """Warm-up from the first step of the optimizer on, plateau, and a linear fall to zero over the last fifth."""
    warm_up = min(1.0, (step - first_step + 1) / 300)
    fall = min(1.0, (options.steps - step) / max(1, options.steps // 5))
    return options.learning_rate * warm_up * fall
