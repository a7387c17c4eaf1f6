import pytest
import torch

from engine.conditioning import (
    TOKENS,
    ConditionTokens,
    PaperTokens,
    box_features,
    box_mask,
    context_channels,
    score_levels,
    slice_context,
)


def test_mask_covers_the_box_and_shares_its_border_pixels() -> None:
    mask = box_mask(torch.tensor([[1.0, 2.0, 3.5, 4.5]]), size=6)[0, 0]

    assert mask.sum() == 2.5 * 2.5
    assert mask[2, 1] == 1
    assert mask[4, 1] == 0.5
    assert mask[4, 3] == 0.25
    assert mask[:2].sum() == 0


def test_context_shows_nothing_of_what_was_in_the_box() -> None:
    windows = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    mask = box_mask(torch.tensor([[2.0, 2.0, 5.5, 5.5]]), size=8)

    context = context_channels(windows, mask)

    assert context.shape == (1, 3, 8, 8)
    assert (context[0, 1][mask[0, 0] > 0] == 0).all()
    assert torch.equal(context[0, 1][mask[0, 0] == 0], windows[0, 0][mask[0, 0] == 0])
    assert not context[0, 2].any()


def test_context_shows_the_outline_that_is_given() -> None:
    mask = box_mask(torch.tensor([[2.0, 2.0, 6.0, 6.0]]), size=8)
    outline = box_mask(torch.tensor([[3.0, 3.0, 5.0, 5.0]]), size=8)

    assert torch.equal(context_channels(torch.zeros(1, 1, 8, 8), mask, outline)[:, 2:], outline)


def test_features_tell_the_side_in_mm() -> None:
    boxes = torch.tensor([[24.0, 24.0, 40.0, 40.0], [24.0, 24.0, 40.0, 40.0]])

    features = box_features(boxes, torch.tensor([1.0, 2.0]), size=64)

    assert features[:, 0].tolist() == [0.0, 1.0]
    assert features[:, 2:].abs().max() == 0


def test_each_score_of_each_attribute_has_a_token_of_its_own() -> None:
    torch.manual_seed(0)
    tokens = ConditionTokens(width=8)
    features = torch.zeros(1, 4)
    given = tokens(score_levels((1, 2, 3, 4, 5)), features)

    assert given.shape == (1, TOKENS, 8)
    other = tokens(score_levels((1, 2, 3, 4, None)), features)
    assert torch.equal(given[:, :4], other[:, :4])
    assert not torch.equal(given[:, 4], other[:, 4])


def test_a_slice_is_told_the_box_on_the_grid_of_its_latents() -> None:
    context = slice_context(torch.tensor([[8.0, 4.0, 14.0, 10.0]]), size=32, factor=4)

    assert context.shape == (1, 1, 8, 8)
    assert context[0, 0, 1].tolist() == [0, 0, 1, 0.5, 0, 0, 0, 0]
    assert context[0, 0, 2].tolist() == [0, 0, 0.5, 0.25, 0, 0, 0, 0]
    assert context.sum() == (6 / 4) ** 2


@pytest.mark.parametrize(("configuration", "width"), [(1, 1), (2, 64), (3, 74)])
def test_the_paper_has_one_token(configuration: int, width: int) -> None:
    torch.manual_seed(0)
    tokens = PaperTokens(configuration, mask_size=8)
    mask = torch.rand(2, 1, 8, 8)

    token = tokens(mask, score_levels((1, 2, 3, 4, 5)).expand(2, -1))

    assert token.shape == (2, 1, width)
    assert tokens.width == width
    expected = torch.zeros(2, 1) if configuration == 1 else mask.flatten(1)
    assert torch.equal(token[:, 0, : expected.shape[1]], expected)


def test_the_paper_embeds_attributes_by_tables_and_two_layers() -> None:
    tokens = PaperTokens(3, mask_size=4)

    sizes = {name: tuple(tensor.shape) for name, tensor in tokens.state_dict().items()}

    assert sizes["attributes.weight"] == (5 * 6, 10)
    assert [sizes[f"merge.{layer}.weight"] for layer in (0, 2, 4)] == [(128, 50), (128, 128), (10, 128)]


@pytest.mark.parametrize("attribute", range(5))
def test_each_attribute_and_its_absence_reach_the_papers_token(attribute: int) -> None:
    torch.manual_seed(0)
    tokens, mask = PaperTokens(3, mask_size=4), torch.zeros(1, 1, 4, 4)
    looks = []
    for score in (None, 1, 2, 3, 4, 5):
        scores: list[int | None] = [3] * 5
        scores[attribute] = score
        looks.append(tokens(mask, score_levels(scores))[0, 0, 16:])

    assert all(not torch.equal(looks[i], looks[j]) for i in range(6) for j in range(i))
