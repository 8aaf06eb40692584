"""How the report names a network and writes a number."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeGuard

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"

_NUMBER = (int, float)  # `int | float` would be made anew for each of a hundred thousand values
#: Topologies whose written name differs from that of their configuration.
_TOPOLOGIES = {"srcnn": "SRCNN"}
#: The paper swept these; what its notation says of them stands in each of their names.
PAPERS_TOPOLOGIES = ("plain", "strided")
#: Longer names are cut in figures and narrow columns; the pointer, the page and the CSV files have them whole.
_MOST_LETTERS = 27
_ALWAYS_NAMED = ("topology", "kernel_size", "channels", "blocks", "prelu")


def topology_name(topology: str) -> str:
    """A topology's usual name, such as `SRCNN`; else the records' name."""
    return _TOPOLOGIES.get(topology, topology)


def network_label(architecture: Mapping[str, Any], without: Collection[str] = ()) -> str:
    """The paper's short name: `{kernel, channels, blocks}`, of a strided network `{kernel-strided kernel, channels}`.

    Another topology with these three settings is written the same way, behind its name: `shuffled {3, 16, 2}`. What the
    paper's notation cannot say is written out: `{3, 64, 4} PReLU`, `{3-4, 16, 3 blocks}`, `unet {depth 3}`; a network
    without sizes goes by its topology's name alone: `SRCNN`.

    Args:
        architecture: as in records.
        without: settings to leave out, if they are none of these three.
    """
    rest = {name: value for name, value in architecture.items() if value is not None and value is not False}
    topology, prelu = rest.pop("topology"), rest.pop("prelu", False)
    prefix = "" if topology in PAPERS_TOPOLOGIES else f"{topology_name(topology)} "
    if topology == "strided" and {"kernel_size", "strided_kernel_size", "channels"} <= rest.keys():
        sizes = [f"{rest.pop('kernel_size')}-{rest.pop('strided_kernel_size')}", str(rest.pop("channels"))]
        blocks = rest.pop("blocks", 2)
        sizes += [] if blocks == 2 else [f"{blocks} blocks"]
    elif topology != "strided" and {"kernel_size", "channels", "blocks"} <= rest.keys():
        sizes = [str(rest.pop(name)) for name in ("kernel_size", "channels", "blocks")]
    else:
        sizes, prefix = [], f"{topology_name(topology)} "
    named = {name: value for name, value in rest.items() if name not in without}
    if topology not in PAPERS_TOPOLOGIES:
        named = {name: value for name, value in named.items() if value != "none"}  # as what is false
    sizes += [name.replace("_", " ") + ("" if value is True else f" {value}") for name, value in named.items()]
    if not sizes:
        return f"{topology_name(topology)}{' PReLU' if prelu else ''}"
    return f"{prefix}{{{', '.join(sizes)}}}{' PReLU' if prelu else ''}"


def network_labels(architectures: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The labels of networks that are shown together, by key: short, and still different.

    What all networks of a topology share is left out, where there are several of it (see `shared_settings`).
    """
    shared = shared_settings(architectures.values())
    return {key: network_label(one, shared.get(str(one["topology"]), ())) for key, one in architectures.items()}


def shared_settings(architectures: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By topology, the settings that all its networks share: of topologies beyond the paper's with several networks.

    Kernel size, channels, blocks and PReLU, which every label has, are not among them.
    """
    networks: dict[str, list[Mapping[str, Any]]] = {}
    for one in architectures:
        networks.setdefault(str(one["topology"]), []).append(one)
    return {
        topology: {
            name: value
            for name, value in some[0].items()
            if name not in _ALWAYS_NAMED and all(name in one and one[name] == value for one in some)
        }
        for topology, some in networks.items()
        if len(some) > 1 and topology not in PAPERS_TOPOLOGIES
    }


def cut_name(name: str, most: int = _MOST_LETTERS) -> str:
    """`{3, 16, 2, factor 4, …}`: a name with as many of its settings as there is room for, `most` letters in all."""
    if len(name) <= most or "{" not in name:
        return name
    begin, _, rest = name.partition("{")
    inside, _, end = rest.rpartition("}")
    parts = inside.split(", ")
    while len(parts) > 1 and len(f"{begin}{{{', '.join(parts)}, …}}{end}") > most:
        parts.pop()
    return f"{begin}{{{', '.join(parts)}, …}}{end}"


def spreadsheet_letters(index: int) -> str:
    """A, B, ..., Z, AA, AB, ... for 0, 1, ..."""
    letters = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def shortened(text: str, fits: Callable[[str], bool]) -> str:
    """The text, cut with an ellipsis where it does not fit."""
    if fits(text):
        return text
    while text and not fits(f"{text}…"):
        text = text[:-1].rstrip()
    return f"{text}…"


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a finite number."""
    return isinstance(value, _NUMBER) and value is not True and value is not False and math.isfinite(value)


def decimals(value: float, digits: int) -> str:
    """`22.6225`: a fixed number of digits after the point, thousands set apart."""
    return f"{value:,.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int) -> str:
    """`+1.20` or `−0.35`; a difference that rounds to nothing has no sign."""
    text = f"{value:+,.{digits}f}"
    return text[1:] if float(text.replace(",", "")) == 0 else text.replace("-", MINUS)


def significant(value: float, digits: int = 3) -> str:
    """`12.3`, `1,230`: significant digits, never in exponential notation."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    return decimals(value, max(0, digits - 1 - magnitude))


def speed_up_text(value: float) -> str:
    """`6.31×`, `12.6×`."""
    return f"{decimals(value, 2 if value < 9.995 else 1)}{TIMES}"


def interval_text(low: float, high: float) -> str:
    """`6.21 to 6.43`, `12.4 to 12.9`: the ends of a speed-up's interval."""
    digits = 2 if high < 9.995 else 1
    return f"{decimals(low, digits)} to {decimals(high, digits)}"


def signed_interval(low: float, high: float, digits: int = 4) -> str:
    """`−0.0029 to +0.0106`: the ends of an interval of a difference of scores."""
    return f"{signed(low, digits)} to {signed(high, digits)}"


def percent(share: float) -> str:
    """`12%`: a share, in whole percent."""
    return f"{share:.0%}".replace("-", MINUS)


def setting_name(name: str) -> str:
    """A setting as a reader would say it: `kernel size`, `PReLU`."""
    return "PReLU" if name == "prelu" else name.replace("_", " ")


def significant_ms(value: float) -> str:
    """A time in ms: whole above 100, three digits below."""
    return decimals(value, 0) if value >= 100 else significant(value)


def thousands(value: float) -> str:
    """`1,200`: a whole number."""
    return f"{int(value):,}"


def plural(count: int, noun: str) -> str:
    """`1 network`, `1,200 networks`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
