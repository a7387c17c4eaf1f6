"""Figures of a study of ten trials and two readers, each worked out by hand."""

import shutil

import pytest

from engine.errors import InputError
from engine.study_analysis import analyse_study
from engine.study_figures import ALL_READERS
from engine.study_html import figures_table
from engine.study_statistics import Estimate, proportion
from tests.engine.answered_study import ANNA, BEN, TRUTH, answer, image, sealed_study
from tests.made_up_study import made_up_study


@pytest.fixture(scope="module")
def read_study(tmp_path_factory):
    """Study and key, with the answers of two; the third has not begun."""
    study, key = sealed_study(tmp_path_factory.mktemp("read"))
    answer(study, "anna", ANNA)
    answer(study, "ben", BEN, seconds=8.0)
    return study, key


@pytest.fixture(scope="module")
def figures(read_study):
    study, key = read_study
    return analyse_study(study.folder, key)


def section(figures, kind):
    return next(section for section in figures.sections if section.kind == kind)


def values(section, name):
    return {reader: section.figures[reader][name].value for reader in section.figures}


def test_real_or_synthetic(figures):
    """anna: 6 and 2 are right, 3 and 4 wrong; of 4 pairs only 3 against 4 is the wrong way round. ben: all right."""
    found = section(figures, "real_or_synthetic")
    assert values(found, "Accuracy") == {"anna": 0.5, "ben": 1.0, ALL_READERS: 0.75}
    assert values(found, "Synthetic taken for synthetic") == {"anna": 0.5, "ben": 1.0, ALL_READERS: 0.75}
    assert values(found, "Real taken for real") == {"anna": 0.5, "ben": 1.0, ALL_READERS: 0.75}
    assert values(found, "AUC") == {"anna": 0.75, "ben": 1.0, ALL_READERS: 0.875}
    assert found.figures["anna"]["Accuracy"] == proportion(2, 4)
    # Nothing tells how sure an AUC of 1 is.
    assert found.figures["ben"]["AUC"] == Estimate(1.0, count=4)
    # They agree on 2 of 4 trials, and say synthetic in 4 of 8 answers: (1/2 - 1/2) / (1 - 1/2).
    assert found.agreement["Fleiss' kappa, synthetic or real"] == pytest.approx(0)
    # Squared differences seen: 1 + 4 + 1 + 9; expected: those of each rating of one with each of the other.
    seen, expected = 15 / 4, sum((a - b) ** 2 for a in (6, 3, 2, 4) for b in (5, 5, 1, 1)) / 16
    assert found.agreement["Weighted kappa of ratings, mean of pairs"] == pytest.approx(1 - seen / expected)
    table = found.confusions["True (rows) and rated"]
    assert table.counts == ((0, 0, 1, 0, 2, 1), (2, 1, 0, 1, 0, 0))
    assert found.curves["anna"] == ((0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1))
    assert found.curves["ben"] == ((0, 0), (0, 1), (1, 1))


def test_forced_choice(figures):
    found = section(figures, "forced_choice")
    assert values(found, "Accuracy") == {"anna": 0.5, "ben": 1.0, ALL_READERS: 0.75}
    # Agreed on 1 of 2; left in 3 of 4: (1/2 - 10/16) / (1 - 10/16).
    assert found.agreement["Fleiss' kappa, left or right"] == pytest.approx(-1 / 3)
    assert found.confusions["Synthetic one (rows) and chosen"].counts == ((2, 0), (1, 1))
    assert found.curves == {}


def test_rate_attributes(figures):
    """Asked for 1 and 5 of sphericity, anna gave 1 and 3, ben 2 and 5; their means are 1.5 and 4."""
    found = section(figures, "rate_attributes")
    assert values(found, "Sphericity (asked for): within 1") == {"anna": 0.5, "ben": 1.0, ALL_READERS: 1.0}
    # Of the mean scores, for cases alone.
    assert found.figures[ALL_READERS]["Sphericity (asked for): within 1"] == proportion(2, 2)
    assert values(found, "Sphericity (asked for): within 1 by level") == {"anna": 0.5, "ben": 1.0, ALL_READERS: 1.0}
    assert values(found, "Sphericity (asked for): Spearman") == {
        reader: pytest.approx(1) for reader in ("anna", "ben", ALL_READERS)
    }
    assert values(found, "Lobulation (asked for): Spearman") == {"anna": None, "ben": None, ALL_READERS: None}
    # anna 1, 3, ben 2, 5: seen (1 + 4) / 2, expected (1 + 16 + 1 + 4) / 4.
    kappa = found.agreement["Sphericity: weighted kappa, mean of pairs"]
    assert kappa == pytest.approx(1 - (5 / 2) / (22 / 4))
    assert found.agreement["Margin: weighted kappa, mean of pairs"] == pytest.approx(1)
    assert found.agreement["Margin: Fleiss' kappa"] == pytest.approx(1)
    counts = found.confusions["Sphericity: asked for (rows) and rated"].counts
    assert counts[0] == (1, 1, 0, 0, 0)
    assert counts[4] == (0, 0, 1, 0, 1)
    assert not any("known" in name for name in found.figures["anna"])


@pytest.mark.parametrize("who", ["anna", "ben"])
def test_real_nodules_that_one_reader_has_rated_so_far(tmp_path, who):
    """Trial 7 is a real nodule of known scores here; who has not rated it has no figure."""
    real = image("real", (1, 2, 3, 4, 5))
    study, key = sealed_study(tmp_path, [*TRUTH[:6], (real,), *TRUTH[7:]])
    answer(study, "anna", {7: ANNA[7]} if who == "anna" else {8: ANNA[8]})
    answer(study, "ben", {7: BEN[7]} if who == "ben" else {8: BEN[8]})
    found = section(analyse_study(study.folder, key), "rate_attributes")
    rated = values(found, "Sphericity (known, real): within 1")
    assert rated == {"anna": None, "ben": None, ALL_READERS: None} | {who: 1.0}
    assert any(name == "Sphericity (known, real): within 1" for name, *_ in figures_table(found)[1])


def test_find_nodule(figures):
    """The box is rows 10 to 19, columns 14 to 23; anna is right twice, ben marks elsewhere, and where is none."""
    found = section(figures, "find_nodule")
    assert values(found, "Nodules hit") == {"anna": 1.0, "ben": 0.0, ALL_READERS: 0.5}
    assert values(found, "Nodules missed, marked elsewhere") == {"anna": 0.0, "ben": 1.0, ALL_READERS: 0.5}
    assert values(found, "False marks on slices without") == {"anna": 0.0, "ben": 1.0, ALL_READERS: 0.5}
    assert values(found, "AUC") == {"anna": None, "ben": None, ALL_READERS: None}
    assert found.confusions["Slice (rows) and answer"].counts == ((1, 1, 0), (0, 1, 1))


def test_times(figures):
    """anna took 4, 5, 6 and 7 s, ben 8 to 11."""
    times = figures.times["real_or_synthetic"]
    assert (times["anna"].answers, times["anna"].median, times["anna"].lower_quartile) == (4, 5.5, 4.75)
    assert (times["ben"].median, times["ben"].upper_quartile) == (9.5, 10.25)


def test_who_has_not_begun_is_named(figures):
    assert figures.warnings == ("carl has not begun, and is in none of the figures.",)


def test_all_readers_are_compared_on_what_all_have_answered(read_study, tmp_path):
    study, key = sealed_study(tmp_path)
    answer(study, "anna", ANNA)
    answer(study, "ben", {number: BEN[number] for number in (1, 3, 4)})
    found = analyse_study(study.folder, key)
    assert found.warnings[0] == "ben has answered 3 of 10 trials."
    assert found.warnings[-1].startswith("Figures over all readers are of the trials that all who began")
    first = section(found, "real_or_synthetic")
    # Without trial 2, which anna got wrong and ben has not answered: 2 of 3 and 3 of 3.
    assert values(first, "Accuracy") == {"anna": 0.5, "ben": 1.0, ALL_READERS: pytest.approx(5 / 6)}
    assert first.figures[ALL_READERS]["AUC"].value is None
    assert (first.common, first.trials) == (3, 4)
    assert list(section(found, "forced_choice").figures) == ["anna", ALL_READERS]
    assert section(found, "forced_choice").figures[ALL_READERS]["Accuracy"] == proportion(1, 2)


def test_readers_without_a_trial_in_common_have_figures_of_their_own(tmp_path):
    study, key = sealed_study(tmp_path)
    answer(study, "anna", {number: ANNA[number] for number in (1, 5, 7, 9)})
    answer(study, "ben", {number: BEN[number] for number in (2, 6, 8, 10)})
    found = analyse_study(study.folder, key)
    rated = section(found, "rate_attributes")
    assert values(rated, "Sphericity (asked for): within 1") == {"anna": 1.0, "ben": 1.0, ALL_READERS: None}
    assert set(rated.agreement.values()) == {None}
    assert rated.common == 0
    assert values(section(found, "forced_choice"), "Accuracy") == {"anna": 1.0, "ben": 1.0, ALL_READERS: None}


def test_another_key_is_refused(read_study, tmp_path):
    study, key = read_study
    changed = tmp_path / "KEY.json"
    changed.write_text(key.read_text().replace('"real"', '"synthetic"', 1))
    with pytest.raises(InputError, match="is not the key with which the study was sealed"):
        analyse_study(study.folder, changed)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b'"trial": 1,', b'"trial": 11,', "Line 1 of .* is no answer to a trial of this study"),
        (b'"study": "5f', b'"study": "6f', "Line 1 of .* is of another study"),
    ],
)
def test_answers_to_unknown_trials_are_refused(read_study, tmp_path, old, new, sentence):
    study, key = read_study
    copy = shutil.copytree(study.folder, tmp_path / "copy")
    path = copy / "answers" / "anna.jsonl"
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(InputError, match=sentence):
        analyse_study(copy, key)


def test_answers_of_unknown_readers_are_refused(read_study, tmp_path):
    study, key = read_study
    copy = shutil.copytree(study.folder, tmp_path / "copy")
    (copy / "answers" / "anna.jsonl").rename(copy / "answers" / "dora.jsonl")
    with pytest.raises(InputError, match=r"dora\.jsonl is of no reader of this study"):
        analyse_study(copy, key)


def test_what_macos_puts_beside_answers_is_passed_over(read_study, tmp_path):
    study, key = read_study
    copy = shutil.copytree(study.folder, tmp_path / "copy")
    (copy / "answers" / "._anna.jsonl").write_bytes(b"\x00\x05\x16\x07")
    assert len(analyse_study(copy, key).answers["anna"]) == 10


def test_a_study_nobody_has_read_is_refused(tmp_path):
    study, key = sealed_study(tmp_path)
    with pytest.raises(InputError, match="has no answers yet"):
        analyse_study(study.folder, key)


def test_a_key_without_the_trials_is_refused(read_study, tmp_path):
    """It has the right hash, but the study has other trials."""
    study, key = read_study
    other = made_up_study(tmp_path / "other", key_sha256=study.key_sha256)
    with pytest.raises(InputError, match="is no key of this study"):
        analyse_study(other.folder, key)
