"""Says what this program is, what it must not be used for, and what is running."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from engine.checkpoint import CHECKPOINTS
from engine.versions import PROGRAM, VERSION, library_versions

_WHAT = (
    "Places lung nodules in chest CT slices by diffusion, after Marí Molas et al., “Characterization of Synthetic Lung"
    " Nodules in Conditional Latent Diffusion of Chest CT Scans”."
)
_USE = "For research. This is no medical device, and what it makes must not be used for diagnosis."
_LICENCES = (
    "The code is under the MIT licence; the libraries have licences of their own. The models were trained on LIDC-IDRI"
    " (Armato et al. 2015, CC BY 3.0), and on other collections that their cards name."
)
_CARDS = {"nodule": "nodules", "slice": "slices", "scorer": "reading scores"}
_WIDTH = 460


class AboutDialog(QDialog):
    """Name and version, what it is for, the cards of the embedded models, and the versions of the libraries."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"About {PROGRAM}")
        heading = QLabel(f"{PROGRAM} {VERSION}")
        heading.setProperty("role", "heading")
        self.versions = _paragraph(", ".join(f"{name} {version}" for name, version in library_versions().items()))
        self.versions.setProperty("role", "muted")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(12)
        for part in (heading, *map(_paragraph, (_WHAT, _USE, _LICENCES, _cards())), self.versions, buttons):
            layout.addWidget(part)
        # Not the first text: it would show a cursor.
        buttons.button(QDialogButtonBox.StandardButton.Close).setFocus()


def _cards() -> str:
    """Return links to the cards of the models that come with the program."""
    links = [
        f'<a href="{QUrl.fromLocalFile(str(CHECKPOINTS / name / "README.md")).toString()}">{what}</a>'
        for name, what in _CARDS.items()
    ]
    return f"What the embedded models do well, and what not: {', '.join(links)}."


def _paragraph(text: str) -> QLabel:
    label = QLabel(text, wordWrap=True, openExternalLinks=True)
    label.setFixedWidth(_WIDTH)
    # What is running is wanted in reports of errors.
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextBrowserInteraction | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    return label
