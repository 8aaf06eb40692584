"""Runtimes that can run a network: one file and one `conf/runtime/*.yaml` each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Prepared:
    """A network that is ready to be timed on one photograph.

    Attributes:
        run: the call that is timed: from the photograph, in the form the runtime wants it, to its own form of result.
        to_tensor: a result as fp32 (1, 3, H, W), outside the clock.
        preparing_ms: what was needed once before, by name (`export_ms`, `compile_ms`).
    """

    run: Callable[[], Any]
    to_tensor: Callable[[Any], Tensor]
    preparing_ms: Mapping[str, float] = field(default_factory=dict)


class Runtime(Protocol):
    """What a runtime does. Its arguments, if it has any, are its constructor's, and stand in its YAML."""

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        """Make `generator` ready for `photograph`.

        Args:
            generator: in evaluation mode, fp32, its own to keep and to change.
            photograph: fp32 (1, 3, H, W) in [0, 1].
            precision: fp32 or bf16.
            layout: channels_last or channels_first.
            threads: how many may be used.

        Raises:
            ValueError: the runtime has no such precision or layout; says which it has.
        """
        ...
