"""Menus, tool bar and keys of the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu

from engine.nodule import ATTRIBUTE_NAMES, BoundingBox
from engine.versions import PROGRAM
from studio import commands
from studio.about_dialog import AboutDialog
from studio.history_strip import filter_menu
from studio.live_controls import live_action
from studio.log import log_file, show_log
from studio.looking_back import RESTORE, SHOW, TAKE, USE
from studio.menu_actions import LISTS_FILES
from studio.queue import SEEDS
from studio.reasons import why_not_make_slices
from studio.recent_files import recent_files
from studio.regions import step_region
from studio.samples import SampleMenu
from studio.series_strip import series_actions
from studio.session import Session
from studio.theme import icon
from studio.theme_menu import theme_menu
from studio.tool_bar import ToolBar
from studio.view_actions import comparison_actions, comparison_button, preset_menu, switch_actions

if TYPE_CHECKING:
    from studio.main_window import MainWindow

#: Side of the box that the keyboard makes.
_BOX_MM = 15.0

#: What leads back from a slice that was made; while there is something to go back to, it has that name.
_BACK = "Back to the scan"

Actions = dict[str, QAction]


@dataclass(frozen=True)
class Entry:
    """One entry of a menu. All of its keys work, the first is shown; `icon` is a file of `resources/icons`.

    `repeats`: it is done again and again while its keys are held.
    """

    text: str
    do: Callable[[], object]
    keys: tuple[str, ...] = ()
    icon: str = ""
    repeats: bool = False


def build_menus(window: MainWindow, presets: list[QAction]) -> Actions:
    """Give a window its menus and its tool bar; return its actions by their texts."""
    actions: Actions = {}
    for title, entries in _menus(window).items():
        menu = window.menuBar().addMenu(title)
        for entry in entries:
            if entry is None:
                menu.addSeparator()
            else:
                actions[entry.text] = _action(window, entry)
                menu.addAction(actions[entry.text])
    view_menu = _menu_of(actions["Fit"])
    view_menu.addActions([_smooth_action(window), *switch_actions(window, window.session, window.view)])
    view_menu.addSeparator()
    comparisons = comparison_actions(window, window.session)
    view_menu.addActions(comparisons)
    view_menu.addSeparator()
    view_menu.addActions(series_actions(window, window.session, window.series_strip))
    view_menu.addSeparator()
    view_menu.addActions(presets)
    view_menu.addMenu(preset_menu(window, window.session))
    view_menu.addSeparator()
    view_menu.addMenu(theme_menu(window))
    view_menu.addActions([_action(window, entry) for entry in _part_entries(window)])
    _add_recent_menu(window, actions)
    _menu_of(actions["Newer result"]).insertMenu(actions["Newer result"], filter_menu(window, window.strip))
    _add_tool_bar(window, actions, presets, comparisons)
    _follow_undo_stack(window, actions)
    live = live_action(window, window.session, window.live)
    _menu_of(actions["Generate a slice"]).insertAction(actions["Generate a slice"], live)
    _say_why_no_slices(actions["Generate a slice"])
    _follow_way_back(window, actions[_BACK])
    return actions


def _menus(window: MainWindow) -> dict[str, Sequence[Entry | None]]:
    session, placing, view, stack = window.session, window.placing, window.view, window.session.undo_stack
    queue, projects, strip, looking = window.queue, window.projects, window.strip, window.looking
    return {
        "&File": [
            Entry("Open file…", window.files.choose_file, ("Ctrl+O",), "open-file"),
            Entry("Open folder…", window.files.choose_folder, ("Ctrl+Shift+O",), "open-folder"),
            Entry("Open from PACS…", window.pacs.open, ("Ctrl+Shift+P",)),
            None,
            Entry("Reopen last session", projects.reopen_last, ("Ctrl+Shift+T",), "restore"),
            Entry("Open project…", projects.choose_project, ("Ctrl+Alt+O",)),
            Entry("Save project…", projects.save, ("Ctrl+S",), "save"),
            Entry("Save project as…", projects.save_as, ("Ctrl+Shift+S",)),
            None,
            Entry("Export…", window.export, ("Ctrl+E",), "export"),
            Entry("Send an export to PACS…", window.pacs.choose_export, ("Ctrl+Shift+E",)),
            None,
            Entry("Quit", window.close, ("Ctrl+Q",)),
        ],
        "&Edit": [
            Entry("Undo", placing.undo, ("Ctrl+Z",), "undo", repeats=True),
            Entry("Redo", stack.redo, ("Ctrl+Shift+Z", "Ctrl+Y"), "redo", repeats=True),
            None,
            Entry("Suggest a place", window.suggesting.suggest_place, ("P",), "suggest"),
            Entry("Suggest scores", window.suggesting.suggest_scores, ("Shift+P",)),
            None,
            Entry("Box in the middle", lambda: put_box_in_middle(session), ("B",)),
            Entry("Delete box or nodule", placing.delete, ("Del",)),
        ],
        "&Nodule": [
            Entry("Generate", placing.generate, ("G", "Return", "Enter", "Ctrl+Return"), "generate-light"),
            Entry("Generate a slice", window.slices.generate, ("Ctrl+G",)),
            Entry(_BACK, window.slices.go_back, ("Ctrl+Shift+B",)),
            Entry(f"Try {SEEDS} seeds", queue.try_seeds, ("Shift+G",), "seeds"),
            Entry(f"Best of {SEEDS} seeds", window.best_of.start, ("Ctrl+Shift+G",), "ranking"),
            Entry("Cancel", window.escape, ("Esc",)),
            Entry("Cancel all jobs", window.cancel_all, ("Shift+Esc",)),
            Entry("Go on with the jobs that wait", queue.go_on, ("Ctrl+Alt+G",)),
            Entry("New seed", placing.new_seed, ("N",), "new-seed"),
            None,
            Entry("Accept", lambda: commands.accept(session), ("A",)),
            Entry("Discard", lambda: commands.discard(session), ("D", "Backspace")),
            None,
            Entry("Previous nodule of the slice", lambda: commands.select_next(session, -1), ("[",), repeats=True),
            Entry("Next nodule of the slice", lambda: commands.select_next(session, 1), ("]",), repeats=True),
            Entry("Extend over neighbouring slices", window.extending.start, ("Shift+A",), "extend"),
        ],
        "E&xplore": [
            *_ladders(window),
            Entry("Grid…", window.ask_for_grid, ("Alt+6",), "grid"),
            None,
            Entry("Show or hide the ladder or grid", window.sweeping.show_or_hide, ("E",)),
            Entry("Cancel the ladder or grid", window.sweeping.cancel, ("Ctrl+Alt+X",)),
            Entry("Make the rest of the ladder or grid", window.sweeping.retry_all, ("Ctrl+Alt+M",)),
            None,
            Entry("Export the ladder or grid as a sheet…", window.sweep_exporting.export_sheet, ("Ctrl+Alt+E",)),
            Entry("Export the ladder or grid as a set…", window.sweep_exporting.export_set, ("Ctrl+Alt+Shift+E",)),
        ],
        "&View": [
            Entry("Fit", view.fit, ("F",), "fit"),
            Entry("One to one", view.show_pixels, ("Ctrl+0",)),
            Entry("Zoom in", lambda: view.zoom(1.25), ("Ctrl++", "Ctrl+="), repeats=True),
            Entry("Zoom out", lambda: view.zoom(0.8), ("Ctrl+-",), repeats=True),
            None,
        ],
        "H&istory": [
            Entry("Show or hide the history", lambda: strip.set_open(not strip.is_open), ("H",)),
            None,
            Entry("Newer result", lambda: strip.list.step(-1), ("Alt+Left",), repeats=True),
            Entry("Older result", lambda: strip.list.step(1), ("Alt+Right",), repeats=True),
            None,
            Entry(SHOW, lambda: strip.do(looking.show), ("Shift+H",), "show"),
            Entry(USE, lambda: strip.do(looking.use), ("Ctrl+Shift+H",), "show-settings"),
            Entry(TAKE, lambda: strip.do(looking.take_settings), ("Ctrl+R",), "settings"),
            Entry(RESTORE, lambda: strip.do(looking.restore_all), ("Ctrl+Shift+R",), "restore"),
            Entry("Star", lambda: strip.do(looking.star), ("S",), "star"),
            Entry("Delete result", lambda: strip.do(looking.delete), ("Shift+Del",), "delete"),
        ],
        "&Study": [
            Entry("Build a study…", window.studies.build, ("Ctrl+Alt+B",)),
            Entry("Read a study…", window.studies.choose_study, ("Ctrl+Alt+R",)),
            Entry("Analyse a study…", window.studies.analyse, ("Ctrl+Alt+A",)),
        ],
        "&Help": [
            Entry("Find an action…", window.find_action, ("Ctrl+K",), "search"),
            Entry("Keys and mouse", window.show_keys, ("F1",), "keys"),
            Entry("Show the first hints again", window.hints.show_again, ("Shift+F1",)),
            None,
            Entry("Show the log", lambda: show_log(session, log_file()), ("Ctrl+Shift+L",)),
            Entry(f"About {PROGRAM}", lambda: window.show_dialog(AboutDialog(window)), ("Ctrl+F1",), "info"),
        ],
    }


def _part_entries(window: MainWindow) -> list[Entry]:
    return [
        Entry("Next part of the window", partial(step_region, window.parts, 1), ("F6",), repeats=True),
        Entry("Previous part of the window", partial(step_region, window.parts, -1), ("Shift+F6",), repeats=True),
    ]


def _ladders(window: MainWindow) -> list[Entry]:
    return [
        Entry(f"Ladder of {name}", partial(window.sweeping.start, name), (f"Alt+{number}",), "ladder")
        for number, name in enumerate(ATTRIBUTE_NAMES, start=1)
    ]


def _action(window: MainWindow, entry: Entry) -> QAction:
    action = QAction(entry.text, window)
    action.setShortcuts([QKeySequence(keys) for keys in entry.keys])
    action.setAutoRepeat(entry.repeats)
    if entry.icon:
        action.setIcon(icon(entry.icon))
    if entry.keys:
        action.setToolTip(f"{entry.text.rstrip('…')} ({entry.keys[0]})")
    action.triggered.connect(lambda: entry.do())
    return action


def _smooth_action(window: MainWindow) -> QAction:
    action = QAction("Smooth enlargement", window, checkable=True, checked=True, shortcut=QKeySequence("Ctrl+M"))
    action.toggled.connect(window.view.set_smooth)
    return action


def _add_recent_menu(window: MainWindow, actions: Actions) -> None:
    menu = QMenu("Open recent", window)
    menu.setProperty(LISTS_FILES, True)

    def fill() -> None:
        menu.clear()
        for path in recent_files():
            text = str(path).replace("&", "&&")  # A single one marks a letter.
            menu.addAction(text).triggered.connect(lambda _=False, path=path: window.open_path(path))
        if menu.isEmpty():
            menu.addAction("Nothing was opened lately").setEnabled(False)

    menu.aboutToShow.connect(fill)
    file_menu = _menu_of(actions["Open file…"])
    file_menu.insertMenu(actions["Export…"], menu)
    samples = SampleMenu(window)
    samples.chosen.connect(window.open_path)
    file_menu.insertMenu(actions["Export…"], samples)
    file_menu.insertSeparator(actions["Export…"])


def _add_tool_bar(window: MainWindow, actions: Actions, presets: list[QAction], comparisons: list[QAction]) -> None:
    bar = ToolBar(window)
    for names in (["Open file…", "Open folder…"], ["Undo", "Redo"]):
        bar.addActions([actions[name] for name in names])
        bar.addSeparator()
    bar.addAction(actions["Fit"])
    bar.add_button(comparison_button(comparisons, bar))
    bar.addSeparator()
    bar.addActions(presets)
    bar.addWidget(window.window_entry)
    window.addToolBar(bar)


def _follow_undo_stack(window: MainWindow, actions: Actions) -> None:
    placing, stack = window.placing, window.session.undo_stack

    def show() -> None:
        edit = "deletion" if placing.is_removing else "change of a nodule"
        undone = edit if placing.is_editing else stack.undoText()
        for name, can, text in (
            ("Undo", stack.canUndo() or placing.is_editing, undone),
            ("Redo", stack.canRedo(), stack.redoText()),
        ):
            keys = actions[name].shortcut().toString()
            why = "" if can else f"There is nothing to {name.lower()}"
            actions[name].setEnabled(can)
            actions[name].setToolTip(why or f"{name} {text} ({keys})")
            actions[name].setStatusTip(why)

    _show_tool_tips(actions["Undo"])
    stack.indexChanged.connect(show)
    window.session.job_changed.connect(show)
    show()


def _say_why_no_slices(action: QAction) -> None:
    """Disable the action where there is no slice generator, and say so in its tool tip and in the status bar."""
    why = why_not_make_slices()
    _show_tool_tips(action)
    if why:
        action.setEnabled(False)
        action.setToolTip(why)
        action.setStatusTip(why)


def _follow_way_back(window: MainWindow, action: QAction) -> None:
    """Say what a slice has taken the place of, as long as one has: a notice that offers it goes with the next key."""

    def show() -> None:
        name = window.slices.way_back
        why = "" if name else "No slice that was made has taken the place of a scan"
        action.setText(f"Back to {name.replace('&', '&&')}" if name else _BACK)
        action.setEnabled(name is not None)
        action.setToolTip(why or f"Back to {name} ({action.shortcut().toString()})")
        action.setStatusTip(why)

    window.slices.way_back_changed.connect(show)
    show()


def _show_tool_tips(action: QAction) -> None:
    """Have the menu of an action show tool tips, which say why an entry is disabled."""
    _menu_of(action).setToolTipsVisible(True)


def _menu_of(action: QAction) -> QMenu:
    """Return the menu that an action was put into, before any tool bar."""
    menu = action.associatedObjects()[0]
    assert isinstance(menu, QMenu)
    return menu


def put_box_in_middle(session: Session) -> None:
    """Put a box in the middle of the slice: the way to draw without a mouse."""
    if session.volume is None or session.is_slice_forming:
        return
    shape, spacing = session.volume.slice_at(0).shape, session.volume.pixel_spacing
    side = _BOX_MM / max(spacing)
    row, column = (length / 2 - side / 2 for length in shape)
    commands.set_box(session, BoundingBox.nearest(row, column, side, shape))
