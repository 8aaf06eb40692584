"""Loss terms, each an unweighted scalar of an enhanced and a target batch, and the objective that weights them."""

from enhance_sweep.losses.color import ColorLoss
from enhance_sweep.losses.content import ContentLoss
from enhance_sweep.losses.efficientnet_lite0 import EfficientNetLite0Features
from enhance_sweep.losses.fidelity import L1Loss, MSELoss, MSSSIMLoss
from enhance_sweep.losses.objective import Objective
from enhance_sweep.losses.texture import TextureLoss
from enhance_sweep.losses.total_variation import TotalVariationLoss
from enhance_sweep.losses.vgg19 import VGG19Features, WeightsError

__all__ = [
    "ColorLoss",
    "ContentLoss",
    "EfficientNetLite0Features",
    "L1Loss",
    "MSELoss",
    "MSSSIMLoss",
    "Objective",
    "TextureLoss",
    "TotalVariationLoss",
    "VGG19Features",
    "WeightsError",
]
