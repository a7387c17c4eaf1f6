"""Placing in batches gives what the engine gives one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.checkpoint import load_checkpoint
from engine.ct import CTSlice
from engine.device import Device
from engine.events import GenerationRequest, SamplingOptions
from engine.generation import place_nodule
from engine.nodule import BoundingBox, NoduleAttributes
from tests.checkpoints import save_tiny_checkpoint
from training.placing import place_many

FLOAT32 = Device(torch.device("cpu"), torch.float32, "CPU")
#: Within this many mm of the border, results mix with what is around the box.
BORDER_MM = 3.0


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return load_checkpoint(save_tiny_checkpoint(tmp_path_factory.mktemp("tiny")), FLOAT32)


def make_request(seed, spacing=0.7, side=24, steps=3):
    hu = np.random.default_rng(seed).normal(-850, 40, (96, 96)).astype(np.float32)
    scores = NoduleAttributes(1 + seed % 5, 3, 1, None, 5)
    box = BoundingBox(30 + seed, 28, side, hu.shape)
    return GenerationRequest(CTSlice(hu, (spacing, spacing)), box, scores, SamplingOptions(seed=seed, steps=steps))


def test_a_batch_gives_what_the_engine_gives_one_by_one(checkpoint):
    requests = [make_request(0), make_request(1, spacing=0.5, side=40), make_request(2, spacing=0.98, side=20)]

    batched = place_many(checkpoint, requests, "test", batch=2)

    for request, after in zip(requests, batched, strict=True):
        *_, last = place_nodule(checkpoint, request, previews=False)
        border = round(BORDER_MM / request.slice.pixel_spacing[0])
        rows, columns = (slice(edge.start + border, edge.stop - border) for edge in request.box.slices)
        np.testing.assert_allclose(after.hu[rows, columns], last.result.slice.hu[rows, columns], atol=0.5)
        outside = np.ones(after.shape, bool)
        outside[request.box.slices] = False
        np.testing.assert_array_equal(after.hu[outside], request.slice.hu[outside])


def test_padding_and_metal_reach_no_farther_than_in_the_engine(checkpoint):
    request = make_request(0, side=20)
    placed = []
    for padding, metal in ((-3024, 20000), (-1000, 2500)):
        hu = request.slice.hu.clip(-1000, None)
        hu[:, 60:], hu[54:56, 30:34] = padding, metal
        made = replace(request, slice=request.slice.with_hu(hu))
        placed += place_many(checkpoint, [made], "test")

    np.testing.assert_array_equal(placed[0].hu[request.box.slices], placed[1].hu[request.box.slices])


def test_requests_that_cannot_share_a_loop(checkpoint):
    with pytest.raises(ValueError, match="differ in steps"):
        place_many(checkpoint, [make_request(0), make_request(1, steps=4)], "test")


def test_no_requests_no_slices(checkpoint):
    assert place_many(checkpoint, [], "test") == []
