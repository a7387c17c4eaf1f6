"""Real mouse and key events for the slice, in its own coordinates."""

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

LEFT, MIDDLE, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton
NO_KEY = Qt.KeyboardModifier.NoModifier


def at(view, row, column):
    """The point of the view nearest to an image point."""
    point = view.viewport_now.to_widget(row, column)
    return QPoint(round(point.x()), round(point.y()))


def press(view, start, button=LEFT):
    QTest.mousePress(view, button, pos=at(view, *start))


def move(view, *points):
    """Move the mouse from one image point to the next; a button that was pressed stays so."""
    for point in points:
        QTest.mouseMove(view, at(view, *point))
        QApplication.processEvents()


def release(view, end, button=LEFT):
    QTest.mouseRelease(view, button, pos=at(view, *end))


def drag(view, start, end, button=LEFT):
    """Drag from one image point, (row, column), to another."""
    press(view, start, button)
    middle = tuple((a + b) / 2 for a, b in zip(start, end, strict=True))
    move(view, middle, end)
    release(view, end, button)


def wheel(widget, notches, modifiers=NO_KEY, pos=None):
    """Turn the wheel away from the user by so many notches."""
    pos = QPointF(pos or widget.rect().center())
    event = QWheelEvent(
        pos,
        QPointF(widget.mapToGlobal(pos.toPoint())),
        QPoint(0, 0),
        QPoint(0, round(120 * notches)),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def grey_at(view, row, column):
    """Grey value that the view shows at an image point."""
    view.repaint()
    point = at(view, row, column)
    return view.grab().toImage().pixelColor(point * view.devicePixelRatio()).value()


def grey_of(hu):
    """Grey value of HU in the lung window."""
    return min(255, max(0, round((hu + 1350) / 1500 * 255)))


def window_with(make_window, volume, runner):
    """Open a volume in a window with that engine behind it, which is the window's `runner`."""
    window = make_window(runner)
    window.runner = runner
    window.session.show_volume(volume)
    window.view.setFocus()
    return window


def draw_box(window, row=30, column=40, side=20):
    """Draw a box as a user does, and return it."""
    drag(window.view, (row, column), (row + side, column + side))
    box = window.session.box_here
    assert (box.row, box.column, box.side) == (row, column, side)
    return box


def generate(window, qtbot):
    """Press G and wait for the candidate; return it."""
    before = window.session.candidate
    QTest.keyClick(window.view, Qt.Key.Key_G)
    qtbot.waitUntil(lambda: window.session.candidate not in (None, before))
    return window.session.candidate


def finish_queue(window, qtbot):
    """Open the gate of the window's engine and wait until the queue is empty."""
    window.gate.open()
    qtbot.waitUntil(lambda: window.session.queue.is_empty)


def answering(text):
    """Return what stands in for `QMessageBox.exec` and clicks the button of that text."""

    def answer(box):
        button = next(button for button in box.buttons() if button.text().replace("&", "") == text)
        button.click()

    return answer
