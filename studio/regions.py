"""Going from part to part of the window without a mouse: F6, and Tab within."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

_TAB = Qt.FocusPolicy.TabFocus


def step_region(regions: Sequence[QWidget], by: int) -> None:
    """Give the keys to the next part that is shown and takes them, or with -1 to the one before; round and round."""
    shown = [region for region in regions if tab_stops(region)]
    if not shown:
        return
    focused = QApplication.focusWidget()
    now = next((at for at, part in enumerate(shown) if focused and _holds(part, focused)), -1 if by > 0 else 0)
    tab_stops(shown[(now + by) % len(shown)])[0].setFocus(Qt.FocusReason.TabFocusReason)


def order_tabs(regions: Sequence[QWidget]) -> None:
    """Let Tab lead through the parts in this order; within each the order stays."""
    stops = [widget for region in regions for widget in _in_chain(region) if widget.focusPolicy() & _TAB]
    for first, second in pairwise(stops):
        QWidget.setTabOrder(first, second)


def tab_stops(region: QWidget) -> list[QWidget]:
    """Return the widgets of a part at which Tab stops now, in the order of Tab."""
    return [widget for widget in _in_chain(region) if _is_stop(widget)]


def _is_stop(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & _TAB) and widget.isEnabled() and widget.isVisible() and not widget.focusProxy()


def _in_chain(region: QWidget) -> list[QWidget]:
    """Return a part and what is in it, in the order of the focus chain of its window."""
    found, at = [region], region.nextInFocusChain()
    while at is not None and at is not region:
        if region.isAncestorOf(at):
            found.append(at)
        at = at.nextInFocusChain()
    return found


def _holds(region: QWidget, widget: QWidget) -> bool:
    return region is widget or region.isAncestorOf(widget)
