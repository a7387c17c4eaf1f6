"""What a batch holds, as pictures for its data card: places, sizes, scores and HU."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.batch_balance import SIZE_EDGES_MM
from engine.nodule import ATTRIBUTE_NAMES
from engine.prior_table import prior_table

#: Of matplotlib, whose methods take what no type says.
Figure = Axes = Any
#: A column of the manifest: NaN where it is empty.
Column = NDArray[np.float64]
#: Of the synthetic nodules, and of LIDC beside them.
_OURS, _LIDC = "#1f6feb", "#b4bac2"
_REACH_MM = 180.0
#: How matplotlib looks: quiet axes, letters that can be read in a page.
_STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "figure.dpi": 110,
    "legend.frameon": False,
}


def write_pictures(columns: dict[str, Column], folder: Path) -> list[str]:
    """Write the PNG files of a data card; return their names.

    Parameters
    ----------
    columns : the manifest's numbers by name, each (nodules,)
    folder : Path
        There already.
    """
    pictures = {"places": _places, "sizes": _sizes, "scores": _scores, "hu": _hu}
    with import_module("matplotlib").rc_context(_STYLE):
        for name, draw in pictures.items():
            figure = draw(columns)
            figure.savefig(folder / f"{name}.png")
    return [f"{name}.png" for name in pictures]


def _figure(width: float, height: float, **panels: Any) -> tuple[Figure, list[Axes]]:
    # Not through pyplot, which keeps figures and may look for a screen.
    figure = import_module("matplotlib.figure").Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(squeeze=False, **panels).flat)


def _places(columns: dict[str, Column]) -> Figure:
    """Centres of the boxes, from the middle of the lungs; LIDC's behind them."""
    figure, (axes,) = _figure(6, 5)
    lidc = prior_table().place_mm - prior_table().lungs_mm
    axes.scatter(lidc[:, 1], lidc[:, 0], s=2, color=_LIDC, alpha=0.5, linewidths=0, label="LIDC-IDRI")
    axes.scatter(
        columns["from_lungs_column_mm"],
        columns["from_lungs_row_mm"],
        s=9,
        color=_OURS,
        alpha=0.7,
        linewidths=0,
        label="this data set",
    )
    axes.set(
        xlim=(-_REACH_MM, _REACH_MM),
        ylim=(_REACH_MM * 0.8, -_REACH_MM * 0.8),
        aspect="equal",
        title="Places in the slice, from the middle of the lungs",
        xlabel="← patient's right      mm      patient's left →",
        ylabel="← back      mm      front →",
    )
    axes.legend(loc="upper right", markerscale=3)
    return figure


def _sizes(columns: dict[str, Column]) -> Figure:
    figure, (asked, measured) = _figure(9, 3.6, ncols=2, sharey=True)
    edges = np.arange(0.0, 62.0, 2.0)
    reference = prior_table().extent_mm.astype(np.float64)
    _histogram(asked, columns["extent_asked_mm"], edges, reference)
    asked.set(title="Size asked for", xlabel="extent in mm", ylabel="share of nodules")
    asked.legend()
    _histogram(measured, columns["diameter_mm"], edges, None)
    measured.set(title="Size measured (0: none found)", xlabel="diameter of the circle of the same area, mm")
    for axes in (asked, measured):
        for edge in SIZE_EDGES_MM[1:-1]:
            axes.axvline(edge, color="#8b949e", linewidth=0.8, linestyle=":")
    return figure


def _scores(columns: dict[str, Column]) -> Figure:
    figure, panels = _figure(12, 3.3, ncols=len(ATTRIBUTE_NAMES), sharey=True)
    levels = np.arange(1, 6)
    for axis, (axes, name) in enumerate(zip(panels, ATTRIBUTE_NAMES, strict=True)):
        lidc = _level_shares(prior_table().scores[:, axis].astype(np.float64))
        axes.bar(levels - 0.2, lidc, 0.4, color=_LIDC, label="LIDC-IDRI")
        axes.bar(levels + 0.2, _level_shares(columns[name]), 0.4, color=_OURS, label="this data set")
        axes.set(title=name, xticks=levels, xlabel="score")
    panels[0].set_ylabel("share of nodules")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _hu(columns: dict[str, Column]) -> Figure:
    figure, (axes,) = _figure(6, 3.6)
    _histogram(axes, columns["mean_hu"], np.arange(-1000.0, 450.0, 50.0), None)
    axes.set(title="Mean HU of the nodule as measured", xlabel="HU", ylabel="share of nodules")
    return figure


def _histogram(axes: Axes, values: Column, edges: Column, reference: Column | None) -> None:
    """Draw shares; values beyond the edges count in the last bars."""
    if reference is not None:
        weights = np.full(len(reference), 1 / len(reference))
        axes.hist(reference.clip(edges[0], edges[-1]), edges.tolist(), weights=weights, color=_LIDC, label="LIDC-IDRI")
    known = values[np.isfinite(values)].clip(edges[0], edges[-1])
    weights = np.full(len(known), 1 / max(1, len(known)))
    axes.hist(known, edges.tolist(), weights=weights, color=_OURS, alpha=0.75, edgecolor="white", label="this data set")


def _level_shares(scores: Column) -> Column:
    """Return the shares of the five levels among scores that were given."""
    given = scores[np.isfinite(scores)].astype(np.int64)
    return np.bincount(given, minlength=6)[1:] / max(1, len(given))
