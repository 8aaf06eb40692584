"""What each known part of a network does with rows: which it reads, and what it makes of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from enhance_sweep.enhance.strips.images import Shape, as_images, as_rows
from enhance_sweep.enhance.strips.moments import Moments


class Operator(Protocol):
    """Computes rows of an image from rows of the images before it."""

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """The rows of each of its inputs that rows `first` up to `last` of its result are made of, at least one."""
        ...

    def rows(self, inputs: Sequence[Tensor], first: int, last: int) -> Tensor:
        """Rows `first` up to `last`, (1, C, rows, W), from what it reads: one (1, C, rows, W) for each input.

        The inputs may be memory in which other layers' results are kept: they are not changed.
        """
        ...


class _SameRows:
    """What needs only the row that it computes."""

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """The same rows."""
        return first, last


class Pointwise(_SameRows):
    """Activations, sums and products, concatenations and sums along channels: each pixel depends on that pixel only.

    Args:
        call: of the whole image's function: `args` and `kwargs` in, an image out.
        node: whose arguments they are.
        images: the images among them, in the order in which they come into `rows`.
        results: whatever else is among them, looked up when it is needed.
        width: of the image.
    """

    def __init__(
        self,
        call: Callable[..., Any],
        node: fx.Node,
        images: Sequence[fx.Node],
        results: Callable[[fx.Node], Any],
        width: int,
    ) -> None:
        self._call, self._node, self._images, self._results, self._width = call, node, images, results, width
        self._others: dict[fx.Node, Any] = {}

    def rows(self, inputs: Sequence[Tensor], first: int, last: int) -> Tensor:
        """See `Operator`."""
        found = dict(zip(self._images, inputs, strict=True))

        def lookup(node: fx.Node) -> Any:
            return found[node] if node in found else self._other(node)

        args, kwargs = fx.node.map_arg((self._node.args, self._node.kwargs), lookup)
        result: Tensor = self._call(*args, **kwargs)
        return result

    def _other(self, node: fx.Node) -> Any:
        if node not in self._others:
            value = self._results(node)
            self._others[node] = _along_rows(value, self._width) if isinstance(value, Tensor) else value
        return self._others[node]


def _along_rows(values: Tensor, width: int) -> Tensor:
    """Numbers that are the same all over an image, (C, 1, 1), as one row of it: a loop over W C numbers is fast."""
    if values.dim() < 3 or values.shape[-3] == 1:
        return values
    row = values.reshape(1, -1, 1, 1).expand(-1, -1, 1, width)
    return row.contiguous(memory_format=torch.channels_last)


class Normed(_SameRows):
    """Instance norm with the statistics of the whole image."""

    def __init__(self, weight: Tensor | None, bias: Tensor | None, eps: float, moments: Moments, shape: Shape) -> None:
        self._weight, self._bias, self._eps = weight, bias, eps
        self._moments, self._shape = moments, shape
        self._scale = self._shift = torch.empty(0)

    def rows(self, inputs: Sequence[Tensor], first: int, last: int) -> Tensor:
        """See `Operator`."""
        if not len(self._scale):
            self._finish()
        rows = as_rows(inputs[0])
        normed = torch.addcmul(self._shift, rows.float(), self._scale).to(rows.dtype)
        return as_images(normed, self._shape.channels)

    def _finish(self) -> None:
        """Scale and shift of each number of a row, from statistics that are complete by now."""
        scale = torch.rsqrt(self._moments.variance + self._eps)
        scale = scale if self._weight is None else scale * self._weight.double()
        shift = -self._moments.mean * scale
        shift = shift if self._bias is None else shift + self._bias.double()
        self._scale, self._shift = (values.float().repeat(self._shape.width) for values in (scale, shift))


@dataclass(frozen=True)
class Window:
    """A kernel's window on both axes, each as (along rows, along columns).

    Args:
        size: of the kernel.
        stride: from one window to the next.
        dilation: from one of the kernel's taps to the next.
        padding: before the first row and column.
        before: the image that it moves over.
        after: what comes out.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]
    before: Shape
    after: Shape

    @property
    def span(self) -> tuple[int, int]:
        """Rows and columns from the first tap to the last."""
        down, across = ((size - 1) * dilation + 1 for size, dilation in zip(self.size, self.dilation, strict=True))
        return down, across

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """Rows inside the image that the windows of rows `first` up to `last` cover."""
        start, end = self._covers(first, last)
        start = min(max(start, 0), self.before.height - 1)
        return start, max(min(end, self.before.height), start + 1)

    def bordered(self, images: Tensor, first: int, last: int, fill: float = 0.0, beside: bool = True) -> Tensor:
        """What was read, with the rows and, if `beside`, the columns of the border that the windows cover."""
        start, end = self._covers(first, last)
        inside_start, inside_end = self.reads(first, last)
        across = self._beside() if beside else (0, 0)
        if end <= inside_start or inside_end <= start:  # the windows cover the border alone
            images = torch.full_like(images[:, :, :1], fill).expand(-1, -1, end - start, -1)
            inside_start, inside_end = start, end
        border = (*across, inside_start - start, end - inside_end)  # negative where a row more was read
        return F.pad(images, border, value=fill) if any(border) else images

    @property
    def is_even(self) -> bool:
        """Whether as many columns stand before as after the image, so that a layer can pad them itself."""
        covered = self.before.width + 2 * self.padding[1] - self.span[1]
        return covered // self.stride[1] + 1 == self.after.width

    def _beside(self) -> tuple[int, int]:
        right = (self.after.width - 1) * self.stride[1] - self.padding[1] + self.span[1] - self.before.width
        return self.padding[1], max(right, 0)

    def _covers(self, first: int, last: int) -> tuple[int, int]:
        stride, top = self.stride[0], self.padding[0]
        return first * stride - top, (last - 1) * stride - top + self.span[0]


class Convolved:
    """A convolution with zeros around the image.

    Args:
        weights: gives weight and bias.
        window: of its kernel.
        groups: of channels.
    """

    def __init__(self, weights: Callable[[], tuple[Tensor, Tensor | None]], window: Window, groups: int) -> None:
        self._weights, self._window, self._groups = weights, window, groups
        self.reads = window.reads

    def rows(self, inputs: Sequence[Tensor], first: int, last: int) -> Tensor:
        """See `Operator`."""
        window = self._window
        beside = window.padding[1] if window.is_even else 0  # the convolution's own padding needs no copy
        images = window.bordered(inputs[0], first, last, beside=not window.is_even)
        weight, bias = self._weights()
        return F.conv2d(images, weight, bias, window.stride, (0, beside), window.dilation, self._groups)


class Enlarged:
    """A transposed convolution, cropped to `after` from the row and column `padding` on.

    Args:
        weights: gives weight and bias.
        window: of the convolution that it transposes: over `after`, giving `before`.
        groups: of channels.
    """

    def __init__(self, weights: Callable[[], tuple[Tensor, Tensor | None]], window: Window, groups: int) -> None:
        self._weights, self._window, self._groups = weights, window, groups

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """See `Operator`."""
        window, top = self._window, self._window.padding[0]
        # Input row i adds to rows i * stride up to i * stride + span of the uncropped result.
        start = max(-(-(first + top - window.span[0] + 1) // window.stride[0]), 0)
        start = min(start, (first + top) // window.stride[0], window.after.height - 1)
        end = min((last - 1 + top) // window.stride[0] + 1, window.after.height)
        return start, max(end, start + 1)

    def rows(self, inputs: Sequence[Tensor], first: int, last: int) -> Tensor:
        """See `Operator`."""
        window = self._window
        top, left = window.padding
        start, _ = self.reads(first, last)
        weight, bias = self._weights()
        top += first - start * window.stride[0]
        bottom, right = top + last - first, left + window.before.width
        reached = [
            (size - 1) * stride + span
            for size, stride, span in zip(inputs[0].shape[2:], window.stride, window.span, strict=True)
        ]
        beyond = max(bottom - reached[0], 0), max(right - reached[1], 0)  # nothing is added to these but the bias
        whole = F.conv_transpose2d(inputs[0], weight, bias, window.stride, 0, beyond, self._groups, window.dilation)
        return whole[:, :, top:bottom, left:right]


class Pooled:
    """The largest or the mean of each window."""

    def __init__(self, pool: nn.MaxPool2d | nn.AvgPool2d, window: Window) -> None:
        self._pool, self._window = pool, window
        self.reads = window.reads

    def rows(self, inputs: Sequence[Tensor], first: int, last: int) -> Tensor:
        """See `Operator`."""
        window = self._window
        if isinstance(self._pool, nn.MaxPool2d):
            images = window.bordered(inputs[0], first, last, float("-inf"))
            return F.max_pool2d(images, window.size, window.stride, 0, window.dilation)
        images = window.bordered(inputs[0], first, last)
        return F.avg_pool2d(images, window.size, window.stride, divisor_override=self._pool.divisor_override)


@dataclass(frozen=True)
class Shuffled:
    """Depth to space: channels become pixels, (C r r, H, W) to (C, H r, W r)."""

    factor: int

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """See `Operator`."""
        return first // self.factor, -(-last // self.factor)

    def rows(self, inputs: Sequence[Tensor], first: int, last: int) -> Tensor:
        """See `Operator`."""
        images = F.pixel_shuffle(inputs[0], self.factor)
        top = first % self.factor
        return images[:, :, top : top + last - first]


@dataclass(frozen=True)
class Unshuffled:
    """Space to depth: pixels become channels, (C, H r, W r) to (C r r, H, W)."""

    factor: int

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """See `Operator`."""
        return first * self.factor, last * self.factor

    def rows(self, inputs: Sequence[Tensor], first: int, last: int) -> Tensor:
        """See `Operator`."""
        return F.pixel_unshuffle(inputs[0], self.factor)


class Padded:
    """`F.pad` of height and width."""

    def __init__(self, before: Shape, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> None:
        self._before, self._mode, self._value = before, mode, value or 0.0
        left, right, self._top, *_ = (*pad, 0, 0)
        self._sides = left, right

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """See `Operator`."""
        _, taken = self._taken(first, last)
        return int(taken.min()), int(taken.max()) + 1

    def rows(self, inputs: Sequence[Tensor], first: int, last: int) -> Tensor:
        """See `Operator`."""
        wanted, taken = self._taken(first, last)
        start, end = int(taken.min()), int(taken.max()) + 1
        sides = (*self._sides, 0, 0)
        if (start, end) == (first - self._top, last - self._top):  # a strip that touches neither edge
            images = inputs[0]
        else:
            images = as_images(as_rows(inputs[0])[taken - start], self._before.channels)
            if self._mode == "constant":
                images[:, :, (wanted < 0) | (wanted >= self._before.height)] = self._value
        if not any(sides):
            return images
        if self._mode != "constant":
            return F.pad(images, sides, self._mode)
        return F.pad(images, sides, value=self._value)

    def _taken(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """The rows that would stand in these places, counted from the image's first, and those that do."""
        wanted = torch.arange(first - self._top, last - self._top)
        bottom = self._before.height - 1
        if self._mode == "reflect":
            return wanted, (bottom - (bottom - wanted.abs()).abs())
        return wanted, wanted.clamp(0, bottom)


@dataclass(frozen=True)
class Cut:
    """`features[:, channels, down, across]`, each a slice with a start and a positive step."""

    channels: slice
    down: slice
    across: slice

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """See `Operator`."""
        start, step = self.down.start, self.down.step
        return start + first * step, start + (last - 1) * step + 1

    def rows(self, inputs: Sequence[Tensor], first: int, last: int) -> Tensor:
        """See `Operator`."""
        return inputs[0][:, self.channels, :: self.down.step, self.across]


class Interpolated:
    """An image resized, nearest or bilinear, as torch does it with `align_corners=False`.

    Args:
        before: the image.
        after: what comes out.
        mode: nearest, nearest-exact or bilinear.
        scales: factors of height and width, where the network names factors; None where it names a size.
    """

    def __init__(self, before: Shape, after: Shape, mode: str, scales: tuple[float, float] | None) -> None:
        self._before, self._after, self._mode = before, after, mode
        self._scale_across = None if scales is None else scales[1]
        # In float32, as torch does it: rounding decides which of two rows is the nearest.
        sizes = torch.tensor([before.height, after.height], dtype=torch.float32)
        step = sizes[0] / sizes[1] if scales is None else torch.tensor(1 / scales[0], dtype=torch.float32)
        rows = torch.arange(after.height, dtype=torch.float32)
        if mode == "nearest":
            place = (rows * step).floor()
        elif mode == "nearest-exact":
            place = ((rows + 0.5) * step).floor()
        else:
            place = ((rows + 0.5) * step - 0.5).clamp(min=0)
        self._above = place.long().clamp(max=before.height - 1)
        self._below = self._above if mode != "bilinear" else (self._above + 1).clamp(max=before.height - 1)
        self._weight = (place - self._above).clamp(0, 1)[:, None]

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """See `Operator`."""
        return int(self._above[first]), int(self._below[last - 1]) + 1

    def rows(self, inputs: Sequence[Tensor], first: int, last: int) -> Tensor:
        """See `Operator`."""
        start, _ = self.reads(first, last)
        rows = as_rows(self._across(inputs[0]))
        above = rows[self._above[first:last] - start]
        if self._mode == "bilinear":
            below = rows[self._below[first:last] - start]
            above = torch.lerp(above.float(), below.float(), self._weight[first:last]).to(rows.dtype)
        return as_images(above, self._after.channels)

    def _across(self, images: Tensor) -> Tensor:
        """Columns by torch itself, rows as they are."""
        rows, columns = images.shape[2], self._after.width
        if columns == self._before.width and self._scale_across in (None, 1.0):
            return images
        images = images.contiguous(memory_format=torch.channels_last)
        resize: Any = {
            "bilinear": lambda *arguments: torch.ops.aten.upsample_bilinear2d(*arguments[:2], False, *arguments[2:]),
            "nearest": torch.ops.aten.upsample_nearest2d,
            "nearest-exact": torch.ops.aten._upsample_nearest_exact2d,
        }[self._mode]
        resized: Tensor = resize(images, [rows, columns], None, self._scale_across)
        return resized
