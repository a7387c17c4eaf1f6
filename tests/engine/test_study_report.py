"""The report: whole files, with the figures in them, and CSV that iMRMC reads."""

import base64
import csv
import io
import json
import re

import pytest
from PIL import Image

from engine.__main__ import main
from engine.errors import InputError
from engine.study import open_study
from engine.study_analysis import analyse_study
from engine.study_plan import read_plan
from engine.study_report import write_report
from tests.engine.answered_study import ANNA, BEN, answer, sealed_study
from tests.engine.study_sources import write_real, write_results


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Folder of the report, and the study."""
    folder = tmp_path_factory.mktemp("report")
    study, key = sealed_study(folder)
    # A title may have any letters.
    path = study.folder / "study.json"
    path.write_text(path.read_text("utf-8").replace('"Noise"', '"Ψ <b> & Ж"'), "utf-8")
    answer(study, "anna", ANNA)
    answer(study, "ben", BEN)
    write_report(analyse_study(study.folder, key), folder / "out")
    return folder / "out", study, key


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_files_are_there(report):
    out, _, _ = report
    assert sorted(path.name for path in out.iterdir()) == [
        "answers.csv",
        "imrmc-find_nodule.csv",
        "imrmc-real_or_synthetic.csv",
        "report.html",
        "report.pdf",
    ]


def test_imrmc_has_a_truth_of_each_case_and_a_score_of_each_answer(report):
    out, _, _ = report
    found = rows(out / "imrmc-real_or_synthetic.csv")
    assert list(found[0]) == ["readerID", "caseID", "modalityID", "score"]
    truth = {row["caseID"]: row["score"] for row in found if row["readerID"] == "truth"}
    assert truth == {"trial-0001": "1", "trial-0002": "1", "trial-0003": "0", "trial-0004": "0"}
    assert {row["modalityID"] for row in found} == {"truth", "real_or_synthetic"}
    assert [row["score"] for row in found if row["readerID"] == "anna"] == ["6", "3", "2", "4"]
    marks = rows(out / "imrmc-find_nodule.csv")
    assert [row["score"] for row in marks if row["readerID"] == "anna"] == ["6", "-4"]


def test_every_answer_stands_beside_the_truth(report):
    out, _, _ = report
    found = rows(out / "answers.csv")
    assert len(found) == 20
    assert [(row["value"], row["truth"]) for row in found[:2]] == [("6", "synthetic"), ("3", "synthetic")]
    choice, rating, mark = found[5], found[7], found[8]
    assert (choice["value"], choice["truth"], choice["box"]) == ("left", "real | synthetic", "")
    assert (rating["value"], rating["sphericity_true"], rating["texture_true"]) == ("3 4 3 2 1", "5", "1")
    assert (mark["value"], mark["box"], mark["confidence"]) == ("12 15.5", "10 14 9", "6")
    assert found[9]["value"] == "none"


def test_the_html_is_of_one_piece_and_has_the_figures(report):
    out, study, _ = report
    text = (out / "report.html").read_text("utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    # Intervals of three kinds, one ROC curve, scores, times.
    assert len(pictures) == 6
    for picture in pictures:
        with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
            assert image.width > 600
            assert len(set(image.convert("L").resize((90, 40)).tobytes())) > 5
    assert "<td>0.75<br><span>" in text
    assert "<h1>Ψ &lt;b&gt; &amp; Ж</h1>" in text
    assert "carl has not begun" in text
    assert "and agreement rest on 4 of 4 trials: those that all who began have answered." in text
    assert "share of the readers&#x27; mean scores, with Wilson&#x27;s score interval, for cases alone." in text
    assert study.key_sha256 in text


def test_the_pdf_is_one(report):
    out, _, _ = report
    content = (out / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert content.count(b"/Subtype /Image") == 6


@pytest.mark.parametrize("place", ["", "report", "../study/answers"])
def test_no_report_lies_where_readers_see_it(report, place):
    _, study, key = report
    before = sorted(study.folder.rglob("*"))
    with pytest.raises(InputError, match=r"The report .* would lie in the study, where readers see it; choose a place"):
        write_report(analyse_study(study.folder, key), study.folder / place)
    assert sorted(study.folder.rglob("*")) == before


def run(*arguments):
    return main(["study", *map(str, arguments)])


def test_a_plan_becomes_a_study_on_the_command_line(tmp_path, write_ct_series, capsys):
    write_results(tmp_path / "made", 4)
    write_real(tmp_path, 4, write_ct_series)
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "title: Ours\nreaders: [anna, 7]\nseed: 3\nsynthetic: made\nreal: [real.csv]\ncrop_mm: 20\n"
        "window: {width: 400, level: 40}\ncounts: {real_or_synthetic: 4, find_nodule: 2}\n"
    )
    assert run("build", plan, "--out", tmp_path / "study", "--key", tmp_path / "KEY.json") == 0
    printed = json.loads(capsys.readouterr().out)
    study = open_study(tmp_path / "study")
    assert printed["trials"] == {"real_or_synthetic": 4, "find_nodule": 2}
    assert (printed["study"], printed["key_sha256"]) == (study.uid, study.key_sha256)
    assert (study.title, study.readers, study.window.width) == ("Ours", ("anna", "7"), 400)


def test_a_study_is_analysed_on_the_command_line(report, tmp_path, capsys):
    _, study, key = report
    assert run("analyse", study.folder, "--key", key, "--out", tmp_path / "out") == 0
    out, err = capsys.readouterr()
    printed = json.loads(out)
    assert printed["all_readers"]["real_or_synthetic"]["AUC"] == 0.875
    assert printed["rest_on"]["real_or_synthetic"] == "4 of 4 trials"
    assert printed["files"] == sorted(path.name for path in (tmp_path / "out").iterdir())
    assert err == "carl has not begun, and is in none of the figures.\n"


def test_names_in_a_plan_are_what_was_typed(tmp_path):
    """Not what YAML makes of them: the number 7, true, the minutes 750, 202401."""
    (tmp_path / "plan.yaml").write_text(
        "title: 12:30\nreaders: [007, 012, yes, 1e3]\nseed: 3\nsynthetic: 2024_01\nreal: ~\ncounts: {find_nodule: 2}\n"
    )
    plan = read_plan(tmp_path / "plan.yaml")
    assert (plan.title, plan.readers) == ("12:30", ("007", "012", "yes", "1e3"))
    assert (plan.synthetic, plan.real) == ((tmp_path / "2024_01",), ())


GOOD = {"title": "T", "readers": ["a"], "seed": 1, "synthetic": ["made"], "counts": {"find_nodule": 2}}


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ("{", "is not YAML"),
        ("[]", "holds no names with values"),
        ({**GOOD, "seed": None}, "The seed is None"),
        ({**GOOD, "seed": True}, "The seed is True"),
        ({**GOOD, "colour": 1}, "has 'colour', which is not known"),
        ({"title": "T"}, "has no readers"),
        ({**GOOD, "readers": ["a b"]}, "reader code 'a b'"),
        ({**GOOD, "counts": {"guess": 1}}, "'guess', which is no kind of trial"),
        ({**GOOD, "counts": {"find_nodule": -1}}, "count of find_nodule is -1"),
        ({**GOOD, "counts": 5}, "counts is 5"),
        ({**GOOD, "crop_mm": "x"}, "crop_mm is 'x'"),
        ({**GOOD, "crop_mm": True}, "crop_mm is True"),
        ({**GOOD, "window": 5}, "window is 5"),
        (GOOD, "made holds no result"),
    ],
)
def test_plans_that_are_wrong_get_one_sentence(tmp_path, capsys, plan, sentence):
    path = tmp_path / "plan.yaml"
    path.write_text(plan if isinstance(plan, str) else json.dumps(plan))
    assert run("build", path, "--out", tmp_path / "study", "--key", tmp_path / "KEY.json") == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [path]
