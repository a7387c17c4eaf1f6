import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.ct import CTSlice
from engine.errors import InputError
from engine.lungs import lung_mask
from tests.phantom import phantom_slice
from tests.training.crops_file import ANNOTATIONS, HELD_OUT, SIZE, TRAINING, disc
from tests.training.made_up_prepared import LUNG, NODULE, RADIUS_MM, origin, write_made_up
from training import transplant_hosts, transplant_nodules
from training.lung_walls import direction_to, find_wall, wall_distance
from training.prepared import (
    ImageSource,
    PreparedSlices,
    ReaderNodule,
    SliceRow,
    is_held_out,
    outline_mask,
    read_description,
    read_slices,
    stored_from_hu,
    write_description,
    write_slices,
)
from training.transplant import NoduleShare, Pose, cut_nodule, moved_outline, transplant
from training.transplant_hosts import read_hosts
from training.transplant_nodules import main, make_sample, transplant_many


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up(tmp_path_factory.mktemp("prepared"), (*HELD_OUT, *TRAINING))


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PreparedSlices]:
    out = tmp_path_factory.mktemp("transplants")
    assert main(["--data", str(data), "--out", str(out), "--count", "12", "--seed", "3", "--workers", "1"]) == 0
    return out, read_slices(out, held_out=None)


def test_every_slice_gets_one_nodule_with_all_of_its_readers(made) -> None:
    _, slices = made

    assert len(slices) == 12
    for readers in slices.nodules:
        assert [seen.annotation_id for seen in readers] == ANNOTATIONS[:2]
        assert {seen.nodule for seen in readers} == {0}


def test_nodules_lie_in_the_lungs_keep_their_size_and_are_where_the_outlines_are(data: Path, made) -> None:
    _, slices = made
    before = read_slices(data, held_out=None).hu(0)
    lungs = lung_mask(CTSlice(before, (1.4, 1.4)))

    for index, readers in enumerate(slices.nodules):
        hu, spacing = slices.hu(index), float(slices.pixel_spacing[index])
        row, column, side = readers[0].box
        # LIDC's outlines run half a pixel of the crop outside the nodule; boxes are whole pixels.
        assert side * spacing == pytest.approx(2 * RADIUS_MM + 0.7, abs=2 * spacing)
        inside = outline_mask(readers[0].outline, 256)
        assert lungs[inside].mean() > 0.8
        assert np.median(hu[inside]) == pytest.approx(NODULE, abs=60)
        changed = np.abs(hu - before) > 1
        changed[row - 2 : row + side + 2, column - 2 : column + side + 2] = False
        assert not changed.any()


def test_scores_are_carried_over_and_untrusted_ones_are_not_given(data: Path, made) -> None:
    _, slices = made
    scores = {seen.scores for readers in slices.nodules for seen in readers}

    assert scores <= {(4, 5, 2, 1, 5), (4, 5, 2, 1, 4), (4, 5, 0, 0, 5), (4, 5, 0, 0, 4)}
    assert (4, 5, 2, 1, 5) in scores


def test_all_scores_come_back_where_all_are_asked_for(data: Path, made) -> None:
    out, trusted = made
    slices = read_slices(out, held_out=None, trusted=False)

    assert {seen.scores for readers in slices.nodules for seen in readers} == {(4, 5, 2, 1, 5), (4, 5, 2, 1, 4)}
    # The scores are the donor's, and so is whether they are to be trusted.
    untrusted = [readers[0].scores[2] == 0 for readers in trusted.nodules]
    assert slices.is_from_initial.tolist() == untrusted
    assert 0 < sum(untrusted) < len(untrusted)


def test_a_slice_stays_that_of_its_scan_and_its_own_scores_stay_untrusted(tmp_path: Path) -> None:
    write_made_up(tmp_path, TRAINING[1:])  # crops of scans that are not of the initial release
    (tmp_path / "slices" / "slices.parquet").unlink()
    where = ImageSource(TRAINING[0], "1.2", "1.2.3", "made up", 0.0, 1.4, 2.5, 12, True)
    own = ReaderNodule(4, 99, (4, 4, 3, 3, 3), (100, 60, 9), np.zeros((0, 2), np.float32))
    write_slices(tmp_path, "host", [SliceRow(where, stored_from_hu(phantom_slice()[::2, ::2]), (own,))])

    row = make_sample(tmp_path, 0, 1)

    assert (row.origin.pylidc_scan_id, row.origin.is_from_initial) == (12, True)
    assert [seen.nodule for seen in row.nodules] == [4, 5, 5]
    assert row.nodules[0].scores == (4, 4, 3, 3, 3)


def test_held_out_patients_stay_apart(data: Path, made) -> None:
    _, slices = made

    assert [is_held_out(patient) for patient in slices.patients.tolist()] == [k % 10 == 0 for k in range(12)]
    for number in (0, 1):
        row = make_sample(data, 3, number)
        assert is_held_out(row.origin.patient_id) == (number == 0)


def test_a_sample_depends_on_its_seed_and_number_alone(data: Path, made) -> None:
    _, slices = made

    assert np.array_equal(make_sample(data, 3, 7).image, slices.images[7])
    assert not np.array_equal(make_sample(data, 4, 7).image, slices.images[7])


def test_shards_that_exist_are_not_made_again(data: Path, made) -> None:
    out, _ = made
    (shard,) = (out / "slices").glob("*.parquet")
    written = shard.stat().st_mtime_ns

    transplant_many(data, out, 12, 3)
    transplant_many(data, out, 8, 3)

    assert shard.stat().st_mtime_ns == written


def test_more_can_be_asked_for_later(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transplant_nodules, "_SHARD", 2)
    transplant_many(data, tmp_path / "later", 3, 3)
    transplant_many(data, tmp_path / "later", 5, 3)
    transplant_many(data, tmp_path / "at once", 5, 3)

    later, at_once = (read_slices(tmp_path / name, held_out=None) for name in ("later", "at once"))

    assert np.array_equal(later.images, at_once.images)
    calls = read_description(tmp_path / "later")["made_by"]["transplant_nodules"]
    assert [call["count"] for call in calls] == [3, 5]


def test_transplants_of_other_data_are_not_added(data: Path, tmp_path: Path, capsys) -> None:
    others = write_made_up(tmp_path / "others", (*HELD_OUT, *TRAINING))
    write_description(others, "import_slices", file="more")
    transplant_many(data, tmp_path / "out", 1, 3)

    assert main(["--data", str(others), "--out", str(tmp_path / "out"), "--count", "2", "--workers", "0"]) == 2
    assert "has transplants made of other data" in capsys.readouterr().err
    assert len(read_slices(tmp_path / "out", None)) == 1


def test_the_folder_with_the_data_is_not_written_to(data: Path, capsys) -> None:
    assert main(["--data", str(data), "--out", str(data / ".." / data.name), "--count", "2", "--workers", "1"]) == 2
    assert "is the folder with the data" in capsys.readouterr().err


def test_no_nodule_goes_into_a_transplant(data: Path, made, tmp_path: Path) -> None:
    out, slices = made
    shutil.copytree(data, tmp_path / "data")
    (shard,) = (out / "slices").glob("*.parquet")
    shutil.copy(shard, tmp_path / "data" / "slices")

    hosts = read_hosts(tmp_path / "data", held_out=False)

    assert len(hosts.weights) == len(TRAINING) + sum(not is_held_out(one) for one in slices.patients.tolist())
    assert hosts.slices.sources[hosts.weights > 0].tolist() == ["made up"] * len(TRAINING)
    assert hosts.weights[hosts.weights > 0] == pytest.approx(1 / len(TRAINING))
    (tmp_path / "data" / "slices" / "slices.parquet").unlink()
    with pytest.raises(InputError, match="only slices with transplants"):
        read_hosts(tmp_path / "data", held_out=False)


def test_lungs_of_few_slices_are_kept(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of LIDC have 14,000 slices with a nodule, and lungs of a slice take half a megabyte."""
    monkeypatch.setattr(transplant_hosts, "_KEPT", 2)
    hosts = read_hosts(data, held_out=None)

    found = [hosts.lungs(index) for index in (0, 1, 0, 2, 3)]

    assert found[2] is found[0]
    assert hosts.lungs(3) is found[4]
    assert len(hosts._lungs) == 2


def test_no_workers_are_one(data: Path, tmp_path: Path) -> None:
    assert main(["--data", str(data), "--out", str(tmp_path), "--count", "1", "--workers", "0"]) == 0


def test_several_processes_make_the_same(data: Path, made, tmp_path: Path) -> None:
    _, slices = made

    transplant_many(data, tmp_path, 12, 3, workers=2)

    assert np.array_equal(read_slices(tmp_path, held_out=None).images, slices.images)


def test_without_nodules_the_command_says_so(tmp_path: Path, capsys) -> None:
    write_slices(tmp_path, "slices", [SliceRow(origin(HELD_OUT[0], 1.4), stored_from_hu(np.zeros((256, 256))))])

    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--count", "2", "--workers", "1"]) == 2
    assert "has no nodules of held-out patients" in capsys.readouterr().err


def test_vessels_and_walls_of_the_slice_stay(data: Path) -> None:
    hu = np.full((80, 80), LUNG, np.float32)
    hu[:, 38:42] = 45  # a vessel through the middle
    hu[60:] = 60  # a wall
    ground_glass = shared_disc(share=0.3)

    after = transplant(CTSlice(hu, (0.7, 0.7)), ground_glass, Pose((40.0, 55.0), 0.0, False))

    assert after[:, 38:42] == pytest.approx(hu[:, 38:42], abs=5)
    assert after[60:] == pytest.approx(hu[60:], abs=5)
    assert after[55, 34] == pytest.approx(LUNG + 0.3 * (40 - LUNG), abs=30)


def shared_disc(share: float) -> NoduleShare:
    nodule = cut_nodule(
        np.where(disc(10), LUNG + share * (40 - LUNG), LUNG).astype(np.float32),
        disc(10).astype(np.uint8),
        np.zeros((SIZE, SIZE), np.bool_),
        0.7,
    )
    assert nodule.centre == pytest.approx((48, 48))
    return nodule


def test_the_lung_of_the_crop_is_left_behind() -> None:
    dark, bright = (np.where(disc(8), NODULE, lung).astype(np.float32) for lung in (-920, -780))
    ct_slice = CTSlice(np.full((64, 64), LUNG, np.float32), (0.7, 0.7))
    nowhere = np.zeros((SIZE, SIZE), np.bool_)

    after = [
        transplant(ct_slice, cut_nodule(hu, disc(8).astype(np.uint8), nowhere, 0.7), Pose((32.0, 32.0), 0.0, False))
        for hu in (dark, bright)
    ]

    assert after[0] == pytest.approx(after[1], abs=3)
    assert after[0][32, 32] == pytest.approx(NODULE, abs=5)
    assert after[0][32, 50] == LUNG


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0.0, 0.8, -2.0])
def test_outlines_move_with_the_pixels(angle: float, mirrored: bool) -> None:
    # An L is unlike all its turns and mirror images.
    mask = np.zeros((SIZE, SIZE), np.bool_)
    mask[36:60, 40:48] = mask[52:60, 40:58] = True
    hu = np.where(mask, 40, LUNG).astype(np.float32)
    nodule = cut_nodule(hu, mask.astype(np.uint8), np.zeros_like(mask), 0.7)
    ct_slice = CTSlice(np.full((100, 120), LUNG, np.float32), (0.9, 0.9))
    pose = Pose((70.3, 44.6), angle, mirrored)

    risen = transplant(ct_slice, nodule, pose) > (LUNG + 40) / 2
    outline = nodule.outlines[0]
    assert outline is not None
    inside = outline_mask(moved_outline(outline, nodule, pose, 0.9), 120)[:100]

    assert (risen & inside).sum() / (risen | inside).sum() > 0.75
    assert risen.sum() * 0.81 == pytest.approx(mask.sum() * 0.49, rel=0.1)


def test_calcification_is_carried_over() -> None:
    hu = np.where(disc(8), 800, LUNG).astype(np.float32)
    nodule = cut_nodule(hu, disc(8).astype(np.uint8), np.zeros((SIZE, SIZE), np.bool_), 0.7)

    after = transplant(CTSlice(np.full((64, 64), LUNG, np.float32), (0.7, 0.7)), nodule, Pose((32.0, 32.0), 0.0, False))

    assert after[32, 32] == pytest.approx(800, abs=5)


def test_the_wall_is_found_and_a_vessel_is_none() -> None:
    nodule = disc(6)
    hu = np.where(nodule, NODULE, LUNG).astype(np.float32)
    hu[:, :20] = 50
    hu[:, 80:83] = 45  # 2 mm wide

    wall = find_wall(hu, nodule, 0.7)

    assert wall[:, :18].all()
    assert not wall[:, 25:].any()
    # 48 - 6 - 20 pixels, less the blurred rim.
    assert wall_distance(nodule, wall, 0.7) == pytest.approx(22 * 0.7 - 1.5, abs=0.8)
    assert abs(direction_to(wall, 48, 48)) == pytest.approx(np.pi, abs=0.1)


def test_without_a_wall_the_edge_of_the_crop_bounds_its_distance() -> None:
    nothing = np.zeros((SIZE, SIZE), np.bool_)

    assert wall_distance(disc(6), nothing, 0.7) == pytest.approx(41 * 0.7 - 1.5, abs=0.8)
    assert np.isnan(direction_to(nothing, 48, 48))


def test_the_wall_of_the_crop_stays_behind() -> None:
    hu = np.where(disc(6), NODULE, LUNG).astype(np.float32)
    hu[:, :41] = 50  # touches the nodule
    wall = find_wall(hu, disc(6), 0.7)

    nodule = cut_nodule(hu, disc(6).astype(np.uint8), wall, 0.7)

    assert nodule.share[wall].max() < 0.05
    assert nodule.share[48, 48] == pytest.approx(1, abs=0.02)
