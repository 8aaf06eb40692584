"""Batches as a pure function of seed and step: an interrupted training goes on with the batches it would have had."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from enhance_sweep.data.pairs import DataError, Pixels, Split

#: Generator and discriminator are shown separate random batches (DPED code); each has a stream of its own.
GENERATOR, DISCRIMINATOR = 0, 1

Batch = dict[str, Tensor]


class Batches(IterableDataset[dict[str, Batch]]):
    """Endless random crops of training pairs, one item a training step.

    An item is `{"generator": batch}`, or `{"generator": batch, "discriminator": batch}`. A batch has `input` and
    `target`, both uint8 (batch_size, 3, crop_size, crop_size), cut and turned alike; the discriminator's also has
    `shown_target`, bool (batch_size,): a coin per patch.

    Args:
        split: pairs to cut from.
        batch_size: crops a batch.
        crop_size: their side in pixels.
        augment: flip and turn by right angles at random.
        seed: of everything random here.
        first_step: the step that the first item is for, counted from 0.
        discriminator: whether an item has a second batch.
        around: put around the drawing of each item.

    Raises:
        DataError: the crop is larger than the patches.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        crop_size: int,
        augment: bool,
        seed: int,
        first_step: int = 0,
        discriminator: bool = False,
        around: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        super().__init__()
        height, width = split.input.shape[1:3]
        if crop_size > min(height, width):
            raise DataError(f"trainer.crop_size: expected at most {min(height, width)}, the patches', got {crop_size}")
        self.split = split
        self.batch_size = batch_size
        self.crop_size = crop_size
        self.augment = augment
        self.seed = seed
        self.first_step = first_step
        self.discriminator = discriminator
        self.around = around

    def __iter__(self) -> Iterator[dict[str, Batch]]:
        """From `first_step` on, without end."""
        step = self.first_step
        while True:
            with self.around():
                item = self.at(step)
            yield item
            step += 1

    def at(self, step: int) -> dict[str, Batch]:
        """The item for one step."""
        item = {"generator": self._draw(np.random.default_rng([self.seed, GENERATOR, step]))}
        if self.discriminator:
            rng = np.random.default_rng([self.seed, DISCRIMINATOR, step])
            item["discriminator"] = self._draw(rng)
            item["discriminator"]["shown_target"] = torch.from_numpy(rng.random(self.batch_size) < 0.5)
        return item

    def _draw(self, rng: np.random.Generator) -> Batch:
        height, width = self.split.input.shape[1:3]
        rows = rng.integers(len(self.split), size=self.batch_size)
        tops = rng.integers(height - self.crop_size + 1, size=self.batch_size)
        lefts = rng.integers(width - self.crop_size + 1, size=self.batch_size)
        turns = rng.integers(8, size=self.batch_size) if self.augment else np.zeros(self.batch_size, dtype=int)
        crops = [
            np.stack([_turn(pixels[row, top : top + self.crop_size, left : left + self.crop_size], turn)
                      for row, top, left, turn in zip(rows, tops, lefts, turns, strict=True)])
            for pixels in (self.split.input, self.split.target)
        ]  # fmt: skip
        # (N, H, W, 3) in memory is what channels-last means, so no value moves here.
        input, target = (torch.from_numpy(crop).permute(0, 3, 1, 2) for crop in crops)
        return {"input": input, "target": target}


def _turn(pixels: Pixels, turn: int) -> Pixels:
    """One of the eight symmetries of the square: `turn // 4` flips, `turn % 4` right angles."""
    turned = np.rot90(pixels, turn % 4)
    return turned[:, ::-1] if turn >= 4 else turned


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 to float32 in [0, 1], in the same layout."""
    return pixels.float() / 255
