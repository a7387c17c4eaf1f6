"""The buttons of the panels."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QPushButton, QWidget

from studio.theme import ICON_SIZE, icon


def button(text: str, icon_name: str, keys: str, role: str, clicked: Callable[[], object]) -> QPushButton:
    """Return a button that tells its keys; `role` is that of the style sheet, "" for a plain one."""
    made = ReturnButton(icon(icon_name), text)
    made.setIconSize(ICON_SIZE)
    made.setToolTip(f"{text} ({keys})")
    made.setProperty("role", role)
    # A click must not take the keys from the slice.
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.clicked.connect(lambda: clicked())
    return made


def small_button(text: str, tip: str) -> QPushButton:
    """Return a small button without a key of its own."""
    made = ReturnButton(text)
    made.setToolTip(tip)
    made.setProperty("role", "small")
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


class ReturnButton(QPushButton):
    """A button that Return and Enter click while it has the focus, although they are keys of a menu."""

    def event(self, event: QEvent) -> bool:
        """Take Return before the action of the menu does."""
        return takes_return(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Click with Return, as with Space."""
        if is_return(event):
            self.click()
        else:
            super().keyPressEvent(event)


def takes_return(event: QEvent) -> bool:
    """Keep Return from the action of the menu, for `keyPressEvent`; tell whether the event asked for that."""
    is_ours = event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and is_return(event)
    if is_ours:
        event.accept()
    return is_ours


def is_return(event: QKeyEvent) -> bool:
    """Tell whether it is Return or Enter alone."""
    plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return plain and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)


def keep_from_wheel(field: QWidget) -> None:
    """Let the wheel change a field only while it has the focus: scrolling past it must not change the next nodule."""
    field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    field.installEventFilter(_WheelFilter(field))


class _WheelFilter(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave the wheel to what is around the field."""
        if event.type() is QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)
