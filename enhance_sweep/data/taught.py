"""What a teacher makes of training patches: second targets, computed once and kept in the cache.

No validation and no test pair comes near a teacher: it is shown the inputs of `Pairs.train` and photographs without
partners, nothing else.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from enhance_sweep.data.kept import kept_array
from enhance_sweep.data.pairs import Pairs, Pixels, Split
from enhance_sweep.data.unlabelled import Unlabelled

#: uint8 (N, H, W, 3) to the same: what a teacher makes of patches.
Teach = Callable[[Pixels], Pixels]


@dataclass(frozen=True)
class Lessons:
    """What a network learns from a teacher.

    Attributes:
        train: the training pairs, with taught targets.
        weight: of the taught targets' loss.
        unlabelled: patches of photographs without partners, whose targets are the teacher's; None without any.
        unlabelled_crops: how many crops of a batch come from those.
    """

    train: Split
    weight: float
    unlabelled: Split | None = None
    unlabelled_crops: int = 0


@dataclass(frozen=True)
class TaughtFiles:
    """Where the cache keeps what one teacher makes of one data set, and of photographs without partners.

    Args:
        cache_dir: the cache's folder.
        teacher: the fingerprint of the teacher's weights.
        code: the digest of the code that computes it.
    """

    cache_dir: Path
    teacher: str
    code: str

    def of(self, fingerprint: str) -> Path:
        """The file for patches with this fingerprint."""
        told = json.dumps([fingerprint, self.teacher, self.code])
        return self.cache_dir.expanduser() / "taught" / f"{blake2b(told.encode(), digest_size=12).hexdigest()}.npy"


def lessons_of(
    pairs: Pairs,
    unlabelled: Unlabelled | None,
    files: TaughtFiles,
    teach: Teach,
    weight: float,
    unlabelled_crops: int,
    name: str,
) -> Lessons:
    """The lessons of a teacher: from the cache, or computed now, with a progress bar on stderr.

    An interrupted computation goes on where it was; of several processes one computes and the others wait.

    Raises:
        DataError: the cache cannot be written.
    """
    shown = pairs.train.input
    taught = kept_array(
        files.of(pairs.fingerprint),
        shown.shape,
        lambda first, last: teach(shown[first:last]),
        f"{name} teaches on training patches",
    )
    lessons = Lessons(replace(pairs.train, taught=taught), weight)
    if unlabelled is None:
        return lessons
    judged = kept_array(
        files.of(unlabelled.fingerprint),
        unlabelled.patches.shape,
        lambda first, last: teach(unlabelled.patches[first:last]),
        f"{name} teaches on photographs without partners",
    )
    return replace(
        lessons,
        unlabelled=Split(unlabelled.patches, judged, unlabelled.names),
        unlabelled_crops=unlabelled_crops,
    )
