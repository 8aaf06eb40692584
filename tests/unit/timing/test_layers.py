"""What each layer takes, as runtimes tell it."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.timing.runtimes.eager import Eager
from enhance_sweep.timing.runtimes.onnx_runtime import OnnxRuntime
from enhance_sweep.timing.runtimes.open_vino import OpenVino


class Mixed(nn.Module):
    """A layer that runs twice, a function inside a block, one outside of all modules."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 3, 3, padding=1)
        self.block = Block()

    def forward(self, input: Tensor) -> Tensor:
        return torch.tanh(self.block(self.head(self.head(input))))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(self.conv(input)) + input


def test_eager_tells_modules_and_functions_apart_and_adds_up_what_repeats() -> None:
    times = Eager().layers(Mixed().eval(), torch.rand(1, 3, 8, 9), "fp32", "channels_last", 1, calls=3)
    assert [(one.name, one.kind) for one in times] == [
        ("head", "Conv2d"),
        ("block.conv", "Conv2d"),
        ("block#relu", "Block: relu"),
        ("block#add", "Block: add"),
        ("#tanh", "Mixed: tanh"),
    ]
    assert all(len(one.ms) == 3 and min(one.ms) > 0 for one in times)


@pytest.mark.parametrize("runtime", [OnnxRuntime, OpenVino])
def test_other_runtimes_tell_what_they_execute(runtime: type[OnnxRuntime] | type[OpenVino]) -> None:
    pytest.importorskip({"OnnxRuntime": "onnxruntime", "OpenVino": "openvino"}[runtime.__name__])
    pytest.importorskip("onnxscript")
    times = runtime().layers(Mixed().eval(), torch.rand(1, 3, 64, 96), "fp32", "channels_first", 1, calls=2)
    assert sum("conv" in one.kind.lower() for one in times) == 3
    assert all(1 <= len(one.ms) <= 2 and min(one.ms) >= 0 for one in times)
