"""Every runtime computes what the network says, in every layout and precision that it has."""

import copy
import shutil
import sys
from importlib.util import find_spec

import pytest
import torch
from torch import Tensor

from enhance_sweep.models import StridedGenerator
from enhance_sweep.timing.photograph import photograph
from enhance_sweep.timing.runtimes import Runtime
from enhance_sweep.timing.runtimes.compiled import Compiled
from enhance_sweep.timing.runtimes.eager import Eager
from enhance_sweep.timing.runtimes.onnx_runtime import OnnxRuntime
from enhance_sweep.timing.runtimes.open_vino import OpenVino
from enhance_sweep.timing.worker import spread

no_onnxruntime = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="the extra `runtimes` is not installed")
no_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="the extra `runtimes` is not installed")
no_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
#: Odd in both directions, so that strided layers pad.
WIDTH, HEIGHT = 35, 21


@pytest.fixture(scope="module")
def network() -> StridedGenerator:
    torch.manual_seed(0)
    generator = StridedGenerator(3, 4, channels=4, blocks=2, prelu=True).eval()
    spread(generator)
    return generator


@pytest.fixture(scope="module")
def picture() -> Tensor:
    return torch.from_numpy(photograph(WIDTH, HEIGHT).copy()).permute(2, 0, 1)[None].float().contiguous() / 255


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("runtime", "precision", "tolerance"),
    [
        (Eager(), "fp32", 1e-5),
        (Eager(), "bf16", 0.03),
        pytest.param(OnnxRuntime(), "fp32", 1e-4, marks=no_onnxruntime),
        pytest.param(OpenVino(), "fp32", 1e-4, marks=no_openvino),
        pytest.param(OpenVino(), "bf16", 0.03, marks=no_openvino),
        pytest.param(Compiled(), "fp32", 1e-4, marks=[no_compiler, pytest.mark.slow]),
        pytest.param(Compiled(), "bf16", 0.03, marks=[no_compiler, pytest.mark.slow]),
    ],
)
def test_the_result_is_the_networks(
    runtime: Runtime, precision: str, tolerance: float, layout: str, network: StridedGenerator, picture: Tensor
) -> None:
    with torch.inference_mode():
        expected = network(picture)
    try:
        prepared = runtime.prepare(copy.deepcopy(network), picture, precision, layout, threads=1)
    except ValueError as error:
        if precision == "fp32":
            raise
        pytest.skip(str(error))
    for _ in range(2):  # a result must not depend on the one before
        result = prepared.to_tensor(prepared.run())
        assert result.shape == expected.shape
        assert result.dtype == torch.float32
        assert (result - expected).abs().max() < tolerance
    assert expected.std() > 10 * tolerance / 3, "a flat picture would match anything"
    assert all(ms > 0 for ms in prepared.preparing_ms.values())


@pytest.mark.parametrize(("runtime", "package"), [(OnnxRuntime(), "onnxruntime"), (OpenVino(), "openvino")])
def test_a_missing_runtime_names_the_extra(
    runtime: Runtime, package: str, network: StridedGenerator, picture: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ModuleNotFoundError, match=rf"{package} is not installed: pip install 'enhance-sweep\[runtimes\]'"
    ):
        runtime.prepare(network, picture, "fp32", "channels_first", 1)


@no_onnxruntime
def test_a_precision_that_a_runtime_lacks_is_refused(network: StridedGenerator, picture: Tensor) -> None:
    with pytest.raises(ValueError, match="fp32 only"):
        OnnxRuntime().prepare(network, picture, "bf16", "channels_first", 1)


def test_a_missing_compiler_is_named(
    network: StridedGenerator, picture: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"install g\+\+"):
        Compiled().prepare(network, picture, "fp32", "channels_first", 1)
