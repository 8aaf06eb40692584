"""What an export is calibrated and checked on: the run's own data where it is found, else the included photographs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from enhance_sweep.config import build, compose_settings
from enhance_sweep.data.batches import to_unit
from enhance_sweep.data.mix import find_mixed
from enhance_sweep.data.packing import default_cache_dir, find_packed
from enhance_sweep.data.pairs import Pairs, Part, Pixels, Split
from enhance_sweep.data.showcase import shots
from enhance_sweep.export.formats import ExportError, Sides
from enhance_sweep.records.schema import TrainedRecord

#: Training patches that int8 is calibrated on: more change its scores by less than a thousandth.
_CALIBRATION_PATCHES = 64


@dataclass(frozen=True)
class Photograph:
    """A photograph and what the good camera made of it, both fp32 (1, 3, H, W) in [0, 1]."""

    name: str
    input: Tensor
    target: Tensor


def pairs_of(trained: TrainedRecord, overrides: Sequence[str]) -> Pairs | None:
    """The run's training data: from the cache, or from where `overrides` say (`data=dped data.root=...`).

    None if it is in neither.

    Raises:
        ExportError: the overrides name other data.
        DataError, ConfigError: it cannot be read.
    """
    learned_from = trained.learned_from
    fingerprint = learned_from.data_fingerprint
    if not overrides:
        if "parts" in (trained.data or {}):
            return find_mixed(default_cache_dir(), trained.data or {})
        return find_packed(default_cache_dir(), learned_from.dataset, fingerprint)
    pairs: Pairs = build(compose_settings(overrides).data_set, "data").load(default_cache_dir())
    if pairs.fingerprint != fingerprint:
        raise ExportError(
            f"{' '.join(overrides)}: expected the data that the run learned from, {learned_from.dataset} "
            f"{fingerprint}, got {pairs.dataset} {pairs.fingerprint}"
        )
    return pairs


def calibration_patches(pairs: Pairs | None, allowed: Sides) -> list[Tensor]:
    """Training inputs, evenly spaced over the data, or over each data set of a mix by its share; always the same.

    They are cropped to the sides that a file takes.

    Raises:
        ExportError: there are no pairs.
    """
    if pairs is None:
        raise ExportError(
            "int8 is calibrated on training patches, and those of this run are not in the cache "
            f"({default_cache_dir()}): name them, such as data=dped data.root=FOLDER"
        )
    train = pairs.train
    height, width = (allowed.within(side) for side in train.input.shape[1:3])
    return [
        _unit(train.input[place][:height, :width])
        for first, part in _parts(train)
        for place in _spread(first, part.pairs, round(_CALIBRATION_PATCHES * part.share))
    ]


def _parts(split: Split) -> list[tuple[int, Part]]:
    """The data sets that a split is joined from, each with the number of its first pair."""
    parts = split.parts or (Part("", len(split), 1.0),)
    firsts = np.cumsum([0, *(part.pairs for part in parts)])
    return list(zip(firsts.tolist(), parts, strict=False))


def _spread(first: int, pairs: int, count: int) -> list[int]:
    """At most `count` of so many numbers, evenly spaced."""
    places = np.linspace(first, first + pairs - 1, min(count, pairs)).round()
    return [int(place) for place in places]


def whole_photographs() -> list[Photograph]:
    """The included photographs, in their own sizes, with a simulated phone's shots of them as inputs."""
    return [Photograph(shot.photograph.name, _unit(shot.input), _unit(shot.target)) for shot in shots()]


def test_photographs(pairs: Pairs | None) -> tuple[str, bool, list[Photograph]]:
    """The photographs to score, described in words first, and whether they are the run's test pairs."""
    if pairs is None:
        return "included photographs, taken by a simulated phone", False, whole_photographs()
    test = pairs.test
    found = [Photograph(test.names[i], _unit(test.input[i]), _unit(test.target[i])) for i in range(len(test))]
    return f"the test pairs of {pairs.dataset}", True, found


def cropped(photograph: Photograph, allowed: Sides) -> Photograph:
    """Crop a photograph, at the top left, to the largest sides that a file takes.

    Raises:
        ExportError: it is smaller than the smallest of them.
    """
    height, width = (allowed.within(side) for side in photograph.input.shape[2:])
    input, target = (one[:, :, :height, :width].contiguous() for one in (photograph.input, photograph.target))
    return Photograph(photograph.name, input, target)


def _unit(pixels: Pixels) -> Tensor:
    """uint8 (H, W, 3) to fp32 (1, 3, H, W) in [0, 1]."""
    return to_unit(torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]).contiguous()
