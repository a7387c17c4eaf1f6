"""Synthetic nodules of known outline: solid, ground glass, at the pleura, on a vessel, none, tiny, at all spacings."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from engine.ct import CTSlice
from engine.measurement import measure_nodule
from engine.nodule import BoundingBox

SIZE = 160
CENTRE = (80.0, 76.0)
LUNG = -850.0
SPACINGS = (0.5, 0.7, 0.98, 1.4)


def disc(radius_mm, spacing, centre=CENTRE):
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    return np.hypot(rows - centre[0], columns - centre[1]) * spacing <= radius_mm


def as_slice(objects, spacing, noise=25.0, seed=0):
    """A slice of lung with objects of (mask, HU), blurred by a point spread of 0.6 mm, with noise on it."""
    hu = np.full((SIZE, SIZE), LUNG)
    for mask, value in objects:
        hu[mask] = value
    blurred = ndimage.gaussian_filter(hu, 0.6 / spacing)
    drawn = blurred + np.random.default_rng(seed).normal(0, noise, hu.shape)
    return CTSlice(np.rint(drawn).astype(np.int16), (spacing, spacing))


def box_of(side_mm, spacing):
    side = round(side_mm / spacing)
    return BoundingBox.nearest(CENTRE[0] - side / 2, CENTRE[1] - side / 2, side, (SIZE, SIZE))


def dice(measured, truth):
    return 2 * (measured & truth).sum() / (measured.sum() + truth.sum())


def vessel(spacing, width_mm, row_offset_mm=0.0):
    rows = np.mgrid[:SIZE, :SIZE][0] + 0.5
    return np.abs((rows - CENTRE[0]) * spacing - row_offset_mm) <= width_mm / 2


def chest_wall(spacing, from_mm):
    """Everything that lies more than `from_mm` to the right of the nodule's centre."""
    columns = np.mgrid[:SIZE, :SIZE][1] + 0.5
    return (columns - CENTRE[1]) * spacing > from_mm


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("hu", [40.0, -350.0, -600.0], ids=["solid", "part-solid", "ground glass"])
@pytest.mark.parametrize("margin", [1.2, 1.6, 2.5])
def test_outline_of_a_disc_at_every_spacing_density_and_margin(spacing, hu, margin):
    before, after = as_slice([], spacing), as_slice([(disc(5, spacing), hu)], spacing, seed=1)

    measured = measure_nodule(before, after, box_of(10 * margin, spacing))

    assert dice(measured.mask, disc(5, spacing)) > 0.87
    assert measured.diameter_mm == pytest.approx(10, abs=0.9)
    assert measured.mean_hu == pytest.approx(after.hu[measured.mask].mean())
    assert measured.mean_hu == pytest.approx(hu, abs=0.2 * (hu - LUNG))


@pytest.mark.parametrize("spacing", SPACINGS)
def test_nodule_that_has_always_been_there(spacing):
    after = as_slice([(disc(4, spacing), 30)], spacing)
    box = box_of(11, spacing)

    alone, same = measure_nodule(None, after, box), measure_nodule(after, after, box)

    assert dice(alone.mask, disc(4, spacing)) > 0.85
    np.testing.assert_array_equal(alone.mask, same.mask)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("known", [True, False], ids=["with the slice before", "without"])
def test_chest_wall_is_not_counted(spacing, known):
    wall = chest_wall(spacing, 2.5)
    truth = disc(4, spacing) & ~wall
    before = as_slice([(wall, 40)], spacing)
    after = as_slice([(wall, 40), (disc(4, spacing), 40)], spacing, seed=1)

    measured = measure_nodule(before if known else None, after, box_of(11, spacing))

    assert dice(measured.mask, truth) > 0.8
    assert (measured.mask & wall).sum() * spacing**2 < 8


@pytest.mark.parametrize("spacing", SPACINGS)
def test_vessel_through_the_nodule_ends_at_it(spacing):
    line = vessel(spacing, 1.8)
    before = as_slice([(line, 0)], spacing)
    after = as_slice([(line, 0), (disc(5, spacing), 30)], spacing, seed=1)

    measured = measure_nodule(before, after, box_of(20, spacing))

    assert dice(measured.mask, disc(5, spacing)) > 0.87


@pytest.mark.parametrize("radius_mm", [6, 10])
def test_a_wide_vessel_does_not_halve_the_nodule(radius_mm):
    spacing = 0.7
    line = vessel(spacing, 4.2, row_offset_mm=0.35)
    before = as_slice([(line, 0)], spacing)
    after = as_slice([(line, 0), (disc(radius_mm, spacing), 30)], spacing, seed=1)

    measured = measure_nodule(before, after, box_of(2.6 * radius_mm + 1, spacing))

    assert dice(measured.mask, disc(radius_mm, spacing)) > 0.85


def test_thick_vessel_beside_the_nodule_is_told_from_it_by_being_old():
    spacing = 0.7
    line = vessel(spacing, 5, row_offset_mm=7)
    before = as_slice([(line, 0)], spacing)
    after = as_slice([(line, 0), (disc(5, spacing), 30)], spacing, seed=1)

    measured = measure_nodule(before, after, box_of(22, spacing))

    assert dice(measured.mask, disc(5, spacing) & ~line) > 0.85


def test_nodule_that_replaces_an_older_one_is_measured_whole():
    before = as_slice([(disc(4, 0.7), 30)], 0.7)
    after = as_slice([(disc(5, 0.7), 30)], 0.7, seed=1)

    measured = measure_nodule(before, after, box_of(15, 0.7))

    assert dice(measured.mask, disc(5, 0.7)) > 0.87


def test_hole_belongs_to_the_nodule():
    ring = disc(7, 0.7) & ~disc(3, 0.7)
    before, after = as_slice([], 0.7), as_slice([(ring, 30)], 0.7, seed=1)

    measured = measure_nodule(before, after, box_of(20, 0.7))

    assert dice(measured.mask, disc(7, 0.7)) > 0.9


@pytest.mark.parametrize("spacing", SPACINGS)
def test_tiny_nodule(spacing):
    before, after = as_slice([], spacing), as_slice([(disc(1.5, spacing), 0)], spacing, seed=1)

    measured = measure_nodule(before, after, box_of(6, spacing))

    assert measured.diameter_mm == pytest.approx(3, abs=1.1)
    assert (measured.mask & disc(1.5, spacing)).any()


@pytest.mark.parametrize("spacing", SPACINGS)
def test_no_nodule(spacing):
    wall, line = chest_wall(spacing, 8), vessel(spacing, 3)
    before = as_slice([(wall, 40), (line, 0)], spacing)
    after = as_slice([(wall, 40), (line, 0)], spacing, seed=1)
    box = box_of(20, spacing)

    measured = measure_nodule(before, after, box)

    assert not measured.mask.any()
    assert measured.diameter_mm == 0
    third = box.side // 3
    inner = (slice(box.row + third, box.row + box.side - third),)
    inner += (slice(box.column + third, box.column + box.side - third),)
    assert measured.mean_hu == pytest.approx(after.hu[inner].mean())


def test_mask_stays_in_the_box_and_on_the_slice():
    after = as_slice([(disc(9, 0.7, centre=(8, 8)), 30)], 0.7)
    box = BoundingBox(0, 0, 24, after.shape)

    measured = measure_nodule(as_slice([], 0.7, seed=1), after, box)

    outside = measured.mask.copy()
    outside[box.slices] = False
    assert measured.mask.any()
    assert not outside.any()


def test_oblong_pixels_count_by_their_area():
    before, after = as_slice([], 0.7), as_slice([(disc(5, 0.7), 30)], 0.7, seed=1)
    square = measure_nodule(before, after, box_of(14, 0.7))

    oblong = measure_nodule(CTSlice(before.hu, (0.35, 1.4)), CTSlice(after.hu, (0.35, 1.4)), box_of(14, 0.7))

    assert oblong.diameter_mm == pytest.approx(square.diameter_mm, rel=0.01)


@pytest.mark.parametrize("side_mm", [6, 15, 60])
def test_a_disc_is_as_wide_as_it_is_in_boxes_of_all_sizes(side_mm):
    spacing = 0.7
    radius = side_mm / 3
    before, after = as_slice([], spacing), as_slice([(disc(radius, spacing), 30)], spacing, seed=1)
    measured = measure_nodule(before, after, box_of(side_mm, spacing))
    assert measured.diameter_mm == pytest.approx(2 * radius, rel=0.25)


def test_readers_outlines_are_met(data_folder):
    """On LIDC's own nodules the outline agrees with the readers' as they do with each other (median Dice 0.8)."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow reads the crops")
    table = parquet.ParquetFile(data_folder / "lidc_nodule_crops.parquet").read_row_group(0)
    generator = np.random.default_rng(0)
    columns = ("image_png", "reader_masks_png", "hu_per_grey", "hu_at_grey0", "pixel_spacing_mm", "annotation_ids")
    rows = np.sort(generator.choice(table.num_rows, 200, replace=False))
    scores = []
    for crop in table.select(columns).take(rows).to_pylist():
        grey = np.asarray(Image.open(io.BytesIO(crop["image_png"]))).astype(np.float32)
        bits = np.asarray(Image.open(io.BytesIO(crop["reader_masks_png"])))
        readers = [reader for reader, annotation in enumerate(crop["annotation_ids"]) if annotation >= 0]
        consensus = np.mean([(bits >> reader) & 1 for reader in readers], axis=0) >= 0.5
        if consensus.sum() < 4:
            continue
        extents = [np.flatnonzero(consensus.any(axis=axis)) for axis in (1, 0)]
        side = max(extent[-1] - extent[0] + 1 for extent in extents) * generator.uniform(1.2, 1.6)
        corner = [(extent[0] + extent[-1] + 1 - side) / 2 for extent in extents]
        spacing = crop["pixel_spacing_mm"]
        ct_slice = CTSlice(grey * np.float32(crop["hu_per_grey"]) + np.float32(crop["hu_at_grey0"]), (spacing,) * 2)
        measured = measure_nodule(None, ct_slice, BoundingBox.nearest(*corner, side, ct_slice.shape))
        scores.append(dice(measured.mask, consensus))
    assert len(scores) > 150
    assert np.median(scores) >= 0.8
