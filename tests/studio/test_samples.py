"""Generated slices come with the program, for a start without a CT."""

import pydicom
import pytest
from PySide6.QtWidgets import QPushButton

from engine.checkpoint import DEFAULT_SLICE_CHECKPOINT, read_manifest
from engine.synthetic_data import says_made_whole, says_synthetic
from studio import samples


@pytest.fixture
def two_samples(chest, write_ct_series, tmp_path, monkeypatch):
    for number in (1, 2):
        (file,) = write_ct_series(tmp_path / "samples" / f"seed-{number}", chest[:1])
        file.rename(file.with_name("slice.dcm"))
    monkeypatch.setattr(samples, "_FOLDER", tmp_path / "samples")


def sample_menu(window):
    return next(menu for menu in window.findChildren(samples.SampleMenu))


def test_a_sample_opens_from_the_first_page(two_samples, make_window, chest, qtbot):
    window = make_window()
    button = next(button for button in window.welcome.findChildren(QPushButton) if button.text() == "Open a sample")
    assert button.isVisible()
    button.click()
    qtbot.waitUntil(lambda: window.session.volume is not None and window.session.opening is None)
    assert (window.session.volume.hu == chest[:1]).all()


def test_each_sample_is_in_the_menu(two_samples, make_window, tmp_path, qtbot):
    window = make_window()
    first, second = sample_menu(window).actions()
    assert (first.text(), second.text()) == ("Sample 1", "Sample 2")
    second.trigger()
    qtbot.waitUntil(lambda: window.session.volume is not None and window.session.opening is None)
    assert window.session.volume.source == tmp_path / "samples" / "seed-2" / "slice.dcm"


def test_without_samples_nothing_speaks_of_them(make_window, tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "_FOLDER", tmp_path / "nowhere")
    window = make_window()
    assert not window.welcome.sample.isVisible()
    assert not sample_menu(window).menuAction().isVisible()


def test_those_that_come_with_the_program_are_of_its_own_generator_and_say_that_they_are_synthetic():
    made_by = read_manifest(DEFAULT_SLICE_CHECKPOINT)["sha256"]
    paths = samples.sample_slices()
    assert paths
    for path in paths:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        assert says_synthetic(header)
        assert says_made_whole(header)
        _, digest = header.ContributingEquipmentSequence[0].SoftwareVersions.split()
        assert made_by.startswith(digest)
