"""Apply a trained variant to photographs."""

from enhance_sweep.enhance.enhancer import Enhancer, load_enhancer

__all__ = ["Enhancer", "load_enhancer"]
