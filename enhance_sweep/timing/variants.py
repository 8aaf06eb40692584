"""Which networks and runtimes the timing command is asked for, by name."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from enhance_sweep import records
from enhance_sweep.config import CONF_DIR, HOME, ConfigError, compose_config, resolved
from enhance_sweep.timing.subject import architecture_of


def of_sweep(name: str) -> list[dict[str, Any]]:
    """The networks of `sweeps/<name>.yaml`.

    Raises:
        ConfigError: there is no such sweep.
    """
    path = HOME / "sweeps" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
        raise ConfigError(f"--sweep: expected one of {known}, got {name!r}")
    rows = OmegaConf.select(OmegaConf.load(path), "hydra.sweeper.params")
    return _networks([f"{key}={value}" for key, value in rows.items()], [f"sweeps={name}"])


def of_overrides(overrides: Sequence[str]) -> list[dict[str, Any]]:
    """The networks of `model=strided model.channels=16,32`, every combination."""
    return _networks(overrides, [])


def of_runs(runs_dir: Path) -> list[dict[str, Any]]:
    """The networks that were trained in a folder of runs, each architecture once."""
    found = []
    for record in records.trained_records(runs_dir):
        topology, *arguments = record["architecture"].items()
        found += of_overrides([f"model={topology[1]}", *(f"model.{name}={_value(value)}" for name, value in arguments)])
    return without_repeats(found)


def runtime(name: str) -> dict[str, Any]:
    """A runtime's configuration, `conf/runtime/<name>.yaml`."""
    return resolved(compose_config([f"runtime={name}"]), "runtime")


def runtimes() -> list[str]:
    """The names of all runtimes."""
    return sorted(path.stem for path in (CONF_DIR / "runtime").glob("*.yaml"))


def without_repeats(models: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each network once, in the order in which it was first named."""
    return list({records.architecture_key(architecture_of(model)): model for model in models}.values())


def _networks(swept: Sequence[str], fixed: Sequence[str]) -> list[dict[str, Any]]:
    parsed = OverridesParser.create().parse_overrides(list(swept))
    jobs = itertools.chain(*BasicSweeper.split_arguments(parsed, None))
    return [resolved(compose_config([*fixed, *job]), "model") for job in jobs]


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
