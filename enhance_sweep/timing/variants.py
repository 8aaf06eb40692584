"""The networks and runtimes that the timing command names."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from enhance_sweep.config import CONF_DIR, HOME, ConfigError, build, compose_config, resolved
from enhance_sweep.records.keys import architecture_key, architecture_of
from enhance_sweep.records.store import trained_records


def of_sweep(name: str) -> list[dict[str, Any]]:
    """The networks of `sweeps/<name>.yaml`.

    Raises:
        ConfigError: there is no such sweep.
    """
    path = HOME / "sweeps" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in (HOME / "sweeps").glob("*.yaml")))
        raise ConfigError(f"--sweep: expected one of {known}, got {name!r}")
    rows = OmegaConf.select(OmegaConf.load(path), "hydra.sweeper.params")
    if rows is None:
        raise ConfigError(f"--sweep: {name} is a search, which finds its networks as it goes: name networks instead")
    return _networks([f"{key}={value}" for key, value in rows.items()], [f"sweeps={name}"])


def of_overrides(overrides: Sequence[str]) -> list[dict[str, Any]]:
    """The networks of `model=strided model.channels=16,32`, every combination.

    Raises:
        ConfigError: an override does not belong to a network, or there is no such network.
    """
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.key_or_group.partition(".")[0] != "model" or override.is_delete():
            raise ConfigError(
                f"{override.input_line}: expected a network's setting, such as model.channels=16; how to time it is "
                "set by options such as --runtime (see --help)"
            )
    return _networks(overrides, [])


def of_runs(runs_dir: Path) -> list[dict[str, Any]]:
    """The networks trained in a folder of runs, each architecture once."""
    found = []
    for record in trained_records(runs_dir):
        topology, *arguments = record.architecture.items()
        found += of_overrides([f"model={topology[1]}", *(f"model.{name}={_value(value)}" for name, value in arguments)])
    return without_repeats(found)


def runtime(name: str) -> dict[str, Any]:
    """A runtime's configuration, `conf/runtime/<name>.yaml`."""
    return resolved(compose_config([f"runtime={name}"]), "runtime")


def runtimes() -> list[str]:
    """The names of all runtimes."""
    return sorted(path.stem for path in (CONF_DIR / "runtime").glob("*.yaml"))


def without_repeats(models: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each network once, in order of first appearance."""
    return list({architecture_key(architecture_of(model)): model for model in models}.values())


def _networks(swept: Sequence[str], fixed: Sequence[str]) -> list[dict[str, Any]]:
    import torch

    parsed = OverridesParser.create().parse_overrides(list(swept))
    jobs = itertools.chain(*BasicSweeper.split_arguments(parsed, None))
    models = [resolved(compose_config([*fixed, *job]), "model") for job in jobs]
    for model in models:
        with torch.device("meta"):  # finds refused sizes before anything is timed
            build(model, "model")
    return models


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
