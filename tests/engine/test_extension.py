"""A nodule over neighbouring slices: which slices, which boxes, what stays untouched, and what is measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.checkpoint import Checkpoint, load_checkpoint
from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import (
    Extension,
    Finished,
    GenerationRequest,
    GenerationResult,
    Preview,
    SamplingOptions,
    SliceSource,
)
from engine.extension import ROUNDNESS, extend_nodule, extension_record, extension_requests, measure_extent
from engine.measurement import NoduleMeasurement
from engine.nodule import BOX_SIDE_MM, BoundingBox, NoduleAttributes
from tests.checkpoints import save_tiny_checkpoint
from tests.engine.placed_nodules import make_whole_slice, source_header

SHAPE, SPACING = (96, 96), (0.7, 0.7)
STEPS = 3


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return load_checkpoint(save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint")))


def volume_at(heights: list[float], direction: float = 1.0) -> CTVolume:
    hu = np.random.default_rng(0).normal(-850, 40, (len(heights), *SHAPE)).astype(np.int16)
    positions = tuple((-30.0, -30.0, direction * height) for height in heights)
    return CTVolume(hu, SPACING, positions)


def nodule_in(volume: CTVolume, index: int, radius_mm: float = 6.0, side: int = 25) -> GenerationResult:
    """A disc in the middle of one slice."""
    before = volume.slice_at(index)
    rows, columns = (np.indices(SHAPE) - 47.5) * SPACING[0]
    mask = np.hypot(rows, columns) < radius_mm
    hu = before.hu.copy()
    hu[mask] = 20
    box = BoundingBox(48 - side // 2, 48 - side // 2, side, SHAPE)
    request = GenerationRequest(before, box, NoduleAttributes(4, 4, 1, 2, 5), SamplingOptions(seed=3, steps=STEPS))
    measurement = NoduleMeasurement(mask, 2 * radius_mm * bool(mask.any()), 20.0)
    return GenerationResult(request, before.with_hu(hu), measurement, 0.5, "tiny", "0" * 64, "CPU (1 thread)")


def test_it_reaches_as_far_as_the_nodule_is_long_by_positions() -> None:
    volume = volume_at([0, 2, 3, 4, 5, 6, 7, 8, 11, 14])

    requests = extension_requests(volume, 4, nodule_in(volume, 4))

    reach = ROUNDNESS * 6
    offsets = {index: request.extension.offset_mm for index, request in requests.items() if request.extension}
    assert offsets == {3: -1, 5: 1, 2: -2, 6: 2, 1: -3, 7: 3, 0: -5}
    assert list(offsets) == [3, 5, 2, 6, 1, 7, 0]
    assert all(abs(offset) < reach for offset in offsets.values())


def test_boxes_shrink_as_an_ellipsoid_does_about_one_centre() -> None:
    volume = volume_at([float(height) for height in range(11)])

    requests = extension_requests(volume, 5, nodule_in(volume, 5))

    sides = [requests[index].box.side for index in (6, 7, 8, 9, 10) if index in requests]
    assert sides == sorted(sides, reverse=True)
    assert sides[0] <= 25
    assert sides[-1] < 20
    for request in requests.values():
        request.box.check_side(SPACING)
        assert request.box.centre == pytest.approx((48, 48), abs=1)
        assert request.box.side_mm(SPACING) >= BOX_SIDE_MM[0]


def test_offsets_are_along_the_slice_normal_whatever_its_sign() -> None:
    volume = volume_at([0, 1, 2, 3, 4], direction=-1)

    requests = extension_requests(volume, 2, nodule_in(volume, 2))

    assert requests[3].extension == Extension(nodule_in(volume, 2).nodule_sha256(), -1.0)


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (lambda volume: nodule_in(volume, 1), "next slice is 10.0 mm away and the nodule measures 12.0 mm"),
        (lambda volume: nodule_in(volume, 1, radius_mm=11, side=10), "narrower than 4 mm, which the generator has not"),
        (lambda volume: nodule_in(volume, 1, radius_mm=0), "No nodule was found"),
        (lambda _: make_whole_slice()[1], "made whole"),
    ],
)
def test_what_cannot_be_extended_is_refused(result, sentence: str) -> None:
    volume = volume_at([0, 10, 20])
    with pytest.raises(InputError, match=sentence):
        extension_requests(volume, 1, result(volume))


def test_where_slices_are_missing_it_says_how_far_the_next_one_is() -> None:
    volume = volume_at([0, 1, 2, 3, 13, 23])
    with pytest.raises(InputError, match=r"next slice is 10\.0 mm away and the nodule measures 12\.0 mm"):
        extension_requests(volume, 4, nodule_in(volume, 4))


def test_one_slice_alone_has_none_beside_it() -> None:
    volume = volume_at([0])
    with pytest.raises(InputError, match="This series has one slice"):
        extension_requests(volume, 0, nodule_in(volume, 0))


@pytest.mark.parametrize("index", [0, 4])
def test_at_the_end_of_the_series_it_goes_on_to_the_other_side(index: int) -> None:
    volume = volume_at([0, 2.5, 5, 7.5, 10])

    requests = extension_requests(volume, index, nodule_in(volume, index))

    assert list(requests) == ([1, 2] if index == 0 else [3, 2])


@pytest.mark.parametrize("downward", [False, True])
def test_boxes_follow_the_normal_where_the_gantry_was_tilted(downward: bool) -> None:
    """The table moves along z, so that each slice begins where the one before does, although the normal leans."""
    tilt, mm = np.radians(30), 2.5
    upward = tuple((0.0, -30.0, mm * index) for index in range(5))
    volume = replace(
        volume_at([0.0] * 5),
        positions=upward[::-1] if downward else upward,
        row_direction=(0.0, float(np.cos(tilt)), float(-np.sin(tilt))),
    )

    placed = nodule_in(volume, 2)
    requests = extension_requests(volume, 2, placed)

    normal = np.cross(volume.column_direction, volume.row_direction)
    where = point_at(volume, 2, placed.request.box.centre)
    assert set(requests) == {0, 1, 3, 4}
    for near, request in requests.items():
        assert request.extension
        straight = where + request.extension.offset_mm * normal
        assert np.linalg.norm(point_at(volume, near, request.box.centre) - straight) < SPACING[0]
    assert abs(requests[4].box.centre[0] - 48) > 3


def point_at(volume: CTVolume, index: int, pixel: tuple[float, float]) -> np.ndarray:
    """Return where a (row, column) of a slice lies in the patient, in mm."""
    (row, column), (row_mm, column_mm) = pixel, volume.pixel_spacing
    along = row * row_mm * np.array(volume.row_direction) + column * column_mm * np.array(volume.column_direction)
    return np.array(volume.positions[index]) + along


def test_each_slice_is_previewed_and_finished_and_changes_inside_its_box_only(checkpoint: Checkpoint) -> None:
    volume = volume_at([0, 2.5, 5, 7.5, 10])
    placed = nodule_in(volume, 2)
    requests = extension_requests(volume, 2, placed)

    events = list(extend_nodule(checkpoint, volume, 2, placed, job_id=7))

    results = [event.result for event in events if isinstance(event, Finished)]
    assert sum(isinstance(event, Preview) for event in events) == STEPS * len(requests) == STEPS * len(results)
    assert {event.job_id for event in events} == {7}
    for (index, request), result in zip(requests.items(), results, strict=True):
        outside = ~request.box.mask()
        np.testing.assert_array_equal(result.slice.hu[outside], volume.hu[index][outside])
        assert not np.array_equal(result.slice.hu, volume.hu[index])
        assert result.request == request or result.request.box == request.box


def test_the_same_nodule_is_extended_to_the_same_bytes(checkpoint: Checkpoint) -> None:
    volume = volume_at([0, 2.5, 5])
    placed = nodule_in(volume, 1)

    def extended() -> list[bytes]:
        events = extend_nodule(checkpoint, volume, 1, placed, previews=False)
        return [event.result.slice.hu.tobytes() for event in events if isinstance(event, Finished)]

    assert extended() == extended()


def test_stopping_between_two_steps_leaves_the_generator_usable(checkpoint: Checkpoint) -> None:
    volume = volume_at([0, 2.5, 5])
    running = extend_nodule(checkpoint, volume, 1, nodule_in(volume, 1))
    next(running)
    running.close()  # type: ignore[attr-defined]

    assert len(list(extend_nodule(checkpoint, volume, 1, nodule_in(volume, 1), previews=False))) == 2


def test_diameter_length_and_volume_are_those_of_a_ball() -> None:
    volume = volume_at([float(height) for height in range(15)])
    radii = {index: float(np.sqrt(36 - (index - 7) ** 2)) for index in range(2, 13)}
    ball = {index: nodule_in(volume, index, radius) for index, radius in radii.items()}

    extent = measure_extent(volume, ball)

    assert extent.diameter_mm == 12
    assert extent.length_mm == 11
    assert extent.volume_mm3 == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.03)


def test_a_nodule_keeps_its_name_when_another_one_comes_beside_it() -> None:
    volume = volume_at([0, 2.5, 5])
    placed = nodule_in(volume, 1)
    beside, within = placed.slice.hu.copy(), placed.slice.hu.copy()
    beside[0, 0], within[48, 48] = 7, 7

    assert replace(placed, slice=placed.slice.with_hu(beside)).nodule_sha256() == placed.nodule_sha256()
    assert replace(placed, slice=placed.slice.with_hu(within)).nodule_sha256() != placed.nodule_sha256()


def test_the_record_names_every_slice(tmp_path: Path) -> None:
    volume = volume_at([0, 2.5, 5])
    results = {index: nodule_in(volume, index, radius) for index, radius in ((0, 4), (1, 6), (2, 0.0))}

    record = extension_record(volume, 1, results)

    assert (record["placed_in_slice"], record["diameter_mm"], record["length_mm"]) == (1, 12.0, 5.0)
    assert [row["offset_mm"] for row in record["slices"]] == [-2.5, 0.0, 2.5]
    assert [row["diameter_mm"] for row in record["slices"]] == [8.0, 12.0, 0.0]


def test_slices_say_where_they_are_from() -> None:
    volume = volume_at([0, 2.5, 5])
    placed = nodule_in(volume, 1)
    source = SliceSource(Path("/scan"), "1.2", 1)
    placed = replace(placed, request=replace(placed.request, source=source))

    requests = extension_requests(volume, 1, placed)

    assert {index: request.source for index, request in requests.items()} == {
        0: replace(source, slice_index=0),
        2: replace(source, slice_index=2),
    }
    hashes = {index: volume.slice_at(index).sha256() for index in requests}
    assert {index: request.source.sha256 for index, request in requests.items() if request.source} == hashes


def test_each_slice_says_for_itself_whether_it_was_synthetic() -> None:
    headers = tuple(source_header(SyntheticData=says) for says in ("NO", "NO", "YES"))
    volume = replace(volume_at([0, 2.5, 5]), headers=headers)
    placed = nodule_in(volume, 1)
    source = SliceSource(Path("/scan"), "1.2", 1, is_synthetic=True)
    placed = replace(placed, request=replace(placed.request, source=source))

    requests = extension_requests(volume, 1, placed)

    said = {index: request.source.is_synthetic for index, request in requests.items() if request.source}
    assert said == {0: False, 2: True}
