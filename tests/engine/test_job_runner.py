"""The real thing in the engine thread: a tiny seeded checkpoint, loaded, sampled, cancelled and broken."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from engine.checkpoint import CODEC_WEIGHTS, WEIGHTS, config_of, read_manifest, save_checkpoint
from engine.ct import CTSlice
from engine.events import (
    Cancelled,
    Failed,
    Finished,
    GenerationRequest,
    Preview,
    SamplingOptions,
    Sketched,
    SketchRequest,
    SliceRequest,
)
from engine.job_runner import default_runner
from engine.nodule import BoundingBox, NoduleAttributes
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint
from tests.engine.watched_engine import FAILED, IDLE, WatchedEngine


@pytest.fixture
def checkpoint(tmp_path):
    return save_tiny_checkpoint(tmp_path / "tiny")


@pytest.fixture
def start():
    """Start an engine that loads a checkpoint folder; stop it after the test."""
    engines = []

    def start(folder, slice_folder=Path("nowhere")):
        engines.append(WatchedEngine(lambda: default_runner(folder, slice_folder)))
        engines[-1].start()
        return engines[-1]

    yield start
    for engine in engines:
        engine.stop()


def request_of(seed=1, steps=4, side=21):
    hu = np.random.default_rng(0).normal(-850, 60, (96, 96)).astype(np.int16)
    box = BoundingBox(5, 5, side, hu.shape)
    return GenerationRequest(
        CTSlice(hu, (0.7, 0.7)), box, NoduleAttributes(4, 4, 2, 2, 5), SamplingOptions(seed, steps)
    )


def test_a_nodule_is_placed(start, checkpoint):
    engine = start(checkpoint)
    device = engine.wait_for_state(IDLE).detail
    job_id = engine.submit(request_of())
    result = engine.wait_for(Finished, job_id=job_id).result
    assert result.device == device
    assert result.checkpoint_sha256 == read_manifest(checkpoint)["sha256"]
    changed = result.slice.hu != result.request.slice.hu
    assert changed[result.request.box.slices].any()
    changed[result.request.box.slices] = False
    assert not changed.any()


def test_the_job_after_a_cancelled_one_gives_what_it_always_gives(start, checkpoint):
    engine = start(checkpoint)
    first = engine.wait_for(Finished, job_id=engine.submit(request_of())).result
    cancelled = engine.submit(request_of(seed=2, steps=900))
    engine.wait_for(Preview, job_id=cancelled)
    engine.cancel(cancelled)
    again = engine.wait_for(Finished, job_id=engine.submit(request_of())).result
    assert engine.endings(cancelled) == [Cancelled(cancelled)]
    np.testing.assert_array_equal(first.slice.hu, again.slice.hu)


def test_a_network_that_returns_nan_is_one_sentence(start, checkpoint, tmp_path):
    weights = {name: tensor * float("nan") for name, tensor in load_file(checkpoint / WEIGHTS).items()}
    save_checkpoint(tmp_path / "nan", config_of(read_manifest(checkpoint)), weights)
    engine = start(tmp_path / "nan")
    failed = engine.wait_for(Failed, job_id=engine.submit(request_of()))
    assert "not numbers" in failed.message


def test_bad_input_is_the_engines_own_sentence(start, checkpoint):
    engine = start(checkpoint)
    failed = engine.wait_for(Failed, job_id=engine.submit(request_of(side=90)))
    assert failed.message == "The box is 63.0 mm wide; draw a smaller one, of 4 to 60 mm."


def test_a_checkpoint_without_weights_fails_until_they_are_there(start, checkpoint):
    kept = (checkpoint / WEIGHTS).rename(checkpoint.parent / WEIGHTS)
    engine = start(checkpoint)
    assert f"{WEIGHTS} is missing" in engine.wait_for(Failed, job_id=None).message
    assert engine.state is FAILED
    kept.rename(checkpoint / WEIGHTS)
    engine.wait_for(Finished, job_id=engine.submit(request_of()))


def test_an_altered_checkpoint_fails(start, checkpoint):
    data = bytearray((checkpoint / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (checkpoint / WEIGHTS).write_bytes(data)
    assert "altered" in start(checkpoint).wait_for(Failed, job_id=None).message


def slice_request(seed=1, steps=2):
    box = BoundingBox(20, 20, 10, (64, 64))
    return SliceRequest(box, NoduleAttributes(4, 4, 2, 2, 5), SamplingOptions(seed, steps))


def test_one_engine_makes_slices_and_nodules(start, checkpoint, tmp_path):
    engine = start(checkpoint, save_tiny_slice_checkpoint(tmp_path / "slice"))
    jobs = [engine.submit(request) for request in (request_of(), slice_request(), request_of())]
    nodule, whole, again = (engine.wait_for(Finished, job_id=job_id).result for job_id in jobs)
    assert (nodule.checkpoint_name, whole.checkpoint_name) == ("tiny", "tiny slice")
    assert whole.before is None
    assert whole.slice.shape == (64, 64)
    assert engine.previews(jobs[1])
    np.testing.assert_array_equal(nodule.slice.hu, again.slice.hu)


def test_the_slice_generator_is_not_looked_at_before_it_is_asked_for(start, checkpoint, tmp_path):
    engine = start(checkpoint, tmp_path / "slice")
    failed = engine.wait_for(Failed, job_id=engine.submit(slice_request()))
    assert failed.message.startswith("There is no slice generator in ")
    engine.wait_for(Finished, job_id=engine.submit(request_of()))
    save_tiny_slice_checkpoint(tmp_path / "slice")
    engine.wait_for(Finished, job_id=engine.submit(slice_request()))


def test_a_slice_that_fails_is_called_a_slice(start, checkpoint, tmp_path):
    folder = save_tiny_slice_checkpoint(tmp_path / "slice")
    weights = {name: tensor * float("nan") for name, tensor in load_file(folder / WEIGHTS).items()}
    codec = load_file(folder / CODEC_WEIGHTS)
    save_checkpoint(folder, config_of(read_manifest(folder)), weights, codec)
    engine = start(checkpoint, folder)
    failed = engine.wait_for(Failed, job_id=engine.submit(slice_request()))
    assert failed.message.startswith("The slice could not be generated: the model gave values that are not numbers")


def test_an_engine_of_the_slice_generator_alone(start, tmp_path):
    engine = start(save_tiny_slice_checkpoint(tmp_path / "slice"))
    engine.wait_for(Finished, job_id=engine.submit(slice_request()))
    failed = engine.wait_for(Failed, job_id=engine.submit(request_of()))
    assert "makes whole slices, not nodules in slices" in failed.message


def test_a_sketch_takes_the_few_steps_of_its_checkpoint_and_is_not_recorded(checkpoint, tmp_path):
    weights = load_file(checkpoint / WEIGHTS)
    config = replace(config_of(read_manifest(checkpoint)), few_steps={"steps": 2, "solver": "ddim", "guidance": 1.0})
    save_checkpoint(tmp_path / "quick", config, weights)
    request, recorded = request_of(steps=9), []
    engine = WatchedEngine(lambda: default_runner(tmp_path / "quick"), recorded.append)
    engine.start()
    job_id = engine.submit(SketchRequest(request))
    sketched = engine.wait_for(Sketched)
    full = engine.submit(replace(request, options=SamplingOptions(request.options.seed, 2, 1.0, "ddim")))
    finished = engine.wait_for(Finished)
    engine.stop()
    assert (sketched.job_id, sketched.steps, sketched.request) == (job_id, 2, request)
    # But for its measurement, it is what a full job with those options makes.
    np.testing.assert_array_equal(sketched.hu, finished.result.slice.hu[request.box.slices])
    assert finished.job_id == full
    assert recorded == [finished.result]


def test_a_checkpoint_that_says_nothing_is_sketched_in_three_steps_with_the_guidance_asked_for(start, checkpoint):
    request = request_of(steps=9)
    engine = start(checkpoint)
    engine.submit(SketchRequest(request))
    sketched = engine.wait_for(Sketched)
    engine.submit(replace(request, options=replace(request.options, steps=3)))
    finished = engine.wait_for(Finished)
    np.testing.assert_array_equal(sketched.hu, finished.result.slice.hu[request.box.slices])


def test_a_sketch_is_cancelled_between_two_steps(checkpoint):
    runner = default_runner(checkpoint)
    steps = runner(SketchRequest(request_of()), 1)
    assert [next(steps).step, next(steps).step] == [1, 2]
    steps.close()
