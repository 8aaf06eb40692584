"""Generators and the discriminator: torch only, no configuration."""

from enhance_sweep.models.coefficients import CoefficientsGenerator
from enhance_sweep.models.discriminator import Discriminator
from enhance_sweep.models.plain import PlainGenerator
from enhance_sweep.models.separable import SeparableGenerator
from enhance_sweep.models.shuffled import ShuffledGenerator
from enhance_sweep.models.srcnn import SRCNN
from enhance_sweep.models.strided import StridedGenerator
from enhance_sweep.models.tone import ToneGenerator
from enhance_sweep.models.unet import UNetGenerator

__all__ = [
    "SRCNN",
    "CoefficientsGenerator",
    "Discriminator",
    "PlainGenerator",
    "SeparableGenerator",
    "ShuffledGenerator",
    "StridedGenerator",
    "ToneGenerator",
    "UNetGenerator",
]
