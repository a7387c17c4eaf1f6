"""The two themes: what can be read, what changes and what stays."""

import re

import pytest
from PySide6.QtCore import QSettings, QSize, Qt
from PySide6.QtGui import QIcon, QPalette
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.theme import RESOURCES, Theme, apply_theme, choose_theme, icon, stored_theme
from studio.theme_colours import COLOURS, DARK, LIGHT
from studio.theme_icons import ICONS, recoloured
from tests.phantom import phantom_volume
from tests.studio.driving import draw_box, generate

THEMES = pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
GROUNDS = ("view", "field", "window", "panel", "raised", "hover", "selected")
INKS = ("text", "icon", "muted", "accent", "warning", "error")


@pytest.fixture(autouse=True)
def dark_again(qapp):
    yield
    choose_theme(qapp, Theme.DARK)


def luminance(text):
    """Relative luminance of "#rrggbb", as WCAG 2.2 defines it."""
    parts = [int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    """Contrast ratio of two colours, from 1 to 21, as WCAG 2.2 defines it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@THEMES
def test_all_texts_can_be_read_on_all_grounds(colours):
    ratios = {(ink, ground): contrast(colours[ink], colours[ground]) for ink in INKS for ground in GROUNDS}
    for ground in ("accent", "accenthover", "accentpressed"):
        ratios["onaccent", ground] = contrast(colours["onaccent"], colours[ground])
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}


@THEMES
def test_what_is_disabled_and_what_has_the_focus_can_be_seen(colours):
    for ground in GROUNDS:
        assert contrast(colours["disabled"], colours[ground]) >= 2.95, ground
        assert contrast(colours["accent"], colours[ground]) >= 3, ground


@THEMES
def test_texts_can_be_read_on_the_grounds_that_the_style_sheet_gives_them(colours):
    sheet = (RESOURCES / "studio.qss").read_text(encoding="utf-8")
    pairs = []
    for selector, body in re.findall(r"([^{}]+)\{([^}]*)\}", sheet):
        ink, ground = re.search(r"(?<![\w-])color: @(\w+)", body), re.search(r"background: @(\w+)", body)
        if ink and ground and ":disabled" not in selector:
            pairs.append((selector.strip(), contrast(colours[ink[1]], colours[ground[1]])))
    assert len(pairs) > 5
    assert [pair for pair in pairs if pair[1] < 4.5] == []


def test_both_themes_name_the_same_colours_and_the_style_sheet_no_other():
    assert list(DARK) == list(LIGHT)
    named = set(re.findall(r"@(\w+)", (RESOURCES / "studio.qss").read_text(encoding="utf-8")))
    assert named - set(DARK) == {"icons", "checkmark"}


def test_the_dark_theme_is_that_of_the_first_start(qapp):
    QSettings().remove("theme")
    assert stored_theme() is Theme.DARK
    assert COLOURS == DARK


def test_the_theme_is_chosen_in_the_menu_and_remembered(window, qapp):
    themes = {action.text(): action for action in window.findChildren(type(window.presets[0]))}
    assert [themes[theme.value].isChecked() for theme in Theme] == [True, False, False]
    themes["Light"].trigger()
    assert stored_theme() is Theme.LIGHT
    assert COLOURS == LIGHT
    assert window.palette().color(QPalette.ColorRole.Window).name() == LIGHT["window"]
    assert window.panel.grab().toImage().pixelColor(8, 8).name() == LIGHT["panel"]
    themes["Dark"].trigger()
    assert window.panel.grab().toImage().pixelColor(8, 8).name() == DARK["panel"]


def test_a_system_that_is_followed_may_change_at_any_time(qapp, monkeypatch):
    scheme = [Qt.ColorScheme.Light]
    hints = qapp.styleHints()
    choose_theme(qapp, Theme.SYSTEM)
    assert COLOURS == DARK  # The platform of the tests tells no scheme.
    monkeypatch.setattr(type(hints), "colorScheme", lambda hints: scheme[0])
    hints.colorSchemeChanged.emit(scheme[0])
    assert COLOURS == LIGHT
    scheme[0] = Qt.ColorScheme.Dark
    hints.colorSchemeChanged.emit(scheme[0])
    assert COLOURS == DARK


def test_what_was_stored_and_is_no_theme_is_passed_over(qapp):
    QSettings().setValue("theme", "Pink")
    assert stored_theme() is Theme.DARK


def test_the_slice_stays_as_it_is(window, qapp):
    window.session.show_volume(phantom_volume(1))
    QTest.mouseClick(window.view, Qt.MouseButton.RightButton)
    window.hints.bubble.hide()
    before = window.view.grab().toImage()
    choose_theme(qapp, Theme.LIGHT)
    QApplication.processEvents()
    assert window.view.grab().toImage() == before


def test_the_star_of_a_result_lies_on_ct_and_stays_as_it_is(window, qapp, qtbot):
    draw_box(window)
    generate(window, qtbot)
    qtbot.waitUntil(lambda: bool(window.history.entries))
    window.looking.star(window.history.entries[0])
    choose_theme(qapp, Theme.LIGHT)
    card = window.strip.list.grab().toImage()
    inks = {card.pixelColor(x, y).name() for x in range(40) for y in range(40)}
    assert DARK["warning"] in inks
    assert LIGHT["warning"] not in inks


def ink_of(shown: QIcon, mode=QIcon.Mode.Normal):
    image = shown.pixmap(QSize(48, 48), mode).toImage()
    solid = [image.pixelColor(x, y) for x in range(48) for y in range(48) if image.pixelColor(x, y).alpha() == 255]
    return {colour.name() for colour in solid}


def test_icons_that_are_shown_change_with_the_theme(qapp):
    shown = icon("save")
    assert DARK["icon"] in ink_of(shown)
    choose_theme(qapp, Theme.LIGHT)
    assert LIGHT["icon"] in ink_of(shown)
    assert LIGHT["disabled"] in ink_of(shown, QIcon.Mode.Disabled)


@pytest.mark.parametrize("name", sorted(path.stem for path in ICONS.glob("*.svg")))
def test_every_icon_is_drawn_in_colours_of_the_theme(qapp, name):
    exceptions = {"nodule-studio", "chevron-up", "chevron-down", "check-mark-light"}
    if name not in exceptions:
        choose_theme(qapp, Theme.LIGHT)
        left = set(re.findall(r"#[0-9a-f]{6}", recoloured(name)))
        assert left <= set(LIGHT.values())
    assert ink_of(icon(name))


def test_the_icon_of_a_notice_changes_with_the_theme(window, qapp):
    window.session.say("Something happened.")
    dark = window.notice_bar._icon.pixmap().toImage()
    choose_theme(qapp, Theme.LIGHT)
    assert window.notice_bar._icon.pixmap().toImage() != dark


def test_the_look_can_be_given_before_there_is_a_window(qapp):
    choose_theme(qapp, Theme.LIGHT)
    apply_theme(qapp)
    assert COLOURS == LIGHT
    assert LIGHT["panel"] in qapp.styleSheet()
