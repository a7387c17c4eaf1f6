"""What a slider shows besides its score: how often readers gave each, how far they disagree, and what was read back."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen, QPolygonF

from engine.nodule import SCORE_NAMES
from engine.reader_scores import ReaderScores
from engine.score_reading import ScoreReading
from studio.theme import colour

#: Width of the bar of a score.
_BAR_WIDTH = 20.0
#: So rare that its bar would not be seen: it is drawn this high.
_LEAST_BAR = 1.5
#: Read back further than this from what was asked for, and than so many standard deviations of the scorer's errors:
#: that is shown. Less is no sign of a nodule that does not obey: the scorer errs as much on nodules of patients.
_FAR_OFF, _FAR_OFF_DEVIATIONS = 1.0, 2.0


def paint_shares(painter: QPainter, scores: ReaderScores, stops: list[float], track: float) -> None:
    """Paint how often readers gave each score, as bars that stand on the track, a stop each."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour("handle"))
    highest = max(scores.shares)
    for share, x in zip(scores.shares, stops, strict=True):
        height = max(_LEAST_BAR, (track - 1) * share / highest)
        painter.drawRect(QRectF(x - _BAR_WIDTH / 2, track - height, _BAR_WIDTH, height))


def paint_disagreement(painter: QPainter, start: float, end: float, track: float) -> None:
    """Paint where other readers' scores lie, mean and standard deviation, as a band along the track."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour("accent", 90))
    painter.drawRoundedRect(QRectF(start, track - 2.5, max(5.0, end - start), 5), 2.5, 2.5)


def paint_reading(painter: QPainter, x: float, track: float, is_far_off: bool) -> None:
    """Paint what was read back as a diamond on the track, with a rim that lifts it from the knob."""
    size = 5.0
    diamond = QPolygonF(
        [QPointF(x, track - size), QPointF(x + size, track), QPointF(x, track + size), QPointF(x - size, track)]
    )
    path = QPainterPath()
    path.addPolygon(diamond)
    path.closeSubpath()
    painter.setPen(QPen(colour("panel"), 1.5))
    painter.setBrush(colour("warning" if is_far_off else "text"))
    painter.drawPath(path)


def readers_text(attribute: str, score: int, scores: ReaderScores) -> str:
    """Return how often readers gave a score, and what the others said of the same nodules; two lines."""
    share, (mean, deviation) = scores.shares[score - 1], scores.others[score - 1]
    percent = f"{share:.0%}".replace("%", " %") if share >= 0.01 else "fewer than 1 %"
    return (
        f"{percent} of LIDC's readings have {attribute} {score} (bars).\n"
        f"Other readers of those nodules say {mean:.1f} ± {deviation:.1f} (band)."
    )


def reading_text(attribute: str, asked: int | None, shown: int | None, reading: ScoreReading) -> str:
    """Return what was read back; its name where it is far off, or what was asked for if the slider has moved since."""
    read = f"reads {reading.score:.1f} ± {reading.deviation:.1f}"
    if asked is not None and asked != shown:
        return f"asked {asked}, {read}"
    return f"{read}, {SCORE_NAMES[attribute][round(reading.score) - 1]}" if is_far_off(asked, reading) else read


def is_far_off(asked: int | None, reading: ScoreReading) -> bool:
    """Whether a reading lies further from what was asked for than the scorer's errors explain."""
    return asked is not None and abs(reading.score - asked) > max(_FAR_OFF, _FAR_OFF_DEVIATIONS * reading.deviation)
