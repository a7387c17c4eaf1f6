"""Slices in batches against the engine's one by one; conditions; files that are not made twice."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.checkpoint import load_checkpoint
from engine.device import Device
from engine.errors import InputError
from engine.events import Finished, SamplingOptions, SliceRequest
from engine.nodule import BoundingBox, NoduleAttributes
from engine.slice_generation import generate_slice
from tests.checkpoints import save_tiny_slice_checkpoint
from tests.training.made_up_slices import write_made_up_slices
from training import slice_samples
from training.prepared import read_slices
from training.slice_conditions import SliceCondition, draw_conditions, with_all_scores
from training.slice_samples import generate_slices, reconstruct_slices, sample_slices, unet_passes

FLOAT32 = Device(torch.device("cpu"), torch.float32, "CPU")
CONDITIONS = [SliceCondition((20 + index, 10, 8), (5, 4, 1, 0, 3), 1.4, seed=index) for index in range(5)]
QUICK = {"num_train_timesteps": 6, "beta_schedule": "scaled_linear", "prediction_type": "epsilon"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_slice_checkpoint(tmp_path_factory.mktemp("slice") / "tiny", "paper-3", scheduler=QUICK)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return write_made_up_slices(tmp_path_factory.mktemp("prepared"))


@pytest.mark.parametrize("solver", ["dpm++2m", "ddpm"])
def test_a_batch_is_what_the_engine_makes_one_by_one(folder, solver):
    checkpoint = load_checkpoint(folder, FLOAT32)
    options = SamplingOptions(steps=3, guidance=1.5, solver=solver)

    batch = sample_slices(checkpoint, CONDITIONS[:2], options)[:, 0].numpy()

    for condition, hu in zip(CONDITIONS[:2], batch, strict=True):
        attributes = NoduleAttributes.from_scores([score or None for score in condition.scores])
        box = BoundingBox(*condition.box, (64, 64))
        single = SamplingOptions(condition.seed, options.steps, options.guidance, solver)
        *_, last = generate_slice(checkpoint, SliceRequest(box, attributes, single, condition.spacing_mm))
        assert isinstance(last, Finished)
        # Rounding may take a latent to the code beside its own.
        assert np.mean(np.abs(hu - last.result.slice.hu) < 1) > 0.98


def test_a_stopped_run_goes_on_where_it_was(folder, tmp_path, monkeypatch):
    made = []
    sample = slice_samples.sample_slices

    def stop_after_two(checkpoint, conditions, options):
        made.extend(conditions)
        if len(made) > 3:
            raise KeyboardInterrupt
        return sample(checkpoint, conditions, options)

    options = SamplingOptions(steps=2, guidance=1)
    monkeypatch.setattr(slice_samples, "sample_slices", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        generate_slices(folder, CONDITIONS, options, tmp_path, "stopped", batch=2)
    made.clear()
    whole = generate_slices(folder, CONDITIONS, options, tmp_path, "taken up", batch=3)

    assert made == CONDITIONS[2:]
    made.clear()
    np.testing.assert_array_equal(generate_slices(folder, CONDITIONS[:2], options, tmp_path, "again"), whole[:2])
    assert made == []
    generate_slices(folder, CONDITIONS[:1], SamplingOptions(steps=3, guidance=1), tmp_path, "other steps")
    assert made == CONDITIONS[:1]


def test_another_type_of_number_and_another_way_are_other_slices(folder, tmp_path, monkeypatch):
    images = np.zeros((1, 64, 64), np.uint16)

    def folders():
        generate_slices(folder, CONDITIONS[:1], SamplingOptions(steps=2, guidance=1), tmp_path, "slices")
        reconstruct_slices(folder, images, tmp_path, "through")
        return len({path.parent for path in tmp_path.rglob("*.png")})

    monkeypatch.setattr(slice_samples, "choose_device", lambda: FLOAT32)
    assert folders() == folders() == 2
    monkeypatch.setattr(slice_samples, "choose_device", lambda: replace(FLOAT32, dtype=torch.bfloat16))
    assert folders() == 4
    monkeypatch.setattr(slice_samples, "_VERSION", slice_samples._VERSION + 1)
    assert folders() == 6


@pytest.mark.parametrize(
    ("conditioning", "sampling", "guidance", "passes"),
    [
        ("tokens", {}, 2.5, 12),
        ("tokens", {}, 1.0, 6),
        ("tokens", {"guidance_highest_t": 3}, 2.5, 10),
        ("paper-3", {"guidance_highest_t": -1}, 2.5, 6),
        ("paper-1", {}, 2.5, 6),
    ],
)
def test_unet_passes_are_as_many_as_run(tmp_path, monkeypatch, conditioning, sampling, guidance, passes):
    folder = save_tiny_slice_checkpoint(tmp_path / "tiny", conditioning, scheduler=QUICK, sampling=sampling)
    checkpoint, ran = load_checkpoint(folder, FLOAT32), []
    checkpoint.network.register_forward_pre_hook(lambda _, inputs: ran.append(len(inputs[0])))
    options = SamplingOptions(steps=6, guidance=guidance, solver="ddpm")

    sample_slices(checkpoint, CONDITIONS[:1], options)

    assert sum(ran) == unet_passes(folder, options) == passes


def test_through_the_vqvae(folder, tmp_path):
    images = np.random.default_rng(0).integers(0, 3500, (2, 64, 64)).astype(np.uint16)
    codec = load_checkpoint(folder, FLOAT32).codec

    found = reconstruct_slices(folder, images, tmp_path, "through the VQ-VAE", batch=1)

    hu = torch.tensor(images.astype(np.float32) - 1000)[:, None]
    expected = codec.decode(codec.encode(hu))[:, 0].numpy() + 1000
    assert np.mean(np.abs(found - expected) <= 0.51) > 0.98


def test_more_conditions_begin_with_the_same_ones(prepared):
    slices = read_slices(prepared, held_out=False)

    few, many = (draw_conditions(slices, count, seed=3) for count in (4, 12))

    assert many[:4] == few
    assert len({condition.digest() for condition in many}) == 12
    readings = [reading for readings in slices.nodules for reading in readings]
    assert {condition.box for condition in many} <= {reading.box for reading in readings}
    assert {condition.scores for condition in many} <= {reading.scores for reading in readings}
    assert {condition.spacing_mm for condition in many} == {1.4}


def test_conditions_come_from_readings_with_all_scores_where_there_are_any(prepared):
    slices = read_slices(prepared, held_out=False)
    lacking, count = with_all_scores(slices)
    readings = [[replace(one, scores=(1, 2, 3, 4, 5)) for one in seen[:1]] + seen[1:] for seen in slices.nodules]

    complete, counted = with_all_scores(replace(slices, nodules=readings))

    assert lacking is slices
    assert count == {"readings": 12, "complete": 0}
    assert counted == {"readings": 12, "complete": 6}
    assert {condition.scores for condition in draw_conditions(complete, 20)} == {(1, 2, 3, 4, 5)}


def test_priors_do_not_ask_for_the_boxes_of_the_data(prepared):
    slices = read_slices(prepared, held_out=False)

    studio, paper = (draw_conditions(slices, 60, prior=prior) for prior in ("studio", "paper"))

    for conditions in (studio, paper):
        assert len({condition.box for condition in conditions}) > 50
        assert all(0 <= row <= 256 - side and 0 <= column <= 256 - side for row, column, side in boxes_of(conditions))
    # The paper's scores are uniform; readers call most nodules solid.
    assert np.mean([condition.scores[4] for condition in paper]) == pytest.approx(3, abs=0.6)
    assert np.mean([condition.scores[4] for condition in studio]) > 3.8
    assert {condition.spacing_mm for condition in paper} == {1.4}
    assert len({condition.spacing_mm for condition in studio}) > 10
    assert draw_conditions(slices, 2, prior="studio") == studio[:2]


def boxes_of(conditions):
    return [condition.box for condition in conditions]


def test_no_nodule_no_condition(prepared):
    slices = read_slices(prepared, held_out=False, with_nodules=False)

    with pytest.raises(InputError, match="No slice has a nodule"):
        draw_conditions(slices, 2)
