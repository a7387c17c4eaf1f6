"""Icons in the colours of the theme in use: they change with it, wherever they are shown."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

import resources
from studio.theme_colours import COLOURS, DARK

ICONS = Path(resources.__path__[0]) / "icons"
_NAMES = {text: name for name, text in DARK.items()}
_HEX = re.compile(r"#[0-9a-f]{6}\b")


class _ThemeIcon(QIconEngine):
    """Paints `resources/icons/<name>.svg`; colours of the dark theme in it stand for their names."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def clone(self) -> QIconEngine:
        """Return another one of the same icon, for Qt."""
        return _ThemeIcon(self._name)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        """Paint the icon, in the colour of disabled text where it is disabled."""
        renderer = QSvgRenderer(QByteArray(recoloured(self._name, mode is QIcon.Mode.Disabled).encode()))
        renderer.render(painter, QRectF(rect))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """Return the icon on nothing; size in device pixels."""
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(0, 0, size.width(), size.height()), mode, state)
        painter.end()
        return pixmap


def icon(name: str) -> QIcon:
    """Return the icon `resources/icons/<name>.svg`."""
    return QIcon(_ThemeIcon(name))


def recoloured(name: str, is_disabled: bool = False) -> str:
    """Return the SVG text of an icon in the colours of the theme in use."""

    def replaced(match: re.Match[str]) -> str:
        name = "disabled" if is_disabled else _NAMES.get(match[0])
        return COLOURS[name] if name else match[0]

    return _HEX.sub(replaced, _svg(name))


@cache
def _svg(name: str) -> str:
    return (ICONS / f"{name}.svg").read_text(encoding="utf-8")
