"""Several data sets at once, with a share of the training crops for each."""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from enhance_sweep.data.joined import Joined
from enhance_sweep.data.packing import find_packed
from enhance_sweep.data.pairs import DataError, Pairs, Part, Split, fingerprint_as_packed


class DataSet(Protocol):
    """What a part of a mix is: any other data set."""

    def load(self, cache_dir: Path) -> Pairs:
        """Return all pairs."""


class Mix:
    """Other data sets as one.

    Each training crop is drawn from a part with its share as the probability, however many pairs the part has. The
    validation pairs are those of all parts, and so are the test pairs; a pair's name is `part/name`.
    """

    def __init__(self, parts: dict[str, Any], shares: dict[str, float]) -> None:
        """Store the parts; nothing is read before :meth:`load`.

        Args:
            parts: Data sets by the names that records and reports call them.
            shares: Of the training crops, by the same names; they need not sum to 1. A part with a share of 0 is never
                learned from, yet validated and tested on.

        Raises:
            DataError: There are fewer than two parts; a part has no share or a share no part; a name or a share is out
                of range; a part is no data set, or a mix itself.
        """
        if len(parts) < 2:
            raise DataError(
                f"data.parts has {' and '.join(parts) or 'no data set'}, a mix has two or more: add one, such as "
                "+data@data.parts.city=pairs data.parts.city.root=FOLDER +data.shares.city=0.25"
            )
        if unequal := sorted(set(parts) ^ set(shares)):
            name = unequal[0]
            raise DataError(
                f"data.parts has {', '.join(sorted(parts))}, data.shares has {', '.join(sorted(shares))}: "
                + (
                    f"give +data.shares.{name}=SHARE"
                    if name in parts
                    else f"add the part {name}, or ~data.shares.{name}"
                )
            )
        for name, share in shares.items():
            if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name):
                raise DataError(f"data.parts.{name}: choose a name of small letters, digits and underscores")
            if not isinstance(share, int | float) or not 0 <= share < math.inf:
                raise DataError(f"data.shares.{name} is {share}: choose a number, 0 or more")
        if not any(shares.values()):
            raise DataError("data.shares are all 0: give a part to learn from more than 0")
        for name, part in parts.items():
            if isinstance(part, Mix):  # its own shares would decide nothing
                raise DataError(f"data.parts.{name} is a mix itself: name its parts beside the others")
            if not hasattr(part, "load"):
                raise DataError(f"data.parts.{name} is {part!r}: take a data set, +data@data.parts.{name}=KIND")
        self.parts = parts
        self.shares = shares

    def load(self, cache_dir: Path) -> Pairs:
        """Return all pairs of all parts, each packed into an entry of its own.

        Args:
            cache_dir: The cache's folder, see :func:`enhance_sweep.data.packing.default_cache_dir`.

        Raises:
            DataError: A part cannot be loaded, or its patches have another size than the others'.
        """
        loaded = {}
        for name in sorted(self.parts):
            try:
                loaded[name] = self.parts[name].load(cache_dir)
            except DataError as error:
                raise DataError(f"data.parts.{name}: {error} (in a mix, data is data.parts.{name} here)") from error
        return joined(loaded, self.shares)


def joined(parts: Mapping[str, Pairs], shares: Mapping[str, float]) -> Pairs:
    """Several data sets as one; nothing is copied.

    Args:
        parts: By name.
        shares: By the same names; not all 0.

    Raises:
        DataError: Their patches have several sizes, or two of them are the same pairs.
    """
    _refuse_sizes(parts)
    _refuse_repeats(parts)
    whole = sum(shares.values())
    parts = {name: parts[name] for name in sorted(parts)}
    # 0.3 to 0.1 and 3 to 1 are the same shares: without rounding their last digit would make another key.
    normed = {name: round(shares[name] / whole, 12) for name in parts}
    # Shares are no part of it: they decide what is drawn, and `learned_from` holds them.
    told = [[name, pairs.dataset, pairs.fingerprint] for name, pairs in parts.items()]
    splits = {"train": {name: pairs.train for name, pairs in parts.items()}}
    splits["validation"] = {name: pairs.validation for name, pairs in parts.items() if pairs.validation is not None}
    splits["test"] = {name: pairs.test for name, pairs in parts.items()}
    sizes = {name: {f"{split}_pairs": len(of[name]) for split, of in splits.items() if name in of} for name in parts}
    return Pairs(
        dataset=f"mix-{'-'.join(parts)}",
        fingerprint=hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest(),
        train=_joined(splits["train"], normed),
        test=_joined(splits["test"], normed),
        validation=_joined(splits["validation"], normed) if splits["validation"] else None,
        description={
            "source": "several data sets",
            **{f"{split}_pairs": sum(map(len, of.values())) for split, of in splits.items()},
            "parts": {
                name: {
                    "dataset": pairs.dataset,
                    "fingerprint": pairs.fingerprint,
                    "share": normed[name],
                    **sizes[name],
                    **pairs.description,
                }
                for name, pairs in parts.items()
            },
        },
    )


def find_mixed(cache_dir: Path, description: Mapping[str, Any]) -> Pairs | None:
    """Return a mix whose parts were packed before; None if one of them is not, or no longer, in the cache.

    Args:
        cache_dir: The cache's folder.
        description: The mix's own, as records hold it.
    """
    found = {
        name: find_packed(cache_dir, part["dataset"], part["fingerprint"])
        for name, part in description["parts"].items()
    }
    parts = {name: pairs for name, pairs in found.items() if pairs is not None}
    shares = {name: float(part["share"]) for name, part in description["parts"].items()}
    return joined(parts, shares) if len(parts) == len(found) else None


def _joined(splits: Mapping[str, Split], shares: Mapping[str, float]) -> Split:
    return Split(
        Joined([array for split in splits.values() for array in _arrays(split.input)]),
        Joined([array for split in splits.values() for array in _arrays(split.target)]),
        [f"{name}/{pair}" for name, split in splits.items() for pair in split.names],
        tuple(Part(name, len(split), shares[name]) for name, split in splits.items()),
    )


def _arrays(images: Any) -> tuple[Any, ...]:
    return images.arrays if isinstance(images, Joined) else (images,)


def _refuse_repeats(parts: Mapping[str, Pairs]) -> None:
    """Raise a `DataError` that names two parts with the same pairs."""
    seen: dict[str, str] = {}
    for name, pairs in parts.items():
        other = seen.setdefault(fingerprint_as_packed(pairs.fingerprint), name)
        if other != name:
            raise DataError(
                f"data.parts.{other} and data.parts.{name} are the same pairs, and each would be tested on twice: take "
                f"one out (~data.parts.{name} ~data.shares.{name}), and give the other both shares"
            )


def _refuse_sizes(parts: Mapping[str, Pairs]) -> None:
    """Raise a `DataError` that names the parts whose patches are not of the usual size."""
    sizes = {
        name: {split.input.shape[1:3] for split in (pairs.train, pairs.validation, pairs.test) if split is not None}
        for name, pairs in parts.items()
    }
    (usual, _), *others = Counter(size for of in sizes.values() for size in of).most_common()
    if others:
        said = ", ".join(
            f"data.parts.{name} has patches of {' and '.join(f'{width}x{height}' for height, width in sorted(of))}"
            for name, of in sizes.items()
        )
        odd = [name for name, of in sizes.items() if of != {usual}]
        raise DataError(
            f"{said}: all parts of a mix must have patches of one size: set "
            + " ".join(f"data.parts.{name}.patch_size={usual[0]}" for name in odd)
            + ", or that of the others where a part's patches come cut, as DPED's do"
        )
