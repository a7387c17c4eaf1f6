"""What a preview of the slice generator costs beside a step: `python -m tests.benchmarks.bench_preview`.

Measured on the slice checkpoint that comes with the studio, network and VQ-VAE. A preview is the codec's linear map and
the enlargement to the slice's size; a step is one run of the U-Net, as guidance 1 takes it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from engine.checkpoint import DEFAULT_SLICE_CHECKPOINT, load_checkpoint
from engine.conditioning import BOX_FEATURES
from engine.device import choose_device


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the milliseconds of a step, a preview and a whole decoding, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="runs of each, of which the median counts")
    options = parser.parse_args(arguments)
    checkpoint = load_checkpoint(DEFAULT_SLICE_CHECKPOINT, choose_device())
    network, codec, size = checkpoint.network, checkpoint.codec, checkpoint.grid.size
    device, dtype = checkpoint.device.device, checkpoint.device.dtype
    latents = torch.randn(1, codec.channels, size // codec.factor, size // codec.factor, device=device)
    inputs = (
        latents.to(dtype),
        torch.tensor([500], device=device),
        torch.zeros_like(latents[:, :1], dtype=dtype),
        torch.zeros(1, 5, dtype=torch.int64, device=device),
        torch.zeros(1, BOX_FEATURES, device=device, dtype=dtype),
    )
    step = median_ms(lambda: network(*inputs), options.runs)
    preview = median_ms(lambda: enlarged(codec.preview(latents), size), options.runs)
    decoding = median_ms(lambda: codec.decode(latents), max(1, options.runs // 4))
    print(f"{checkpoint.config.name} {checkpoint.sha256[:6]} on {checkpoint.device.description}")
    print(f"step {step:.1f} ms, preview {preview:.2f} ms, decoding {decoding:.1f} ms")
    print(f"preview / step: {preview / step:.1%}; decoding / step: {decoding / step:.0%}")


def enlarged(hu: torch.Tensor, size: int) -> torch.Tensor:
    """Enlarge as `engine.slice_generation` does."""
    return functional.interpolate(hu, (size, size), mode="bilinear", align_corners=False)


@torch.inference_mode()
def median_ms(run: Callable[[], torch.Tensor], runs: int) -> float:
    """Return the median milliseconds of a run, after one that does not count."""
    run().cpu()
    taken: list[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        run().cpu()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


if __name__ == "__main__":
    main()
