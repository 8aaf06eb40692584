"""torch.compile: operations fused and compiled for this size by a C++ compiler."""

import shutil
import time

import torch
from torch import Tensor, nn

from enhance_sweep.timing.runtimes import Prepared
from enhance_sweep.timing.runtimes.eager import place


class Compiled:
    """torch.compile with its default backend, inductor, and default settings.

    Each process compiles again, without caches, so `compile_ms` always means the same.
    """

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        """See `Runtime.prepare`.

        Raises:
            FileNotFoundError: there is no C++ compiler.
        """
        if not (shutil.which("g++") or shutil.which("clang++")):
            raise FileNotFoundError("torch.compile needs a C++ compiler: install g++ (Debian: apt-get install g++)")
        import torch._inductor.config as inductor

        inductor.compile_threads = 1
        inductor.force_disable_caches = True
        start = time.perf_counter()
        network, input = place(generator, photograph, precision, layout)
        compiled = torch.compile(network)

        def run() -> Tensor:
            with torch.inference_mode():
                return compiled(input)  # type: ignore[no-any-return]

        run()
        compile_ms = (time.perf_counter() - start) * 1e3
        return Prepared(run, lambda result: result.float().contiguous(), {"compile_ms": compile_ms})
