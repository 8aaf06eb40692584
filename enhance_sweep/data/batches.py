"""Batches are a pure function of seed and step, so a resumed training gets the batches it would have had."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from enhance_sweep.data import crops
from enhance_sweep.data.colors import ColorChanges
from enhance_sweep.data.pairs import DataError, Split
from enhance_sweep.data.prefetch import prefetch
from enhance_sweep.data.readahead import ReadAhead

#: Generator and discriminator see separate random batches (DPED code), each from its own random stream.
GENERATOR, DISCRIMINATOR = 0, 1
#: Changes of color come from streams of their own, so that without them all else is drawn as before.
_COLORS = 2

#: Batches that a thread prepares in advance. One hides the work; two also hide a slow disk.
_PREFETCHED = 2

#: Steps whose crops the system is asked to read in advance.
_READ_AHEAD = 8

Batch = dict[str, Tensor]


class Batches(IterableDataset[dict[str, Batch]]):
    """Endless random crops of training pairs, one item for each training step.

    An item is `{"generator": batch}`, or `{"generator": batch, "discriminator": batch}`. A batch has `input` and
    `target`, both uint8 (batch_size, 3, crop_size, crop_size), cut and turned alike. The discriminator's also has
    `shown_target`, bool (batch_size,): a coin for each patch, whether the discriminator sees the target. With
    `simultaneous` the generator's batch serves the discriminator too, and has the coins. With changes of color, each
    batch has their `colors`, float32 (batch_size, 3, 3). Where crops are whole patches in their own color, so that
    targets recur, a batch on the CPU has `patches`, int64 (batch_size,): a number for each target as turned.

    Args:
        split: pairs to cut from.
        batch_size: crops in a batch.
        crop_size: their side in pixels.
        augment: flip and turn by right angles at random.
        seed: of all that is random here.
        colors: changes of color on both sides, made by whoever takes the batch (`enhance_sweep.data.colors`).
        first_step: the step that the first item is for, counted from 0.
        discriminator: whether there is one to train.
        simultaneous: whether it shares the generator's batch.
        device: where to cut. If all pairs fit into the memory of a GPU, they are copied there.
        around: a context around drawing each item, or around waiting for it where it is prefetched.

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
        colors: ColorChanges | None = None,
        first_step: int = 0,
        discriminator: bool = False,
        simultaneous: bool = False,
        device: torch.device | None = None,
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
        self.colors = colors or ColorChanges()
        self.first_step = first_step
        self.discriminator = discriminator
        self.simultaneous = simultaneous
        self.around = around
        is_resident = device is not None and crops.Resident.fits(split, device)
        self.resident = crops.Resident(split, device) if device is not None and is_resident else None
        # Not on an accelerator: reading the numbers would wait for it.
        recurring = (height, width) == (crop_size, crop_size) and not self.colors
        self.numbered = recurring and (device is None or device.type == "cpu")

    def __iter__(self) -> Iterator[dict[str, Batch]]:
        """Items from `first_step` on, without end."""
        items = map(self.at, itertools.count(self.first_step)) if self.resident else prefetch(self._read(), _PREFETCHED)
        while True:
            with self.around():
                item = next(items)
            yield item

    def at(self, step: int) -> dict[str, Batch]:
        """The item for one step."""
        places, shown_target = self._places(step)
        item = {player: self._cut(there) for player, there in places.items()}
        if self.colors:
            for player, batch in zip((GENERATOR, DISCRIMINATOR), item.values(), strict=False):
                rng = np.random.default_rng([self.seed, _COLORS + player, step])
                batch["colors"] = torch.from_numpy(self.colors.draw(rng, self.batch_size))
        if self.discriminator:
            item["generator" if self.simultaneous else "discriminator"]["shown_target"] = torch.from_numpy(shown_target)
        return item

    def _read(self) -> Iterator[dict[str, Batch]]:
        """Items, whose crops the system is asked to read some steps before."""
        read_ahead = ReadAhead(self.split)
        try:
            for step in itertools.count(self.first_step):
                last = step + _READ_AHEAD
                for later in range(step, last + 1) if step == self.first_step else (last,):
                    for places in self._places(later)[0].values():
                        read_ahead(places)
                yield self.at(step)
        finally:
            read_ahead.close()

    def _places(self, step: int) -> tuple[dict[str, crops.Crops], NDArray[np.bool_]]:
        """Where each player's crops of a step are, and which targets the discriminator sees."""
        rng = np.random.default_rng([self.seed, DISCRIMINATOR, step])
        places = {"generator": self._draw(np.random.default_rng([self.seed, GENERATOR, step]))}
        if self.discriminator and not self.simultaneous:
            places["discriminator"] = self._draw(rng)
        return places, rng.random(self.batch_size) < 0.5

    def _draw(self, rng: np.random.Generator) -> crops.Crops:
        return crops.draw(rng, self.split, self.batch_size, self.crop_size, self.augment)

    def _cut(self, places: crops.Crops) -> Batch:
        input, target = self.resident.cut(places) if self.resident else crops.cut(self.split, places)
        batch = {"input": input, "target": target}
        if self.numbered:
            batch["patches"] = torch.from_numpy(places.rows * crops.TURNS + places.turns)
        return batch


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 to float32 in [0, 1], in the same layout."""
    return pixels.float() / 255
