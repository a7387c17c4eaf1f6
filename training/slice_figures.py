"""Pictures of an evaluation of slices, like the paper's figures 2 and 3, and the pairs that are nearest to copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engine.ct import LUNG
from engine.export_pictures import to_grey
from engine.nodule import ATTRIBUTE_NAMES, SCORE_NAMES
from training.nearest_neighbours import Neighbours
from training.prepared import hu_from_stored
from training.slice_sets import SliceSet, TrainedOn

#: Side of a tile of a whole slice and of a nodule, in pixels of the picture.
_SLICE_TILE, _NODULE_TILE = 256, 96
_LABEL_WIDTH, _LABEL_LETTERS, _HEADER_HEIGHT, _GAP = 150, 20, 24, 4
_RED, _INK, _PAPER = (230, 40, 40), (20, 20, 20), (255, 255, 255)

Tile = Image.Image


@dataclass(frozen=True)
class _Row:
    label: str
    tiles: Sequence[Tile]


def draw_slices(sets: Mapping[str, SliceSet], columns: int = 6) -> Image.Image:
    """Draw a row of whole slices for each set, in the lung window, the box in red (paper, figure 3).

    The first slices of each set are taken, not chosen ones.
    """
    rows = [
        _Row(name, [_slice_tile(one, index) for index in range(min(columns, len(one)))]) for name, one in sets.items()
    ]
    return _sheet(rows, [], _SLICE_TILE)


def draw_scores(real: SliceSet, generated: SliceSet, name: str, columns: int = 3) -> Image.Image:
    """Draw nodules with low and high scores of each attribute, real and generated (paper, figure 2).

    In the lung window. Crops are those of the distance at nodule level: those with the lowest and the highest scores
    that there are, the score in the corner.
    """
    rows: list[_Row] = []
    for position, attribute in enumerate(ATTRIBUTE_NAMES):
        names = SCORE_NAMES[attribute]
        tiles: list[Tile] = []
        for one in (real, generated):
            low, high = _extremes(one.scores[:, position], columns)
            tiles += [_nodule_tile(one, index, position) for index in (*low, *high)]
            tiles += [Image.new("RGB", (_NODULE_TILE, _NODULE_TILE), _PAPER)] * (2 * columns - len(low) - len(high))
        rows.append(_Row(f"{attribute}\n1 {names[0]}\n5 {names[4]}", tiles))
    headers = [f"real, {end}" for end in ("low", "high")] + [f"{name}, {end}" for end in ("low", "high")]
    return _sheet(rows, [title for end in headers for title in (end, *[""] * (columns - 1))], _NODULE_TILE)


def draw_neighbours(
    generated: SliceSet, training: TrainedOn, neighbours: Neighbours, count: int, unit: str
) -> Image.Image:
    """Draw the `count` generated slices that are nearest to a training slice, each above that slice."""
    closest = np.argsort(neighbours.distances)[:count]
    nearest = [training.image(int(index)) for index in neighbours.indices[closest]]
    rows = [
        _Row("generated", [_slice_tile(generated, int(index)) for index in closest]),
        _Row("nearest in training", [_grey(image, _SLICE_TILE) for image in nearest]),
    ]
    return _sheet(rows, [f"{neighbours.distances[index]:.3g} {unit}" for index in closest], _SLICE_TILE)


def _extremes(scores: NDArray[np.int64], count: int) -> tuple[list[int], list[int]]:
    """Indices of up to `count` nodules with the lowest scores, and with the highest; in both only if there are few."""
    given = np.flatnonzero(scores > 0)
    ordered = given[np.argsort(scores[given], kind="stable")]
    return ordered[:count].tolist(), ordered[::-1][:count].tolist()


def _grey(stored: NDArray[np.uint16], side: int) -> Tile:
    grey = to_grey(hu_from_stored(stored), LUNG)
    return Image.fromarray(grey).resize((side, side), Image.Resampling.BICUBIC).convert("RGB")


def _slice_tile(one: SliceSet, index: int) -> Tile:
    tile = _grey(one.images[index], _SLICE_TILE)
    row, column, box = (int(value) * _SLICE_TILE / one.images.shape[1] for value in one.boxes[index])
    if box:
        ImageDraw.Draw(tile).rectangle((column - 1, row - 1, column + box, row + box), outline=_RED)
    return tile


def _nodule_tile(one: SliceSet, index: int, attribute: int) -> Tile:
    tile = _grey(one.taken(np.array([index])).crops()[0], _NODULE_TILE)
    font = ImageFont.load_default(size=13)
    score = str(one.scores[index, attribute])
    ImageDraw.Draw(tile).text((4, 2), score, fill=_PAPER, font=font, stroke_width=1, stroke_fill=_INK)
    return tile


def _sheet(rows: Sequence[_Row], titles: Sequence[str], side: int) -> Image.Image:
    columns = max([len(titles), *(len(row.tiles) for row in rows)])
    header = _HEADER_HEIGHT if titles else _GAP
    size = (_LABEL_WIDTH + columns * (side + _GAP), header + len(rows) * (side + _GAP))
    sheet = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for column, title in enumerate(titles):
        draw.text((_LABEL_WIDTH + column * (side + _GAP), 4), title, fill=_INK, font=font)
    for number, row in enumerate(rows):
        top = header + number * (side + _GAP)
        lines = [part for line in row.label.splitlines() for part in wrap(line, _LABEL_LETTERS)]
        draw.multiline_text((4, top + 4), "\n".join(lines), fill=_INK, font=font)
        for column, tile in enumerate(row.tiles):
            sheet.paste(tile, (_LABEL_WIDTH + column * (side + _GAP), top))
    return sheet
