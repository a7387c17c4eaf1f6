"""Actions of the View menu that stay on: window presets, overlays, the ruler, the crosshair."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QToolButton, QWidget

from engine.ct import WindowLevel
from studio.presets import forget_presets, store_preset, stored_presets
from studio.reasons import why_not_look
from studio.session import Notice, Session
from studio.shown import COMPARISON_KEYS, SWITCHES, Comparison
from studio.slice_view import SliceView
from studio.theme import ICON_SIZE, icon


def preset_actions(window: QMainWindow, session: Session) -> list[QAction]:
    """Return one action a window preset, on the keys 1 to 3; checked while it is in use."""
    group = QActionGroup(window)
    group.setExclusionPolicy(QActionGroup.ExclusionPolicy.None_)
    actions = {name: QAction(name, window, checkable=True) for name in session.presets}

    def show() -> None:
        for number, (name, preset) in enumerate(session.presets.items(), start=1):
            actions[name].setChecked(session.window == preset)
            actions[name].setToolTip(f"{name}: width {preset.width:g}, level {preset.level:g} HU ({number})")

    def use(name: str) -> None:
        session.window = session.presets[name]
        show()  # A click on a preset in use has unchecked it.

    for number, (name, action) in enumerate(actions.items(), start=1):
        action.setShortcut(QKeySequence(str(number)))
        action.triggered.connect(lambda _=False, name=name: use(name))
        group.addAction(action)
    session.window_changed.connect(show)
    session.presets_changed.connect(show)
    show()
    return list(actions.values())


def preset_menu(window: QMainWindow, session: Session) -> QMenu:
    """Return the menu by which presets are changed: to the window that is in use."""
    menu = QMenu("Change presets", window)

    def store(name: str, preset: WindowLevel) -> None:
        store_preset(name, preset)
        session.presets = stored_presets()

    def change(name: str) -> None:
        before = session.presets[name]
        store(name, session.window)
        width, level = session.window.width, session.window.level
        text = f"{name} is now width {width:g}, level {level:g} HU."
        session.notice = Notice(text, offer="Take it back", do=partial(store, name, before))

    def forget() -> None:
        forget_presets()
        session.presets = stored_presets()

    for number, name in enumerate(session.presets, start=1):
        action = QAction(f"{name}: as the slice is shown now", window, shortcut=QKeySequence(f"Ctrl+{number}"))
        action.triggered.connect(lambda _=False, name=name: change(name))
        menu.addAction(action)
    menu.addSeparator()
    delivered = QAction("All as they were delivered", window, shortcut=QKeySequence("Ctrl+Alt+0"))
    delivered.triggered.connect(lambda _=False: forget())
    menu.addAction(delivered)
    return menu


def switch_actions(window: QMainWindow, session: Session, view: SliceView) -> list[QAction]:
    """Return one action for each that can be switched on over the slice, one for the ruler, one for the crosshair."""
    actions: dict[str, QAction] = {}
    for name, (text, key) in SWITCHES.items():
        actions[name] = QAction(text, window, checkable=True, shortcut=QKeySequence(key))
        actions[name].triggered.connect(lambda is_on=False, name=name: _switch(session, name, is_on))

    def show() -> None:
        for name, action in actions.items():
            action.setChecked(getattr(session.shown, name))

    session.shown_changed.connect(show)
    show()
    ruler = QAction("Ruler", window, checkable=True, shortcut=QKeySequence("M"))
    ruler.toggled.connect(view.set_ruler)
    return [*actions.values(), ruler, _crosshair_action(window, session, view)]


def _crosshair_action(window: QMainWindow, session: Session, view: SliceView) -> QAction:
    """Return the action that shows the crosshair, or says why there is none; Esc and another series hide it, too."""
    action = QAction("Crosshair", window, checkable=True, shortcut=QKeySequence("U"))

    def choose(is_on: bool) -> None:
        why = why_not_look(session)
        if why:
            session.say(why)
        view.set_crosshair(is_on)

    action.triggered.connect(choose)
    view.crosshair_changed.connect(action.setChecked)
    return action


def _switch(session: Session, name: str, is_on: bool) -> None:
    changed = {name: is_on}
    session.shown = replace(session.shown, **changed)


def comparison_actions(window: QMainWindow, session: Session) -> list[QAction]:
    """Return one action for each way to compare before and after; the one in use is checked, and ends it again."""
    actions = {
        way: QAction(way.value, window, checkable=True, shortcut=QKeySequence(key))
        for way, key in COMPARISON_KEYS.items()
    }

    def choose(way: Comparison, is_on: bool) -> None:
        session.shown = replace(session.shown, comparison=way if is_on else Comparison.NONE)

    def show() -> None:
        for way, action in actions.items():
            action.setChecked(session.shown.comparison is way)

    for way, action in actions.items():
        action.triggered.connect(lambda is_on=False, way=way: choose(way, is_on))
    session.shown_changed.connect(show)
    return list(actions.values())


def comparison_button(actions: list[QAction], parent: QWidget) -> QToolButton:
    """Return a button that shows those actions as a menu; it stays down while one of them is in use."""
    button, menu = QToolButton(parent), QMenu(parent)
    menu.addActions(actions)
    button.setText("Compare")
    button.setIcon(icon("compare"))
    button.setCheckable(True)
    button.setMenu(menu)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setIconSize(ICON_SIZE)
    button.setToolTip("Compare before and after: side by side, by a swipe, by their difference")
    for action in actions:
        action.toggled.connect(lambda: button.setChecked(any(action.isChecked() for action in actions)))
    return button
