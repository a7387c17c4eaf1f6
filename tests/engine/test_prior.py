import re
import subprocess
import sys

import numpy as np
import pytest

from engine.ct import CTSlice
from engine.errors import InputError
from engine.lung_places import NodulePlace, find_lung_places
from engine.lungs import lung_mask, share_in_lung
from engine.nodule import BOX_SIDE_MM, BoundingBox, NoduleAttributes
from engine.prior import (
    extent_in_box,
    paper_box,
    paper_scores,
    plausibility,
    plausibility_sentence,
    similar_place,
    suggest_box,
    suggest_for_generation,
    suggest_scores,
)
from engine.prior_table import observed_scores, prior_table, score_joint
from tests.phantom import SPACING_MM, phantom_slice

SEEDS = range(40)


@pytest.fixture(scope="module")
def chest_slice() -> CTSlice:
    # Every second pixel: as large as prepared slices, and quick.
    return CTSlice(phantom_slice()[::2, ::2], (2 * SPACING_MM, 2 * SPACING_MM))


@pytest.fixture(scope="module")
def boxes(chest_slice: CTSlice) -> list[BoundingBox]:
    return [suggest_box(chest_slice, seed) for seed in SEEDS]


def scores(*levels: int | None) -> NoduleAttributes:
    return NoduleAttributes.from_scores(levels)


def test_the_table_holds_all_annotations_of_lidc() -> None:
    table = prior_table()

    assert len(table) == 6859
    assert np.bincount(table.scores[:, 4]).tolist() == [0, 480, 155, 381, 823, 5020]
    assert table.extent_mm.min() > 0
    assert table.extent_mm.max() < 80
    assert np.isfinite(table.wall_mm).mean() > 0.7
    assert table.presence.shape == (128, 128)
    # Of sides from 2 to 9 pixels, rounded outward as `box_around` of prepared data does.
    assert table.sides[:10].tolist() == [0, 0, 263, 1409, 4349, 6322, 5362, 4426, 3166, 2418]
    assert table.sides.sum() == 40414


def test_what_seeds_suggest_for_a_slice_not_yet_made_stays_the_same() -> None:
    drawn = [suggest_for_generation(seed) for seed in range(3)]

    assert [(box.row, box.column, box.side, spacing) for box, spacing, _ in drawn] == [
        (103, 30, 8, 1.2969),
        (146, 75, 17, 1.2617),
        (77, 137, 16, 1.457),
    ]
    assert [attributes.scores for _, _, attributes in drawn] == [
        (5, 4, 1, 1, 5),
        (3, 4, 2, 2, 5),
        (4, 3, 5, 5, 4),
    ]


def test_importing_it_imports_neither_scipy_nor_torch() -> None:
    program = "import sys, engine.prior; print(*{'scipy', 'torch', 'skimage'} & set(sys.modules))"

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == ""


def test_suggested_boxes_lie_in_the_lungs_and_those_of_the_paper_often_do_not(chest_slice, boxes) -> None:
    mask = lung_mask(chest_slice)

    ours = [share_in_lung(mask, box) for box in boxes]
    papers = [share_in_lung(mask, paper_box(chest_slice.shape, seed)) for seed in range(400)]

    assert min(ours) >= 0.8
    # 56.5 %, and three standard errors.
    assert np.mean(np.array(papers) >= 0.8) < 0.64


def test_a_suggested_box_depends_on_its_seed_alone(chest_slice, boxes) -> None:
    assert suggest_box(chest_slice, 3) == boxes[3]
    assert suggest_box(chest_slice, 3, find_lung_places(chest_slice)) == boxes[3]
    assert len(set(boxes)) > 30


def test_suggested_sizes_are_those_of_lidc(chest_slice, boxes) -> None:
    sides = np.array([box.side_mm(chest_slice.pixel_spacing) for box in boxes])

    assert sides.min() >= BOX_SIDE_MM[0]
    assert sides.max() <= BOX_SIDE_MM[1]
    usual = 1.3 * np.median(prior_table().extent_mm) + 1
    assert np.median(sides) == pytest.approx(usual, abs=3)
    assert np.percentile(sides, 90) > 1.5 * np.median(sides)


def test_a_slice_without_lung_is_refused() -> None:
    soft = CTSlice(np.full((64, 64), 40, np.int16), (1.4, 1.4))

    with pytest.raises(InputError, match=r"no lung in this slice .* draw the box yourself"):
        suggest_box(soft, 0)


@pytest.mark.parametrize("wall_mm", [0.0, 8.0, 14.0])
def test_places_are_as_far_from_the_wall_as_wanted(chest_slice, wall_mm: float) -> None:
    places = find_lung_places(chest_slice)
    generator = np.random.default_rng(0)
    found = []
    for _ in range(20):
        row, column = places.draw(NodulePlace(6.0, wall_mm, (0.0, 0.0)), 4, generator)
        found.append(places.wall_mm[row + 2, column + 2] - 3.0)

    assert np.median(found) == pytest.approx(wall_mm, abs=2.5)


@pytest.mark.parametrize("column_mm", [-80.0, 80.0])
def test_places_are_on_the_side_that_is_wanted(chest_slice, column_mm: float) -> None:
    places = find_lung_places(chest_slice)
    generator = np.random.default_rng(0)

    columns = [places.draw(NodulePlace(6.0, 8.0, (0.0, column_mm)), 4, generator)[1] for _ in range(20)]

    assert np.sign(np.array(columns) - 128).tolist() == [np.sign(column_mm)] * 20


def test_a_box_larger_than_the_lungs_has_no_place(chest_slice) -> None:
    places = find_lung_places(chest_slice)
    wanted = NodulePlace(50.0, 0.0, (0.0, 0.0))

    assert places.draw(wanted, 120, np.random.default_rng(0)) is None
    assert places.draw(wanted, 300, np.random.default_rng(0)) is None


def test_places_of_similar_nodules_are_to_the_left_and_to_the_right() -> None:
    columns = [similar_place(8.0, np.random.default_rng(seed))[1] for seed in SEEDS]

    assert min(columns) < -40
    assert max(columns) > 40


@pytest.mark.parametrize("extent_mm", [None, 3.0, 6.0, 30.0, 500.0])
def test_joints_are_probabilities(extent_mm: float | None) -> None:
    joint = score_joint(extent_mm)

    assert joint.shape == (5, 5, 5, 5, 5)
    assert joint.sum() == pytest.approx(1)
    assert joint.min() > 0
    assert observed_scores(extent_mm).sum() == pytest.approx(1)


def test_the_joint_agrees_with_lidc() -> None:
    table, joint = prior_table(), score_joint(None)
    texture = np.bincount(table.scores[:, 4], minlength=6)[1:] / len(table)

    assert joint.sum(axis=(0, 1, 2, 3)) == pytest.approx(texture, abs=0.05)
    # Solid nodules have sharp margins far more often than ground glass does.
    by_texture = joint.sum(axis=(0, 2, 3))
    assert by_texture[4, 4] / by_texture[:, 4].sum() > 5 * by_texture[4, 0] / by_texture[:, 0].sum()


def test_large_nodules_are_spiculated_more_often() -> None:
    small, large = (
        [suggest_scores(seed, extent_in_box(side)).spiculation for seed in range(200)] for side in (7.0, 35.0)
    )

    assert np.mean(np.array(large) >= 3) > np.mean(np.array(small) >= 3) + 0.1


def test_scores_depend_on_their_seed_alone() -> None:
    assert suggest_scores(5, 10) == suggest_scores(5, 10)
    assert suggest_scores(5) == suggest_scores(5)
    assert len({suggest_scores(seed, 10) for seed in SEEDS}) > 15


def test_the_papers_scores_are_uniform() -> None:
    drawn = np.array([paper_scores(seed).scores for seed in range(500)])

    for column in drawn.T:
        assert np.bincount(column, minlength=6)[1:].min() > 70


def test_plausibility_is_about_uniform_over_what_readers_said() -> None:
    table = prior_table()
    readers = np.flatnonzero(table.trusted)[::29]

    # One size for all, so that the joint is made once: it hardly differs between sizes that are usual.
    shares = [plausibility(scores(*table.scores[k].tolist())) for k in readers]

    assert np.percentile(shares, [10, 50, 90]) == pytest.approx([0.1, 0.5, 0.9], abs=0.12)


def test_what_contradicts_itself_is_less_plausible() -> None:
    usual, odd = (plausibility(scores(*levels), extent_in_box(10)) for levels in ((4, 5, 1, 1, 5), (1, 5, 5, 5, 1)))

    assert usual > 0.5
    assert 0 < odd < 0.001


def test_spiculation_is_more_plausible_in_large_nodules() -> None:
    spiculated = scores(4, 4, 2, 4, 5)

    assert plausibility(spiculated, extent_in_box(35)) > 5 * plausibility(spiculated, extent_in_box(7))


def test_scores_that_are_not_given_are_left_out() -> None:
    assert plausibility(scores(None, None, None, None, None), extent_in_box(10)) == pytest.approx(1)
    assert plausibility(scores(None, None, None, None, 5)) == pytest.approx(1)
    assert plausibility(scores(None, None, 5, None, None), extent_in_box(7)) < 0.05


@pytest.mark.parametrize(
    ("levels", "side_mm", "sentence"),
    [
        ((4, 5, 1, 1, 5), 10, "A usual combination among nodules of this size in LIDC."),
        ((4, 5, 1, 1, 5), None, "A usual combination among nodules in LIDC."),
        ((1, 5, 5, 5, 1), 10, "A rare combination: fewer than 1 in 1000 nodules of this size in LIDC"),
        ((None, None, 5, None, None), 7, r"A rare combination: 1 in \d+ nodules of this size"),
        ((4, 4, 2, 4, 5), 28, r"An uncommon combination: \d\d% of the nodules of this size in LIDC have a more common"),
    ],
)
def test_plausibility_in_words(levels, side_mm: float | None, sentence: str) -> None:
    assert re.match(sentence, plausibility_sentence(scores(*levels), side_mm and extent_in_box(side_mm)))


def test_boxes_for_the_nodule_generator_have_room() -> None:
    assert [extent_in_box(side) for side in (7.5, 14.0, 0.5)] == pytest.approx([5, 10, 0.1])


def test_slices_to_be_made_have_places_sizes_and_scores_of_lidc() -> None:
    suggestions = [suggest_for_generation(seed) for seed in range(200)]

    assert suggest_for_generation(7) == suggestions[7]
    for box, spacing, attributes in suggestions:
        assert box.slice_shape == (256, 256)
        assert 0.7 < spacing < 2.1
        assert spacing == round(spacing, 4)
        assert box.side * spacing <= BOX_SIDE_MM[1]
        assert box.side >= 8
        assert None not in attributes.scores
    columns = np.array([box.centre[1] for box, _, _ in suggestions])
    # Two lungs, and hardly a nodule between them.
    assert np.mean(np.abs(columns - 128) < 8) < 0.1
    assert 0.3 < np.mean(columns < 128) < 0.75
