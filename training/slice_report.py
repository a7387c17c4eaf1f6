"""The figures of an evaluation of slice generators as a page for people."""

from __future__ import annotations

import json
from typing import Any

from training.evaluation_report import markdown_table, shown
from training.slice_sets import LEVELS

Figures = dict[str, Any]

_CONDITIONS = {
    "training": "Boxes, scores and spacings are those of training slices, drawn at random, as the readers gave them.",
    "held-out": "Boxes, scores and spacings are those of held-out slices, drawn at random, as the readers gave them.",
    "studio": "Boxes, scores and spacings are what the studio suggests, whatever the data have.",
    "paper": "Boxes and scores are drawn as the paper does, independent of each other.",
}
_DIGITS = {"frechet": 2, "kernel": 4}


def write_slice_markdown(figures: Figures) -> str:
    """Return the report of `training.evaluate_slice`, all its tables, as Markdown."""
    sections = [_heading(figures), _data(figures)]
    sections += [_table_2(figures, side) for side in ("training", "held-out")]
    sections += [_floor(figures["distances"]), _neighbours(figures["neighbours"])]
    sections.append(_time(figures))
    if figures["paper_way"]:
        sections.append(_paper_way(figures))
    return "\n\n".join(sections) + "\n"


def _heading(figures: Figures) -> str:
    options = figures["options"]
    rows = [
        [
            *(label, one["name"], one["sha256"][:12], str(one["samples_seen"])),
            *(json.dumps(one["data"]), "yes" if one["is_guided"] else "no"),
        ]
        for label, one in figures["generators"].items()
    ]
    return "\n\n".join(
        [
            "# Evaluation of slice generators",
            f"Every slice was generated whole; nothing here is in-painted. {options['count']} slices a configuration, "
            f"{options['steps']} steps of {options['solver']}, the same conditions and noise for all, guidance "
            f"{options['guidance']:g} where a configuration can be guided. {_CONDITIONS[options['conditions']]} For "
            f"features, HU from {options['hu_low']:g} to {options['hu_high']:g} become black to white, and every "
            "image is enlarged or reduced (bilinear) to the size that its network takes: real and generated ones "
            f"alike. {_networks(figures['networks'])} Conditions, real slices and all else that distances depend on, "
            f"beside checkpoint and network, have the hash {figures['comparison'][:12]}: where it is the same, rows of "
            f"reports can be set side by side. This run of the evaluation took {figures['minutes']:.1f} minutes; "
            "what an earlier one had made was taken from the report folder.",
            *_readings(figures["readings"]),
            markdown_table(["configuration", "checkpoint", "hash", "samples seen", "trained on", "guided"], rows),
        ]
    )


def _networks(weights: dict[str, str]) -> str:
    listed = ", ".join(f"{name} {sha256[:8]}" for name, sha256 in weights.items())
    return f"Hashes of the networks' weights: {listed}."


def _readings(readings: dict[str, int] | None) -> list[str]:
    """Say which readings conditions were drawn from, where they come from readings and some lack a score."""
    if readings is None or readings["complete"] == readings["readings"]:
        return []
    if readings["complete"]:
        left_out = f"{readings['readings'] - readings['complete']} of {readings['readings']}"
        return [f"Only readings with all five scores are asked for: {left_out} lack one and were left out."]
    return [
        "No reading has all five scores, so that some are asked for as not given: configurations that were trained on "
        "all five have never seen that, and are measured by what they were not made for."
    ]


def _data(figures: Figures) -> str:
    rows = [
        [
            side,
            str(one["slices"]),
            str(one["with_nodules"]),
            str(one["patients"]),
            ", ".join(f"{source} {count}" for source, count in one["sources"].items()),
        ]
        for side, one in figures["data"].items()
    ]
    header = ["split", "slices", "with a nodule", "patients", "slices by source"]
    parts = ["## Data taken as real", markdown_table(header, rows)]
    if any("with transplant" in source for one in figures["data"].values() for source in one["sources"]):
        parts.append(
            "Slices with a transplant are real slices into which a real nodule of another patient was transplanted: "
            "they stand for real ones here, and distances at nodule level are distances from those."
        )
    others = [label for label, one in figures["generators"].items() if one["data"] != figures["made_by"]]
    if others:
        parts.append(
            f"Mind: the record of what was trained on is not that of these data for {', '.join(others)}. Slices that "
            "were trained on may be missing here, and copies of them are then not found below."
        )
    return "\n\n".join(parts)


def _table_2(figures: Figures, side: str) -> str:
    distances, options = figures["distances"], figures["options"]
    parts = ["## Distance from slices of held-out patients"]
    if side == "training":
        parts = [
            "## Distance from slices of the patients trained on",
            "This is what the paper's Table 2 compares, but not how it samples: the paper takes 1000 steps of DDPM; "
            f"here every configuration, 1 to 3 too, takes {options['steps']} steps of {options['solver']}. "
            f"Global: {LEVELS['global']}. Nodules: {LEVELS['nodules']}. The Frechet distance is biased upwards by few "
            "slices on either side: compare numbers with the same N (generated) and M (real) only. KID, the kernel "
            "distance, is not biased. Numbers of different networks cannot be compared, nor these with the paper's, "
            "whose network is Inception and whose data are others.",
        ]
    for network, levels in distances.items():
        rows = [
            [label, *_distances_of([levels[level][side][label] for level in LEVELS])]
            for label in levels["global"][side]
        ]
        header = [f"{network} ({levels['length']} features)", *_columns(), "N", "M"]
        parts.append(markdown_table(header, rows) if rows else f"{network}: fewer than two slices with a nodule.")
    return "\n\n".join(parts)


def _columns() -> list[str]:
    return [f"{distance}, {level}" for distance in ("Frechet", "KID") for level in LEVELS]


def _distances_of(levels: list[Figures]) -> list[str]:
    cells = [shown(level[distance], digits) for distance, digits in _DIGITS.items() for level in levels]
    return [*cells, str(levels[0]["generated"]), str(levels[0]["real"])]


def _floor(distances: Figures) -> str:
    parts = ["## Beside the distance of real slices from real slices"]
    for network, levels in distances.items():
        floors = [levels[level]["floor"] for level in LEVELS]
        if None in floors:
            return f"{parts[0]}\n\nThere is none: two or more patients are needed, with nodules that are not the same."
        if len(parts) == 1:
            low, high = floors[0]["a_side"]
            parts.append(
                "The patients, trained on and held out together, are split at random into halves A and B; slices with "
                "a nodule that B has too are left out of A. Real: A against B, the floor. Through the VQ-VAE: A, "
                "encoded and decoded, against B. The others: as many generated slices against B; they can lie below "
                "the floor, for their generators know patients and nodules of B. N on both sides: "
                f"{low if low == high else f'{low} to {high}'}; mean ± standard deviation over {floors[0]['splits']} "
                "splits, whose halves differ as far as few patients do."
            )
        rows = [
            [
                name,
                *(
                    f"{shown(one['mean'], digits)} ± {shown(one['deviation'], digits)}"
                    for distance, digits in _DIGITS.items()
                    for floor in floors
                    for one in [floor["rows"][name][distance]]
                ),
            ]
            for name in floors[0]["rows"]
        ]
        parts.append(markdown_table([network, *_columns()], rows))
    return "\n\n".join(parts)


def _neighbours(neighbours: Figures) -> str:
    parts = [
        "## Nearest training slice",
        "Root mean squared difference from the nearest training slice, of pixels at 64 x 64 and of features. "
        "Real slices are held-out ones, and training slices among those of other patients. The last columns: the "
        "share that is nearer than 99 % of those are; about 1 % if nothing was learned by heart. The pairs nearest to "
        "each other are drawn in neighbours_*.png.",
    ]
    for variants, found in neighbours.items():
        if variants != "1":
            parts.append(
                f"Training slices with a nodule count in all {variants} variants that were trained on, shifted and "
                "enlarged:"
            )
        elif len(neighbours) > 1:
            parts.append("Training slices as they are, which was all that was trained on:")
        parts.append(_neighbours_table(found))
    return "\n\n".join(parts)


def _neighbours_table(neighbours: Figures) -> str:
    rows: list[list[str]] = []
    for measure, unit in (("pixels", "HU"), ("features", "feature")):
        found = neighbours[measure]
        dashes = ["-"] * len(found["real"])
        rows += [
            [f"{measure} ({unit})", f"real, {name}", *_spread(one), *dashes] for name, one in found["real"].items()
        ]
        rows += [
            [f"{measure} ({unit})", label, *_spread(one), *(f"{share:.1%}" for share in one["nearer_than"].values())]
            for label, one in found["generated"].items()
        ]
    header = ["by", "slices", "N", "nearest", "1st percentile", "5th percentile", "median"]
    nearer = [f"nearer than real, {name}" for name in neighbours["pixels"]["real"]]
    return markdown_table([*header, *nearer], rows)


def _spread(one: Figures) -> list[str]:
    names = ("nearest", "percentile_1", "percentile_5", "percentile_50")
    return [str(one["count"]), *(shown(one[name], 3) for name in names)]


def _time(figures: Figures) -> str:
    rows = [
        [
            *(label, str(one["unet_passes"]), shown(one["median_seconds"], 2), shown(one["slowest_seconds"], 2)),
            str(one["slices"]),
        ]
        for label, one in figures["time"].items()
    ]
    return "\n\n".join(
        [
            "## Time of one slice",
            f"{figures['options']['steps']} steps, one slice after another, without previews, on {figures['device']}. "
            "In a step that is guided, a U-Net runs twice.",
            markdown_table(["configuration", "U-Net passes", "median, s", "slowest, s", "slices"], rows),
        ]
    )


def _paper_way(figures: Figures) -> str:
    ways, options = figures["paper_way"], figures["options"]
    rows = [
        [
            *(label, *(str(way["unet_passes"][name]) for name in ("few_steps", "paper"))),
            *(shown(way["seconds"][name], 1) for name in ("few_steps", "paper", "times_faster")),
        ]
        for label, way in ways.items()
    ]
    passes = ["U-Net passes, few", "U-Net passes, DDPM"]
    parts = [
        "## Against the paper's way: DDPM, all training steps, no guidance, same weights",
        f"Few: {options['steps']} steps of {options['solver']}, guided where the first table says so. The same "
        "conditions and noise for both, timed one right after the other.",
        markdown_table(["configuration", *passes, "few, s", "DDPM, s", "times faster"], rows),
    ]
    compared = [
        ([label, network, level], one)
        for label, way in ways.items()
        for network, levels in way["distances"].items()
        for level, one in levels.items()
    ]
    if not compared:
        return "\n\n".join([*parts, "Fewer than two training slices have a nodule: there are no distances."])
    return "\n\n".join([*parts, *_paper_kernel(compared), *_paper_frechet(compared)])


_Compared = list[tuple[list[str], Figures]]
_COMPARED = ["configuration", "network", "level"]


def _paper_kernel(compared: _Compared) -> list[str]:
    rows = [
        [
            *names,
            *(shown(one["kernel"][name], 4) for name in ("few_steps", "paper")),
            f"{shown(one['kernel']['difference'], 4)} ± {shown(one['kernel']['deviation'], 4)}",
            *(str(one["generated"]), str(one["real"])),
        ]
        for names, one in compared
    ]
    return [
        "Whether few steps come as near to training slices is judged by KID, which few slices do not bias: that of few "
        "steps less that of DDPM, and the standard deviation of this difference (bootstrap over pairs). The distance "
        "of few steps is shown to be at most 5 % larger only where the difference and twice its deviation together "
        "stay below a twentieth of DDPM's KID.",
        markdown_table([*_COMPARED, "KID, few", "KID, DDPM", "difference", "N", "M"], rows),
    ]


def _paper_frechet(compared: _Compared) -> list[str]:
    rows: list[list[str]] = []
    for names, one in compared:
        frechet = one["frechet"]
        cells = [shown(frechet["few_steps"], 2), shown(frechet["paper"], 2), shown(frechet["ratio"])]
        if above := frechet["above_floor"]:
            floor = f"{shown(above['floor'], 2)} ± {shown(above['floor_deviation'], 2)}"
            cells += [floor, shown(above["few_steps"], 2), shown(above["paper"], 2), shown(above["ratio"])]
        rows.append([*names, *cells, *["-"] * (7 - len(cells))])
    header = ["Frechet, few", "Frechet, DDPM", "ratio", "floor", "few above it", "DDPM above it", "ratio of these"]
    return [
        "The ratio of Frechet distances cannot show that one is within 5 % of the other: the bias of few slices is "
        "most of both, and takes their ratio near to 1 whatever they are. The floor is the distance of as many real "
        "training slices, set aside at random, from the rest of them. What lies above it, measured from the same rest, "
        "is without most of the bias; where it is little, its ratio says little. None of these can be compared with "
        "the distances above, whose N is larger.",
        markdown_table([*_COMPARED, *header], rows),
    ]
