"""Plain torch: one operation after the other."""

import torch
from torch import Tensor, nn

from enhance_sweep.timing.runtimes import Prepared


class Eager:
    """torch's eager mode. bf16 means weights and activations in bf16."""

    form = "eager"

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        """See `Runtime.prepare`."""
        network, input = place(generator, photograph, precision, layout)

        def run() -> Tensor:
            with torch.inference_mode():
                return network(input)  # type: ignore[no-any-return]

        return Prepared(run, lambda result: result.float().contiguous())


def place(network: nn.Module, photograph: Tensor, precision: str, layout: str) -> tuple[nn.Module, Tensor]:
    """A network and its photograph in torch's dtype and memory format for `precision` and `layout`."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    memory_format = {"channels_last": torch.channels_last, "channels_first": torch.contiguous_format}[layout]
    # `to` accepts a memory format alone, but its type overloads do not.
    network = network.to(dtype).to(memory_format=memory_format)  # type: ignore[call-overload]
    return network, photograph.to(dtype).contiguous(memory_format=memory_format)
