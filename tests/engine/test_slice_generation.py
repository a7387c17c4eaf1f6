from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.checkpoint import Checkpoint, load_checkpoint
from engine.codec import seeded_noise
from engine.conditioning import score_levels
from engine.denoiser import make_slice_denoiser
from engine.errors import InputError
from engine.events import Finished, GenerationRequest, GenerationResult, Preview, SamplingOptions, SliceRequest
from engine.generation import place_nodule
from engine.measurement import measure_nodule
from engine.nodule import BoundingBox, NoduleAttributes
from engine.sampling import denoise, make_scheduler
from engine.slice_generation import generate_slice
from engine.whole_slices import volume_of
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint

SHAPE = (64, 64)
REQUEST = SliceRequest(
    BoundingBox(20, 28, 8, SHAPE), NoduleAttributes(4, 4, 1, 2, 5), SamplingOptions(seed=3, steps=2), 1.5
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load_checkpoint(save_tiny_slice_checkpoint(tmp_path_factory.mktemp("slice")))


def run(checkpoint: Checkpoint, request: SliceRequest = REQUEST) -> tuple[list[Preview], GenerationResult]:
    *previews, finished = generate_slice(checkpoint, request, job_id=7)
    assert isinstance(finished, Finished)
    return [event for event in previews if isinstance(event, Preview)], finished.result


def test_every_step_is_previewed_whole_then_the_slice_comes(checkpoint: Checkpoint) -> None:
    previews, result = run(checkpoint)

    assert [(p.job_id, p.step, p.steps, p.hu.shape, p.box) for p in previews] == [
        (7, step, 2, SHAPE, REQUEST.box) for step in (1, 2)
    ]
    assert previews[-1].seconds_left == 0
    painted = np.zeros(SHAPE)
    painted[previews[-1].slices] = previews[-1].hu
    assert np.array_equal(painted, previews[-1].hu)
    assert result.request is REQUEST
    assert result.before is None
    assert result.checkpoint_sha256 == checkpoint.sha256


def test_the_slice_is_whole_hu_of_the_spacing_asked_for(checkpoint: Checkpoint) -> None:
    ct_slice = run(checkpoint)[1].slice

    assert (ct_slice.shape, ct_slice.hu.dtype, ct_slice.pixel_spacing) == (SHAPE, np.int16, (1.5, 1.5))
    assert ct_slice.hu.min() >= -1000
    assert ct_slice.hu.max() <= 2500
    assert ct_slice.hu.std() > 100


def test_the_nodule_is_measured_in_the_box(checkpoint: Checkpoint) -> None:
    result = run(checkpoint)[1]

    expected = measure_nodule(None, result.slice, REQUEST.box)
    assert np.array_equal(result.measurement.mask, expected.mask)
    assert result.measurement.mean_hu == expected.mean_hu


@pytest.mark.parametrize("solver", ["dpm++2m", "ddim", "ddpm"])
def test_the_same_request_gives_the_same_bytes(checkpoint: Checkpoint, solver: str) -> None:
    request = replace(REQUEST, options=SamplingOptions(seed=3, steps=2, solver=solver))

    first, second = (run(checkpoint, request)[1] for _ in range(2))

    assert first.slice.hu.tobytes() == second.slice.hu.tobytes()


@pytest.mark.parametrize(
    "changed",
    [
        replace(REQUEST, options=SamplingOptions(seed=4, steps=2)),
        replace(REQUEST, options=SamplingOptions(seed=3, steps=3)),
        replace(REQUEST, options=SamplingOptions(seed=3, steps=2, guidance=1)),
        replace(REQUEST, options=SamplingOptions(seed=3, steps=2, solver="ddpm")),
        replace(REQUEST, attributes=NoduleAttributes(4, 4, 1, 2, 1)),
        replace(REQUEST, box=BoundingBox(20, 28, 12, SHAPE)),
        replace(REQUEST, pixel_spacing_mm=1.0),
    ],
)
def test_everything_in_the_request_counts(checkpoint: Checkpoint, changed: SliceRequest) -> None:
    assert not np.array_equal(run(checkpoint)[1].slice.hu, run(checkpoint, changed)[1].slice.hu)


def test_previews_and_slice_are_made_of_the_estimates_of_the_loop(checkpoint: Checkpoint) -> None:
    previews, result = run(checkpoint)
    codec, options = checkpoint.codec, REQUEST.options
    boxes, spacing = torch.tensor([[28.0, 20.0, 36.0, 28.0]]), torch.tensor([1.5])
    denoiser = make_slice_denoiser(checkpoint, boxes, spacing, score_levels((4, 4, 1, 2, 5)), options.guidance)
    scheduler = make_scheduler(checkpoint.config.scheduler, options.solver, options.steps)

    with torch.inference_mode():
        steps = list(denoise(denoiser, scheduler, seeded_noise((1, 3, 16, 16), options.seed)))
        decoded = codec.decode(steps[-1].estimate)[0, 0].numpy()
        coarse = [codec.preview(step.estimate)[0, 0].numpy() for step in steps]

    assert np.array_equal(result.slice.hu, np.rint(decoded).astype(np.int16))
    for preview, values in zip(previews, coarse, strict=True):
        # The corners of an enlarged image are those of the image.
        assert np.allclose(preview.hu[:: SHAPE[0] - 1, :: SHAPE[1] - 1], values[::15, ::15])


def test_previews_can_be_left_away(checkpoint: Checkpoint) -> None:
    assert len(list(generate_slice(checkpoint, REQUEST, previews=False))) == 1


def test_stopping_between_two_steps_leaves_the_generator_usable(checkpoint: Checkpoint) -> None:
    running = generate_slice(checkpoint, REQUEST)
    next(running)
    running.close()

    assert run(checkpoint)[1].slice.shape == SHAPE


def test_a_box_of_another_grid_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(InputError, match="makes slices of 64 x 64 pixels and the box is for one of 128 x 96"):
        run(checkpoint, replace(REQUEST, box=BoundingBox(30, 30, 20, (128, 96))))


def test_a_checkpoint_of_the_other_kind_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    nodule = load_checkpoint(save_tiny_checkpoint(tmp_path))
    placing = GenerationRequest(run(checkpoint)[1].slice, REQUEST.box, REQUEST.attributes)

    with pytest.raises(InputError, match="'tiny' makes nodules in slices, not whole slices"):
        run(nodule)
    with pytest.raises(InputError, match="'tiny slice' makes whole slices, not nodules in slices"):
        next(place_nodule(checkpoint, placing))


def test_weights_that_are_not_finite_are_told(tmp_path: Path) -> None:
    broken = load_checkpoint(save_tiny_slice_checkpoint(tmp_path))
    for parameter in broken.network.parameters():
        parameter.data.fill_(torch.nan)

    with pytest.raises(FloatingPointError):
        run(broken)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pixel_spacing_mm": 0.1}, "spacing is 0.1 mm; give 0.4 to 4 mm"),
        ({"pixel_spacing_mm": float("nan")}, "spacing is nan mm"),
        ({"box": BoundingBox(0, 0, 41, SHAPE)}, "61.5 mm wide; draw a smaller one"),
    ],
)
def test_a_request_that_no_chest_answers_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        replace(REQUEST, **changes)  # type: ignore[arg-type]


def test_a_preview_knows_where_it_goes() -> None:
    box = REQUEST.box

    assert Preview(1, 1, 2, box, np.zeros((8, 8), np.float32), 0.0).slices == box.slices
    assert Preview(1, 1, 2, box, np.zeros(SHAPE, np.float32), 0.0).slices == (slice(0, 64), slice(0, 64))


def test_the_slice_is_a_volume_of_its_own(checkpoint: Checkpoint) -> None:
    result = run(checkpoint)[1]

    volume = volume_of(result)

    assert len(volume) == 1
    assert np.array_equal(volume.slice_at(0).hu, result.slice.hu)
    assert volume.slice_at(0).sha256() == result.slice.sha256()
    assert volume.positions == ((-47.25, -47.25, 0.0),)
    assert volume.headers == ()
