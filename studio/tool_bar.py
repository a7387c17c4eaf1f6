"""The tool bar: it lets go of its words before it hides a tool, and shows by an arrow that it has hidden some."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QToolBar, QToolButton, QWidget

from studio.theme import ICON_SIZE, icon

_WITH_WORDS = Qt.ToolButtonStyle.ToolButtonTextBesideIcon
_WITHOUT_WORDS = Qt.ToolButtonStyle.ToolButtonIconOnly


class ToolBar(QToolBar):
    """Icons with words where there is room, else alone; a tool without an icon keeps its words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Tools", parent)
        self.setMovable(False)
        self.setIconSize(ICON_SIZE)
        self.setToolButtonStyle(_WITH_WORDS)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        #: The width that it needs with words.
        self._wide = 0
        # Qt's own arrow is black in both themes.
        more = self.findChild(QToolButton, "qt_toolbar_ext_button")
        if more:
            more.setIcon(icon("chevrons-right"))
            more.setAccessibleName("More tools")
            more.setToolTip("More tools, for which the window is too narrow")

    def add_button(self, button: QToolButton) -> None:
        """Add a button that is no action at the end; it has words as the others have."""
        self.toolButtonStyleChanged.connect(button.setToolButtonStyle)
        self.addWidget(button)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Have words, or none."""
        super().resizeEvent(event)
        has_words = self.toolButtonStyle() is _WITH_WORDS
        if has_words:
            self._wide = self.sizeHint().width()
        has_room = self._wide <= self.width()
        if has_room != has_words:
            self.setToolButtonStyle(_WITH_WORDS if has_room else _WITHOUT_WORDS)
