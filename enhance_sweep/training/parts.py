"""The parts of a training step, so that `enhance_sweep.profile` can tell where its time goes."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

DATA, FORWARD, BACKWARD = "data", "generator forward", "generator backward"
DISCRIMINATOR, OPTIMIZER = "discriminator step", "optimizer"

#: Wraps a part of a step: `with watch(FORWARD): ...`. The terms of the loss are parts under their own names.
Watch = Callable[[str], AbstractContextManager[object]]


def unwatched(part: str) -> AbstractContextManager[object]:
    """What a training that nobody profiles has around its parts: nothing."""
    return nullcontext()
