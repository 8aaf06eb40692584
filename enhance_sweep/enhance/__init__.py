"""Apply a trained variant to photographs.

Importing this package is light: `python -m enhance_sweep.enhance` sets its environment before torch is imported.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from enhance_sweep.enhance.enhancer import Enhancer, load_enhancer

__all__ = ["Enhancer", "load_enhancer"]


def __getattr__(name: str) -> Any:
    """`Enhancer` and `load_enhancer`, imported when they are used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from enhance_sweep.enhance import enhancer

    return getattr(enhancer, name)
