"""The folder of a study: what is written comes back, what was changed is noticed, and orders never change."""

import json

import numpy as np
import pytest

from engine.ct import LUNG, CTSlice
from engine.errors import InputError
from engine.study import open_study, order_for, trial_images
from engine.study_trials import TRIAL_KINDS, TrialImages, check_readers, trial_path, write_study
from tests.made_up_study import BOX, SHAPE, UID, made_up_study


@pytest.fixture
def study(tmp_path):
    return made_up_study(tmp_path / "study")


def test_what_is_written_comes_back(study):
    again = open_study(study.folder)
    assert again == study
    assert (again.title, again.readers, again.window) == ("Noise", ("anna", "ben", "R-3"), LUNG)
    assert [trial.number for trial in again.trials] == list(range(1, 9))
    assert {trial.kind for trial in again.trials} == set(TRIAL_KINDS)
    assert all(trial.box == (BOX if trial.kind == "rate_attributes" else None) for trial in again.trials)


def test_images_come_back_bit_for_bit(tmp_path):
    left = CTSlice(np.arange(12, dtype=np.int16).reshape(3, 4) - 1024, (0.5, 0.625))
    right = CTSlice(-left.hu, (0.7, 0.7))
    trials = [TrialImages("forced_choice", (left, right))]
    study = write_study(tmp_path / "study", "T", ["a"], trials, LUNG, UID, 0, "")
    images = trial_images(study, study.trials[0])
    assert [image.sha256() for image in images] == [left.sha256(), right.sha256()]


def test_files_of_a_kind_have_one_size(study):
    for kind in TRIAL_KINDS:
        paths = [trial_path(study.folder, trial.number) for trial in study.trials if trial.kind == kind]
        assert len({path.stat().st_size for path in paths}) == 1


def test_the_same_study_has_the_same_bytes(study, tmp_path):
    made_up_study(tmp_path / "again")
    for path in study.folder.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(study.folder)).read_bytes()


def test_images_that_were_changed_are_refused(study):
    path = trial_path(study.folder, 2)
    content = bytearray(path.read_bytes())
    content[-200] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="images of trial 2 are missing or were changed"):
        trial_images(study, study.trials[1])
    path.unlink()
    with pytest.raises(InputError, match="images of trial 2"):
        trial_images(study, study.trials[1])
    assert trial_images(study, study.trials[0])[0].shape == SHAPE


def test_orders_are_shuffled_per_reader_and_never_change(study):
    orders = {reader: order_for(study, reader) for reader in study.readers}
    assert all(sorted(order) == list(range(1, 9)) for order in orders.values())
    assert orders == {reader: order_for(open_study(study.folder), reader) for reader in study.readers}
    # Written down here: a study that was begun must go on in the same order with every later version.
    assert orders["anna"] == ANNA
    with pytest.raises(InputError, match="no reader 'carl'; choose one of anna, ben, R-3"):
        order_for(study, "carl")


ANNA = (2, 1, 4, 3, 6, 5, 8, 7)


def test_long_orders_differ_between_readers_and_keep_kinds_together(tmp_path):
    study = made_up_study(tmp_path / "study", counts={"real_or_synthetic": 12, "find_nodule": 12})
    anna, ben = order_for(study, "anna"), order_for(study, "ben")
    assert anna != ben
    assert sorted(anna[:12]) == sorted(ben[:12]) == list(range(13, 25))
    assert list(anna[:12]) != sorted(anna[:12])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda record: record.pop("trials"), "is incomplete"),
        (lambda record: record.update(format_version=2), "has format 2"),
        (lambda record: record["trials"].reverse(), "is incomplete"),
        (lambda record: record["trials"][0].update(kind="guess"), "is incomplete"),
        (lambda record: record["trials"][6].update(box=[0, 0, 99]), "is incomplete"),
        (lambda record: record.update(readers=["../anna"]), "is incomplete"),
        (lambda record: record.update(window={"width": 0, "level": 0}), "is incomplete"),
    ],
)
def test_a_study_that_was_changed_is_refused(study, change, sentence):
    path = study.folder / "study.json"
    record = json.loads(path.read_text("utf-8"))
    change(record)
    path.write_text(json.dumps(record), "utf-8")
    with pytest.raises(InputError, match=sentence):
        open_study(study.folder)


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "is no reader study"), ("{", "is damaged"), ("[]", "has format None")]
)
def test_what_is_no_study_is_refused(tmp_path, content, sentence):
    if content is not None:
        (tmp_path / "study.json").write_text(content)
    with pytest.raises(InputError, match=sentence):
        open_study(tmp_path)


@pytest.mark.parametrize("readers", [[], ["a b"], ["a/b"], [""], ["r1", "R1"], ["é"], ["Truth"]])
def test_codes_that_cannot_name_files_or_mean_something_else_are_refused(readers):
    with pytest.raises(InputError):
        check_readers(readers)


def test_a_study_is_not_written_over_another(study):
    with pytest.raises(InputError, match="is not empty"):
        made_up_study(study.folder)
    assert open_study(study.folder) == study


def test_a_folder_that_was_looked_into_with_macos_is_new(tmp_path):
    (tmp_path / ".DS_Store").write_bytes(b"Bud1")
    assert made_up_study(tmp_path) == open_study(tmp_path)
