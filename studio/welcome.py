"""What the window shows before anything is open."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from studio.buttons import ReturnButton
from studio.history_card import time_text
from studio.project_actions import why_not_reopen
from studio.reasons import why_not_make_slices
from studio.recent_files import recent_files
from studio.samples import sample_slices
from studio.saved_session import SavedSession
from studio.theme import icon

_SHOWN = 5
#: Longer names of files end in the middle.
_NAME_WIDTH = 460
_CENTRE = Qt.AlignmentFlag.AlignHCenter


class Welcome(QFrame):
    """Says what to do first, and offers what was open lately."""

    file_wanted = Signal()
    folder_wanted = Signal()
    path_chosen = Signal(Path)
    last_wanted = Signal()
    slice_wanted = Signal()

    def __init__(self, last: SavedSession | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Open a chest CT")
        picture = QLabel()
        picture.setPixmap(icon("nodule-studio").pixmap(QSize(64, 64)))
        title = QLabel("Open a chest CT")
        title.setProperty("role", "title")
        text = QLabel("Drop it here: a DICOM file, folder or zip, NIfTI, NRRD or MHA")
        text.setProperty("role", "muted")
        self.go_on = ReturnButton(icon("restore"), "Go on where you stopped")
        self.go_on.setMinimumWidth(296)
        self.go_on.clicked.connect(self.last_wanted)
        self.last = QLabel(alignment=_CENTRE)
        self.last.setProperty("role", "muted")
        self.generate = ReturnButton(icon("generate-light"), "Generate a slice")
        self.generate.setMinimumWidth(144)
        self.generate.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.generate.clicked.connect(self.slice_wanted)
        self.generate.setToolTip("Start without a CT (Ctrl+G)")
        self.sample = ReturnButton(icon("open-file"), "Open a sample")
        self.sample.setMinimumWidth(144)
        self.sample.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.sample.clicked.connect(lambda: self.path_chosen.emit(sample_slices()[0]))
        self.sample.setToolTip("A slice that the studio's own model made; more in the menu File")
        self.without_ct = QLabel("For a start without a CT", alignment=_CENTRE)
        self.without_ct.setProperty("role", "muted")
        self.recent = QVBoxLayout()
        self.recent.setSpacing(2)
        layout = QVBoxLayout(_scrolled_in(self))
        layout.setSpacing(8)
        layout.addStretch(4)
        layout.addWidget(picture, 0, _CENTRE)
        layout.addSpacing(8)
        layout.addWidget(title, 0, _CENTRE)
        layout.addWidget(text, 0, _CENTRE)
        layout.addSpacing(12)
        layout.addLayout(self._buttons())
        layout.addLayout(self._without_ct_buttons())
        layout.addWidget(self.without_ct, 0, _CENTRE)
        layout.addSpacing(12)
        layout.addWidget(self.go_on, 0, _CENTRE)
        layout.addWidget(self.last, 0, _CENTRE)
        layout.addSpacing(8)
        layout.addLayout(self.recent)
        layout.addStretch(5)
        self.show_recent()
        self.show_last(last)
        self._show_generate()

    def take_focus(self) -> None:
        """Put the keys where they are most likely wanted: Return goes on where one stopped."""
        (self.go_on if self.go_on.isVisibleTo(self) and self.go_on.isEnabled() else self).setFocus()

    def show_last(self, last: SavedSession | None) -> None:
        """Offer to go on with the last session, or say why that cannot be."""
        why = why_not_reopen(last)
        self.go_on.setVisible(last is not None)
        self.last.setVisible(last is not None)
        self.go_on.setEnabled(why is None)
        self.last.setText(why or (last_text(last) if last else ""))

    def _show_generate(self) -> None:
        """Offer it where it can be done; the menu says why not elsewhere, the first page is for what works."""
        can_make, has_samples = why_not_make_slices() is None, bool(sample_slices())
        self.generate.setVisible(can_make)
        self.sample.setVisible(has_samples)
        self.without_ct.setVisible(can_make or has_samples)

    def _without_ct_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(self.generate)
        row.addWidget(self.sample)
        row.addStretch(1)
        return row

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        for text, name, role, signal in (
            ("Open file…", "open-file-dark", "primary", self.file_wanted),
            ("Open folder…", "open-folder", "", self.folder_wanted),
        ):
            button = ReturnButton(icon(name), text)
            button.setProperty("role", role)
            button.setMinimumWidth(144)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(signal)
            row.addWidget(button)
        row.addStretch(1)
        return row

    def show_recent(self) -> None:
        """List what was open lately."""
        while item := self.recent.takeAt(0):
            widget = item.widget()
            if widget:
                widget.deleteLater()
        paths = recent_files()[:_SHOWN]
        if paths:
            heading = QLabel("Recent")
            heading.setProperty("role", "muted")
            self.recent.addWidget(heading, 0, _CENTRE)
        for path in paths:
            name = self.fontMetrics().elidedText(_short(path), Qt.TextElideMode.ElideMiddle, _NAME_WIDTH)
            button = ReturnButton(name.replace("&", "&&"))  # A single one marks a letter.
            button.setProperty("role", "quiet")
            button.setToolTip(str(path))
            button.clicked.connect(lambda _=False, path=path: self.path_chosen.emit(path))
            self.recent.addWidget(button, 0, _CENTRE)

    def show_dropping(self, is_dropping: bool) -> None:
        """Show that what is dragged can be dropped here."""
        self.setProperty("dropping", is_dropping)
        self.style().unpolish(self)
        self.style().polish(self)


def _scrolled_in(frame: QFrame) -> QWidget:
    """Return what the first page is laid out in: it scrolls where the window is too low for all of it."""
    area, body = QScrollArea(widgetResizable=True), QWidget()
    body.setObjectName("welcomeBody")
    area.setWidget(body)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.verticalScrollBar().setAccessibleName("Scroll the first page")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(area)
    return body


def last_text(last: SavedSession) -> str:
    """Return what was open last, what was behind it, and whether the program was closed then."""
    behind = f"\nBehind it: {_open_text(last.behind)}" if last.behind else ""
    how = "" if last.ended else "\nThe program ended without being closed; nothing that was finished is lost."
    return f"{_open_text(last)}, {time_text(last.saved)}{behind}{how}"


def _open_text(saved: SavedSession) -> str:
    count = len({nodule.name for nodule in saved.accepted})
    nodules = "" if count == 0 else ", 1 accepted nodule" if count == 1 else f", {count} accepted nodules"
    return f"{saved.description or saved.path.name}, slice {saved.slice_index + 1}{nodules}"


def _short(path: Path) -> str:
    """Return the last two parts of a path: names of single files often say nothing."""
    return "/".join(path.parts[-2:])
