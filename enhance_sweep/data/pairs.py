"""What every data set gives: aligned patches, memory-mapped, with a fingerprint of their content."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_sweep.data.joined import Joined

Pixels = NDArray[np.uint8]


class DataError(ValueError):
    """Photographs or their cache cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True)
class Part:
    """One of the data sets that a split is joined from.

    Attributes:
        name: Its name within the mix.
        pairs: How many pairs of the split are its.
        share: The probability that a training crop is drawn from it; all of a mix sum to 1.
    """

    name: str
    pairs: int
    share: float


@dataclass(frozen=True)
class Split:
    """One part of a data set: what networks learn from, are chosen by, or are scored on.

    Attributes:
        input: What the phone took, uint8 RGB of shape (N, H, W, 3), memory-mapped read-only, or several such arrays.
        target: What the network should make of it, in the same shape; ``target[i]`` belongs to ``input[i]``.
        names: N names, one for each pair.
        parts: The data sets that it is joined from, in the order of their pairs; none where it is one data set.
        taught: What a teacher made of the inputs, in their shape; None where there is no teacher.

    Raises:
        DataError: images or names are not so; says what they are.
    """

    input: Pixels | Joined
    target: Pixels | Joined
    names: list[str]
    parts: tuple[Part, ...] = ()
    taught: Pixels | Joined | None = None

    def __post_init__(self) -> None:
        """Check what a data set's class gives."""
        shapes = self.input.shape, self.target.shape
        if shapes[0] != shapes[1] or shapes[0][:1] != (len(self.names),) or shapes[0][3:] != (3,):
            raise DataError(
                f"pairs: expected input and target in one shape (N, H, W, 3), and N names, got input {shapes[0]}, "
                f"target {shapes[1]} and {len(self.names)} names"
            )
        if self.input.dtype != np.uint8 or self.target.dtype != np.uint8:
            raise DataError(f"pairs: expected uint8, got input {self.input.dtype}, target {self.target.dtype}")
        if self.parts and sum(part.pairs for part in self.parts) != len(self.names):
            raise DataError(f"pairs: expected parts of {len(self.names)} pairs in all, got {self.parts}")
        if self.taught is not None and self.taught.shape != self.input.shape:
            raise DataError(
                f"pairs: expected taught targets {self.input.shape}, as the inputs, got {self.taught.shape}"
            )

    def __len__(self) -> int:
        """Return the number of pairs, N."""
        return len(self.names)

    @property
    def images(self) -> tuple[Pixels | Joined, ...]:
        """All that is cut and turned alike: input, target and, where there is a teacher, what it made of the input."""
        return (self.input, self.target) if self.taught is None else (self.input, self.target, self.taught)


@dataclass(frozen=True)
class Pairs:
    """A data set, ready to read.

    Attributes:
        dataset: Its name in records, such as ``photos`` or ``dped-iphone``.
        fingerprint: A hash of names and decoded pixels; moving a folder or packing it again does not change it.
        train: Pairs to learn from.
        test: Pairs for final scores alone; no pixel of them is in ``train``.
        description: Scenes, counts and whatever else a record should say about the data. JSON-serialisable.
        validation: Pairs for curves and every choice made while training; None where there are none.
    """

    dataset: str
    fingerprint: str
    train: Split
    test: Split
    description: dict[str, Any] = field(default_factory=dict)
    validation: Split | None = None

    @property
    def shares(self) -> dict[str, float] | None:
        """The share of the training crops that each part gives; None for one data set."""
        return {part.name: part.share for part in self.train.parts} or None

    def validated_by_last(self, share: float, most: int) -> "Pairs":
        """Set the last pairs of ``train`` apart for validation; nothing is copied.

        Args:
            share: How much of ``train``, 0 (no validation) to below 1.
            most: The most pairs to set apart: a curve is scored on all of them, again and again.

        Raises:
            DataError: The share is out of its range, or leaves nothing to learn from or to validate on.
        """
        if not 0 <= share < 1:
            raise DataError(f"data.validation is {share}: choose a share of the training pairs, 0 to below 1")
        if share == 0:
            return self
        count = min(round(len(self.train) * share), most)
        first = len(self.train) - count
        if count < 1 or first < 1:
            raise DataError(
                f"data.validation={share} of {len(self.train)} training pairs leaves {first} to learn from and "
                f"{count} to validate on: choose another share, or 0 to do without"
            )
        train, validation = (
            Split(self.train.input[rows], self.train.target[rows], self.train.names[rows])
            for rows in (slice(first), slice(first, None))
        )
        description = {**self.description, "train_pairs": first, "validation_pairs": count}
        return replace(
            self,
            fingerprint=f"{self.fingerprint}{_SET_APART}{count}",
            train=train,
            validation=validation,
            description=description,
        )


#: Between the fingerprint of packed pairs and the number of those that are set apart for validation.
_SET_APART = "-v"


def set_apart(fingerprint: str) -> int:
    """How many of the packed training pairs were set apart for validation."""
    return int(fingerprint.partition(_SET_APART)[2] or 0)


def fingerprint_as_packed(fingerprint: str) -> str:
    """The fingerprint of the pairs before some were set apart for validation."""
    return fingerprint.partition(_SET_APART)[0]
