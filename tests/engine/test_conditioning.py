import torch

from engine.conditioning import TOKENS, ConditionTokens, box_features, box_mask, context_channels, score_levels


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

    assert context.shape == (1, 2, 8, 8)
    assert (context[0, 1][mask[0, 0] > 0] == 0).all()
    assert torch.equal(context[0, 1][mask[0, 0] == 0], windows[0, 0][mask[0, 0] == 0])


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
