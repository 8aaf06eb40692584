"""A network on whole photographs, in any of the timing's runtimes, and how much memory that takes."""

import copy
import weakref
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from enhance_sweep.config import CONF_DIR, build
from enhance_sweep.system.environment import current_allocator, usable_cores
from enhance_sweep.timing.runtimes import Prepared, Runtime, lowered_for

#: Rows that are converted at once on the way in and out.
_ROWS = 64
_LAYOUT = "channels_first"
#: Channels that oneDNN computes at once: in its own layout, features have a multiple of them.
_CHANNELS_AT_ONCE = 16
#: Beside what lives at once: gaps in the heap, which the tuned allocator never returns (measured:
#: docs/decisions/enhance-photographs.md).
_GAPS = {"tuned": 1.35}
_OTHER_GAPS = 1.05
#: Of an image, which oneDNN reads as it lies.
_FEW_CHANNELS = 3


class WholeImages:
    """A network in one of the timing's runtimes, prepared once for each size of photograph.

    Args:
        generator: (1, 3, H, W) in [0, 1] to the same; not changed.
        runtime: its name in `conf/runtime`.
        precision: fp32 or bf16.
        dtype: of the photograph.
        lowered: run it in the form that suits the runtime.

    Attributes:
        generator: the network in the form that runs.
    """

    def __init__(self, generator: nn.Module, runtime: str, precision: str, dtype: torch.dtype, lowered: bool) -> None:
        self._precision, self._dtype = precision, dtype
        described = OmegaConf.to_container(OmegaConf.load(CONF_DIR / "runtime" / f"{runtime}.yaml"))
        self._runtime: Runtime = build(described, "runtime")
        self.generator = lowered_for(self._runtime, generator, _LAYOUT) if lowered else generator
        self._input = torch.empty(0)
        self._prepared: Prepared | None = None
        self._on_meta: nn.Module | None = None
        self._known: dict[tuple[int, int], int] = {}
        self._lock = Lock()

    def bytes_needed(self, height: int, width: int) -> int:
        """About how much memory a photograph's features take at once."""
        with self._lock:
            if (height, width) not in self._known:
                if self._on_meta is None:
                    self._on_meta = copy.deepcopy(self.generator).to("meta", self._dtype)
                living = peak_bytes(self._on_meta, height, width, self._dtype)
                self._known[height, width] = int(living * _GAPS.get(current_allocator(), _OTHER_GAPS))
            return self._known[height, width]

    def __call__(
        self,
        read: Callable[[int, int], Tensor],
        write: Callable[[int, Tensor], None],
        height: int,
        width: int,
    ) -> None:
        """Enhance one photograph; `read` and `write` as in `ByStrips`."""
        with self._lock:
            if self._prepared is None or self._input.shape != (1, 3, height, width):
                # Runtimes read the tensor that they were prepared with, so each photograph is copied into it.
                self._prepared = None
                self._input = torch.zeros(1, 3, height, width, dtype=self._dtype)
                self._prepared = self._runtime.prepare(
                    copy.deepcopy(self.generator), self._input, self._precision, _LAYOUT, usable_cores()
                )
            for first in range(0, height, _ROWS):
                last = min(first + _ROWS, height)
                self._input[0, :, first:last] = read(first, last).permute(2, 0, 1)
            result = self._prepared.to_tensor(self._prepared.run())[0].permute(1, 2, 0)
            for first in range(0, height, _ROWS):
                write(first, result[first : first + _ROWS])


@torch.no_grad()  # inference mode would hide the operations that others are made of
def peak_bytes(on_meta: nn.Module, height: int, width: int, dtype: torch.dtype) -> int:
    """The bytes that live at once, at most, while a network computes a photograph in torch's eager mode.

    Args:
        on_meta: the network, on the meta device: nothing is computed.
        height: of the photograph.
        width: of the photograph.
        dtype: of photograph and features.
    """
    photograph = torch.empty(1, 3, height, width, dtype=dtype, device="meta")
    with _Living() as living:
        living.born(photograph)
        on_meta(photograph)
    most: int = living.most
    return most


class _Living(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the memory of all tensors that are alive, and what an operation needs beside its result."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = 0
        self._now = 0
        self._seen: set[int] = set()

    def born(self, tensor: Tensor) -> None:
        """Count a tensor's memory until nothing refers to it."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return  # a view
        self._seen.add(key)
        self._now += size
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._died, key, size)

    def _died(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self._now -= size

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        before = self._now
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self.born(tensor)
        if func is torch.ops.aten.convolution.default:
            # In oneDNN's own layout: input and output, then the output twice, as it is handed over.
            images, computed = args[0], _blocked(result)
            read = 0 if images.shape[1] <= _FEW_CHANNELS else _blocked(images)
            self.most = max(self.most, before + read + computed, self._now + computed)
        return result


def _blocked(images: Tensor) -> int:
    count, channels, height, width = images.shape
    return count * -(-channels // _CHANNELS_AT_ONCE) * _CHANNELS_AT_ONCE * height * width * images.itemsize
