"""Small networks and runtimes that worker processes of the tests import by name."""

import os
import signal
import sys

import torch
from torch import Tensor, nn

from enhance_sweep.timing.runtimes import Prepared


class Tiny(nn.Module):
    def __init__(self, channels: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, padding=1)
        self.output = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        return self.output(torch.relu(self.conv(input)))


class Chatty(Tiny):
    def forward(self, input: Tensor) -> Tensor:
        print("not JSON, on stdout")
        os.write(1, b"nor this, behind Python's back\n")
        sys.stdout.flush()
        return super().forward(input)


class Killed(Tiny):
    def forward(self, input: Tensor) -> Tensor:
        os.write(2, b"a last word\n")
        os.kill(os.getpid(), signal.SIGKILL)
        return input


class Raising(Tiny):
    def forward(self, input: Tensor) -> Tensor:
        raise RuntimeError("this network cannot run")


class Allocating:
    """A runtime whose call touches `mib` of fresh memory and lets it go again."""

    def __init__(self, mib: int) -> None:
        self.mib = mib

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        def run() -> Tensor:
            return torch.ones(self.mib * 2**20 // 4)

        return Prepared(run, lambda result: photograph)


class Wrong:
    """A runtime that is a little off everywhere."""

    def __init__(self, error: float) -> None:
        self.error = error

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        def run() -> Tensor:
            with torch.inference_mode():
                return generator(photograph) + self.error

        return Prepared(run, lambda result: result)
