from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.checkpoint import Checkpoint, load_checkpoint
from engine.ct import CTSlice
from engine.errors import InputError
from engine.events import Finished, GenerationRequest, GenerationResult, Preview, SamplingOptions
from engine.generation import place_nodule
from engine.nodule import BoundingBox, NoduleAttributes
from tests.checkpoints import save_tiny_checkpoint

SHAPE = (160, 160)
ATTRIBUTES = NoduleAttributes(4, 4, 1, 2, 5)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load_checkpoint(save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint")))


@pytest.fixture
def request_() -> GenerationRequest:
    hu = np.random.default_rng(0).normal(-850, 40, SHAPE).astype(np.int16)
    box = BoundingBox(60, 70, 20, SHAPE)
    return GenerationRequest(CTSlice(hu, (0.7, 0.7)), box, ATTRIBUTES, SamplingOptions(seed=3, steps=4))


def run(checkpoint: Checkpoint, request: GenerationRequest) -> tuple[list[Preview], GenerationResult]:
    *previews, finished = place_nodule(checkpoint, request, job_id=7)
    assert isinstance(finished, Finished)
    return [event for event in previews if isinstance(event, Preview)], finished.result


def test_every_step_is_previewed_then_the_result_comes(checkpoint: Checkpoint, request_: GenerationRequest) -> None:
    previews, result = run(checkpoint, request_)

    assert [(p.job_id, p.step, p.steps) for p in previews] == [(7, step, 4) for step in range(1, 5)]
    assert all(preview.hu.shape == (20, 20) for preview in previews)
    assert previews[-1].seconds_left == 0
    assert result.request is request_
    assert result.checkpoint_sha256 == checkpoint.sha256


def test_hu_outside_the_box_are_untouched(checkpoint: Checkpoint, request_: GenerationRequest) -> None:
    _, result = run(checkpoint, request_)

    outside = np.ones(SHAPE, bool)
    outside[request_.box.slices] = False
    assert np.array_equal(result.slice.hu[outside], request_.slice.hu[outside])
    assert not np.array_equal(result.slice.hu, request_.slice.hu)


def test_the_same_request_gives_the_same_bytes(checkpoint: Checkpoint, request_: GenerationRequest) -> None:
    first, second = (run(checkpoint, request_)[1] for _ in range(2))

    assert first.slice.hu.tobytes() == second.slice.hu.tobytes()


@pytest.mark.parametrize(
    "change",
    [
        {"options": SamplingOptions(seed=4, steps=4)},
        {"options": SamplingOptions(seed=3, steps=4, guidance=1)},
        {"options": SamplingOptions(seed=3, steps=4, solver="ddim")},
        {"attributes": NoduleAttributes(4, 4, 1, 2, 1)},
    ],
)
def test_everything_in_the_request_counts(
    checkpoint: Checkpoint, request_: GenerationRequest, change: dict[str, object]
) -> None:
    _, first = run(checkpoint, request_)
    _, second = run(checkpoint, replace(request_, **change))  # type: ignore[arg-type]

    assert not np.array_equal(first.slice.hu, second.slice.hu)


def test_what_was_in_the_box_before_does_not_reach_the_network(
    checkpoint: Checkpoint, request_: GenerationRequest
) -> None:
    hu = request_.slice.hu.copy()
    hu[65:75, 75:85] = 100
    first, _ = run(checkpoint, request_)
    second, _ = run(checkpoint, replace(request_, slice=request_.slice.with_hu(hu)))

    assert np.array_equal(first[-1].hu, second[-1].hu)


def test_padding_and_metal_reach_no_farther_than_what_was_learned(
    checkpoint: Checkpoint, request_: GenerationRequest
) -> None:
    results = []
    for padding, metal in ((-3024, 20000), (-1000, 2500)):
        hu = request_.slice.hu.clip(-1000, None)
        hu[60:80, 95:] = padding
        hu[84:86, 76:84] = metal
        results.append(run(checkpoint, replace(request_, slice=request_.slice.with_hu(hu)))[1].slice.hu)

    box = request_.box.slices
    assert np.array_equal(results[0][box], results[1][box])


def test_stopping_between_two_steps_leaves_the_generator_usable(
    checkpoint: Checkpoint, request_: GenerationRequest
) -> None:
    running = place_nodule(checkpoint, request_)
    next(running)
    running.close()

    assert run(checkpoint, request_)[1].slice.shape == SHAPE


@pytest.mark.parametrize(("side", "sentence"), [(5, "draw a larger one"), (90, "draw a smaller one")])
def test_a_box_of_unusable_size_is_refused(
    checkpoint: Checkpoint, request_: GenerationRequest, side: int, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        run(checkpoint, replace(request_, box=BoundingBox(30, 30, side, SHAPE)))


@pytest.mark.parametrize("side", [6, 85])
def test_the_smallest_and_the_largest_box_work(checkpoint: Checkpoint, request_: GenerationRequest, side: int) -> None:
    _, result = run(checkpoint, replace(request_, box=BoundingBox(30, 30, side, SHAPE)))

    assert not np.array_equal(result.slice.hu, request_.slice.hu)


def test_a_box_of_another_slice_is_refused(checkpoint: Checkpoint, request_: GenerationRequest) -> None:
    with pytest.raises(ValueError, match="is for a slice of"):
        run(checkpoint, replace(request_, box=BoundingBox(30, 30, 20, (512, 512))))


def test_weights_that_are_not_finite_are_told(tmp_path: Path, request_: GenerationRequest) -> None:
    broken = load_checkpoint(save_tiny_checkpoint(tmp_path))
    for parameter in broken.network.parameters():
        parameter.data.fill_(torch.nan)

    with pytest.raises(FloatingPointError):
        run(broken, request_)
