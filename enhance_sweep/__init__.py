"""Which photo-enhancing network gives the most quality for the CPU time it costs?

A rebuild and extension of "Fast Perceptual Image Enhancement" (de Stoutz et al. 2018). Importing this package is light
on purpose: torch is imported where it is used, so that a process can set its allocator and threads first.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from enhance_sweep.version import __version__

if TYPE_CHECKING:
    from enhance_sweep.enhance import Enhancer

__all__ = ["__version__", "load_enhancer"]


def load_enhancer(
    run_dir_or_file: str | Path, runtime: str = "eager", precision: str = "fp32", memory_mib: int = 2048
) -> "Enhancer":
    """A trained variant as a function: `enhancer(photo)`, uint8 RGB (H, W, 3) to the same; see `Enhancer`.

    It also takes Pillow images and tensors, (3, H, W) or (N, 3, H, W). Nothing in the file is executed.

    Args:
        run_dir_or_file: a variant's folder under `runs/trained/`, or the `generator.pt` in it.
        runtime: eager, compile, onnxruntime or openvino (the last two with the extra `runtimes`).
        precision: fp32 or bf16.
        memory_mib: how much memory features may take; the rest goes to a temporary file.

    Raises:
        FileNotFoundError: there is no trained variant.
        ValueError: the file holds no variant, or there is no such runtime or precision.
    """
    from enhance_sweep.enhance import load_enhancer as load

    return load(run_dir_or_file, runtime, precision, memory_mib)
