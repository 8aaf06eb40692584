"""The parts of a training step, which `enhance_sweep.profile` measures one by one."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

DATA, FORWARD, BACKWARD = "data", "generator forward", "generator backward"
DISCRIMINATOR, OPTIMIZER = "discriminator step", "optimizer"

#: Wraps a part of a step: `with watch(FORWARD): ...`. Each term of the loss is a part under its own name.
Watch = Callable[[str], AbstractContextManager[object]]


def unwatched(part: str) -> AbstractContextManager[object]:
    """A watch that does nothing."""
    return nullcontext()
