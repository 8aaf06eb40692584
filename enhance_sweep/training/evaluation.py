"""Scores on the test pairs, by the challenge's protocol."""

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from enhance_sweep.data.batches import to_unit
from enhance_sweep.data.pairs import Split
from enhance_sweep.measures import MEASURES
from enhance_sweep.metrics import chroma, scores_of

Array = np.ndarray[Any, np.dtype[np.float64]]

#: Patches per batch; it affects memory and speed, not scores.
_BATCH = 10
_CHROMA = ("chroma", "target_chroma")


@dataclass(frozen=True)
class Scores:
    """Per-image scores.

    Attributes:
        values: (N,) by measure, in the order of the split, each as `metrics.scores_of` gives it; the PSNR is infinite
            for an image identical to its target. Beside the measures, `chroma` and `target_chroma` may be there.
        too_small_for: the measures that have no score of images so small.
    """

    values: Mapping[str, Array]
    too_small_for: tuple[str, ...] = ()

    def means(self) -> dict[str, Any]:
        """Means over images, as a record has them.

        PSNR's leaves out identical pairs, which are counted. Chroma is pooled: the root of its mean square.
        """
        means: dict[str, Any] = {name: _mean(name, values) for name, values in self.values.items()}
        identical = np.isposinf(self.values["psnr_db"])
        means |= {"images": len(identical), "identical_pairs": int(identical.sum())}
        return means | {"too_small_for": list(self.too_small_for)}

    def by_part(self, split: Split) -> dict[str, "Scores"]:
        """The scores of each data set that a split is joined from, by its name; empty where it is one data set."""
        ends = np.cumsum([part.pairs for part in split.parts])
        return {
            part.name: Scores(
                {name: values[end - part.pairs : end] for name, values in self.values.items()}, self.too_small_for
            )
            for part, end in zip(split.parts, ends, strict=True)
        }


def _mean(name: str, values: Array) -> float:
    if name in _CHROMA:
        return float(np.sqrt(np.square(values).mean()))
    if name == "psnr_db":
        values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")


def score(
    generator: nn.Module | None,
    split: Split,
    device: torch.device | str = "cpu",
    progress: str | None = None,
    measures: Collection[str] | None = None,
) -> Scores:
    """Score a generator, or the untouched input (None), on every pair of a split, in fp32.

    Args:
        generator: (N, 3, H, W) in [0, 1] to the same; its mode is restored.
        split: test pairs.
        device: where the generator is.
        progress: show a bar with this name, which vanishes at the end.
        measures: the names of those wanted; None: all, and how much color outputs and targets have.
    """
    side = min(split.target.shape[1:3])
    wanted = [name for name in MEASURES if measures is None or name in measures]
    large_enough = [name for name in wanted if MEASURES[name].smallest_side <= side]
    found: list[dict[str, Tensor]] = []
    training = generator.training if generator is not None else False
    if generator is not None:
        generator.eval()
    with torch.inference_mode():
        starts = range(0, len(split), _BATCH)
        hidden = progress is None or not sys.stderr.isatty()  # a log file would keep it
        for start in tqdm(starts, desc=progress, unit="batch", leave=False, disable=hidden):
            input, target = (_images(pixels[start : start + _BATCH], device) for pixels in (split.input, split.target))
            enhanced = input if generator is None else generator(input).float()
            of_batch = scores_of(enhanced, target, large_enough)
            if measures is None:
                of_batch |= dict(zip(_CHROMA, (chroma(enhanced.clamp(0, 1)), chroma(target)), strict=True))
            found.append(of_batch)
    if generator is not None:
        generator.train(training)
    values = {name: torch.cat([of_batch[name] for of_batch in found]).double().cpu().numpy() for name in found[0]}
    return Scores(values, tuple(name for name in wanted if name not in large_enough))


def _images(pixels: np.ndarray[Any, Any], device: torch.device | str) -> Tensor:
    """uint8 (N, H, W, 3) to float (N, 3, H, W) in [0, 1], channels-last in memory."""
    return to_unit(torch.from_numpy(np.array(pixels)).to(device).permute(0, 3, 1, 2))
