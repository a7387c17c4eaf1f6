"""Finding an action by words, and doing it: Ctrl+K."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QIcon, QKeyEvent, QPainter, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMainWindow,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
)

from engine.ct import WINDOW_PRESETS
from studio.menu_actions import MenuAction, menu_actions
from studio.shown import Comparison
from studio.theme import colour

#: Text of an action -> other words for it, which people may look for.
ALSO: dict[str, str] = {
    Comparison.SIDE_BY_SIDE.value: "compare side by side",
    Comparison.SWIPE.value: "compare",
    Comparison.DIFFERENCE.value: "compare subtract",
    "Ruler": "measure distance length",
    "Crosshair": "cursor keyboard hu pixel value measure",
    "Delete box or nodule": "remove erase",
    "Discard": "delete remove reject nodule",
    "Delete result": "remove erase",
    "Star": "favourite mark",
    "Deleted": "trash removed",
    **dict.fromkeys(WINDOW_PRESETS, "window width level preset"),
}

_SIZE = QSize(620, 460)
_ROW_HEIGHT = 34
_FOUND = Qt.ItemDataRole.UserRole
#: How well a word fits: it begins the text, begins a word of it, lies within it, or its letters follow in one word.
_FIRST, _BEGINS, _WITHIN, _SCATTERED = 8, 4, 2, 1
#: A word in the names of the menus or in the tool tip counts this part.
_ELSEWHERE = 0.4
#: Letters of shorter words follow one another nearly everywhere.
_LEAST_SCATTERED = 3


class CommandSearch(QDialog):
    """A field, and below it the actions whose words begin as those that were typed, the best one first."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self.setWindowTitle("Find an action")
        self._actions = menu_actions(window, with_files=True)
        self.field = QLineEdit(placeholderText="Type a few letters: what do you want to do?")
        self.field.setAccessibleName("Find an action")
        self.list = QListWidget()
        self.list.setAccessibleName("Actions that were found")
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # Arrow keys in the field lead through it.
        self.list.setItemDelegate(_Row(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.reason = QLabel(wordWrap=True)
        self.reason.setProperty("role", "warning")
        self.reason.setMinimumHeight(self.reason.fontMetrics().lineSpacing())
        self.reason.setAccessibleName("Why the action cannot be used")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 12)
        layout.setSpacing(8)
        for widget in (self.field, self.list, self.reason):
            layout.addWidget(widget)
        self.resize(_SIZE)
        self.field.textChanged.connect(self.show_found)
        self.list.currentItemChanged.connect(self._show_reason)
        self.list.itemClicked.connect(lambda: self._do())
        self.show_found()

    @property
    def chosen(self) -> MenuAction | None:
        """The action that Return does."""
        item = self.list.currentItem()
        return item.data(_FOUND) if item else None

    def show_found(self) -> None:
        """List what fits the words in the field; all there is if it is empty."""
        self.list.clear()
        for found in best_matches(self.field.text(), self._actions):
            item = QListWidgetItem(_spoken(found))
            item.setData(_FOUND, found)
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        if not self.list.count():
            self.reason.setText("Nothing is called like that; try another word.")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Lead through the list with arrow and page keys; Return does what is chosen."""
        steps: dict[int, int] = {
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_PageUp: -8,
            Qt.Key.Key_PageDown: 8,
        }
        if event.key() in steps:
            row = self.list.currentRow() + steps[event.key()]
            self.list.setCurrentRow(max(0, min(row, self.list.count() - 1)))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._do()
        else:
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """Let words be typed at once."""
        super().showEvent(event)
        self.field.setFocus()

    def _show_reason(self) -> None:
        self.reason.setText((self.chosen.why_not or "") if self.chosen else "")

    def _do(self) -> None:
        """Close, and do what is chosen: the window has the keys again by then."""
        if self.chosen and self.chosen.action.isEnabled():
            action = self.chosen.action
            self.accept()
            action.trigger()


def best_matches(words: str, actions: Sequence[MenuAction]) -> list[MenuAction]:
    """Return the actions that every word fits, the best ones first; equally good ones in the order of the menus."""
    wanted = _words(words)
    scored = [(sum(scores), found) for found in actions if all(scores := [_score(word, found) for word in wanted])]
    return [found for _, found in sorted(scored, key=lambda pair: -pair[0])]


def _score(word: str, found: MenuAction) -> float:
    """Return how well a word fits an action; 0 if it does not."""
    own = f"{found.text} {ALSO.get(found.text, '')}"
    elsewhere = _fit(word, " ".join((*found.menus, found.action.toolTip(), found.keys)), can_scatter=False)
    return max(_fit(word, own, can_scatter=True), _ELSEWHERE * elsewhere)


def _fit(word: str, text: str, can_scatter: bool) -> float:
    words = _words(text)
    if words and words[0].startswith(word):
        return _FIRST
    if any(other.startswith(word) for other in words):
        return _BEGINS
    if any(word in other for other in words):
        return _WITHIN
    is_scattered = can_scatter and len(word) >= _LEAST_SCATTERED and any(_follow(word, other) for other in words)
    return _SCATTERED if is_scattered else 0


def _follow(word: str, other: str) -> bool:
    """Return whether the letters of a word follow one another in another one, after the same first letter."""
    letters = iter(other)
    return other.startswith(word[0]) and all(letter in letters for letter in word)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _spoken(found: MenuAction) -> str:
    """Return what a screen reader says of an action."""
    return ", ".join(part for part in (found.text, " > ".join(found.menus), found.keys, found.why_not) if part)


class _Row(QStyledItemDelegate):
    """Paints the text of an action, the menus that lead to it, and its keys at the right."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the size of a row; all are alike."""
        return QSize(200, _ROW_HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint one row."""
        found: MenuAction = index.data(_FOUND)
        area: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, colour("selected"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, colour("hover"))
        is_enabled = found.action.isEnabled()
        mode = QIcon.Mode.Normal if is_enabled else QIcon.Mode.Disabled
        square = QRect(area.left() + 10, area.center().y() - 8, 18, 18)
        found.action.icon().paint(painter, square, mode=mode)
        _paint_words(painter, area.adjusted(38, 0, -12, 0), found, is_enabled)


def _paint_words(painter: QPainter, area: QRect, found: MenuAction, is_enabled: bool) -> None:
    """Paint the keys at the right, and what is left of the room for the text and the menus."""
    middle, metrics = Qt.AlignmentFlag.AlignVCenter, painter.fontMetrics()
    painter.setPen(colour("accent" if is_enabled else "disabled"))
    painter.drawText(area, middle | Qt.AlignmentFlag.AlignRight, found.keys)
    area = area.adjusted(0, 0, -metrics.horizontalAdvance(found.keys) - 12, 0)
    check = "\N{CHECK MARK} " if found.action.isChecked() else ""
    for text, ink in ((check + found.text, "text" if is_enabled else "disabled"), (" > ".join(found.menus), "muted")):
        if metrics.horizontalAdvance(text) > area.width() and ink == "muted":
            return  # Part of the menus says nothing, and a path needs the room.
        painter.setPen(colour(ink))
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, max(0, area.width()))
        painter.drawText(area, middle | Qt.AlignmentFlag.AlignLeft, shown)
        area = area.adjusted(metrics.horizontalAdvance(shown) + 12, 0, 0, 0)
