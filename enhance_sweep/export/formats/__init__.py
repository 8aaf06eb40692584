"""Formats that a network can be exported to: one file each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor, nn

#: See `enhance_sweep.lowering.lowered`.
Form = Literal["any", "onnx"]
PRECISIONS = ("fp32", "fp16", "bf16", "int8")
#: The input's name in files that name it, and the output's.
INPUT, OUTPUT = "input", "enhanced"

#: fp32 (1, 3, H, W) in [0, 1] to the same, slightly beyond [0, 1].
Runner = Callable[[Tensor], Tensor]


class ExportError(ValueError):
    """The export is not possible; the message says why, and what to do."""


@dataclass(frozen=True)
class Sides:
    """The heights and widths that a file takes, in pixels; by default any.

    Attributes:
        multiple: what they must be multiples of.
        smallest: one.
        largest: one; None where there is no limit.
    """

    multiple: int = 1
    smallest: int = 1
    largest: int | None = None

    @property
    def are_any(self) -> bool:
        """Whether there is no limit."""
        return self == Sides()

    def within(self, side: int) -> int:
        """The longest side that is allowed and no longer than `side`.

        Raises:
            ExportError: there is none.
        """
        longest = min(side, self.largest or side)
        longest -= longest % self.multiple
        if longest < self.smallest:
            raise ExportError(
                f"a photograph's side of {side} pixels is too short: in this format the network takes multiples of "
                f"{self.multiple} from {self.smallest} on; onnx, openvino and torchscript take any size"
            )
        return longest


class Format(Protocol):
    """What a format does.

    Attributes:
        name: as records and people call it.
        suffix: of its file.
        precisions: what it can hold.
        refused: why it cannot hold the others, by precision.
        packages: the distributions that the result depends on; a record names their versions.
        meaning: what each precision means here, by precision, for the card.
        form: of a lowered network (`enhance_sweep.lowering`); None where the format takes networks as written alone.
    """

    name: str
    suffix: str
    precisions: tuple[str, ...]
    refused: ClassVar[Mapping[str, str]]
    packages: tuple[str, ...]
    meaning: ClassVar[Mapping[str, str]]
    form: ClassVar[Form | None]

    def sides(self, generator: nn.Module) -> Sides:
        """The heights and widths that a network takes in this format.

        Raises:
            ExportError: the format takes multiples of a number that the network does not say.
        """
        ...

    def write(self, generator: nn.Module, precision: str, patches: Sequence[Tensor], file: Path) -> None:
        """Write `generator` to `file`.

        Args:
            generator: in evaluation mode, fp32; not changed.
            precision: one of `precisions`.
            patches: what int8 is calibrated on, fp32 (1, 3, H, W) in [0, 1]; empty otherwise.
            file: in an existing folder. Further files go beside it under the same stem.
        """
        ...

    def open(self, file: Path, precision: str, threads: int) -> Runner:
        """Load `file` as a user would, to compute with `threads` threads.

        Raises:
            ExportError: this host cannot run it in that precision.
        """
        ...

    def usage(self, file: str, precision: str) -> str:
        """A few lines of Python that run the file, for the card."""
        ...


#: Each format's class, by name; imported only when it is asked for.
_CLASSES = {
    "onnx": "as_onnx.Onnx",
    "openvino": "as_openvino.OpenVino",
    "torchscript": "as_torchscript.TorchScript",
    "litert": "as_litert.LiteRt",
    "executorch": "as_executorch.ExecuTorch",
}
FORMATS = tuple(_CLASSES)


def format_of(name: str, precision: str) -> Format:
    """A format by its name.

    Raises:
        ExportError: there is none of that name, or it has no such precision.
    """
    if name not in _CLASSES:
        raise ExportError(f"--format: expected one of {', '.join(FORMATS)}, got {name!r}")
    module, _, class_name = _CLASSES[name].rpartition(".")
    found: Format = getattr(import_module(f"{__name__}.{module}"), class_name)()
    if precision not in found.precisions:
        why = found.refused.get(precision, f"expected one of {', '.join(found.precisions)}")
        raise ExportError(f"--precision {precision}: not in {name}: {why}")
    return found


def needed(module: str, install: str) -> Any:
    """Import `module`, or say what to install.

    Raises:
        ExportError: it is not installed, or cannot be loaded here.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ExportError(f"{error.name} is not installed: pip install {install}") from error
    except (ImportError, OSError) as error:
        raise ExportError(f"{module} cannot be loaded here ({error})") from error


def versions(packages: Sequence[str]) -> dict[str, str | None]:
    """The installed version of each distribution; None for one that is not there."""
    found: dict[str, str | None] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
