"""Questions that are asked before something would be lost from view."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QMessageBox, QWidget

from studio.placed import count_whole
from studio.saved_jobs import unmade_jobs
from studio.session import Session
from studio.slice_making import SliceMaking


def may_leave(
    session: Session, export: Callable[[], object], parent: QWidget, slices: SliceMaking | None = None
) -> bool:
    """Ask, if accepted nodules would be lost from view that no export and no project has; return whether to go on.

    Parameters
    ----------
    export : () -> object
        Called if they are to be exported first.
    slices : SliceMaking, optional
        Where its way back would be lost, too: the nodules that it leads to count as well.
    """
    here, behind = count_whole(session.not_kept), slices.behind.not_kept if slices and slices.behind else 0
    count = here + behind
    if count == 0:
        return True
    which = "1 accepted nodule has" if count == 1 else f"{count} accepted nodules have"
    how = "neither been exported nor saved" if session.in_project else "not been exported"
    box = QMessageBox(QMessageBox.Icon.NoIcon, "Nodule Studio", f"{which} {how}.", parent=parent)
    kept = "Every result stays in the history, but not as DICOM, NIfTI or PNG files."
    share = "it" if count == 1 else f"{behind} of them" if here else "all of them"
    where = f"{slices.way_back}, whose place the slice has taken, holds {share}." if slices and behind else ""
    box.setInformativeText(f"{where} {kept}".strip())
    leave = box.addButton("Leave without exporting", QMessageBox.ButtonRole.DestructiveRole)
    # Only what is open can be exported.
    text, do = ("Go back", slices.go_back) if slices and not here else ("Export…", export)
    wanted = box.addButton(text, QMessageBox.ButtonRole.AcceptRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(wanted)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    if clicked is wanted:
        do()
    return clicked is leave


def may_drop_queue(session: Session, parent: QWidget) -> bool:
    """Ask, if jobs would be lost that wait; return whether to go on."""
    count = len(session.queue.waiting)
    if count == 0:
        return True
    which = "1 job waits" if count == 1 else f"{count} jobs wait"
    again = " Those of the open series are offered again when you go on with it." if unmade_jobs(session) else ""
    text = f"{which} in the queue and will not be made now. Results that are finished are kept.{again}"
    box = QMessageBox(QMessageBox.Icon.NoIcon, "Nodule Studio", text, parent=parent)
    leave = box.addButton("Leave", QMessageBox.ButtonRole.DestructiveRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    return clicked is leave


def may_replace_project(folder: Path, parent: QWidget) -> bool:
    """Ask, before a project that is in the folder would be lost; return whether to go on."""
    box = QMessageBox(QMessageBox.Icon.NoIcon, "Nodule Studio", f"{folder} holds a project already.", parent=parent)
    box.setInformativeText("What is open would take its place. Its results stay in the folder, beside the new ones.")
    replace = box.addButton("Replace it", QMessageBox.ButtonRole.DestructiveRole)
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    return clicked is replace
