"""What the harness asks of a topology: of each in `conf/model`, and of two of other kinds."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from enhance_sweep.config import CONF_DIR, build, compose_config, resolved
from enhance_sweep.enhance import Enhancer
from enhance_sweep.export.exportable import (
    example_of_multiples,
    for_any_size,
    for_multiples,
    multiple_of,
    sides_of_multiples,
)
from enhance_sweep.export.formats import format_of
from enhance_sweep.models.checking import check_shapes
from enhance_sweep.models.description import describe
from enhance_sweep.records.keys import architecture_of, architecture_slug
from enhance_sweep.records.schema import Description, TimedRecord
from enhance_sweep.report.architecture import architecture_figure, architecture_in_words
from enhance_sweep.report.labels import network_label
from tests.unit.models.made_up_topologies import Gated, Matrices, Pooled, Shuffled, Student
from tests.unit.report import record_factory as make

IN_CONF = sorted(path.stem for path in (CONF_DIR / "model").glob("*.yaml"))
MADE_UP: dict[str, Callable[[], nn.Module]] = {
    f"made up: {made.__name__.lower()}": made for made in (Gated, Matrices, Pooled, Shuffled, Student)
}


@pytest.fixture(scope="module", params=[*IN_CONF, *MADE_UP])
def network(request: pytest.FixtureRequest) -> Iterator[nn.Module]:
    """From its defaults, every layer of which counts, as after training."""
    torch.manual_seed(0)
    made = MADE_UP.get(request.param, lambda: build(model_settings(request.param), "model"))()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.5 / parameter[0].numel() ** 0.5)
            else:
                parameter.add_(torch.rand(parameter.shape) * 0.2)
    yield made.eval()
    torch.manual_seed(0)


def model_settings(name: str) -> dict[str, object]:
    return resolved(compose_config([f"model={name}"]), "model")


def macs_by_torch(network: nn.Module, height: int, width: int) -> int:
    """Multiply-adds, counted by another program."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(photo(height, width))
    return int(counter.get_total_flops()) // 2


def photo(height: int, width: int, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


class TestEveryTopology:
    @pytest.mark.parametrize("size", [(1, 1), (1, 6), (7, 5), (16, 24), (17, 18)], ids=str)
    def test_any_size_in_is_the_size_out(self, network: nn.Module, size: tuple[int, int]) -> None:
        images = photo(*size, count=2)
        with torch.no_grad():
            enhanced = network(images)
            alone = torch.cat([network(image[None]) for image in images])
        assert enhanced.shape == images.shape
        assert torch.isfinite(enhanced).all()
        torch.testing.assert_close(enhanced, alone, msg="images of a batch see each other")

    def test_every_parameter_learns(self, network: nn.Module) -> None:
        network.zero_grad()
        network.train()(photo(12, 12)).square().mean().backward()
        network.eval()
        learning = {name: p.grad is not None and bool(p.grad.any()) for name, p in network.named_parameters()}
        assert all(learning.values()), learning

    def test_its_cost_is_known_without_computing(self, network: nn.Module) -> None:
        described = describe(network, 48, 64)
        assert described["parameters"] == sum(parameter.numel() for parameter in network.parameters())
        assert described["macs"] > 0
        names = [layer["name"] for layer in described["layers"]] + [join["name"] for join in described["joins"]]
        assert len(set(names)) == len(names)
        assert all("input" in layer for layer in described["layers"]), "it is not known what a layer reads"
        counted = sum(layer["parameters"] for layer in described["layers"])
        assert 0 < counted <= described["parameters"]
        assert macs_by_torch(network, 48, 64) == described["macs"]
        msgspec.convert(described, Description)

    def test_it_passes_the_check_before_training(self, network: nn.Module) -> None:
        check_shapes(network)

    def test_it_is_drawn_and_told_in_words(self, network: nn.Module) -> None:
        timed = make.timed({"topology": "odd"}, 5000.0) | {"description": describe(network)}
        record = msgspec.convert(timed, TimedRecord)
        assert architecture_figure(record) is not None
        assert "odd" in architecture_in_words(record)

    @pytest.mark.parametrize("size", [(1, 1), (65, 30), (64, 37)], ids=str)
    def test_little_memory_is_enough_or_it_is_said_why_not(self, network: nn.Module, size: tuple[int, int]) -> None:
        enhancer = Enhancer(network, memory_mib=0)
        if enhancer.why_whole is None:
            with torch.no_grad():
                wanted = network(photo(*size)).clamp(0, 1)
            torch.testing.assert_close(enhancer(photo(*size)), wanted, rtol=0, atol=1e-4)
        else:
            with pytest.raises(ValueError, match=r"does not run strip by strip, .*, and takes whole images"):
                enhancer(photo(*size))

    @pytest.mark.parametrize("size", [(16, 24), (17, 24), (18, 23), (19, 21)], ids=str)
    def test_it_is_exported_for_any_size(self, network: nn.Module, size: tuple[int, int], tmp_path: Path) -> None:
        with torch.no_grad():
            wanted = network(photo(*size))
            torch.testing.assert_close(for_any_size(network)(photo(*size)), wanted, rtol=0, atol=1e-4)
        torchscript = format_of("torchscript", "fp32")
        torchscript.write(network, "fp32", [], tmp_path / "network.pt")
        found = torchscript.open(tmp_path / "network.pt", "fp32", 1)(photo(*size))
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)

    def test_it_is_exported_for_phones(self, network: nn.Module) -> None:
        """With one graph for all multiples, in which no size is fixed."""
        multiple = multiple_of(network)
        example, shapes = example_of_multiples(network, 1280)
        exported = torch.export.export(for_multiples(network), (example,), dynamic_shapes=(shapes,)).module()
        smallest = sides_of_multiples(network, 1280).smallest
        for height, width in ((smallest, smallest + multiple), (smallest + 3 * multiple, 5 * smallest)):
            images = photo(height, width)
            with torch.no_grad():
                torch.testing.assert_close(exported(images), network(images), rtol=0, atol=1e-4)

    @pytest.mark.slow
    def test_it_is_exported_to_onnx(self, network: nn.Module, tmp_path: Path) -> None:
        pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
        onnx = format_of("onnx", "fp32")
        onnx.write(network, "fp32", [], tmp_path / "network.onnx")
        run = onnx.open(tmp_path / "network.onnx", "fp32", 1)
        for size in ((16, 24), (17, 24), (18, 23), (19, 21)):
            with torch.no_grad():
                torch.testing.assert_close(run(photo(*size)), network(photo(*size)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", IN_CONF)
def test_it_starts_as_its_photograph(name: str) -> None:
    torch.manual_seed(0)
    network = build(model_settings(name), "model")
    network.start_as_identity()
    with torch.no_grad():
        assert (network(photo(33, 40)) - photo(33, 40)).abs().mean() < 0.03


@pytest.mark.parametrize("name", IN_CONF)
def test_its_file_has_the_name_that_records_and_reports_give_it(name: str) -> None:
    architecture = architecture_of(model_settings(name))
    assert architecture["topology"] == name
    assert architecture_slug(architecture).partition("-")[0] == name
    label = network_label(architecture)
    assert label.lower().startswith(name) or name in ("plain", "strided")
