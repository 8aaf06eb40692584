"""Generators and the discriminator: torch only, no configuration."""

from enhance_sweep.models.discriminator import Discriminator
from enhance_sweep.models.plain import PlainGenerator
from enhance_sweep.models.srcnn import SRCNN
from enhance_sweep.models.strided import StridedGenerator

__all__ = ["SRCNN", "Discriminator", "PlainGenerator", "StridedGenerator"]
