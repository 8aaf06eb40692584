"""The form in which a network is written to a file: lowered where the format takes it, else as it is."""

import torch
from torch import nn

from enhance_sweep.export.formats import Format
from enhance_sweep.lowering import lowered

#: How far a lowered network's results may be from those of the network.
LARGEST_ERROR = 1e-4
#: Heights and widths that it is tried with: even, odd, and as small as a photograph for MS-SSIM.
_TRIED = ((96, 128), (181, 203))


def to_write(network: nn.Module, kind: Format) -> nn.Module:
    """The lowered network, or `network` itself where the format does not take it or its results would change."""
    if kind.form is None:
        return network
    candidate = lowered(network, kind.form)
    return candidate if _is_same(network, candidate) else network


def _is_same(network: nn.Module, candidate: nn.Module) -> bool:
    draws = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        for height, width in _TRIED:
            photograph = torch.rand(1, 3, height, width, generator=draws)
            if not float((candidate(photograph) - network(photograph)).abs().max()) <= LARGEST_ERROR:
                return False
    return True
