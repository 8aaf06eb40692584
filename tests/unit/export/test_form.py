"""Exports are written from the lowered network, where that computes the same."""

from typing import Any

import pytest
import torch
from torch import nn

from enhance_sweep.export import form
from enhance_sweep.export.formats import FORMATS, format_of
from enhance_sweep.models import ShuffledGenerator


def shuffled() -> nn.Module:
    torch.manual_seed(0)
    return ShuffledGenerator(factor=2, kernel_size=3, channels=4, blocks=1).eval()


@pytest.mark.parametrize("format", FORMATS)
def test_a_network_is_lowered_where_the_format_takes_it(format: str) -> None:
    network, kind = shuffled(), format_of(format, "fp32")
    written = form.to_write(network, kind)
    assert (written is not network) == (format in ("onnx", "openvino", "torchscript"))


def test_a_lowered_network_with_other_results_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    class Brighter(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, input: torch.Tensor) -> Any:
            return self.network(input) + 2e-4

    monkeypatch.setattr(form, "lowered", lambda network, runtime: Brighter(network))
    network = shuffled()
    assert form.to_write(network, format_of("onnx", "fp32")) is network


@pytest.mark.parametrize("format", ["onnx", "openvino", "torchscript"])
def test_a_lowered_file_gives_what_the_network_gives_at_any_size(format: str, tmp_path: Any) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    network, kind = shuffled(), format_of(format, "fp32")
    file = tmp_path / f"model{kind.suffix}"
    kind.write(form.to_write(network, kind), "fp32", [], file)
    run = kind.open(file, "fp32", 1)
    for height, width in ((48, 64), (33, 47), (50, 41)):
        photograph = torch.rand(1, 3, height, width)
        with torch.inference_mode():
            wanted = network(photograph)
        torch.testing.assert_close(run(photograph), wanted, rtol=0, atol=1e-4)
