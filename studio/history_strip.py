"""The bar below the slice: what is being made and what waits, then every result so far."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPoint, QSettings, QSize, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from engine.history import Entry
from studio.buttons import ReturnButton, keep_from_wheel
from studio.history import History
from studio.history_list import FilteredHistory, HistoryList, Which
from studio.looking_back import RESTORE, SHOW, TAKE, USE, LookingBack
from studio.queue import SEEDS, JobQueue
from studio.queue_panel import QueuePanel
from studio.session import Session
from studio.theme import icon

_OPEN_KEY = "history shown"
_EMPTY = {
    Which.ALL: "Every finished nodule appears here and stays, also after the program has ended.",
    Which.STARRED: "No result is starred. Choose one and press S.",
    Which.THIS_SERIES: "Nothing has been made of this series yet.",
    Which.RANKED: f"Best of {SEEDS} seeds (Ctrl+Shift+G) lists here what it has made, the best one first.",
    Which.DELETED: "Nothing was deleted in the last 30 days.",
}
_HINT = "Click a result to show it in its slice; double-click to show and take settings."


class HistoryStrip(QFrame):
    """Queue and history, and buttons for the entry that is chosen. Collapses to its first line."""

    def __init__(
        self,
        session: Session,
        history: History,
        looking: LookingBack,
        queue: JobQueue,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("historyStrip")
        self._session = session
        self._looking = looking
        #: What was asked for when the list was chosen that is shown: the job in the slice, and those of the queue.
        self._asked = (session.job, session.queue.numbers)
        self._filtered = FilteredHistory(session, history)
        self._filtered.setParent(self)
        self.list = HistoryList(self._filtered, looking)
        self.queue = QueuePanel(session, queue)
        self.fold = ReturnButton()
        self.fold.setProperty("role", "quiet")
        self.fold.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.fold.clicked.connect(lambda: self.set_open(not self.is_open))
        self.which = QComboBox()
        self.which.setAccessibleName("Which results are shown")
        keep_from_wheel(self.which)
        self.which.addItems([which.value for which in Which])
        self.hint = _muted("")
        self.use = self._button(USE, "show-settings", "Return, or double-click", looking.use)
        self.star = self._button("Star", "star", "S", looking.star)
        self.delete = self._button("Delete", "delete", "Del", looking.delete)
        self._empty = _muted("")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._lay_out()
        self._connect(history)
        self._show_open(str(QSettings().value(_OPEN_KEY, "true")) == "true")

    def _button(self, text: str, icon_name: str, keys: str, do: Callable[[Entry], object]) -> QPushButton:
        button = ReturnButton(icon(icon_name), text)
        button.setIconSize(QSize(18, 18))
        button.setProperty("role", "quiet")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setToolTip(f"{text} ({keys})")
        button.clicked.connect(lambda: self.do(do))
        return button

    def _lay_out(self) -> None:
        header, body = QHBoxLayout(), QHBoxLayout()
        header.setContentsMargins(8, 4, 12, 4)
        header.setSpacing(8)
        header.addWidget(self.fold)
        header.addWidget(self.which)
        header.addWidget(self.hint, 1)
        for button in (self.use, self.star, self.delete):
            header.addWidget(button)
        self._body, results = QWidget(), QWidget()
        results.setFixedHeight(self.list.height())
        # Words may be cut off by a narrow window, but never make it wider.
        for label in (self.hint, self._empty):
            label.setMinimumWidth(1)
        self._results = QStackedLayout(results)
        self._results.addWidget(self.list)
        self._results.addWidget(self._empty)
        body = QHBoxLayout(self._body)
        body.setContentsMargins(12, 0, 12, 6)
        body.setSpacing(12)
        body.addWidget(self.queue)
        body.addWidget(results, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 1, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(header)
        layout.addWidget(self._body)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def _connect(self, history: History) -> None:
        self.list.entry_changed.connect(self.show_state)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.which.currentIndexChanged.connect(self._want_row)
        for signal in (self._filtered.rowsInserted, self._filtered.rowsRemoved, self._filtered.modelReset):
            signal.connect(self.show_state)
        history.dataChanged.connect(self.show_state)
        self._session.volume_changed.connect(self._follow_series)
        self._session.ranking_changed.connect(self._show_ranking)
        for signal in (self._session.job_changed, self._session.queue_changed):
            signal.connect(self._leave_ranking)

    @property
    def entry(self) -> Entry | None:
        """The entry that is chosen; none while it is out of sight."""
        return self.list.entry if self.is_open else None

    @property
    def is_open(self) -> bool:
        """Whether more than the first line is shown."""
        return not self._body.isHidden()

    def set_open(self, is_open: bool) -> None:
        """Show all, or the first line alone; remembered for the next start."""
        QSettings().setValue(_OPEN_KEY, "true" if is_open else "false")
        self._show_open(is_open)

    def _show_open(self, is_open: bool) -> None:
        self._body.setVisible(is_open)
        self.show_state()

    def want(self, which: Which) -> None:
        """List these results."""
        self._asked = (self._session.job, self._session.queue.numbers)
        self._filtered.want(which)
        self.which.setCurrentIndex(list(Which).index(which))
        self.show_state()

    def _follow_series(self) -> None:
        if self._filtered.which is Which.THIS_SERIES:
            self.want(Which.THIS_SERIES)

    def _show_ranking(self) -> None:
        """List what was ranked, and choose the best."""
        self.want(Which.RANKED)
        if self._filtered.rowCount():
            self.list.setCurrentIndex(self._filtered.index(0, 0))
            self.list.scrollToTop()

    def _leave_ranking(self) -> None:
        """List all results again once something is being made that was asked for since: it would be out of sight."""
        job, numbers = self._asked
        is_new_job = self._session.job is not None and self._session.job is not job
        if self._filtered.which is Which.RANKED and (is_new_job or self._session.queue.numbers - numbers):
            self.want(Which.ALL)

    def _want_row(self, row: int) -> None:
        self.want(list(Which)[row])

    def do(self, act: Callable[[Entry], object]) -> None:
        """Do something with the chosen entry, or say that none is chosen."""
        if self.entry:
            act(self.entry)
        elif self.is_open:
            self._session.say("Choose a result in the history first: click it, or Alt+Left and Alt+Right.")
        else:
            self._session.say("The history is hidden: show it (H), and choose a result.")

    def show_state(self) -> None:
        """Show how many results there are, and what can be done with the chosen one."""
        count, entry = self._filtered.rowCount(), self.entry
        self.fold.setIcon(icon("chevron-down" if self.is_open else "chevron-up"))
        self.fold.setText(f"History  {count}" if count else "History")
        self.fold.setToolTip("Hide the history (H)" if self.is_open else "Show the history (H)")
        for widget in (self.which, self.hint):
            widget.setVisible(self.is_open)
        for button in (self.use, self.star, self.delete):
            button.setVisible(entry is not None)
        self.hint.setText(_HINT if count and entry is None else "")
        self._results.setCurrentWidget(self.list if count else self._empty)
        self._empty.setText(_EMPTY[self._filtered.which])
        if entry:
            self.star.setText("Unstar" if entry.is_starred else "Star")
            self.star.setIcon(icon("star-filled" if entry.is_starred else "star"))
            self.delete.setText("Put back" if entry.is_deleted else "Delete")
            self.delete.setIcon(icon("put-back" if entry.is_deleted else "delete"))

    def _show_menu(self, at: QPoint) -> None:
        if self.list.entry is None:
            return
        menu = entry_menu(self.list.entry, self._looking, self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.list.viewport().mapToGlobal(at))


def entry_menu(entry: Entry, looking: LookingBack, parent: QWidget) -> QMenu:
    """Return the context menu of an entry. What stands behind the tabs are the keys of the list."""
    menu = QMenu(parent)
    actions: tuple[tuple[str, str, Callable[[Entry], object]], ...] = (
        (f"{SHOW}\tClick", "show", looking.show),
        (f"{USE}\tReturn", "show-settings", looking.use),
        (f"{TAKE}\tCtrl+R", "settings", looking.take_settings),
        (f"{RESTORE}\tCtrl+Shift+R", "restore", looking.restore_all),
        ("Unstar\tS" if entry.is_starred else "Star\tS", "star", looking.star),
        ("Put back\tDel" if entry.is_deleted else "Delete\tDel", "delete", looking.delete),
    )
    for text, icon_name, do in actions:
        menu.addAction(icon(icon_name), text).triggered.connect(partial(_act, do, entry))
    return menu


def filter_menu(window: QMainWindow, strip: HistoryStrip) -> QMenu:
    """Return the menu of which results are listed, on the keys Ctrl+4 to Ctrl+8; to choose one shows the strip."""
    menu, group = QMenu("Filter", window), QActionGroup(window)

    def choose(which: Which) -> None:
        strip.set_open(True)
        strip.want(which)

    for number, which in enumerate(Which, start=4):  # The three before change presets.
        action = QAction(which.value, window, checkable=True, shortcut=QKeySequence(f"Ctrl+{number}"))
        action.triggered.connect(lambda _=False, which=which: choose(which))
        group.addAction(action)
    menu.addActions(group.actions())

    def show(row: int) -> None:
        group.actions()[row].setChecked(True)

    strip.which.currentIndexChanged.connect(show)
    show(strip.which.currentIndex())
    return menu


def _act(do: Callable[[Entry], object], entry: Entry) -> None:
    do(entry)


def _muted(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "muted")
    return label
