"""What the window shows before anything is open."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.recent_files import recent_files
from studio.theme import icon

_SHOWN = 5
_CENTRE = Qt.AlignmentFlag.AlignHCenter


class Welcome(QFrame):
    """Says what to do first, and offers what was open lately."""

    file_wanted = Signal()
    folder_wanted = Signal()
    path_chosen = Signal(Path)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        picture = QLabel()
        picture.setPixmap(icon("nodule-studio").pixmap(QSize(88, 88)))
        title = QLabel("Open a chest CT")
        title.setProperty("role", "title")
        text = QLabel("Drop it here: a DICOM file, folder or zip, NIfTI, NRRD or MHA")
        text.setProperty("role", "muted")
        self.recent = QVBoxLayout()
        self.recent.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addStretch(4)
        layout.addWidget(picture, 0, _CENTRE)
        layout.addSpacing(8)
        layout.addWidget(title, 0, _CENTRE)
        layout.addWidget(text, 0, _CENTRE)
        layout.addSpacing(16)
        layout.addLayout(self._buttons())
        layout.addSpacing(24)
        layout.addLayout(self.recent)
        layout.addStretch(5)
        self.show_recent()

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        for text, name, role, signal in (
            ("Open file…", "open-file-dark", "primary", self.file_wanted),
            ("Open folder…", "open-folder", "", self.folder_wanted),
        ):
            button = QPushButton(icon(name), text)
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
            button = QPushButton(_short(path))
            button.setProperty("role", "quiet")
            button.setToolTip(str(path))
            button.clicked.connect(lambda _=False, path=path: self.path_chosen.emit(path))
            self.recent.addWidget(button, 0, _CENTRE)

    def show_dropping(self, is_dropping: bool) -> None:
        """Show that what is dragged can be dropped here."""
        self.setProperty("dropping", is_dropping)
        self.style().unpolish(self)
        self.style().polish(self)


def _short(path: Path) -> str:
    """Return the last two parts of a path: names of single files often say nothing."""
    return "/".join(path.parts[-2:])
