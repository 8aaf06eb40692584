"""Whole networks, lowered: as written within 1e-4, for any size, in every runtime."""

import copy
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from enhance_sweep import models
from enhance_sweep.lowering import lowered
from enhance_sweep.models import branches
from enhance_sweep.timing.runtimes import eager, onnx_runtime, open_vino
from enhance_sweep.timing.worker import spread

TOLERANCE = 1e-4
FORMS = ["any", "eager", "onnx"]
NETWORKS: dict[str, nn.Module] = {
    "plain": models.PlainGenerator(3, 8, 2),
    "plain, options": models.PlainGenerator(5, 8, 1, prelu=True, global_color=True),
    "strided": models.StridedGenerator(3, 4, 4, 1),
    "strided, odd": models.StridedGenerator(3, 3, 4, 1, prelu=True, global_color=True),
    "srcnn": models.SRCNN(),
    "shuffled": models.ShuffledGenerator(2, 3, 8, 1),
    "shuffled, even kernel": models.ShuffledGenerator(3, 4, 8, 1, norm="sampled", gate="channel"),
    "shuffled, options": models.ShuffledGenerator(4, 5, 8, 1, norm="instance", gate="spatial", prelu=True),
    "coefficients": models.CoefficientsGenerator(4, 3, 8, 1),
    "coefficients, options": models.CoefficientsGenerator(8, 3, 8, 1, norm="instance", gate="spatial", detail=False),
    "separable": models.SeparableGenerator(),
    "separable, student": models.SeparableGenerator(contrast=1.2),
    "separable, full": models.SeparableGenerator(cut="full", blocks=2, fuse=True, gate="channel", residual=True),
    "separable, depthwise": models.SeparableGenerator(cut="depthwise", norm="instance", global_color=True),
    "unet": models.UNetGenerator(),
    "unet, options": models.UNetGenerator(skip="add", norm="instance", gate="spatial", global_color=True, prelu=True),
    "tone": models.ToneGenerator(),
    "tone, many terms": models.ToneGenerator(terms=4),
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    """A network whose weights are as wide as timing makes them."""
    torch.manual_seed(0)
    network = copy.deepcopy(NETWORKS[request.param]).eval()
    spread(network)
    return network


def differences(network: nn.Module, form: Any, images: Tensor) -> float:
    """The largest, in both memory layouts."""
    largest = 0.0
    for layout in (torch.contiguous_format, torch.channels_last):
        photographs = images.contiguous(memory_format=layout)
        changed = lowered(network, form).to(memory_format=layout)
        with torch.inference_mode():
            result, written = changed(photographs), network(photographs)
        assert result.shape == written.shape
        largest = max(largest, float((result - written).abs().max()))
    return largest


@pytest.mark.parametrize("form", FORMS)
def test_the_results_are_those_of_the_network_as_written(network: nn.Module, form: str) -> None:
    for size in ((37, 41), (1, 1), (2, 5), (48, 64)):
        assert differences(network, form, torch.rand(1, 3, *size)) <= TOLERANCE
    assert differences(network, form, torch.rand(2, 3, 18, 23)) <= TOLERANCE


@pytest.mark.parametrize("form", FORMS)
def test_bright_and_flat_images_keep_their_digits(network: nn.Module, form: str) -> None:
    """Wide enough that norms are taken in strips, at full resolution and at a quarter."""
    for brightness, contrast in ((0.98, 0.002), (1.0, 0.0)):
        image = brightness + contrast * torch.rand(1, 3, 64, 1040)
        assert differences(network, form, image) <= TOLERANCE


def test_the_network_is_left_as_it_was() -> None:
    network = models.StridedGenerator(3, 4, 4, 1).train()
    before = copy.deepcopy(network.state_dict())
    changed = lowered(network, "eager")
    assert network.training
    assert not changed.training
    assert all(one.requires_grad for one in network.parameters())
    assert not any(one.requires_grad for one in changed.parameters())
    assert network.state_dict().keys() == before.keys()
    assert all(torch.equal(one, before[name]) for name, one in network.state_dict().items())


def test_the_multiple_stays() -> None:
    for form in FORMS:
        assert [lowered(network, form).multiple for network in NETWORKS.values() if hasattr(network, "multiple")] == [
            network.multiple for network in NETWORKS.values() if hasattr(network, "multiple")
        ]


def test_branches_that_are_not_folded_are() -> None:
    network = models.PlainGenerator(3, 4, 1)
    branches.grow(network)
    for name, one in network.named_parameters():
        if "mixes" in name:
            nn.init.normal_(one, std=0.01)
    network.eval()
    for form in FORMS:
        assert differences(network, form, torch.rand(1, 3, 9, 11)) <= TOLERANCE


class MadeUp(nn.Module):
    """Of parts that are not known: a branch on values, a layer called twice, a shuffle that others read, too."""

    def __init__(self) -> None:
        super().__init__()
        self.unshuffle = nn.PixelUnshuffle(2)
        self.twice = nn.Conv2d(12, 12, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, input: Tensor) -> Tensor:
        if input.mean() > 2:
            return input
        features = self.unshuffle(input)
        shuffled: Tensor = self.shuffle(self.twice(self.twice(features)) + features)
        return shuffled


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_known_is_left(form: Any) -> None:
    network = MadeUp().eval()
    changed = lowered(network, form)
    assert {type(module) for module in changed.modules()} == {type(module) for module in network.modules()}
    image = torch.rand(1, 3, 8, 12)
    assert torch.equal(changed(image), network(image))


@pytest.mark.parametrize("kind", [eager.Eager, onnx_runtime.OnnxRuntime, open_vino.OpenVino])
@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_runtimes_take_it(network: nn.Module, kind: Any, layout: str) -> None:
    pytest.importorskip("onnxscript")
    image = torch.rand(1, 3, 40, 52)
    with torch.no_grad():
        written = network(image)
    form: Any = "eager" if kind is eager.Eager else "onnx"
    prepared = kind().prepare(lowered(network, form), image, "fp32", layout, 1)
    assert float((prepared.to_tensor(prepared.run()) - written).abs().max()) <= TOLERANCE


@pytest.mark.parametrize("form", ["any", "onnx"])
def test_it_is_exported_for_sizes_of_its_multiple(network: nn.Module, form: Any, tmp_path: Any) -> None:
    """The lowered parts take any size; what pads by the size as written is `enhance_sweep.export`'s to change."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    if not isinstance(network, models.PlainGenerator | models.SRCNN | models.SeparableGenerator | models.ToneGenerator):
        pytest.skip("its own layers pad by the size: see enhance_sweep.export")
    if isinstance(network, models.ToneGenerator) or getattr(network, "color", None) is not None:
        pytest.skip("its statistics branch on the size: see enhance_sweep.export")
    file = tmp_path / "network.onnx"
    sizes = {2: torch.export.Dim("height", min=8, max=512), 3: torch.export.Dim("width", min=8, max=512)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            lowered(network, form), (torch.rand(1, 3, 32, 48),), file, dynamo=True, verbose=False,
            dynamic_shapes=(sizes,), external_data=False,
        )  # fmt: skip
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for size in ((37, 41), (64, 50)):
        image = torch.rand(1, 3, *size)
        (result,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
        with torch.no_grad():
            assert float((torch.from_numpy(result) - network(image)).abs().max()) <= TOLERANCE


@pytest.mark.parametrize("form", FORMS)
def test_torchscript_and_torch_export_take_it(network: nn.Module, form: Any) -> None:
    changed, image = lowered(network, form), torch.rand(1, 3, 24, 32)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = network(image)
        traced = torch.jit.trace(changed, image)
        exported = torch.export.export(changed, (image,)).module()
        for one in (traced, exported):
            assert float((one(image) - written).abs().max()) <= TOLERANCE


def test_compile_takes_it() -> None:
    """Without generating code, which takes a compiler and minutes."""
    network = models.StridedGenerator(3, 4, 4, 1).eval()
    image = torch.rand(1, 3, 24, 32)
    with torch.no_grad():
        compiled = torch.compile(lowered(network), backend="aot_eager", fullgraph=True)
        assert float((compiled(image) - network(image)).abs().max()) <= TOLERANCE
