"""Which PACS, and what opens it. Addresses are remembered between starts; passwords and tokens never are."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSettings, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QStackedWidget, QWidget

from engine.errors import InputError
from engine.pacs_connection import OWN_TITLE, Connection, DimseServer, Login, WebServer, parse_address

_ADDRESSES, _TITLE = "pacs addresses", "pacs own title"
_KEPT = 10
#: What opened a server lasts as long as the program runs.
Logins = dict[str, Login]


class ServerFields(QWidget):
    """An address, and what its kind of server needs besides: our AE title, or user and password.

    Attributes
    ----------
    edited : Signal()

    Parameters
    ----------
    logins : by address
        What the user has typed since the program started; the new ones are put into it.
    """

    edited = Signal()

    def __init__(self, logins: Logins, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logins = logins
        self.address = QComboBox(editable=True)
        self.address.addItems(stored_addresses())
        self.address.setAccessibleName("Address of the PACS")
        self.address_field.setPlaceholderText("dicom://AE@host:port  or  https://host/dicom-web")
        self.title = _field(QLineEdit(str(QSettings().value(_TITLE) or OWN_TITLE)), "AE title of this program")
        self.user = _field(QLineEdit(), "User")
        self.secret = _field(QLineEdit(), "Password or token")
        self.secret.setEchoMode(QLineEdit.EchoMode.Password)
        self.secret.setPlaceholderText("not stored; without a user: a token")
        self.warning = QLabel(wordWrap=True)
        self.warning.setProperty("role", "warning")
        self._lay_out()
        self._show_kind()
        self.address.currentTextChanged.connect(self._show_kind)
        for field in (self.title, self.user, self.secret):
            field.textChanged.connect(self._show_warning)

    @property
    def address_field(self) -> QLineEdit:
        """Where the address is typed."""
        field = self.address.lineEdit()
        assert field is not None
        return field

    @property
    def connection(self) -> Connection:
        """What was chosen.

        Raises
        ------
        InputError
            If it leads nowhere.
        """
        login = Login(self.user.text().strip(), self.secret.text())
        return parse_address(self.address.currentText(), self.title.text(), login if login != Login() else None)

    @property
    def why_not(self) -> str:
        """One sentence on what is missing or wrong; empty if nothing is."""
        if not self.address.currentText().strip():
            return "Type the address of a PACS, as your PACS administrator gives it."
        try:
            _ = self.connection
        except InputError as error:
            return str(error)
        return ""

    def remember(self, connection: Connection) -> None:
        """Put what has worked at the front of what is offered, and keep its login while the program runs."""
        address = connection.address
        others = [other for other in stored_addresses() if other != address]
        QSettings().setValue(_ADDRESSES, [address, *others][:_KEPT])
        if isinstance(connection, DimseServer):
            QSettings().setValue(_TITLE, connection.calling)
        elif connection.login is not None:
            self._logins[address] = connection.login

    def _lay_out(self) -> None:
        self.kinds = QStackedWidget()
        for fields in (
            [("AE title of this program", self.title), (None, QWidget())],
            [("User", self.user), ("Password or token", self.secret)],
        ):
            page = QWidget()
            row = QHBoxLayout(page)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(8)
            for text, field in fields:
                if text:
                    row.addWidget(QLabel(text))
                row.addWidget(field, 1)
            self.kinds.addWidget(page)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(8)
        for row, widget in enumerate((self.address, self.kinds, self.warning)):
            grid.addWidget(widget, row, 0)
        # The style gives combo boxes two pixels less than fields.
        self.address.setMinimumHeight(self.title.sizeHint().height())
        self.kinds.setFixedHeight(self.title.sizeHint().height())

    def _show_kind(self) -> None:
        """Show the fields of the kind of server that the address is of, and a login that is known."""
        text = self.address.currentText().strip()
        self.kinds.setCurrentIndex(int(text.lower().startswith("http")))
        login = self._logins.get(text.rstrip("/"), Login())
        for field, known in ((self.user, login.user), (self.secret, login.secret)):
            field.blockSignals(True)
            field.setText(known)
            field.blockSignals(False)
        self._show_warning()

    def _show_warning(self) -> None:
        warning = ""
        if not self.why_not:
            connection = self.connection
            warning = connection.warning if isinstance(connection, WebServer) else ""
        self.warning.setText(warning)
        self.warning.setVisible(bool(warning))
        self.edited.emit()


def stored_addresses() -> list[str]:
    """Return the addresses of servers that were reached, the last one first."""
    stored: Any = QSettings().value(_ADDRESSES)
    # A list of one comes back as a plain string, and an empty one as None.
    return [stored] if isinstance(stored, str) else stored or []


def _field(field: QLineEdit, name: str) -> QLineEdit:
    field.setAccessibleName(name)
    return field
