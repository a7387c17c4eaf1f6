"""The figures of an evaluation as a page for people."""

from __future__ import annotations

from typing import Any

from engine.nodule import ATTRIBUTE_NAMES, SCORE_NAMES
from training.paste_checks import NOISE_SPACINGS_MM

Figures = dict[str, Any]


def write_markdown(figures: Figures) -> str:
    """Return the report of `training.evaluate`, all its tables, as Markdown."""
    sections = [
        _heading(figures),
        _errors(figures["v_error"]),
        _sweeps(figures["sweeps"], figures["readers_against_proxies"]),
        _read_back(figures["sweeps"]),
        _realism(figures["realism"]),
        _noise(figures["noise"]),
        _boxes(figures["boxes"]),
        _time(figures["time"]),
    ]
    return "\n\n".join(sections) + "\n"


def shown(value: float | None, digits: int = 3) -> str:
    """Return a number with so many digits after the point, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _heading(figures: Figures) -> str:
    checkpoint, options = figures["checkpoint"], figures["options"]
    return (
        f"# Evaluation of {checkpoint['name']}\n\n"
        f"Checkpoint {checkpoint['sha256'][:12]}, {checkpoint['samples_seen']} samples seen. "
        f"{options['steps']} steps of {options['solver']}, guidance {options['guidance']:g}. "
        f"Held-out patients only: {figures['cases']['cases']} crops of {figures['cases']['patients']} patients. "
        f"The evaluation took {figures['minutes']:.1f} minutes."
    )


def _errors(errors: Figures) -> str:
    rows = [[name, shown(value, 4)] for name, value in errors["mean_squared_error"].items()]
    lines = [
        f"The error with attributes is lower by {gain['by']:.4f} (95 % interval over patients "
        f"{gain['interval_95'][0]:.4f} to {gain['interval_95'][1]:.4f}) than: {name}."
        for name, gain in errors["lower_than"].items()
    ]
    return "\n\n".join(
        [
            "## Error of v inside the box",
            f"{errors['samples']} samples of {errors['patients']} patients; the same noise and time steps for all.",
            markdown_table(["network", "mean squared error"], rows),
            *lines,
        ]
    )


_PROXIES = {
    "sphericity": "minor over major axis",
    "margin": "slope over rise, 1/mm",
    "lobulation": "amplitude of harmonics 3 to 5",
    "spiculation": "amplitude of harmonics 6 to 15",
    "texture": "mean HU inside",
}


def _sweeps(sweeps: dict[str, Figures], readers: dict[str, float]) -> str:
    rows: list[list[str]] = []
    for name in reversed(ATTRIBUTE_NAMES):
        if name in sweeps:
            sweep, digits = sweeps[name], 0 if name == "texture" else 3
            means = [shown(value, digits) for value in sweep["mean_at_score"]]
            counts = [str(sweep["boxes"]), str(sweep["not_found"])]
            figures = [shown(value, 2) for value in (sweep["pooled"], sweep["median_per_box"], readers[name])]
            rows.append([f"{name} ({_PROXIES[name]})", *figures, *means, *counts])
    header = ["attribute (measured)", "Spearman, pooled", "median per box", "readers on real nodules"]
    return "\n\n".join(
        [
            "## Attributes: asked for 1 to 5, against measured",
            "The same box and noise, one score swept. All but texture's mean HU are proxies; \"readers on real "
            "nodules\" is what the proxy reaches with a reader's scores on the real crops. For lobulation and "
            f"spiculation 1 is {SCORE_NAMES['lobulation'][0].lower()}, 5 {SCORE_NAMES['lobulation'][4].lower()}.",
            markdown_table([*header, *"12345", "boxes", "not found"], rows),
        ]
    )


def _read_back(sweeps: dict[str, Figures]) -> str:
    rows: list[list[str]] = []
    for name in reversed(ATTRIBUTE_NAMES):
        read = sweeps[name]["read_back"] if name in sweeps else None
        if read:
            leaks = ", ".join(f"{other} {change:+.2f}" for other, change in read["leakage"].items())
            figures = [shown(value, 2) for value in (read["spearman"], read["within_one"], *read["mean_at_score"])]
            rows.append([name, *figures, leaks])
    header = ["attribute", "Spearman", "within 1", *"12345", "change of the others from 1 to 5"]
    return "\n\n".join(
        [
            "## Attributes: asked for 1 to 5, against read back",
            'By the scorer that comes with the program. "Within 1" is averaged over the five scores.',
            markdown_table(header, rows) if rows else "Nothing could be read.",
        ]
    )


def _realism(realism: Figures) -> str:
    rows = [
        [
            f"{name} distance",
            f"{shown(one['generated'], digits)} ± {shown(one['generated_deviation'], digits)}",
            f"{shown(one['floor'], digits)} ± {shown(one['floor_deviation'], digits)}",
            shown(one["ratio"], 2),
        ]
        for name, digits in (("frechet", 2), ("kernel", 4))
        for one in [realism[name]]
    ]
    low, high = min(realism["crops_a_side"]), max(realism["crops_a_side"])
    return "\n\n".join(
        [
            "## Distance from real nodules",
            "Crops of 32 x 32 pixels at 0.7 mm around the box's centre, features of EfficientNet-Lite0 (1280). Real "
            "patients are split into halves A and B; the floor is A against B, and generated is what was made in "
            f"A's boxes with A's scores, against B. {low} to {high} crops a side, mean ± standard deviation over "
            f"{realism['splits']} splits.",
            markdown_table(["", "generated against real", "real against real (floor)", "ratio"], rows),
            "With fewer crops than features both covariances are singular: the Frechet distance is computed exactly, "
            "nothing is added to the diagonal, but it is biased upwards on both sides, which draws the ratio to 1. "
            "Compare numbers of the same size of set only. The kernel distance is unbiased; its floor lies near 0, "
            "or above it as far as the patients of A differ from those of B.",
        ]
    )


def _noise(noise: list[Figures]) -> str:
    rows = [
        [f"{one['spacing_mm']:g}", shown(one["after"], 2), shown(one["before"], 2), str(one["cases"])] for one in noise
    ]
    spacings = ", ".join(f"{spacing:g}" for spacing in NOISE_SPACINGS_MM)
    return "\n\n".join(
        [
            "## Noise just inside the box over noise just outside",
            f"Robust standard deviation of HU minus HU smoothed over a pixel, in lung, at {spacings} mm. Where no crop "
            "has the spacing, means of 2 x 2 pixels of finer ones are taken.",
            markdown_table(["spacing, mm", "after placing", "before", "cases"], rows),
        ]
    )


def _boxes(boxes: Figures) -> str:
    rows = [
        ["HU changed outside the box", str(boxes["hu_changed_outside"])],
        ["boxes in which a nodule was measured", f"{boxes['nodule_found']:.1%}"],
        ["nodules that touch the box's border", f"{boxes['touching_the_border']:.1%}"],
        ["real nodules that touch it, measured likewise", f"{boxes['real_touching_the_border']:.1%}"],
        ["diameter over that of the real nodule, median", shown(boxes["diameter_over_real_median"], 2)],
    ]
    return "\n\n".join([f"## In the box ({boxes['boxes']} boxes)", markdown_table(["", ""], rows)])


def _time(time: Figures) -> str:
    return (
        f"## Time\n\n{time['median_seconds']:.2f} s a place (median of {time['places']}, slowest "
        f"{time['slowest_seconds']:.2f} s): box of {time['box_mm']:g} mm, {time['steps']} steps, with previews, on "
        f"{time['device']}."
    )
