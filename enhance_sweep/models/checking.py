"""Whether a topology does what the harness asks of it: a photograph in, a photograph of the same size out."""

import copy

import torch
from torch import Tensor, nn

#: Photographs and their height and width: odd sides that differ, and the smallest photograph.
_TRIED = ((2, 37, 41), (1, 1, 1))
_CHANNELS = 3


class ShapeError(ValueError):
    """A network does not map (N, 3, H, W) to the same shape; the message says what it gives, and what to do."""


def check_shapes(generator: nn.Module) -> None:
    """Run a network on two photographs of 41x37 and on one of 1x1, on torch's meta device: without arithmetic.

    Raises:
        ShapeError: it raises something, or gives anything but photographs of the same number and size.
    """
    on_meta = copy.deepcopy(generator).to("meta").eval()
    for count, height, width in _TRIED:
        asked = f"{count} photograph{'s' if count > 1 else ''} of {width}x{height}"
        photographs = torch.empty(count, _CHANNELS, height, width, device="meta")
        try:
            with torch.no_grad():
                enhanced = on_meta(photographs)
        except Exception as error:  # somebody's network may raise anything
            raise ShapeError(
                f"for {asked} {raised(error)}: expected the same size, for any height and width"
            ) from error
        _check(enhanced, photographs, asked)


def raised(error: Exception) -> str:
    """What a network raised, on one line."""
    first_line = str(error).strip().partition("\n")[0]
    hint = " (shapes are found on torch's meta device, which has no values)" if "meta" in first_line else ""
    return f"it raises {type(error).__name__}: {first_line:.200}{hint}"


def _check(enhanced: object, photographs: Tensor, asked: str) -> None:
    if not isinstance(enhanced, Tensor):
        raise ShapeError(f"for {asked} it gives a {type(enhanced).__name__}: return one tensor, the photographs alone")
    given, wanted = tuple(enhanced.shape), tuple(photographs.shape)
    if given == wanted:
        return
    if len(given) != len(wanted) or given[:2] != wanted[:2]:
        raise ShapeError(f"for {asked}, a tensor of {wanted}, it gives one of {given}: return {wanted}")
    raise ShapeError(
        f'for {asked} it gives {given[3]}x{given[2]}: expected the same size. Convolutions need "same" padding '
        "(enhance_sweep.models.blocks.Conv2d); a network at a lower resolution pads its photograph to a multiple and "
        "crops the result, or enlarges to the size of the features that it adds"
    )
