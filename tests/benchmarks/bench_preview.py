"""What a preview of the slice generator costs beside a step: `python -m tests.benchmarks.bench_preview`.

Networks of the studio's shape with random weights: times do not depend on them. A preview is the codec's linear map
and the enlargement to the slice's size; a step is one run of the U-Net, as guidance 1 takes it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from engine.conditioning import BOX_FEATURES
from engine.device import choose_device
from engine.network import ConditionedUNet, NetworkConfig
from engine.vq_codec import LatentStatistics, VQCodec
from training.vqvae_loss import VQVAEOptions, make_vqvae

SIZE = 256


def main() -> None:
    """Print the milliseconds of a step, a preview and a whole decoding, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="runs of each, of which the median counts")
    options = parser.parse_args()
    chosen = choose_device()
    device, dtype = chosen.device, chosen.dtype
    model = VQCodec(
        make_vqvae(VQVAEOptions()),
        LatentStatistics((0.0,) * 3, ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), (0.1,) * 3, 0.0),
    )
    codec = model.to(device).eval().requires_grad_(False)
    network: Any = ConditionedUNet(NetworkConfig(context_channels=1), codec, SIZE).eval().requires_grad_(False)
    network.to(device=device, dtype=dtype, memory_format=torch.channels_last)
    latents = torch.randn(1, codec.channels, SIZE // codec.factor, SIZE // codec.factor, device=device)
    inputs = (
        latents.to(dtype),
        torch.tensor([500], device=device),
        torch.zeros_like(latents[:, :1], dtype=dtype),
        torch.zeros(1, 5, dtype=torch.int64, device=device),
        torch.zeros(1, BOX_FEATURES, device=device, dtype=dtype),
    )
    step = median_ms(lambda: network(*inputs), options.runs)
    preview = median_ms(lambda: enlarged(codec.preview(latents)), options.runs)
    decoding = median_ms(lambda: codec.decode(latents), max(1, options.runs // 4))
    print(f"{chosen.description}: step {step:.1f} ms, preview {preview:.2f} ms, decoding {decoding:.1f} ms")
    print(f"preview / step: {preview / step:.1%}; decoding / step: {decoding / step:.0%}")


def enlarged(hu: torch.Tensor) -> torch.Tensor:
    """Enlarge as `engine.slice_generation` does."""
    return functional.interpolate(hu, (SIZE, SIZE), mode="bilinear", align_corners=False)


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
