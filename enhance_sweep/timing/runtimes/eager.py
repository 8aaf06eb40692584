"""torch as it comes: one operation after the other."""

import torch
from torch import Tensor, nn

from enhance_sweep.timing.runtimes import Prepared


class Eager:
    """torch's eager mode. bf16 means weights and activations in bf16."""

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        """See `Runtime.prepare`."""
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
        memory_format = {"channels_last": torch.channels_last, "channels_first": torch.contiguous_format}[layout]
        # `to` takes a dtype and a memory format together; its overloads do not say so.
        network = generator.to(dtype).to(memory_format=memory_format)  # type: ignore[call-overload]
        input = photograph.to(dtype).contiguous(memory_format=memory_format)

        def run() -> Tensor:
            with torch.inference_mode():
                return network(input)  # type: ignore[no-any-return]

        return Prepared(run, lambda result: result.float().contiguous())
