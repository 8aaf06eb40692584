"""The typed schema of `conf/`, and how a configuration becomes objects.

Hydra's `_target_` is the registry: a topology, a loss, a data set or a runtime is a class and a YAML file that names
it. What such a file may say is what its class takes: unknown names and wrong types are refused by comparing with the
signature, so that no second list of names has to be kept.
"""

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from enhance_sweep.settings import (
    SCHEDULES,
    STAGES,
    TRAINING_PRECISIONS,
    Config,
    SearchSettings,
    TimingSettings,
    TrainerConfig,
)

#: Settings that say where a thing is, not what it is: they never change what a network learns.
PLACES = ("root", "weights_file", "url")

_PACKAGE = Path(__file__).resolve().parent
#: In a checkout `conf/` and `sweeps/` stand beside the package, in an installed wheel inside it.
HOME = _PACKAGE if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent
CONF_DIR = HOME / "conf"


class ConfigError(ValueError):
    """A configuration that cannot be run, by the name of the setting that is wrong."""


class _SweepsSearchPath(SearchPathPlugin):
    """Lets Hydra find `sweeps/`, which stands beside `conf/`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append("enhance_sweep", f"file://{HOME}")


def register() -> None:
    """Tell Hydra of the schema and of `sweeps/`. Safe to call again."""
    ConfigStore.instance().store(name="schema", node=Config)
    Plugins.instance().register(_SweepsSearchPath)


def compose_config(overrides: Sequence[str] = ()) -> DictConfig:
    """The configuration that `python -m enhance_sweep OVERRIDES` would run, for use from Python.

    Raises:
        hydra.errors.HydraException: an override names no setting or has a wrong type.
    """
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def check(config: DictConfig) -> None:
    """Check every setting that can be checked without data.

    Raises:
        ConfigError: naming the first setting that is wrong.
    """
    trainer: TrainerConfig = config.trainer
    one_of("trainer.precision", trainer.precision, TRAINING_PRECISIONS)
    one_of("trainer.schedule", trainer.schedule, SCHEDULES)
    for stage in config.stages:
        one_of("stages", stage, STAGES)
    minima = {"max_steps": 1, "batch_size": 1, "crop_size": 2}
    for name, minimum in minima.items():
        if getattr(trainer, name) < minimum:
            raise ConfigError(f"trainer.{name}: expected at least {minimum}, got {getattr(trainer, name)}")
    if not 0 <= config.seed < 2**32:
        raise ConfigError(f"seed: expected 0 to {2**32 - 1}, got {config.seed}")
    if not 0 < trainer.learning_rate < float("inf"):
        raise ConfigError(f"trainer.learning_rate: expected a positive number, got {trainer.learning_rate}")
    if any(step < 1 for step in trainer.evaluate_at):
        raise ConfigError(f"trainer.evaluate_at: expected steps of at least 1, got {list(trainer.evaluate_at)}")
    if not 1 <= trainer.micro_batches <= trainer.batch_size:
        raise ConfigError(
            f"trainer.micro_batches: expected 1 to {trainer.batch_size}, the batch size, got {trainer.micro_batches}"
        )
    for failure, count in config.retries.items():
        if count is not None and count < 0:
            raise ConfigError(f"retries.{failure}: expected at least 0, or null for no limit, got {count}")
    timing_settings(config)
    for group in ("model", "data", "loss", "runtime"):
        check_arguments(resolved(config, group), group)


def timing_settings(config: DictConfig) -> TimingSettings:
    """`conf/timing` as the timing room takes it. Raises `ConfigError` where a value is out of its range."""
    try:
        return typing.cast(TimingSettings, OmegaConf.to_object(config.timing))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise a `ConfigError` unless `value` is allowed."""
    if value not in allowed:
        raise ConfigError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")


def search_settings(config: DictConfig) -> SearchSettings:
    """`conf/search` as the search room takes it. Raises `ConfigError` where a value is out of its range."""
    try:
        return typing.cast(SearchSettings, OmegaConf.to_object(config.search))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def resolved(config: DictConfig, group: str) -> dict[str, Any]:
    """A group as a plain dictionary, its interpolations filled in."""
    container = OmegaConf.to_container(config[group], resolve=True)
    return typing.cast(dict[str, Any], container)


def arguments(node: Mapping[str, Any]) -> dict[str, Any]:
    """What a `_target_` is called with: everything but its own address and its name in records."""
    return {name: value for name, value in node.items() if name not in ("_target_", "name")}


def build(node: Any, place: str) -> Any:
    """Make what a plain configuration describes: each mapping with a `_target_` becomes an object of that class.

    Args:
        node: a mapping, list or value, without interpolations.
        place: where it stands in the configuration, for messages.

    Raises:
        ConfigError: an argument is unknown, missing, of a wrong type, or refused by the class.
    """
    if isinstance(node, Mapping):
        parts = {name: build(value, f"{place}.{name}") for name, value in node.items()}
        if "_target_" not in node:
            return parts
        _check_own_arguments(node, place)
        try:
            return _class(node, place)(**arguments(parts))
        except (TypeError, ValueError) as error:
            if isinstance(error, ConfigError) or type(error) not in (TypeError, ValueError):
                raise
            raise ConfigError(f"{place}: {error}") from error
    if isinstance(node, list):
        return [build(value, f"{place}.{index}") for index, value in enumerate(node)]
    return node


def check_arguments(node: Any, place: str) -> None:
    """Compare a plain configuration with the signatures of the classes it names, without making anything.

    Raises:
        ConfigError: an argument is unknown, missing or of a wrong type.
    """
    if isinstance(node, Mapping):
        if "_target_" in node:
            _check_own_arguments(node, place)
        for name, value in node.items():
            check_arguments(value, f"{place}.{name}")


def _check_own_arguments(node: Mapping[str, Any], place: str) -> None:
    target = _class(node, place)
    # A loss without settings inherits torch's catch-all signature, which is no setting either.
    catch_all = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    signature = inspect.signature(target).parameters
    parameters = {name: parameter for name, parameter in signature.items() if parameter.kind not in catch_all}
    try:
        hints = typing.get_type_hints(target.__init__)  # type: ignore[misc]
    except NameError:  # a library's, which imports its types for type checkers only: names are checked all the same
        hints = {}
    given = arguments(node)
    for name, value in given.items():
        if name not in parameters:
            raise ConfigError(
                f"{place}.{name}: {place}={node.get('name', target.__name__)} has no such setting; "
                f"it has {', '.join(parameters) or 'none'}"
            )
        if name in hints and not _fits(value, hints[name]):
            raise ConfigError(f"{place}.{name}: expected {_readable(hints[name])}, got {value!r}")
    for name, parameter in parameters.items():
        if name not in given and parameter.default is parameter.empty:
            raise ConfigError(f"{place}.{name}: expected a value, got none")


def _class(node: Mapping[str, Any], place: str) -> type:
    try:
        return get_class(str(node["_target_"]))
    except Exception as error:
        raise ConfigError(f"{place}._target_: {node['_target_']!r} cannot be imported ({error})") from error


def _fits(value: Any, hint: Any) -> bool:
    """Whether a plain value is what a type hint says. Hints of objects are left to the class."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in options)
    if origin is typing.Literal:
        return value in options
    if hint is type(None):
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is str:
        return isinstance(value, str)
    if origin in (list, tuple):
        return isinstance(value, list | tuple)
    return True


def _readable(hint: Any) -> str:
    options = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(map(str, options))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(_readable(option) for option in options)
    return "null" if hint is type(None) else getattr(hint, "__name__", str(hint))
