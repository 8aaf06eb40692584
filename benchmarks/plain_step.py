"""A training step as one would write it without thinking of speed: the reference that `training_step.py` compares with.

Plain torch: fp32, channels-first, torch's own layers and losses, both images blurred with a 21x21 depthwise
convolution, everything recomputed in every step. The arithmetic is that of de Stoutz et al. 2018 with the DPED code's
forms (Ignatov et al. 2017), and of the preset `paper`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size, or halves it."""
    padding: str | int = "same" if stride == 1 else (kernel_size - stride + 1) // 2
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)
    nn.init.trunc_normal_(layer.weight, std=0.01)
    nn.init.constant_(layer.bias, 0.01)  # type: ignore[arg-type]
    return layer


def norm(channels: int) -> nn.InstanceNorm2d:
    """Instance norm, affine."""
    return nn.InstanceNorm2d(channels, eps=1e-3, affine=True)


class Block(nn.Module):
    """A residual block."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        layers = [conv(channels, channels, kernel_size), norm(channels), nn.ReLU()]
        self.layers = nn.Sequential(*layers, conv(channels, channels, kernel_size), norm(channels), nn.ReLU())

    def forward(self, input: Tensor) -> Tensor:
        return input + self.layers(input)


class Plain(nn.Module):
    """The residual network."""

    def __init__(self, kernel_size: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv(3, channels, 9),
            nn.ReLU(),
            *(Block(channels, kernel_size) for _ in range(blocks)),
            conv(channels, channels, kernel_size),
            nn.ReLU(),
            conv(channels, channels, kernel_size),
            nn.ReLU(),
            conv(channels, 3, 9),
        )

    def forward(self, input: Tensor) -> Tensor:
        return torch.tanh(self.layers(input)) * 0.58 + 0.5


class Strided(nn.Module):
    """The strided network, for sizes that 4 divides."""

    def __init__(self, kernel_size: int, strided_kernel_size: int, channels: int) -> None:
        super().__init__()
        c, s = channels, strided_kernel_size
        self.head = nn.Sequential(conv(3, c, 9), nn.ReLU())
        self.down1 = nn.Sequential(conv(c, 2 * c, s, 2), norm(2 * c), nn.ReLU())
        self.down2 = nn.Sequential(conv(2 * c, 4 * c, s, 2), norm(4 * c), nn.ReLU())
        self.blocks = nn.Sequential(Block(4 * c, kernel_size), Block(4 * c, kernel_size))
        self.up1 = nn.Sequential(up(4 * c, 2 * c, s), norm(2 * c), nn.ReLU())
        self.up2 = nn.Sequential(up(2 * c, c, s), norm(c), nn.ReLU())
        self.tail = nn.Sequential(conv(c, c, kernel_size), nn.ReLU(), conv(c, c, kernel_size), nn.ReLU(), conv(c, 3, 9))

    def forward(self, input: Tensor) -> Tensor:
        full = self.head(input)
        half = self.down1(full)
        features = self.up1(self.blocks(self.down2(half))) + half
        return torch.tanh(self.tail(self.up2(features) + full)) * 0.58 + 0.5


def up(in_channels: int, out_channels: int, kernel_size: int) -> nn.ConvTranspose2d:
    """A transposed convolution that doubles the size; its kernel is even."""
    layer = nn.ConvTranspose2d(in_channels, out_channels, kernel_size, 2, (kernel_size - 2) // 2)
    nn.init.trunc_normal_(layer.weight, std=0.01)
    nn.init.constant_(layer.bias, 0.01)  # type: ignore[arg-type]
    return layer


class Discriminator(nn.Module):
    """For 100x100 patches."""

    def __init__(self) -> None:
        super().__init__()
        leaky = nn.LeakyReLU(0.2)
        self.layers = nn.Sequential(
            *(nn.ZeroPad2d((3, 4, 3, 4)), nn.Conv2d(1, 48, 11, 4), leaky),
            *(nn.Conv2d(48, 128, 5, 2, 2), leaky, norm(128)),
            *(conv(128, 192, 3), leaky, norm(192)),
            *(conv(192, 192, 3), leaky, norm(192)),
            *(nn.Conv2d(192, 128, 3, 2, 1), leaky, norm(128)),
            *(nn.Flatten(), nn.Linear(128 * 7 * 7, 1024), leaky, nn.Linear(1024, 2)),
        )

    def forward(self, images: Tensor) -> Tensor:
        weights = torch.tensor([0.2989, 0.5870, 0.1140]).view(1, 3, 1, 1)
        logits: Tensor = self.layers((images * weights).sum(1, keepdim=True))
        return logits


def blur(images: Tensor) -> Tensor:
    """With the paper's kernel, 21x21."""
    offsets = torch.arange(-10.0, 11.0)
    kernel = 0.053 * torch.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / 18)
    return F.conv2d(images, kernel.expand(3, 1, 21, 21), padding=10, groups=3)


class Step:
    """A generator, a discriminator, and a step of both.

    Args:
        generator: of this file.
        features: of the content term; None leaves it out.
    """

    def __init__(self, generator: nn.Module, features: nn.Module | None) -> None:
        self.generator, self.features, self.discriminator = generator, features, Discriminator()
        self.optimizers = [torch.optim.Adam(one.parameters(), lr=5e-4) for one in (generator, self.discriminator)]

    def __call__(self, first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], shown_target: Tensor) -> float:
        """One step on two batches of (input, target), (N, 3, 100, 100) in [0, 1]; the generator's loss."""
        input, target = first
        enhanced = self.generator(input)
        color = (blur(enhanced) - blur(target)).square().sum() / (2 * len(input))
        across, down = enhanced[..., 1:] - enhanced[..., :-1], enhanced[..., 1:, :] - enhanced[..., :-1, :]
        variation = across.square().mean() + down.square().mean()
        not_real = torch.zeros(len(input), dtype=torch.long)
        texture = -F.cross_entropy(self.discriminator(enhanced), not_real)
        loss = 0.1 * color + 400 * variation + 0.4 * texture
        if self.features is not None:
            loss = loss + F.mse_loss(self.features(enhanced), self.features(target)) * self.features.scale
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()

        input, target = second
        with torch.no_grad():
            enhanced = self.generator(input)
        shown = torch.where(shown_target.view(-1, 1, 1, 1), target, enhanced)
        deceived = F.cross_entropy(self.discriminator(shown), shown_target.long())
        self.optimizers[1].zero_grad()
        deceived.backward()
        self.optimizers[1].step()
        return float(loss)
