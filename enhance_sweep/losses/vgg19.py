"""VGG-19's features: the paper's choice for the content loss."""

from pathlib import Path

import torch
from torch import Tensor, nn

#: Output channels of each convolution up to relu5_4; "M" halves the resolution (Simonyan & Zisserman 2015, E).
_LAYOUT = [64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512, 512, 512, 512]

#: torchvision's published weights; the name holds the start of their SHA-256, which is checked.
WEIGHTS_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class WeightsError(RuntimeError):
    """Published weights are not available; the message says what to do."""


class VGG19Features(nn.Module):
    """relu5_4 of VGG-19 (Simonyan & Zisserman 2015), with torchvision's weights.

    (N, 3, H, W) in [0, 1], at least 16x16, to (N, 512, H // 16, W // 16). The DPED code uses the same layer with the
    Caffe weights. On torch's meta device, where there are only shapes, it needs no weights.

    Args:
        weights_file: a file with torchvision's VGG-19 weights; None fetches them once into `torch.hub`'s cache folder.
        url: where to fetch them. The name must end in the start of the file's SHA-256, which is checked.
        scale: factor of the content loss; 1, as in the paper.

    Raises:
        WeightsError: the weights cannot be fetched, do not match their hash, or are not VGG-19's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights_file: str | None = None, url: str = WEIGHTS_URL, scale: float = 1.0) -> None:
        super().__init__()
        self.scale, self.smallest = scale, 16
        self.layers = nn.Sequential(*_layers())
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)
        if self.mean.is_meta:
            return
        # torchvision numbers the layers in the same way, behind "features.".
        state = {name.removeprefix("features."): value for name, value in _load(weights_file, url).items()}
        wanted = self.layers.state_dict()
        missing = [name for name in wanted if name not in state or state[name].shape != wanted[name].shape]
        if missing:
            raise WeightsError(
                f"{weights_file or url}: expected torchvision's VGG-19 weights; {missing[0]} is missing or misshapen"
            )
        self.layers.load_state_dict({name: state[name] for name in wanted})

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to (N, 512, H // 16, W // 16)."""
        features: Tensor = self.layers((images - self.mean) / self.std)
        return features


def _layers() -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = 3
    for step in _LAYOUT:
        if isinstance(step, int):
            layers += [nn.Conv2d(channels, step, 3, padding=1), nn.ReLU(inplace=True)]
            channels = step
        else:
            layers.append(nn.MaxPool2d(2))
    return layers


def _load(weights_file: str | None, url: str) -> dict[str, Tensor]:
    try:
        if weights_file is not None:
            state: dict[str, Tensor] = torch.load(Path(weights_file), map_location="cpu", weights_only=True)
        else:
            state = torch.hub.load_state_dict_from_url(url, map_location="cpu", check_hash=True, weights_only=True)
    except Exception as error:
        remedy = (
            "name a file with torchvision's vgg19-dcbb9e9d.pth"
            if weights_file is not None
            else f"download {url} elsewhere and name the file with content.weights_file=FILE, or use the default "
            "content=efficientnet_lite0, whose weights come with the installation"
        )
        raise WeightsError(
            f"VGG-19's weights are not available from {weights_file or url} ({error}): {remedy}"
        ) from error
    return state
