"""What a teacher makes of patches."""

import numpy as np
import torch
from torch import Tensor, nn

from enhance_sweep.data.batches import to_unit
from enhance_sweep.data.pairs import DataError, Pixels

#: Patches that a teacher is shown at once; fewer where memory is short.
_BATCH = 50
#: Texts of torch's errors that have no class of their own.
_NO_MEMORY = ("can't allocate memory", "cannot allocate memory", "out of memory", "not enough memory")


def taught(network: nn.Module, patches: Pixels, device: torch.device, name: str) -> Pixels:
    """What a network makes of patches, computed in fp32, cut at 0 and 1 and rounded to 8 bits.

    Args:
        network: (N, 3, H, W) in [0, 1] to the same, on the device, in evaluation mode.
        patches: uint8 (N, H, W, 3).
        device: where to compute.
        name: the network's, for messages.

    Raises:
        DataError: it gives no pictures of the patches' size, values that are not numbers, or needs too much memory.
    """
    made = np.empty_like(patches)
    size = f"{patches.shape[2]}x{patches.shape[1]}"
    first, batch = 0, _BATCH
    while first < len(patches):
        some = np.array(patches[first : first + batch])
        try:
            images = _enhanced(network, some, device)
        except (RuntimeError, MemoryError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            if not isinstance(error, MemoryError) and not any(words in str(error).lower() for words in _NO_MEMORY):
                raise DataError(f"teacher {name} cannot enhance patches of {size}: {reason}") from error
            if batch == 1:
                said = f"teacher {name} needs more memory than there is for one patch of {size}"
                raise DataError(f"{said}: take a smaller teacher") from error
            batch = max(1, batch // 2)
            continue
        wanted = (len(some), 3, *some.shape[1:3])
        if tuple(images.shape) != wanted:
            raise DataError(
                f"teacher {name}: expected images of the patches' size, {wanted}, got {tuple(images.shape)}"
            )
        if not bool(images.isfinite().all()):
            raise DataError(f"teacher {name} gives values that are not numbers: take another teacher")
        pixels = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1)
        made[first : first + len(some)] = pixels.cpu().numpy()
        first += len(some)
    return made


@torch.inference_mode()
def _enhanced(network: nn.Module, patches: Pixels, device: torch.device) -> Tensor:
    images: Tensor = network(to_unit(torch.from_numpy(patches).to(device).permute(0, 3, 1, 2)))
    return images.float()
