"""What every data set gives: aligned patches, memory-mapped, with a fingerprint of their content."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class DataError(ValueError):
    """Photographs or their cache cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True)
class Split:
    """The train or the test half of a data set.

    Attributes:
        input: What the phone took, uint8 RGB of shape (N, H, W, 3), memory-mapped read-only.
        target: What the network should make of it, in the same shape; ``target[i]`` belongs to ``input[i]``.
        names: N names, one for each pair.

    Raises:
        DataError: images or names are not so; says what they are.
    """

    input: Pixels
    target: Pixels
    names: list[str]

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

    def __len__(self) -> int:
        """Return the number of pairs, N."""
        return len(self.names)


@dataclass(frozen=True)
class Pairs:
    """A data set, ready to read.

    Attributes:
        dataset: Its name in records, such as ``photos`` or ``dped-iphone``.
        fingerprint: A hash of names and decoded pixels; moving a folder or packing it again does not change it.
        train: Pairs to learn from.
        test: Pairs to score on; no pixel of them is in ``train``.
        description: Scenes, counts and whatever else a record should say about the data. JSON-serialisable.
    """

    dataset: str
    fingerprint: str
    train: Split
    test: Split
    description: dict[str, Any] = field(default_factory=dict)
