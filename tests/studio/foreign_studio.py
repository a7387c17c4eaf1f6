"""The program as it starts, with a scripted engine, under the locale of its environment; prints what it reads as JSON.

`python -m tests.studio.foreign_studio FILE.nrrd COPY.nrrd`: it opens the file, types 3.5 as guidance, exports the
first slice as COPY.nrrd, prints, and ends.
"""

from __future__ import annotations

import json
import locale
import sys
from pathlib import Path

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

import studio.__main__ as program
from studio.main_window import MainWindow
from tests.scripted_engine import Loading, ScriptedRunner


def _look(copy: Path) -> None:
    """Look again later until the file is open; then tell, and end the program."""
    window = next(widget for widget in QApplication.topLevelWidgets() if isinstance(widget, MainWindow))
    volume = window.session.volume
    if volume is None:
        QTimer.singleShot(20, lambda: _look(copy))
        return
    import SimpleITK  # As the readers do: only once it is needed.

    guidance = window.panel.sampling.guidance
    shown = guidance.text()
    guidance.selectAll()
    QTest.keyClicks(guidance, "3.5")
    image = SimpleITK.GetImageFromArray(volume.hu)
    image.SetSpacing((*volume.pixel_spacing, volume.slice_spacing))
    SimpleITK.WriteImage(image, str(copy))
    told = {
        "system": locale.setlocale(locale.LC_MONETARY),
        "spacing": volume.pixel_spacing,
        "slices apart": volume.slice_spacing,
        "shown": shown,
        "typed": guidance.value(),
        "seed": window.panel.sampling.seed.textFromValue(1234567),
    }
    print(json.dumps(told), flush=True)
    window.close()
    QApplication.exit()


def main(file: Path, copy: Path) -> int:
    """Run until all is told; settings go to the folder of the file."""
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(file.parent / "settings"))
    program.default_runner = lambda *_: Loading(ScriptedRunner())()
    QTimer.singleShot(0, lambda: _look(copy))
    return program.main([str(file)])


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
