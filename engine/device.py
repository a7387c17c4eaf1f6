"""Which processor runs the network, chosen at run time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Device:
    """Where the network runs, in which type, and what to call it in the status line."""

    device: torch.device
    dtype: torch.dtype
    description: str


def choose_device() -> Device:
    """Return CUDA if there is one, else MPS, else the CPU; bf16 where the processor computes in it."""
    if torch.cuda.is_available():
        dtype = torch.bfloat16 if cuda_computes_bf16() else torch.float16
        return Device(torch.device("cuda"), dtype, torch.cuda.get_device_name())
    if torch.backends.mps.is_available():
        return Device(torch.device("mps"), torch.float16, "Apple GPU")
    threads = torch.get_num_threads()
    dtype = torch.bfloat16 if cpu_computes_bf16() else torch.float32
    return Device(torch.device("cpu"), dtype, f"CPU, {threads} {'thread' if threads == 1 else 'threads'}")


def has_gpu() -> bool:
    """Tell whether there is a GPU that torch runs on."""
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def bf16_pays() -> bool:
    """Tell whether training in bf16 is quicker than in fp32: on GPUs and processors that multiply in it.

    On one that does not (AVX2 alone), a step in bf16 took 17 times as long.
    """
    if torch.cuda.is_available():
        return cuda_computes_bf16()
    return torch.backends.mps.is_available() or cpu_computes_bf16()


def cuda_computes_bf16() -> bool:
    """Tell whether the NVIDIA or AMD GPU multiplies in bf16; those before Ampere only emulate it."""
    return torch.cuda.is_bf16_supported(including_emulation=False)


def cpu_computes_bf16() -> bool:
    """Tell whether the CPU multiplies in bf16; where it does not, bf16 is slower than fp32."""
    # torch has no public name for this in all the versions that we allow.
    probes: Any = torch.cpu
    return bool(probes._is_avx512_bf16_supported() or probes._is_amx_tile_supported())
