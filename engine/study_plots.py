"""Plots of a reader study's report, as PNG."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.study_figures import ALL_READERS, Section, Times
from engine.study_statistics import Estimate
from engine.study_trials import TrialKind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Width of all plots in inches, and their resolution.
_WIDTH, _DPI = 7.2, 160
_COLOURS = ("#1f6f8b", "#c8553d", "#588157", "#8e5ea2", "#b08900", "#444444", "#2f9e9e", "#a23b72")
_ALL = "#111111"
_GUESSING = {"real_or_synthetic": ("Accuracy", "AUC"), "forced_choice": ("Accuracy",), "find_nodule": ("AUC",)}


@dataclass(frozen=True)
class Plot:
    """A picture, and what it shows in words."""

    text: str
    png: bytes
    width_share: float = 1.0


def section_plots(section: Section) -> list[Plot]:
    """Return the plots of one kind of trial."""
    plots: list[Plot] = []
    if section.kind == "rate_attributes":
        plots.append(Plot("Scores asked for and rated, of each attribute", _png(_score_tables(section))))
    else:
        plots.append(Plot("Each reader's figures with 95 % intervals", _png(_intervals(section))))
    if section.curves:
        plots.append(Plot("ROC curve of each reader", _png(_roc(section)), 0.6))
    return plots


def times_plot(times: Mapping[TrialKind, Mapping[str, Times]]) -> Plot:
    """Return a plot of medians and quartiles of the seconds, by kind and reader."""
    rows = [
        (f"{kind.replace('_', ' ')}, {reader}", found)
        for kind, readers in times.items()
        for reader, found in readers.items()
    ]
    figure = _figure(0.9 + 0.26 * len(rows))
    axes: Any = figure.add_subplot()
    for place, (_, found) in enumerate(rows):
        axes.plot([found.lower_quartile, found.upper_quartile], [place, place], color=_COLOURS[0], lw=3, alpha=0.45)
        axes.plot(found.median, place, "o", color=_COLOURS[0], ms=5)
    _label_rows(axes, [name for name, _ in rows])
    axes.set_xlim(left=0)
    axes.set_xlabel("Seconds a trial: median, and quartiles")
    return Plot("Seconds that readers took", _png(figure))


def _intervals(section: Section) -> Figure:
    names = list(section.figures[ALL_READERS])
    readers = list(section.figures)
    figure = _figure(0.8 + 0.25 * len(readers))
    for place, name in enumerate(names):
        axes: Any = figure.add_subplot(1, len(names), place + 1)
        if name in _GUESSING.get(section.kind, ()):
            axes.axvline(0.5, color="#999999", lw=0.8, ls="--")
        for row, reader in enumerate(readers):
            _draw_estimate(axes, section.figures[reader][name], row, _ALL if reader == ALL_READERS else _COLOURS[0])
        _label_rows(axes, readers if place == 0 else [""] * len(readers))
        axes.set_xlim(-0.03, 1.03)
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_title(_wrapped(name), fontsize=8.5)
    return figure


def _draw_estimate(axes: Any, found: Estimate, row: int, colour: str) -> None:
    if found.value is None:
        return
    if found.low is not None and found.high is not None:
        axes.plot([found.low, found.high], [row, row], color=colour, lw=1.6)
    axes.plot(found.value, row, "D" if colour == _ALL else "o", color=colour, ms=4.5)


def _roc(section: Section) -> Figure:
    figure = _figure(_WIDTH * 0.6, _WIDTH * 0.6)
    axes: Any = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#999999", lw=0.8, ls="--")
    for index, (reader, points) in enumerate(section.curves.items()):
        across, up = zip(*points, strict=True)
        axes.plot(
            across, up, marker="o", ms=3, lw=1.5, color=_COLOURS[index % len(_COLOURS)], label=reader, clip_on=False
        )
    wanted = "synthetic" if section.kind == "real_or_synthetic" else "with nodule"
    axes.set_xlabel("1 - specificity")
    axes.set_ylabel(f"Sensitivity ({wanted})")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    return figure


def _score_tables(section: Section) -> Figure:
    figure = _figure(2.0)
    for place, (name, table) in enumerate(section.confusions.items()):
        axes: Any = figure.add_subplot(1, len(section.confusions), place + 1)
        counts = np.array(table.counts, np.float64)
        totals = counts.sum(axis=1, keepdims=True)
        axes.imshow(
            np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0), cmap="Blues", vmin=0, vmax=1
        )
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if count > 0.6 * totals[row, 0] else "#222222"
                axes.text(column, row, f"{count:.0f}", ha="center", va="center", fontsize=6.5, color=colour)
        axes.set_title(name.split(":")[0], fontsize=8.5)
        axes.set_xticks(range(len(table.answers)), table.answers, fontsize=7)
        axes.set_yticks(range(len(table.truths)), table.truths, fontsize=7)
        axes.set_xlabel("rated", fontsize=7.5)
        axes.tick_params(length=0)
        if place == 0:
            axes.set_ylabel("asked for", fontsize=7.5)
    return figure


def _figure(height: float, width: float = _WIDTH) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def _label_rows(axes: Any, names: list[str]) -> None:
    """Write names at the rows, the first on top."""
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e5e5e5", lw=0.6)
    axes.set_axisbelow(True)
    for edge in ("top", "right", "left"):
        axes.spines[edge].set_visible(False)


def _wrapped(name: str) -> str:
    """Break a title in two where it is long."""
    return "\n".join(textwrap.wrap(name, 20))


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
