"""Others' weights under our names: layers are told apart by kind, and matched in the order in which they run."""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

State = Mapping[str, Tensor]

#: Archives of the PIRM challenge's networks: weights and biases of convolutions by number, and the instance norms'
#: shift, scale, shift, scale, ... as TensorFlow numbers them.
_NUMBERED = re.compile(r"(?P<kind>[Ww]|[Bb]|norm)_?(?P<number>\d*)")


def by_our_names(ours: State, theirs: State, file: Path) -> dict[str, Tensor]:
    """Weights under our names.

    Args:
        ours: the network's own weights, by name.
        theirs: the file's, by name; may have other names, but has as many layers of each kind.
        file: for messages.

    Raises:
        ValueError: they are another network's; says where they differ.
    """
    if set(ours) != set(theirs):
        theirs = _matched(_layers(ours), _layers(_with_dots(theirs)), file)
    for name, wanted in ours.items():
        found = tuple(theirs[name].shape) if name in theirs else "none"
        if found != tuple(wanted.shape):
            raise ValueError(f"{file}: {name}: expected shape {tuple(wanted.shape)}, got {found}: check the overrides")
    return {name: theirs[name] for name in ours}


def _with_dots(state: State) -> State:
    """Numbered names as `conv2.weight` and `norm1.bias`; other names as they are."""
    parts = {name: _NUMBERED.fullmatch(name) for name in state}
    if not all(parts.values()):
        return state
    named: dict[str, Tensor] = {}
    for name, part in parts.items():
        assert part is not None
        number = int(part["number"] or 0)
        if part["kind"] == "norm":
            named[f"norm{number // 2}.{('bias', 'weight')[number % 2]}"] = state[name]
        else:
            named[f"conv{number}.{'weight' if part['kind'] in 'Ww' else 'bias'}"] = state[name]
    return dict(sorted(named.items(), key=lambda item: int(re.sub(r"\D", "", item[0]))))


Layer = dict[str, Tensor]


def _layers(state: State) -> dict[str, Layer]:
    """Weights by layer, then by their name within it, in order."""
    layers: dict[str, Layer] = {}
    for key, value in state.items():
        layer, _, name = key.rpartition(".")
        layers.setdefault(layer, {})[name] = value
    return layers


def _kind(layer: Layer) -> str:
    """Convolutions have kernels; norms and PReLUs one number for each channel."""
    if any(value.dim() > 1 for value in layer.values()):
        return "convolutions"
    return "norms" if "bias" in layer else "activations with weights"


def _matched(ours: Mapping[str, Layer], theirs: Mapping[str, Layer], file: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for kind in dict.fromkeys(map(_kind, [*ours.values(), *theirs.values()])):
        our_layers = [name for name, layer in ours.items() if _kind(layer) == kind]
        their_layers = [layer for layer in theirs.values() if _kind(layer) == kind]
        if len(our_layers) != len(their_layers):
            raise ValueError(
                f"{file}: expected {len(our_layers)} {kind}, as the network has, got {len(their_layers)}: "
                "check the overrides"
            )
        for our_name, layer in zip(our_layers, their_layers, strict=True):
            found |= {f"{our_name}.{name}": value for name, value in layer.items()}
    return found
