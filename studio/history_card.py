"""How one result looks in the history: its thumbnail, and beside it size, scores, seed and time."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPen
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from engine.history import Entry
from engine.nodule import SCORE_NAMES
from studio.history import ENTRY
from studio.slice_texts import signed
from studio.theme import colour, image_colour
from studio.theme_icons import ICONS
from studio.thumbnails import Thumbnails

#: Of a card, and of the thumbnail in it.
CARD = QSize(216, 92)
_THUMBNAIL = 80
_STAR = 16


class HistoryCard(QStyledItemDelegate):
    """Paints the entries of a history."""

    def __init__(self, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        # As the file has it, in the colours of the dark theme: it lies on CT.
        self._star = QSvgRenderer(str(ICONS / "star-filled.svg"), self)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the size of a card; all are alike."""
        return CARD

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint one card."""
        entry: Entry = index.data(ENTRY)
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        area = QRectF(option.rect).adjusted(2, 2, -2, -2)  # pyright: ignore[reportAttributeAccessIssue]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _paint_plate(painter, area, state)
        square = QRectF(area.left() + 4, area.top() + 4, _THUMBNAIL, _THUMBNAIL)
        _paint_picture(painter, square, self._thumbnails.of(entry.path))
        if entry.is_starred:
            corner = QRectF(square.left() + 3, square.top() + 3, _STAR, _STAR).toRect()
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(0, 0, 0, 150))
            painter.drawRoundedRect(corner.adjusted(-2, -2, 2, 2), 4, 4)
            self._star.render(painter, QRectF(corner))
        _paint_words(painter, area.adjusted(_THUMBNAIL + 14, 6, -6, -6), entry)
        painter.restore()


def _paint_plate(painter: QPainter, area: QRectF, state: QStyle.StateFlag) -> None:
    is_selected = bool(state & QStyle.StateFlag.State_Selected)
    is_pointed_at = bool(state & QStyle.StateFlag.State_MouseOver)
    has_focus = bool(state & QStyle.StateFlag.State_HasFocus)
    painter.setPen(QPen(colour("text" if has_focus else "accent" if is_selected else "line"), 2 if has_focus else 1))
    painter.setBrush(colour("selected" if is_selected else "raised" if is_pointed_at else "panel"))
    painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)


def _paint_picture(painter: QPainter, square: QRectF, image: QImage | None) -> None:
    clip = QPainterPath()
    clip.addRoundedRect(square, 3, 3)
    painter.fillPath(clip, image_colour("view"))
    if image is None or image.isNull():
        return
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    size = image.size().scaled(square.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
    where = QRectF(QPointF(0, 0), size.toSizeF())
    where.moveCenter(square.center())
    painter.setClipPath(clip)
    painter.drawImage(where, image)
    painter.setClipping(False)


def _paint_words(painter: QPainter, area: QRectF, entry: Entry) -> None:
    plain, strong = QFont(painter.font()), QFont(painter.font())
    strong.setWeight(QFont.Weight.DemiBold)
    lines = (
        (size_text(entry), strong, "text"),
        (scores_text(entry), plain, "text"),
        (f"Seed {entry.options.seed}", plain, "muted"),
        (time_text(entry.recorded), plain, "muted"),
    )
    height = area.height() / len(lines)
    for number, (text, font, ink) in enumerate(lines):
        painter.setFont(font)
        painter.setPen(colour(ink))
        line = QRectF(area.left(), area.top() + number * height, area.width(), height)
        elided = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(area.width()))
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, elided)
    painter.setPen(colour("muted"))
    beside_size = QRectF(area.left(), area.top(), area.width(), height)
    painter.drawText(beside_size, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, off_text(entry))


def size_text(entry: Entry) -> str:
    """Return the measured diameter."""
    return f"{entry.diameter_mm:.1f} mm" if entry.diameter_mm else "Not measurable"


def scores_text(entry: Entry) -> str:
    """Return the five scores in the order of the sliders."""
    return "  ".join("–" if score is None else str(score) for score in entry.attributes.scores)


def off_text(entry: Entry) -> str:
    """Return how far the scores that were read back lie from those asked for, on average; empty if none were read."""
    return "" if entry.off is None else f"off {entry.off:.1f}"


def time_text(recorded: datetime, now: datetime | None = None) -> str:
    """Return the time of day, with the day before it if that is not today; local time."""
    here, today = recorded.astimezone(), (now or datetime.now()).astimezone()
    if here.date() == today.date():
        return f"{here:%H:%M}"
    return f"{here.day} {here:%b %H:%M}" if here.year == today.year else f"{here.day} {here:%b %Y}"


def tool_tip(entry: Entry) -> str:
    """Return all that is known of a result, a line each."""
    scores = zip(SCORE_NAMES.items(), entry.attributes.scores, strict=True)
    lines = [
        (f"{name.capitalize()} {score}: {names[score - 1]}" if score else f"{name.capitalize()}: not given")
        + (f", reads {entry.scores[name].score:.1f} ± {entry.scores[name].deviation:.1f}" if entry.scores else "")
        for (name, names), score in scores
    ]
    if entry.off is not None:
        lines.append(f"Reads {entry.off:.1f} off the scores asked for, on average")
    options, source = entry.options, entry.source
    lines.append(f"Seed {options.seed}, {options.steps} steps, guidance {options.guidance:g}")
    lines.append(f"{size_text(entry)}, mean {signed(entry.mean_hu)} HU, made in {entry.seconds:.1f} s")
    if source:
        lines.append(f"Slice {source.slice_index + 1} of {source.description or source.path.name}")
    lines.append(f"{entry.recorded.astimezone():%d %B %Y, %H:%M:%S}")
    return "\n".join(lines)
