"""CT slices in, denoising steps and finished slices out. Knows nothing of Qt."""
