import numpy as np
import pytest

from training.code_book import fit_codes, usage


def test_no_code_is_idle_even_if_most_latents_are_alike() -> None:
    generator = np.random.default_rng(0)
    latents = np.concatenate([np.zeros((3000, 3)), generator.normal(size=(2000, 3))]).astype(np.float32)

    codes = fit_codes(latents, 64, generator)

    nearest = np.linalg.norm(latents[:, None] - codes, axis=2).argmin(1)
    assert usage(nearest, 64)["used"] > 0.95
    error = np.linalg.norm(latents - codes[nearest], axis=1)
    drawn = latents[generator.choice(len(latents), 64, replace=False)]
    assert error.mean() < 0.7 * np.linalg.norm(latents[:, None] - drawn, axis=2).min(1).mean()


def test_more_codes_than_latents_are_refused() -> None:
    with pytest.raises(ValueError, match="different latents"):
        fit_codes(np.zeros((50, 3), np.float32), 2, np.random.default_rng(0))


def test_perplexity_is_the_number_of_codes_if_all_are_used_alike() -> None:
    assert usage(np.arange(8), 16) == {"used": 0.5, "perplexity": pytest.approx(8.0)}
