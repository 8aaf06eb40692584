"""Color: the distance of two blurred images, in which texture and small shifts do not count."""

import torch
from torch import Tensor, nn

_RADIUS = 10


class ColorLoss(nn.Module):
    """Squared distance of blurred images, summed and halved, per image of the batch.

    `sum((blur(enhanced) - blur(target))^2) / (2 B)`, each color channel separately, a 21x21 kernel, zero "same" padding
    (Ignatov et al. 2017; de Stoutz et al. 2018, Eq. 3). The kernel is `amplitude * exp(-(k^2 + l^2) / (2 sigma^2))`.

    Args:
        sigma: of the Gaussian, in pixels. 3 in the paper, 4.707 in the DPED code.
        amplitude: the paper's A, 0.053. Its kernel sums to 2.99, so blurred images are three times as bright and the
            loss is nine times as large as with a kernel that sums to 1. None: normalised to 1, as in the DPED code.

    Raises:
        ValueError: sigma or amplitude is not positive.
    """

    kernel: Tensor

    def __init__(self, sigma: float, amplitude: float | None = None) -> None:
        super().__init__()
        if sigma <= 0 or (amplitude is not None and amplitude <= 0):
            raise ValueError(f"color: expected a positive sigma and amplitude, got {sigma} and {amplitude}")
        offsets = torch.arange(-_RADIUS, _RADIUS + 1, dtype=torch.float64)
        kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
        kernel = kernel / kernel.sum() if amplitude is None else kernel * amplitude**0.5
        self.register_buffer("kernel", kernel.float(), persistent=False)
        self._bands: dict[int, Tensor] = {}

    def forward(self, enhanced: Tensor, target: Tensor) -> Tensor:
        """(N, C, H, W) twice, in [0, 1], to a scalar."""
        difference = self.blur(enhanced - target)
        return difference.square().sum() / (2 * enhanced.shape[0])

    def blur(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to the same. The kernel is separable: one matrix product for each axis."""
        height, width = images.shape[-2:]
        return self._band(height) @ (images @ self._band(width))

    def _band(self, length: int) -> Tensor:
        """(length, length): row i holds the kernel, centred on i and cut at the edges. Symmetric, like the kernel."""
        if length not in self._bands or self._bands[length].device != self.kernel.device:
            band = torch.zeros(length, length)
            for offset, weight in zip(range(-_RADIUS, _RADIUS + 1), self.kernel.tolist(), strict=True):
                if abs(offset) < length:
                    band.diagonal(offset).fill_(weight)
            self._bands[length] = band.to(self.kernel.device)
        return self._bands[length]
