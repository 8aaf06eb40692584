"""A trained variant as a function on photographs."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from enhance_sweep import lowering
from enhance_sweep.enhance.color import color_space
from enhance_sweep.enhance.memory import MIB, Budget
from enhance_sweep.enhance.strips import ByStrips, NotByStripsError
from enhance_sweep.enhance.whole import WholeImages
from enhance_sweep.settings import PRECISIONS, one_of
from enhance_sweep.timing import variants
from enhance_sweep.weights.loading import load_network, tensors_on_meta

Pixels = NDArray[np.uint8]
Rows = Callable[[int, int], Tensor]

#: What a photograph's features may take in memory unless told otherwise; the rest is kept on the disk.
DEFAULT_MEMORY_MIB = 2048
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Enhancer:
    """Enhances photographs of any size on the CPU; may be called from several threads.

    Eager runs strip by strip: a photograph of any size within `memory_mib`, with the whole image's result. The other
    runtimes take whole images, and refuse what would not fit.

    Args:
        generator: (1, 3, H, W) in [0, 1] to the same; not changed.
        runtime: eager, compile, onnxruntime or openvino (the last two with the extra `runtimes`).
        precision: fp32 or bf16.
        memory_mib: what features may take in memory, in MiB, beside the photograph and its result.
        spill_dir: where features go that do not fit; None is the system's folder for temporary files.
        lowered: rearrange the network for speed, which changes results by rounding only (`enhance_sweep.lowering`).

    Attributes:
        generator: as it was given.
        runs: in the form that runs.

    Raises:
        ValueError: there is no such runtime or precision, or that runtime does not have that precision; or a tensor
            of the network has no values.
    """

    def __init__(
        self,
        generator: nn.Module,
        runtime: str = "eager",
        precision: str = "fp32",
        memory_mib: int = DEFAULT_MEMORY_MIB,
        spill_dir: Path | None = None,
        lowered: bool = True,
    ) -> None:
        one_of("runtime", runtime, variants.runtimes())
        one_of("precision", precision, PRECISIONS)
        if on_meta := tensors_on_meta(generator):
            raise ValueError(
                f"expected a network with values, got none for {', '.join(on_meta)}: load its weights first"
            )
        self.generator = generator.eval()
        self.budget = Budget(memory_mib * MIB)
        self.spill_dir = spill_dir or Path(tempfile.gettempdir())
        self._dtype = _DTYPES[precision] if runtime in ("eager", "compile") else torch.float32
        self._by_strips: ByStrips | None = None
        if runtime == "eager":
            try:
                in_strips = lowering.lowered(generator) if lowered else generator
                self._by_strips = ByStrips(in_strips, self._dtype)
            except NotByStripsError as error:
                self._why_whole = str(error)
        else:
            self._why_whole = f"{runtime} takes whole images"
        self._whole = WholeImages(generator, runtime, precision, self._dtype, lowered)
        self.runs = in_strips if self._by_strips is not None else self._whole.generator

    @overload
    def __call__(self, photo: Pixels) -> Pixels: ...
    @overload
    def __call__(self, photo: Tensor) -> Tensor: ...
    @overload
    def __call__(self, photo: Image.Image) -> Image.Image: ...

    def __call__(self, photo: Any) -> Any:
        """Enhance a photograph, to the same type, shape and size.

        Args:
            photo: uint8 RGB (H, W, 3) as a NumPy array; or a tensor (3, H, W) or (N, 3, H, W), uint8, or floating-point
                in [0, 1]; or a Pillow image with 8 bits a channel. All are taken as sRGB, except that a Pillow image
                with an ICC profile gives a result with that profile. Pillow images keep transparency, gray and `info`
                (with EXIF) and are not turned; other modes become RGB.

        Returns:
            The same type and shape; a tensor on the same device, in the same dtype, clipped to [0, 1].

        Raises:
            ValueError: another type or shape, or it needs more memory than allowed.
            OSError: features do not fit on the disk either.
        """
        if isinstance(photo, Image.Image):
            return self._enhance_image(photo)
        if isinstance(photo, Tensor):
            return self._enhance_tensor(photo)
        return self.enhance_pixels(photo)

    def enhance_pixels(self, photo: Pixels, into: Pixels | None = None) -> Pixels:
        """Enhance uint8 RGB (H, W, 3), into the array `into` if given. Raises as a call does."""
        if not isinstance(photo, np.ndarray) or photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
            found = f"{photo.dtype} {photo.shape}" if isinstance(photo, np.ndarray) else type(photo).__name__
            raise ValueError(f"expected a photograph as uint8 RGB of shape (H, W, 3), got {found}")
        result = np.empty(photo.shape, np.uint8) if into is None else into

        def read(first: int, last: int) -> Tensor:
            return torch.from_numpy(np.array(photo[first:last])).float().div_(255).to(self._dtype)

        def write(first: int, rows: Tensor) -> None:
            pixels = rows.float().clamp(0, 1).mul_(255).round_().byte()
            result[first : first + len(rows)] = pixels.numpy()

        self._enhance(read, write, *photo.shape[:2])
        return result

    def needs(self, height: int, width: int) -> int:
        """The least bytes of memory to enhance a photograph of this size, beside the photograph and its result."""
        if self._by_strips is not None:
            return self._by_strips.least_bytes(height, width)
        return self._whole.bytes_needed(height, width)

    @property
    def why_whole(self) -> str | None:
        """Why photographs are enhanced whole, with all features in memory; None where they go strip by strip."""
        return None if self._by_strips is not None else self._why_whole

    def limit(self, memory_mib: int) -> None:
        """Change what features may take in memory, in MiB, between photographs."""
        self.budget = Budget(memory_mib * MIB)

    def warm_up(self) -> None:
        """Enhance a tiny picture, so that whatever loads on first use is loaded."""
        self.enhance_pixels(np.zeros((32, 32, 3), np.uint8))

    def _enhance(self, read: Rows, write: Callable[[int, Tensor], None], height: int, width: int) -> None:
        if not height or not width:
            raise ValueError(f"expected a photograph with at least one pixel, got {width}x{height}")
        if self._by_strips is not None:
            self._by_strips(read, write, height, width, self.budget, self.spill_dir)
            return
        size = self._whole.bytes_needed(height, width)
        if not self.budget.take(size):
            raise ValueError(
                f"{width}x{height} needs about {size // MIB} MiB, and {self.budget.size // MIB} MiB are allowed: "
                f"{self._why_whole}; allow more, or choose eager"
            )
        try:
            self._whole(read, write, height, width)
        finally:
            self.budget.give_back(size)

    def _enhance_tensor(self, photo: Tensor) -> Tensor:
        channels = photo.shape[-3] if photo.dim() in (3, 4) else None
        if channels != 3 or not (photo.dtype == torch.uint8 or photo.is_floating_point()):
            raise ValueError(
                "expected a photograph of shape (3, H, W) or (N, 3, H, W), uint8 or floating-point in [0, 1], "
                f"got {photo.dtype} {tuple(photo.shape)}"
            )
        if photo.dim() == 4:
            return torch.stack([self._enhance_tensor(one) for one in photo]) if len(photo) else photo.clone()
        if photo.dtype == torch.uint8:
            enhanced = self.enhance_pixels(photo.detach().permute(1, 2, 0).cpu().numpy())
            return torch.from_numpy(enhanced).permute(2, 0, 1).contiguous().to(photo.device)
        source = photo.detach().permute(1, 2, 0).cpu()
        result = torch.empty(source.shape, dtype=photo.dtype)

        def write(first: int, rows: Tensor) -> None:
            result[first : first + len(rows)] = rows.float().clamp(0, 1)

        self._enhance(lambda first, last: source[first:last].to(self._dtype), write, *source.shape[:2])
        return result.permute(2, 0, 1).contiguous().to(photo.device)

    def _enhance_image(self, photo: Image.Image) -> Image.Image:
        if photo.mode.startswith(("I", "F")):
            raise ValueError(f"expected a picture with 8 bits a channel, got mode {photo.mode}")
        is_gray = photo.mode in ("L", "LA", "La", "1")
        mode = "L" if is_gray else "CMYK" if photo.mode == "CMYK" else "RGB"
        space = color_space(mode, photo.info.get("icc_profile"))
        alpha = photo.convert("LA" if is_gray else "RGBA").getchannel("A") if photo.has_transparency_data else None
        before = np.asarray(space.to_srgb(photo.convert(mode)))
        result = space.from_srgb(Image.fromarray(self.enhance_pixels(before)))
        if alpha is not None:
            result.putalpha(alpha)
        result.info = {name: value for name, value in photo.info.items() if name not in ("icc_profile", "transparency")}
        if space.profile:
            result.info["icc_profile"] = space.profile
        return result


def load_enhancer(
    run_dir_or_file: str | Path,
    runtime: str = "eager",
    precision: str = "fp32",
    memory_mib: int = DEFAULT_MEMORY_MIB,
    lowered: bool = True,
) -> Enhancer:
    """Load a trained variant; nothing in the file is executed.

    Args:
        run_dir_or_file: a variant's folder under `runs/trained/`, or the `generator.pt` in it.
        runtime, precision, memory_mib, lowered: see :class:`Enhancer`.

    Raises:
        FileNotFoundError: there is no trained variant.
        ValueError: the file holds no network of ours, or there is no such runtime or precision.
    """
    return Enhancer(load_network(run_dir_or_file), runtime, precision, memory_mib, lowered=lowered)
