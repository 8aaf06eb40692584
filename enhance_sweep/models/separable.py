"""Convolutions cut into cheaper ones, at full resolution (PPCN)."""

from typing import Literal

import torch
from torch import Tensor, nn

from enhance_sweep.models import identity
from enhance_sweep.models.blocks import Conv2d, check_at_least, check_one_of, to_unit_range
from enhance_sweep.models.color_matrix import GlobalColor
from enhance_sweep.models.residual import Gate, Norm, gate_layers, norm_layers, start_branch

#: How a block sees its neighbourhood: a row and then a column, both at once, or each channel alone.
Cut = Literal["row_column", "full", "depthwise"]

#: Of leaky ReLU (Hui et al. 2018).
_LEAK = 0.05


class SeparableGenerator(nn.Module):
    """PPCN and its neighbours (Hui et al. 2018, team Rainbow of the PIRM challenge).

    ::

        input (3) -> contrast -> 1 x k conv (c), act -> k x 1 conv (c), act -> [block] x blocks -> output
        block:  -> conv (2c), norm, act -> conv (c), norm, gate -> + its input
        output: 3x3 conv (3) -> tanh(x) * 0.58 + 0.5

    With `fuse`, the results of all blocks are concatenated and made c channels by a 1x1 conv, act. The published
    student (2.7k parameters) has one block, cut into row and column; the teacher (21.8k) is `channels=16 blocks=2
    cut=full block_kernel_size=3 dilation=2 fuse=true`; both have `contrast=1.2`. (N, 3, H, W), RGB in [0, 1], to the
    same shape, a little beyond [0, 1]; any height and width.

    Args:
        kernel_size: k, of the first two convolutions.
        cut: of a block's convolutions: `row_column` (1 x k, then k x 1, and an activation before the sum), `full`
            (k x k twice), or `depthwise` (1x1, k x k for each channel alone, 1x1).
        block_kernel_size: k within the blocks.
        channels: c; 2c within the blocks.
        blocks: number of blocks; 0 is allowed.
        dilation: of the last block's kernels; each block before has half of the next one's, but 1 at least.
        fuse: let the output see the results of all blocks.
        contrast: by which the input's distance from its mean is multiplied, channel by channel; 1 leaves it.
        norm: of the blocks.
        gate: of the blocks.
        residual: add the last convolution's result to the photograph, instead of tanh.
        global_color: begin with a color matrix for the whole photograph.

    Raises:
        ValueError: a size or the contrast is not positive, or an option is not known.
    """

    multiple = 1

    def __init__(
        self,
        kernel_size: int = 7,
        cut: Cut = "row_column",
        block_kernel_size: int = 7,
        channels: int = 8,
        blocks: int = 1,
        dilation: int = 2,
        fuse: bool = False,
        contrast: float = 1.0,
        norm: Norm = "instance",
        gate: Gate = "none",
        residual: bool = False,
        global_color: bool = False,
    ) -> None:
        super().__init__()
        sizes = {"kernel_size": kernel_size, "block_kernel_size": block_kernel_size, "channels": channels}
        check_at_least(1, **sizes, dilation=dilation)
        check_at_least(0, blocks=blocks)
        check_one_of(Cut, cut=cut)
        check_one_of(Norm, norm=norm)
        check_one_of(Gate, gate=gate)
        if not 0 < contrast < float("inf"):
            raise ValueError(f"contrast: expected a positive number, got {contrast}")
        self.contrast = contrast
        self.residual = residual
        self.color = GlobalColor() if global_color else None
        self.head = nn.Sequential(
            Conv2d(3, channels, (1, kernel_size)), _act(), Conv2d(channels, channels, (kernel_size, 1)), _act()
        )
        self.blocks = nn.ModuleList(
            _Block(channels, block_kernel_size, cut, max(1, dilation >> (blocks - 1 - index)), norm, gate)
            for index in range(blocks)
        )
        self.fuse = nn.Sequential(Conv2d(max(blocks, 1) * channels, channels, 1), _act()) if fuse else None
        self.output = Conv2d(channels, 3, 3)

    def forward(self, input: Tensor) -> Tensor:
        """Enhance a batch of photographs."""
        image = input if self.color is None else self.color(input)
        if self.contrast != 1:
            mean = image.mean(dim=(2, 3), keepdim=True)
            image = (image - mean) * self.contrast + mean
        features = self.head(image)
        results: list[Tensor] = []
        for block in self.blocks:
            features = block(features)
            results.append(features)
        if self.fuse is not None:
            features = self.fuse(torch.cat(results if len(results) > 0 else [features], dim=1))
        result = self.output(features)
        return image + result if self.residual else to_unit_range(result)

    def start_as_identity(self) -> None:
        """Start as the photograph: see `enhance_sweep.models.identity`.

        Raises:
            CannotCarryError: the contrast is not 1, or there are too few channels.
        """
        if self.contrast != 1:
            raise identity.CannotCarryError(
                f"a network that multiplies the contrast by {self.contrast} cannot start as its photograph: take "
                "model.contrast=1"
            )
        if self.color is not None:
            self.color.start_as_identity()
        begin = identity.features if self.residual else identity.carry
        for layer in (self.head[0], self.head[2]):
            begin(layer)
        for block in self.blocks:
            assert isinstance(block, _Block)
            start_branch(block.branch, has_picture=not self.residual)
        if self.fuse is not None:
            begin(self.fuse[0])
        if self.residual:
            identity.add_little_of(self.output)
        else:
            identity.show(self.output)


class _Block(nn.Module):
    """Two convolutions or three, to 2c channels and back to c, added to the input. (N, c, H, W) to the same."""

    def __init__(self, channels: int, kernel_size: int, cut: Cut, dilation: int, norm: Norm, gate: Gate) -> None:
        super().__init__()
        wide = 2 * channels
        if cut == "depthwise":
            first = [Conv2d(channels, wide, 1)]
            second = [
                Conv2d(wide, wide, kernel_size, dilation=dilation, groups=wide),
                _act(),
                Conv2d(wide, channels, 1),
            ]
        else:
            row, column = ((1, kernel_size), (kernel_size, 1)) if cut == "row_column" else ((kernel_size,) * 2,) * 2
            first = [Conv2d(channels, wide, row, dilation=dilation)]
            second = [Conv2d(wide, channels, column, dilation=dilation)]
        self.branch = nn.Sequential(
            *first,
            *norm_layers(norm, wide),
            _act(),
            *second,
            *norm_layers(norm, channels),
            *([_act()] if cut == "row_column" else []),
            *gate_layers(gate, channels),
        )

    def forward(self, input: Tensor) -> Tensor:
        """The input plus the output of the branch."""
        features: Tensor = self.branch(input)
        return features + input


def _act() -> nn.Module:
    return nn.LeakyReLU(_LEAK, inplace=True)
