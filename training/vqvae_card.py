"""The card of a VQ-VAE, written from its options and measures, and the report of its evaluation."""

from __future__ import annotations

import shlex
from pathlib import Path

from training.evaluation_report import markdown_table, shown
from training.run_options import as_arguments
from training.vqvae_loss import BONE_WEIGHT, SOFT_HU, VQVAEOptions
from training.vqvae_reconstruction import DIAMETER_NAMES, PSNR_RANGE_HU, Figures
from training.vqvae_samples import VQVAEData

_MADE_WITH = """\
# VQ-VAE for chest CT slices

diffusers' `VQModel`: a slice of 256 x 256 becomes latents of {channels} x 64 x 64 and a slice again. It is the frozen
first stage of Nodule Studio's slice generator, after Mari Molas et al., "Characterization of Synthetic Lung Nodules in
Conditional Latent Diffusion of Chest CT Scans". HU are clipped to [-1000, 2500] and scaled to [-1, 1]. `codec.json`
holds mean and principal components of the latents, in which diffusion runs, each of variance 1, and a linear map from
them to grey, for previews. Load it with `engine.vq_codec.load_vq_codec`, or, without these, with
`diffusers.VQModel.from_pretrained`.

## Training

{start}{samples} crops of {crop} x {crop} pixels, {nodules}.
Patients are held out by a hash of their identifiers. The slices are from: {sources}.

The loss is the squared error plus {absolute:g} times the absolute one, in units of 100 HU;
above {soft:g} HU errors count a {bone:g}th. There is no adversarial or perceptual loss: what does not fit into the
latents, above all noise, comes out smooth. The first {unquantised:.0%} of the run had no code book, but noise of
{latent_noise:g} deviations on the latents. Then the {codes} codes were made by k-means from latents of training
crops, and only the decoder went on learning. The weights are averages over the run's last steps.

Batches of {batch}, AdamW at {learning_rate:g} and, over the last fifth of the run, falling to zero; seed {seed}.
`training.json` holds all options, and the record of the prepared data. The command:

```bash
{command}
```

## Reconstruction of held-out patients

"""
_ENDS = """
## Limits

For research. Reconstructed slices are smoother than real ones: they must not be compared with real slices as if
only their content differed. Bone and metal are given back less well than lung and soft tissue.
"""


def write_card(path: Path, options: VQVAEOptions, samples: int, data: VQVAEData, figures: Figures) -> None:
    """Write the card, for the samples seen so far; `figures` are from `evaluate_vqvae`."""
    share = 0.0 if data.nodules is None else options.nodule_share
    mixed = f"{share:.0%} of them nodules of LIDC-IDRI side by side and the others from whole slices"
    start = f"Encoder and decoder were at first those of {options.start_from}. " if options.start_from else ""
    given = ["--data", "PREPARED", "--run", "runs/vqvae", *as_arguments(options)]
    made_with = _MADE_WITH.format(
        start=start,
        batch=options.batch,
        learning_rate=options.learning_rate,
        seed=options.seed,
        command=shlex.join(["python", "-m", "training.train_vqvae", *given]),
        channels=options.latent_channels,
        samples=f"{samples:,}",
        crop=options.crop,
        sources=", ".join(sorted(set(data.slices.sources.tolist()))),
        nodules=mixed if share else "all from whole slices",
        absolute=options.absolute,
        soft=SOFT_HU,
        bone=round(1 / BONE_WEIGHT),
        unquantised=options.unquantised,
        latent_noise=options.latent_noise,
        codes=f"{options.codes:,}",
    )
    path.write_text(made_with + write_vqvae_markdown(figures) + _ENDS)


def write_vqvae_markdown(figures: Figures) -> str:
    """Return the figures of `evaluate_vqvae` as a table and a few lines in Markdown."""
    low, high = PSNR_RANGE_HU
    ways = {"with the code book": figures["quantised"], "without it": figures["unquantised"]}
    rows = {
        "mean absolute error in lung, HU": ("lung_mae_hu", 1),
        f"PSNR over [{low:g}, {high:g}] HU, mean of slices, dB": ("psnr_db", 2),
        "the same, of the mean squared error of all, dB": ("psnr_pooled_db", 2),
    }
    table = [[name, *(shown(way[key], digits) for way in ways.values())] for name, (key, digits) in rows.items()]
    table += [
        [f"mean absolute error in nodules {name}, HU", *(shown(way["nodule_mae_hu"][name], 1) for way in ways.values())]
        for name in DIAMETER_NAMES
    ]
    book = figures["code_book"]
    used = f"Of {book['codes']:,} codes these slices use {book['used']:.1%}"
    return (
        f"{figures['slices']} slices of {figures['patients']} patients, and {figures['nodules']} crops around nodules, "
        "halved to the slices' resolution.\n\n"
        + markdown_table(["", *ways], table)
        + f"\n\n{used}; the perplexity is {book['perplexity']:,.0f}.\n"
    )
