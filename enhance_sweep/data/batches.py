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
#: Likewise the crops of photographs without partners, which the generator alone sees.
_UNLABELLED = 4

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

    Where the pairs have taught targets, the generator's batch has `taught` beside `target`. Of its crops the last
    `unlabelled_crops` are then of photographs without partners: `input` and `taught` have all crops, `target` and
    `shown_target` only the first ones.

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
        unlabelled: patches without partners, whose targets are a teacher's; the split has taught targets, too.
        unlabelled_crops: how many crops of the generator's batch come from them; fewer than all.

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
        unlabelled: Split | None = None,
        unlabelled_crops: int = 0,
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
        self.unlabelled = unlabelled
        self.unlabelled_crops = unlabelled_crops if unlabelled is not None else 0
        splits = [one for one in (split, unlabelled) if one is not None]
        is_resident = device is not None and crops.Resident.fits(device, *splits)
        # On a GPU that holds them all, by their place among the splits: pairs, patches without partners.
        self.resident = [crops.Resident(one, device) for one in splits] if device is not None and is_resident else []
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
        item = {player: self._batch(player, there) for player, there in places.items()}
        if self.colors:
            for player, batch in zip((GENERATOR, DISCRIMINATOR), item.values(), strict=False):
                rng = np.random.default_rng([self.seed, _COLORS + player, step])
                batch["colors"] = torch.from_numpy(self.colors.draw(rng, self.batch_size))
        if self.discriminator:
            batch = item["generator" if self.simultaneous else "discriminator"]
            batch["shown_target"] = torch.from_numpy(shown_target[: len(batch["target"])])
        return item

    def _read(self) -> Iterator[dict[str, Batch]]:
        """Items, whose crops the system is asked to read some steps before."""
        readers = [ReadAhead(split) for split in (self.split, self.unlabelled) if split is not None]
        try:
            for step in itertools.count(self.first_step):
                last = step + _READ_AHEAD
                for later in range(step, last + 1) if step == self.first_step else (last,):
                    for places in self._places(later)[0].values():
                        for read_ahead, there in zip(readers, places, strict=False):
                            read_ahead(there)
                yield self.at(step)
        finally:
            for reader in readers:
                reader.close()

    def _places(self, step: int) -> tuple[dict[str, list[crops.Crops]], NDArray[np.bool_]]:
        """Where each player's crops of a step are, and which targets the discriminator sees.

        The first crops are of pairs; the generator's may have more, of patches without partners.
        """
        rng = np.random.default_rng([self.seed, DISCRIMINATOR, step])
        labelled = self.batch_size - self.unlabelled_crops
        places = {
            "generator": [self._draw(np.random.default_rng([self.seed, GENERATOR, step]), self.split, labelled)],
        }
        if self.unlabelled is not None and self.unlabelled_crops:
            own = np.random.default_rng([self.seed, _UNLABELLED, step])
            places["generator"].append(self._draw(own, self.unlabelled, self.unlabelled_crops))
        if self.discriminator and not self.simultaneous:
            places["discriminator"] = [self._draw(rng, self.split, self.batch_size)]
        return places, rng.random(self.batch_size) < 0.5

    def _draw(self, rng: np.random.Generator, split: Split, count: int) -> crops.Crops:
        return crops.draw(rng, split, count, self.crop_size, self.augment)

    def _batch(self, player: str, places: list[crops.Crops]) -> Batch:
        input, target, *taught = self._cut(0, places[0])
        batch = {"input": input, "target": target}
        numbers = [places[0].rows * crops.TURNS + places[0].turns]
        if taught and player == "generator":
            batch["taught"] = taught[0]
            if len(places) > 1:
                more, its_target = self._cut(1, places[1])
                batch |= {"input": torch.cat([input, more]), "taught": torch.cat([taught[0], its_target])}
                numbers.append((places[1].rows + len(self.split)) * crops.TURNS + places[1].turns)
        if self.numbered:
            batch["patches"] = torch.from_numpy(np.concatenate(numbers))
        return batch

    def _cut(self, which: int, places: crops.Crops) -> tuple[Tensor, ...]:
        if self.resident:
            return self.resident[which].cut(places)
        split = self.unlabelled if which else self.split
        assert split is not None
        return crops.cut(split, places)


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 to float32 in [0, 1], in the same layout."""
    return pixels.float() / 255
