import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from engine.ct import CTSlice
from engine.lungs import lung_mask, lung_warning, share_in_lung
from engine.nodule import BoundingBox
from tests.phantom import SIZE, SPACING_MM, phantom_slice


def ellipse(row: float, column: float, height: float, width: float, size: int = SIZE) -> np.ndarray:
    rows, columns = np.indices((size, size), dtype=float)
    return ((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 < 1


@pytest.fixture(scope="module")
def chest_hu() -> np.ndarray:
    return phantom_slice()


def mask_of(hu: np.ndarray, spacing: float = SPACING_MM) -> np.ndarray:
    return lung_mask(CTSlice(hu, (spacing, spacing)))


def test_both_lungs_are_found_and_nothing_else(chest_hu) -> None:
    mask = mask_of(chest_hu)

    assert mask.shape == chest_hu.shape
    assert mask.dtype == np.bool_
    assert mask[262, 154]
    assert mask[200, 370]
    lung = chest_hu < -600
    lung &= ellipse(262, 256, 140, 200)
    lung &= ~ellipse(222, 250, 20, 20)  # the trachea
    assert (mask & lung).sum() / lung.sum() > 0.95
    drawn = ellipse(262, 154, 130, 90) | ellipse(264, 362, 128, 88)
    assert (mask & ~drawn).sum() / mask.sum() < 0.005


@pytest.mark.parametrize(("row", "column"), [(222, 250), (368, 256), (100, 256), (20, 20), (262, 480)])
def test_airway_spine_wall_and_outside_are_no_lung(chest_hu, row: int, column: int) -> None:
    assert not mask_of(chest_hu)[row, column]


def test_a_nodule_inside_and_one_at_the_pleura_belong_to_the_lung(chest_hu) -> None:
    hu = chest_hu.copy()
    inside, pleural = ellipse(300, 150, 14, 14), ellipse(262, 83, 10, 10)
    hu[inside | pleural] = 40

    mask = mask_of(hu)

    assert mask[inside].all()
    assert mask[pleural].mean() > 0.7


@pytest.mark.parametrize("darker", [70, 90, 100])
def test_lungs_with_emphysema_are_found(chest_hu, darker: int) -> None:
    lungs = mask_of(chest_hu)
    dark = np.where(lungs & (chest_hu < -600), np.maximum(chest_hu - darker, -1024), chest_hu)

    found = mask_of(dark)

    assert (found & lungs).sum() / lungs.sum() > 0.9
    assert not (found & ~lungs).any()


@pytest.mark.parametrize("side", [256, 340, 512])
def test_the_same_lungs_at_every_pixel_size(chest_hu, side: int) -> None:
    resized = np.asarray(Image.fromarray(chest_hu.astype(np.float32)).resize((side, side), Image.Resampling.BOX))
    spacing = SPACING_MM * SIZE / side

    area = mask_of(resized, spacing).sum() * spacing**2

    assert area == pytest.approx(mask_of(chest_hu).sum() * SPACING_MM**2, rel=0.03)


def test_pixels_need_not_be_square(chest_hu) -> None:
    mask = lung_mask(CTSlice(chest_hu[::2], (2 * SPACING_MM, SPACING_MM)))

    assert mask.shape == (256, 512)
    assert (mask == mask_of(chest_hu)[::2]).mean() > 0.98


def test_padding_is_no_lung(chest_hu) -> None:
    hu = chest_hu.copy()
    hu[~ellipse(256, 256, 255, 255)] = -3024

    assert (mask_of(hu) == mask_of(chest_hu)).mean() > 0.999


def test_lungs_that_a_round_field_of_view_cuts_off_are_found(chest_hu) -> None:
    """Padding beside them is no air: only a part that has no wall on two sides is lost."""
    hu, seen = chest_hu.copy(), ellipse(256, 256, 185, 185)
    hu[~seen] = -2000

    whole = mask_of(chest_hu) & seen
    found = mask_of(hu)
    assert (found & whole).sum() / whole.sum() > 0.45
    assert not (found & ~mask_of(chest_hu)).any()


def test_there_is_no_lung_in_an_abdomen_with_bowel_gas(chest_hu) -> None:
    hu = np.where(chest_hu > -400, chest_hu, 40)
    hu[~ellipse(262, 256, 168, 236)] = -1000
    for row, column, height, width in ((180, 200, 20, 60), (200, 320, 30, 34), (230, 150, 12, 14), (310, 320, 50, 80)):
        hu[ellipse(row, column, height, width)] = -990
    hu[ellipse(290, 180, 9, 12)] = -850  # stool and gas, far from any rib

    assert not mask_of(hu).any()


@pytest.mark.parametrize("foam", [slice(105, 407), slice(None)])
def test_the_foam_of_a_table_is_no_lung(chest_hu, foam: slice) -> None:
    hu = chest_hu.copy()
    hu[450:490, 100:412] = 100
    hu[455:485, foam] = -880

    assert not mask_of(hu)[445:].any()


@pytest.mark.parametrize("columns", [slice(90, 404), slice(30, 160)])
def test_lungs_that_the_field_of_view_cuts_off_are_found(chest_hu, columns: slice) -> None:
    found, whole = mask_of(chest_hu[100:420, columns]), mask_of(chest_hu)[100:420, columns]

    assert (found & whole).sum() / whole.sum() > 0.9
    assert (found & ~whole).sum() / whole.sum() < 0.01


@pytest.mark.parametrize("value", [-1000, 0, 300])
def test_a_slice_of_one_value_has_no_lung(value: int) -> None:
    assert not mask_of(np.full((64, 48), value, np.int16)).any()


def test_the_share_of_a_box_is_counted_in_pixels() -> None:
    mask = np.zeros((10, 10), np.bool_)
    mask[:, :5] = True

    assert share_in_lung(mask, BoundingBox(2, 1, 4, (10, 10))) == 1
    assert share_in_lung(mask, BoundingBox(2, 4, 4, (10, 10))) == 0.25
    assert share_in_lung(mask, BoundingBox(2, 6, 4, (10, 10))) == 0


def test_a_box_outside_the_lungs_is_warned_of(chest_hu) -> None:
    ct_slice = CTSlice(chest_hu, (SPACING_MM, SPACING_MM))
    rows, columns = np.nonzero(lung_mask(ct_slice))
    inside = BoundingBox(int(np.median(rows)), int(np.quantile(columns, 0.2)), 12, slice_shape=ct_slice.shape)
    assert share_in_lung(lung_mask(ct_slice), inside) >= 0.8
    assert lung_warning(ct_slice, inside) is None
    outside = lung_warning(ct_slice, BoundingBox(0, 0, 12, slice_shape=ct_slice.shape))
    assert outside is not None
    assert outside.startswith("The box lies outside the lungs")
    assert lung_warning(CTSlice(np.full((64, 64), 40, np.int16), (1.0, 1.0)), BoundingBox(0, 0, 12, (64, 64))) is None


def read_slices(data_folder: Path, source: str) -> list[tuple[CTSlice, float]]:
    """Every fourth slice of one source, with its place along the body."""
    columns = ["image_png", "pixel_spacing_mm", "z_mm"]
    table = parquet.read_table(data_folder / "chest_slices.parquet", columns=columns, filters=[("source", "=", source)])
    slices = []
    for row in sorted(table.to_pylist(), key=lambda row: row["z_mm"])[::4]:
        hu = np.asarray(Image.open(io.BytesIO(row["image_png"]))).astype(np.int32) - 1024
        slices.append((CTSlice(hu.astype(np.int16), (row["pixel_spacing_mm"],) * 2), row["z_mm"]))
    return slices


@pytest.mark.parametrize(("source", "least_cm2"), [("lidc_0001", 150), ("acrin_flt_breast_ct", 100)])
def test_real_lungs_are_large_in_the_middle_and_vanish_in_the_neck(
    data_folder: Path, source: str, least_cm2: float
) -> None:
    slices = read_slices(data_folder, source)
    areas = [lung_mask(ct_slice).sum() * ct_slice.pixel_spacing[0] ** 2 / 100 for ct_slice, _ in slices]
    middle = areas[len(areas) // 3 : 2 * len(areas) // 3]

    assert min(middle) > least_cm2
    assert max(areas) < 400
    # From slice to slice lungs change by little.
    assert np.abs(np.diff(middle)).max() < 60
