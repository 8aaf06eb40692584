"""Load networks from files without running code from them.

A file is read as numbers and names alone: `torch.load(weights_only=True)`, or NumPy's archives without pickled objects.
The class that a `generator.pt` names is built only if it is one of the topologies in `conf/model`.
"""

import pickle
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from enhance_sweep.config import CONF_DIR, build
from enhance_sweep.records.store import GENERATOR_FILE
from enhance_sweep.timing import variants
from enhance_sweep.weights.published_weights import by_our_names

#: What a network's constructor may make beside its weights: fixed kernels, coordinates.
_MOST_FIXED_BYTES = 64 * 2**20


def load_network(run_dir_or_file: str | Path) -> nn.Module:
    """A trained network as it was saved, on the CPU, in evaluation mode.

    Args:
        run_dir_or_file: a variant's folder under `runs/trained/`, or the `generator.pt` in it.

    Raises:
        FileNotFoundError: there is no trained network.
        ValueError: the file holds no network of this package's topologies.
    """
    path = Path(run_dir_or_file)
    file = path / GENERATOR_FILE if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(
            f"no trained variant at {path}: name a folder under runs/trained/ that holds a {GENERATOR_FILE}"
        )
    stored = _read(file)
    if not _is_ours(stored):
        raise ValueError(f"{file} does not say which network it is: use --weights with overrides")
    return _with_weights(stored["model"], stored["state_dict"], file)


def load_weights(file: str | Path, overrides: Sequence[str]) -> nn.Module:
    """A network with weights of any origin.

    Args:
        file: a `generator.pt` of ours, a state dict that torch saved, or a NumPy archive (`.npz`) of arrays. Where
            names differ from ours, layers of each kind are matched in the order in which they run.
        overrides: the network, such as `model=plain model.channels=64`. May be empty for a `generator.pt` of ours.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or holds another network's weights; says where they differ.
    """
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"no file of weights at {file}")
    stored = _read(file)
    if not overrides:
        if not _is_ours(stored):
            raise ValueError(f"{file} does not say which network it is: add overrides such as model.channels=64")
        return _with_weights(stored["model"], stored["state_dict"], file)
    networks = variants.of_overrides(overrides)
    if len(networks) != 1:
        raise ValueError(f"{' '.join(overrides)}: expected one network for {file}, got {len(networks)}")
    return weights_for(networks[0], file)


def weights_for(model: Mapping[str, Any], file: Path) -> nn.Module:
    """A network of known settings with weights of any origin, on the CPU, in evaluation mode.

    Args:
        model: its settings, as `conf/model` has them.
        file: as `load_weights` takes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, holds another network's weights, or values that are not numbers; says where.
    """
    if not file.is_file():
        raise FileNotFoundError(f"no file of weights at {file}")
    stored = _read(file)
    network = _with_weights(model, stored["state_dict"] if _is_ours(stored) else stored, file)
    for name, weights in network.state_dict().items():
        if not bool(weights.isfinite().all()):
            raise ValueError(f"{file}: {name} holds values that are not numbers: take other weights")
    return network


def _read(file: Path) -> Any:
    """What is in a file: dictionaries, numbers, names and tensors."""
    try:
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(arrays[name]) for name in arrays}
        return torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, KeyError, ValueError, OSError) as error:
        # Of what is no such file, torch advises to run the code in it.
        is_other = isinstance(error, pickle.UnpicklingError)
        reason = "no state dict that torch saved" if is_other else str(error).partition("\n")[0]
        raise ValueError(f"{file} cannot be read as weights ({reason})") from error


def _is_ours(stored: Any) -> bool:
    return isinstance(stored, Mapping) and {"model", "state_dict"} <= set(stored)


def _with_weights(model: Any, state: Any, file: Path) -> nn.Module:
    """Make a network and give it weights."""
    target = model.get("_target_") if isinstance(model, Mapping) else None
    topologies = [
        OmegaConf.select(OmegaConf.load(path), "_target_") for path in sorted((CONF_DIR / "model").glob("*.yaml"))
    ]
    if target not in topologies:
        raise ValueError(f"{file}: expected a network of {', '.join(topologies)}, got {target!r}")
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{file}: expected tensors by name, got {type(state).__name__}")
    with torch.device("meta"):  # a file may claim any size: first see that its weights are of the sizes it claims
        claimed: nn.Module = build(model, "model")
    named = by_our_names(claimed.state_dict(), state, file)
    _check_fixed(claimed, file)
    with torch.random.fork_rng(devices=[]):  # initial weights are drawn, and replaced
        network: nn.Module = build(model, "model")
    network.load_state_dict({name: value.float() for name, value in named.items()}, assign=True)
    if on_meta := tensors_on_meta(network):
        raise ValueError(f"{file}: {', '.join(on_meta)} of {target} never got values: make them in its constructor")
    return network.eval().requires_grad_(False)


def tensors_on_meta(network: nn.Module) -> list[str]:
    """Names of a network's tensors that have a shape and no values."""
    return [name for name, tensor in _tensors(network) if tensor.is_meta]


def _check_fixed(claimed: nn.Module, file: Path) -> None:
    """Refuse a network whose fixed tensors, which its constructor makes, would take much memory."""
    saved = set(claimed.state_dict())
    size = sum(tensor.numel() * tensor.itemsize for name, tensor in _tensors(claimed) if name not in saved)
    if size > _MOST_FIXED_BYTES:
        raise ValueError(
            f"{file}: expected a network whose fixed tensors take {_MOST_FIXED_BYTES >> 20} MiB at most, got "
            f"{size >> 20}: check the overrides"
        )


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """All tensors that belong to a network: weights, buffers (saved or not) and plain attributes."""
    yield from network.named_parameters()
    yield from network.named_buffers()
    for prefix, module in network.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, Tensor):
                yield f"{prefix}.{name}".lstrip("."), value
