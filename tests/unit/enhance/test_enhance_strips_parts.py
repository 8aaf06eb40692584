"""Each part that networks may be made of, strip by strip and on the whole image."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.enhance.memory import Budget
from enhance_sweep.enhance.strips import run
from enhance_sweep.models.blocks import Conv2d
from enhance_sweep.models.instance_norm import InstanceNorm2d
from tests.unit.enhance.test_enhance_strips import by_strips, lively

#: Of the features that a part is given; more than in photographs, so that channels can be told apart.
CHANNELS = 6


class Part(nn.Module):
    """A part on features that a convolution gives; `network.photo` is the photograph."""

    def __init__(
        self, function: Callable[..., Tensor], layers: dict[str, nn.Module], buffers: dict[str, Tensor]
    ) -> None:
        super().__init__()
        self.head = Conv2d(3, CHANNELS, 3)
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        return self.function(self, self.head(input), input)


def part(function: Callable[..., Tensor], layers: dict[str, nn.Module] | None = None, **buffers: Tensor) -> Part:
    return Part(function, layers or {}, buffers)


def layer(module: nn.Module) -> Part:
    return part(lambda network, x, _: network.layer(x), {"layer": module})


def channel_gate(network: Part, x: Tensor, _: Tensor) -> Tensor:
    numbers = network.inner(network.pool(x).flatten(1))
    return x * torch.sigmoid(numbers)[:, :, None, None]


def color_matrix(network: Part, x: Tensor, photo: Tensor) -> Tensor:
    """A 3x4 matrix for each pixel, predicted at a quarter of the resolution."""
    matrix = F.interpolate(network.down(x), size=photo.shape[-2:], mode="bilinear", align_corners=False)
    rows = matrix.chunk(3, dim=1)
    return torch.cat([(row[:, :3] * photo).sum(1, keepdim=True) + row[:, 3:] for row in rows], dim=1)


def contrast(network: Part, x: Tensor, photo: Tensor) -> Tensor:
    mean = photo.mean((2, 3), keepdim=True)
    return network.conv((photo - mean) * 1.2 + mean)


def global_color(network: Part, x: Tensor, photo: Tensor) -> Tensor:
    """Means and deviations through 1x1 convolutions."""
    mean = photo[:, :, ::4, ::4].mean((2, 3), keepdim=True)
    deviation = (photo - mean).square().mean(dim=(-2, -1), keepdim=True).add(1e-3).sqrt()
    red, green, blue = network.hidden(torch.cat([mean, deviation], 1)).split(4, dim=1)
    rows = [(one[:, :3] * photo).sum(dim=1, keepdim=True) + one[:, 3:4] for one in (red, green, blue)]
    return torch.cat(rows, 1)


def shift_down(network: Part, x: Tensor, _: Tensor) -> Tensor:
    """Of the same size, but each row comes from far above: not to be written over what it is read from."""
    y = network.conv(x)
    return network.conv(network.after(F.pad(y, (0, 0, 23, 0))[:, :, :-23] + 0))


def by_hand(network: Part, x: Tensor, _: Tensor) -> Tensor:
    """Levels of products that each read twice what lies before."""
    for _level in range(12):
        x = x * (torch.sigmoid(x) + 0.3)
    return x


BLUR = torch.rand(CHANNELS, 1, 3, 5)
PARTS = {
    "row": lambda: layer(nn.Conv2d(CHANNELS, 4, (1, 7), padding="same")),
    "column, dilated": lambda: layer(nn.Conv2d(CHANNELS, 4, (7, 1), padding="same", dilation=(2, 1))),
    "even, same": lambda: layer(nn.Conv2d(CHANNELS, 4, (4, 2), padding="same")),
    "strides": lambda: layer(nn.Conv2d(CHANNELS, 4, (3, 5), stride=(2, 3), padding=(1, 2))),
    "strides apart": lambda: layer(nn.Conv2d(CHANNELS, 4, 2, stride=4)),
    "much padding": lambda: layer(nn.Conv2d(CHANNELS, 4, 3, padding=9)),
    "no padding": lambda: layer(nn.Conv2d(CHANNELS, 4, 5, padding="valid", bias=False)),
    "depthwise": lambda: layer(nn.Conv2d(CHANNELS, CHANNELS * 2, 3, padding=2, dilation=2, groups=CHANNELS)),
    "transposed": lambda: layer(nn.ConvTranspose2d(CHANNELS, 4, 4, stride=2, padding=1)),
    "transposed, odd": lambda: layer(
        nn.ConvTranspose2d(CHANNELS, 4, (3, 2), (2, 3), padding=(1, 0), output_padding=(1, 2), groups=2, dilation=2)
    ),
    "transposed, gaps": lambda: layer(nn.ConvTranspose2d(CHANNELS, 4, 2, stride=5, output_padding=4)),
    "functional": lambda: part(lambda n, x, _: F.conv2d(x, n.blur, padding=(1, 2), groups=CHANNELS), blur=BLUR),
    "predicted kernel": lambda: part(
        lambda n, x, _: F.conv2d(x, n.blur * x.mean((2, 3)).view(-1, 1, 1, 1), groups=6), blur=BLUR
    ),
    "max pool": lambda: layer(nn.MaxPool2d(2)),
    "max pool, overlapping": lambda: layer(nn.MaxPool2d((3, 2), (2, 1), padding=1, dilation=(1, 2))),
    "max pool, ceil": lambda: layer(nn.MaxPool2d(3, 2, ceil_mode=True)),
    "average pool": lambda: layer(nn.AvgPool2d((2, 3))),
    "average pool, padded": lambda: layer(nn.AvgPool2d(3, 2, padding=1)),
    "nearest, twice": lambda: layer(nn.Upsample(scale_factor=2)),
    "nearest, by size": lambda: part(lambda n, x, _: F.interpolate(x, size=(100, 21))),
    "nearest, smaller": lambda: part(lambda n, x, _: F.interpolate(x, scale_factor=(0.4, 0.7))),
    "nearest-exact": lambda: part(lambda n, x, _: F.interpolate(x, (70, 90), mode="nearest-exact")),
    "bilinear, twice": lambda: layer(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)),
    "bilinear, by size": lambda: part(
        lambda n, x, p: F.interpolate(x[:, :, ::8, ::8], size=p.shape[2:], mode="bilinear")
    ),
    "bilinear, factors": lambda: part(lambda n, x, _: F.interpolate(x, scale_factor=(1.7, 2.3), mode="bilinear")),
    "bilinear, recomputed": lambda: part(
        lambda n, x, _: F.interpolate(x, scale_factor=1.7, mode="bilinear", recompute_scale_factor=True)
    ),
    "bilinear, smaller": lambda: part(lambda n, x, _: F.interpolate(x, size=(11, 40), mode="bilinear")),
    "concatenation": lambda: part(
        lambda n, x, p: n.conv(torch.cat([x, p, x.relu()], dim=1)), {"conv": Conv2d(15, 4, 3)}
    ),
    "chunk": lambda: part(lambda n, x, _: x.chunk(3, 1)[0] * x.chunk(3, 1)[-1]),
    "split": lambda: part(lambda n, x, _: torch.split(x, [1, 2, 3], dim=1)[2] - x.split(3, dim=1)[0]),
    "slices": lambda: part(lambda n, x, _: x[:, 3:6] + x[..., :3, :, :] * x[:, ::2, 0:]),
    "steps": lambda: part(lambda n, x, _: x[:, :, 3::2, 1::3]),
    "shuffles": lambda: part(lambda n, x, _: F.pixel_unshuffle(F.pixel_shuffle(torch.cat([x, x], 1), 2), 2)),
    "functions": lambda: part(
        lambda n, x, _: torch.addcmul(x.sigmoid(), x.clamp(-1, 1), x.abs().sqrt()) ** 2 + x.square().add(1).rsqrt()
    ),
    "in place": lambda: part(lambda n, x, _: F.relu(x + 0.1, inplace=True) + F.leaky_relu(x, 0.05) + x),
    "where": lambda: part(lambda n, x, _: torch.where(x > 0.1, x, -x) / (1 + x * x)),
    "along channels": lambda: part(
        lambda n, x, _: x.mean(1, keepdim=True) * x.amax(dim=1, keepdim=True) * torch.softmax(x, dim=1)
    ),
    "padding layers": lambda: part(lambda n, x, _: n.a(n.b(n.c(x))), {
        "a": nn.ReflectionPad2d((1, 2, 3, 1)), "b": nn.ReplicationPad2d(2), "c": nn.ZeroPad2d((0, 1, 2, 3)),
    }),
    "batch norm": lambda: layer(nn.BatchNorm2d(CHANNELS)),
    "torch's instance norm": lambda: layer(nn.InstanceNorm2d(CHANNELS, affine=True)),
    "two norms": lambda: layer(nn.Sequential(InstanceNorm2d(CHANNELS), nn.ReLU(True), InstanceNorm2d(CHANNELS))),
    "norm of the photograph": lambda: part(lambda n, x, p: n.norm(p), {"norm": InstanceNorm2d(3)}),
    "channel gate": lambda: part(channel_gate, {"pool": nn.AdaptiveAvgPool2d(1), "inner": nn.Linear(6, 6)}),
    "gate at the end": lambda: part(lambda n, x, p: p * x[:, :3].mean([2, 3], True).exp().view(1, 3, 1, 1)),
    "spatial gate": lambda: part(lambda n, x, _: x * n.conv(x).sigmoid(), {"conv": Conv2d(CHANNELS, 1, 3)}),
    "contrast": lambda: part(contrast, {"conv": Conv2d(3, 3, 3)}),
    "color matrix": lambda: part(color_matrix, {"down": nn.Conv2d(CHANNELS, 12, 4, 4, padding=2)}),
    "global color": lambda: part(
        global_color, {"hidden": nn.Sequential(nn.Conv2d(6, 8, 1), nn.ReLU(), nn.Conv2d(8, 12, 1))}
    ),
    "a buffer for each channel": lambda: part(
        lambda n, x, _: x * n.gain + n.shift, gain=torch.rand(6, 1, 1), shift=torch.rand(1)
    ),
    "shift": lambda: part(shift_down, {"conv": Conv2d(6, 6, 3), "after": Conv2d(6, 6, 3)}),
    "by hand": lambda: part(by_hand),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("size", [(33, 20), (61, 14)], ids=str)
def test_each_part_is_the_whole_images(
    name: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "STRIP_BYTES", 1)
    monkeypatch.setattr(run, "LEAST_ROWS", 4)
    network = lively(PARTS[name]())
    photo = torch.rand(1, 3, *size)
    with torch.inference_mode():
        wanted = network(photo)
    assert wanted.std() > 0.01
    for memory in (0, 2**30):
        _, channels, height, width = wanted.shape
        found = by_strips(network, photo, Budget(memory), tmp_path, size=(height, width, channels))
        torch.testing.assert_close(found, wanted, rtol=0, atol=3e-5)
