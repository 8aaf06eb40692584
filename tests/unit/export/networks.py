"""Small untrained networks of each topology, their norms and PReLUs off their first values."""

from collections.abc import Callable

import torch
from torch import nn

from enhance_sweep.models import SRCNN, PlainGenerator, StridedGenerator


def _moved(network: nn.Module) -> nn.Module:
    """As training would: a norm that scales by one and a PReLU at its start hide mistakes."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.rand(parameter.shape, generator=generator) * 0.2)
            else:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return network.eval()


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: _moved(PlainGenerator(kernel_size=3, channels=4, blocks=1)),
    "even kernel": lambda: _moved(PlainGenerator(kernel_size=4, channels=4, blocks=1)),
    "prelu": lambda: _moved(PlainGenerator(kernel_size=3, channels=4, blocks=1, prelu=True)),
    "strided": lambda: _moved(StridedGenerator(kernel_size=3, strided_kernel_size=4, channels=4)),
    "strided odd": lambda: _moved(StridedGenerator(kernel_size=3, strided_kernel_size=3, channels=4)),
    "strided wide": lambda: _moved(StridedGenerator(kernel_size=3, strided_kernel_size=5, channels=4)),
    "srcnn": lambda: _moved(SRCNN()),
    "strided two": lambda: _moved(StridedGenerator(kernel_size=3, strided_kernel_size=2, channels=4)),
}
