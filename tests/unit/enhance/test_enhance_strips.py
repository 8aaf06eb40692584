"""Strip by strip, a network gives what it gives on the whole image."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.enhance.memory import Budget
from enhance_sweep.enhance.strips import ByStrips, NotByStripsError, run
from enhance_sweep.models import SRCNN, PlainGenerator, StridedGenerator
from enhance_sweep.models.blocks import Conv2d
from enhance_sweep.models.coefficients import CoefficientsGenerator
from enhance_sweep.models.instance_norm import InstanceNorm2d
from enhance_sweep.models.separable import SeparableGenerator
from enhance_sweep.models.shuffled import ShuffledGenerator
from enhance_sweep.models.tone import ToneGenerator
from enhance_sweep.models.unet import UNetGenerator
from tests.unit.models.made_up_topologies import Gated, Shuffled


class Around(nn.Module):
    """Borders on all sides, and their removal."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.output = Conv2d(3, 3, 3), Conv2d(3, 3, 3)

    def forward(self, input: Tensor) -> Tensor:
        wide = F.pad(self.conv(F.pad(input, (1, 2, 3, 1), "replicate")), (2, 1, 1, 3), value=0.25)
        return self.output(wide)[:, :, 4:-4, 3:-3]


NETWORKS = {
    "plain": lambda: PlainGenerator(3, 8, 2),
    "plain-k5-prelu": lambda: PlainGenerator(5, 4, 1, prelu=True),
    "plain-even-kernel": lambda: PlainGenerator(4, 4, 1),
    "plain-no-blocks": lambda: PlainGenerator(3, 4, 0),
    "strided": lambda: StridedGenerator(3, 4, 4, 2),
    "strided-3-3-prelu": lambda: StridedGenerator(3, 3, 4, 1, prelu=True),
    "strided-2": lambda: StridedGenerator(2, 2, 4, 1),
    "strided-5": lambda: StridedGenerator(3, 5, 4, 0),
    "srcnn": SRCNN,
    "shuffled": Shuffled,
    "shuffled-large-kernel": lambda: Shuffled(4, 1, 9),
    "shuffled-zeros": lambda: Shuffled(4, 1, padding="constant"),
    "around": Around,
    "gated": Gated,
    "shuffled-3": lambda: ShuffledGenerator(3, 3, 4, 1, norm="sampled", gate="channel"),
    "shuffled-4-even": lambda: ShuffledGenerator(4, 2, 4, 2, norm="instance", gate="spatial", prelu=True),
    "coefficients-4": lambda: CoefficientsGenerator(4, 3, 4, 1, norm="instance", gate="channel"),
    "coefficients-16": lambda: CoefficientsGenerator(16, 3, 4, 1, detail=False, global_color=False),
    "separable": lambda: SeparableGenerator(7, "row_column", 5, 4, 1, contrast=1.2, gate="channel"),
    "separable-full": lambda: SeparableGenerator(7, "full", 3, 4, 2, fuse=True, norm="sampled", global_color=True),
    "separable-depthwise": lambda: SeparableGenerator(5, "depthwise", 5, 4, 2, 4, norm="none", residual=True),
    "unet": lambda: UNetGenerator(4, 3, 3, "multiply"),
    "unet-add": lambda: UNetGenerator(4, 2, 4, "add", norm="sampled", gate="spatial"),
    "tone": lambda: ToneGenerator(3, 8),
}


def lively(network: nn.Module) -> nn.Module:
    """Weights that make every layer count, as trained ones do and initial ones do not."""
    torch.manual_seed(0)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight)
            if isinstance(module, InstanceNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.3, 0.3)
            if isinstance(module, nn.PReLU):
                module.weight.uniform_(-0.2, 0.4)
        if hasattr(network, "output"):
            network.output.weight.mul_(0.1)  # type: ignore[operator, union-attr]
    return network.eval()


def by_strips(
    network: nn.Module,
    photo: Tensor,
    budget: Budget,
    folder: Path,
    dtype: torch.dtype = torch.float32,
    size: tuple[int, ...] = (),
) -> Tensor:
    """The result, (1, C, H, W); `size`: its (H, W, C), if that is not the photograph's."""
    pixels = photo[0].permute(1, 2, 0).to(dtype)
    result = torch.full(size or pixels.shape, float("nan"))

    def write(first: int, rows: Tensor) -> None:
        result[first : first + len(rows)] = rows.float()

    height, width = photo.shape[2:]
    ByStrips(network, dtype)(lambda first, last: pixels[first:last], write, height, width, budget, folder)
    return result.permute(2, 0, 1)[None]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (33, 20), (61, 14)])
def test_the_result_is_the_whole_images(
    name: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "STRIP_BYTES", 1)
    monkeypatch.setattr(run, "LEAST_ROWS", 4)
    network = lively(NETWORKS[name]())
    photo = torch.rand(1, 3, *size)
    with torch.inference_mode():
        wanted = network(photo)
    for memory in (0, 20_000, 2**30):  # all on the disk, some, none
        budget = Budget(memory)
        torch.testing.assert_close(by_strips(network, photo, budget, tmp_path), wanted, rtol=0, atol=5e-5)
        assert budget.take(memory), "something was not given back"
    assert list(tmp_path.iterdir()) == []


def test_the_statistics_are_those_of_the_whole_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half black, half noise: strips that normed themselves would be far off."""
    monkeypatch.setattr(run, "STRIP_BYTES", 1)
    network = lively(PlainGenerator(3, 4, 2))
    photo = torch.rand(1, 3, 96, 16)
    photo[:, :, :48] = 0
    with torch.inference_mode():
        wanted = network(photo)
        halves = torch.cat([network(photo[:, :, :48]), network(photo[:, :, 48:])], dim=2)
    found = by_strips(network, photo, Budget(2**30), tmp_path)
    assert (halves - wanted).abs().max() > 0.02
    torch.testing.assert_close(found, wanted, rtol=0, atol=5e-5)


def test_bf16_is_the_whole_images_too(tmp_path: Path) -> None:
    network = lively(StridedGenerator(3, 4, 4, 1))
    photo = torch.rand(1, 3, 40, 30)
    with torch.inference_mode():
        wanted = lively(StridedGenerator(3, 4, 4, 1)).to(torch.bfloat16)(photo.to(torch.bfloat16)).float()
    found = by_strips(network, photo, Budget(2**30), tmp_path, torch.bfloat16)
    assert (found - wanted).abs().mean() < 2e-3


def test_a_failure_gives_everything_back(tmp_path: Path) -> None:
    network = ByStrips(lively(PlainGenerator(3, 4, 1)))
    budget = Budget(2**20)

    def full(first: int, rows: Tensor) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        network(lambda first, last: torch.zeros(last - first, 8, 3), full, 16, 8, budget, tmp_path)
    assert budget.take(2**20)


class Unknown(nn.Module):
    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, input: Tensor) -> Tensor:
        return self.part(input)


class Does(nn.Module):
    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, input: Tensor) -> Any:
        return self.function(input)


class Looks(nn.Module):
    def forward(self, input: Tensor) -> Tensor:
        return input if input.shape[2] > 4 else -input


@pytest.mark.parametrize(
    ("part", "named"),
    [
        (nn.AdaptiveMaxPool2d(1), r"AdaptiveMaxPool2d \(part\), and takes whole images"),
        (nn.AdaptiveAvgPool2d(2), r"AdaptiveAvgPool2d \(part\)"),
        (nn.AdaptiveAvgPool2d(1), "must give one image"),
        (nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), "pads with 'reflect': expected zeros"),
        (nn.Upsample(scale_factor=2, mode="bicubic"), "resizes with bicubic: expected one of nearest, "),
        (nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), "bilinear, align_corners"),
        (nn.AvgPool2d(3, padding=1, count_include_pad=False), r"AvgPool2d \(part\) counts fewer pixels"),
        (Looks(), "cannot be traced"),
        (Does(lambda x: x.flip(2)), "strip by strip, flip, and takes"),
        (Does(lambda x: x.mean(3, keepdim=True)), "mean, and takes whole images"),
        (Does(lambda x: x[:, 0]), r"other than \[:, first:last|getitem"),
        (Does(lambda x: x[:, [2, 1, 0]]), r"other than \[:, first:last"),
        (Does(lambda x: x.mul_(2)), "mul_"),
        (Does(lambda x: F.pad(x, (1, 1, 0, 0), "circular")), "mode 'circular': expected one of"),
        (Does(lambda x: F.pad(x, (0, 0, 0, 0, 0, 1))), "pads channels"),
        (Does(lambda x: x * x[:, :, :1]), r"mul of an image and another of another size \(\(1, 41\) and \(37, 41\)\)"),
        (Does(lambda x: x + torch.linspace(0, 1, 41)), r"add of an image and another of another size .*\(41,\)"),
        (Does(lambda x: x.chunk(3, dim=2)[0]), "chunk"),
        (Does(lambda x: (x, x)), "must give one image"),
    ],
    ids=str,
)
def test_parts_that_are_not_known_are_refused(part: nn.Module, named: str) -> None:
    with pytest.raises(NotByStripsError, match=named):
        ByStrips(Unknown(part))
