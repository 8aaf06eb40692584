"""Scores on the test pairs, by the challenge's protocol."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from enhance_sweep.data.batches import to_unit
from enhance_sweep.data.pairs import Split
from enhance_sweep.metrics import ms_ssim, psnr

#: Patches per batch; it affects memory and speed, not scores.
_BATCH = 10


@dataclass(frozen=True)
class Scores:
    """Per-image scores, in the order of the split.

    Attributes:
        psnr_db: (N,), of outputs clipped to [0, 1]; infinite for an image identical to its target.
        ms_ssim: (N,), of unclipped outputs.
    """

    psnr_db: np.ndarray[Any, np.dtype[np.float64]]
    ms_ssim: np.ndarray[Any, np.dtype[np.float64]]

    def means(self) -> dict[str, float | int]:
        """Means over images; PSNR's leaves out identical pairs, which are counted."""
        finite = np.isfinite(self.psnr_db)
        return {
            "psnr_db": float(self.psnr_db[finite].mean()) if finite.any() else float("nan"),
            "ms_ssim": float(self.ms_ssim.mean()),
            "images": len(self.psnr_db),
            "identical_pairs": int(np.isposinf(self.psnr_db).sum()),
        }

    def by_part(self, split: Split) -> dict[str, "Scores"]:
        """The scores of each data set that a split is joined from, by its name; empty where it is one data set."""
        ends = np.cumsum([part.pairs for part in split.parts])
        return {
            part.name: Scores(self.psnr_db[end - part.pairs : end], self.ms_ssim[end - part.pairs : end])
            for part, end in zip(split.parts, ends, strict=True)
        }


def score(
    generator: nn.Module | None, split: Split, device: torch.device | str = "cpu", progress: str | None = None
) -> Scores:
    """Score a generator, or the untouched input (None), on every pair of a split, in fp32.

    Args:
        generator: (N, 3, H, W) in [0, 1] to the same; its mode is restored.
        split: test pairs.
        device: where the generator is.
        progress: show a bar with this name, which vanishes at the end.
    """
    psnrs: list[Tensor] = []
    ms_ssims: list[Tensor] = []
    training = generator.training if generator is not None else False
    if generator is not None:
        generator.eval()
    with torch.inference_mode():
        starts = range(0, len(split), _BATCH)
        hidden = progress is None or not sys.stderr.isatty()  # a log file would keep it
        for start in tqdm(starts, desc=progress, unit="batch", leave=False, disable=hidden):
            input, target = (_images(pixels[start : start + _BATCH], device) for pixels in (split.input, split.target))
            enhanced = input if generator is None else generator(input).float()
            psnrs.append(psnr(enhanced.clamp(0, 1), target))
            ms_ssims.append(ms_ssim(enhanced, target))
    if generator is not None:
        generator.train(training)
    return Scores(torch.cat(psnrs).cpu().numpy(), torch.cat(ms_ssims).cpu().numpy())


def _images(pixels: np.ndarray[Any, Any], device: torch.device | str) -> Tensor:
    """uint8 (N, H, W, 3) to float (N, 3, H, W) in [0, 1], channels-last in memory."""
    return to_unit(torch.from_numpy(np.array(pixels)).to(device).permute(0, 3, 1, 2))
