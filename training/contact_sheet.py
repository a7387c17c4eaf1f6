"""Contact sheets of an evaluation: held-out cases, and what was generated in their place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont

from engine.ct import LUNG, CTSlice
from engine.export_pictures import to_grey
from engine.nodule import ATTRIBUTE_NAMES, BoundingBox
from engine.window import Window, cut_out
from training.attribute_sweeps import LEVELS
from training.held_out_cases import HeldOutCase

#: Side of a tile, of the label before a row and of the line above the columns, in pixels of the sheet.
_TILE, _LABEL_WIDTH, _HEADER_HEIGHT, _GAP = 160, 96, 22, 4
#: A tile shows at least this much, and this many times the side of the box.
_LEAST_VIEW_MM, _VIEW_IN_BOXES = 30.0, 1.8
_RED, _INK, _PAPER = (230, 40, 40), (20, 20, 20), (255, 255, 255)


def draw_contact_sheet(
    cases: Sequence[HeldOutCase],
    same_scores: Sequence[CTSlice],
    swept: Sequence[tuple[CTSlice, ...]],
    attribute: str,
) -> Image.Image:
    """Draw a row for each case, in the lung window, boxes outlined in red.

    Columns: the real slice, the slice without what is in the box, generated with the reader's scores, and generated
    with `attribute` at 1 to 5.
    """
    titles = ["real", "given", "same scores", *(f"{attribute} {level}" for level in LEVELS)]
    width = _LABEL_WIDTH + len(titles) * (_TILE + _GAP)
    sheet = Image.new("RGB", (width, _HEADER_HEIGHT + len(cases) * (_TILE + _GAP)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    for column, title in enumerate(titles):
        draw.text((_LABEL_WIDTH + column * (_TILE + _GAP) + 4, 3), title, fill=_INK, font=font)
    for row, (case, same, levels) in enumerate(zip(cases, same_scores, swept, strict=True)):
        top = _HEADER_HEIGHT + row * (_TILE + _GAP)
        draw.multiline_text((4, top + 4), _label(case), fill=_INK, font=font)
        for column, ct_slice in enumerate([case.slice, _blanked(case), same, *levels]):
            sheet.paste(_tile(ct_slice, case.box), (_LABEL_WIDTH + column * (_TILE + _GAP), top))
    return sheet


def _label(case: HeldOutCase) -> str:
    side_mm = case.box.side * case.slice.pixel_spacing[0]
    scores = zip(ATTRIBUTE_NAMES, case.attributes.scores, strict=True)
    lines = [f"{name} {score or '-'}" for name, score in scores]
    return "\n".join([f"box {side_mm:.0f} mm", *lines])


def _blanked(case: HeldOutCase) -> CTSlice:
    hu = case.slice.hu.copy()
    hu[case.box.slices] = LUNG.level
    return case.slice.with_hu(hu)


def _tile(ct_slice: CTSlice, box: BoundingBox) -> Image.Image:
    row_mm, column_mm = ct_slice.pixel_spacing
    view_mm = max(_LEAST_VIEW_MM, _VIEW_IN_BOXES * box.side * max(row_mm, column_mm))
    spacing = view_mm / _TILE
    row, column = box.centre
    scale = (spacing / column_mm, spacing / row_mm)
    window = Window((column, row), scale, spacing, (0.0, 0.0, float(_TILE), float(_TILE)), _TILE)
    hu = cut_out(torch.tensor(ct_slice.hu), window)[0, 0].numpy()
    tile = Image.fromarray(to_grey(hu, LUNG)).convert("RGB")
    half_x, half_y = box.side / scale[0] / 2, box.side / scale[1] / 2
    middle = _TILE / 2
    outline = (middle - half_x - 1, middle - half_y - 1, middle + half_x, middle + half_y)
    ImageDraw.Draw(tile).rectangle(outline, outline=_RED)
    return tile
