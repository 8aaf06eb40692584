"""From `conf/` and overrides to typed settings and objects. Nothing below this file sees a `DictConfig`.

Hydra's `_target_` is the registry: a topology, a loss, a data set or a runtime is a class and a YAML file that names
it. The class's signature says which settings the file may have, and their types; there is no second list to keep.
"""

import dataclasses
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

from enhance_sweep.settings import Settings

#: What a node says beside its class's arguments: its class, its name in records, the ranges that a search tries, and
#: whether a runtime gets the network lowered.
_NOT_ARGUMENTS = ("_target_", "name", "search", "lowered")
#: Settings that say where a thing is, not what it is: they never change what a network learns.
PLACES = ("root", "weights_file", "url")

_PACKAGE = Path(__file__).resolve().parent
#: The folder of `conf/` and `sweeps/`: beside the package in a checkout, inside it in an installed wheel.
HOME = _PACKAGE if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent
CONF_DIR = HOME / "conf"


class ConfigError(ValueError):
    """A wrong setting, by name."""


class _SweepsSearchPath(SearchPathPlugin):
    """Lets Hydra find `sweeps/` beside `conf/`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append("enhance_sweep", f"file://{HOME}")


def register() -> None:
    """Tell Hydra about the schema and `sweeps/`. Safe to call again."""
    ConfigStore.instance().store(name="schema", node=Settings)
    Plugins.instance().register(_SweepsSearchPath)


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """Overrides as Hydra takes them.

    `teacher=FILE` is short for `teacher.network=FILE`, and the overrides that are the value of `teacher.model` need no
    quotes of their own: `"teacher.model=model=plain model.channels=32"`.
    """
    return [_spelled_out(*argument.partition("=")) for argument in arguments]


def _spelled_out(name: str, equals: str, value: str) -> str:
    if name == "teacher":
        name = "teacher.network"
    if name == "teacher.model" and "=" in value and value[0] not in "'\"":
        value = f'"{value}"'
    return f"{name}{equals}{value}"


def compose_config(overrides: Sequence[str] = ()) -> DictConfig:
    """The configuration that `python -m enhance_sweep OVERRIDES` would run, for use from Python.

    Raises:
        hydra.errors.HydraException: an override names no setting or has a wrong type.
    """
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose("config", overrides=spelled_out(overrides))


def compose_settings(overrides: Sequence[str] = ()) -> Settings:
    """The settings that `python -m enhance_sweep OVERRIDES` would run with, for use from Python.

    Raises:
        hydra.errors.HydraException: an override names no setting or has a wrong type.
        ConfigError: a value is out of its range, by name.
    """
    return settings_from(compose_config(overrides))


def settings_from(config: DictConfig) -> Settings:
    """A composed configuration as typed settings, with interpolations filled in.

    Raises:
        ConfigError: a value is out of its range, by name.
    """
    values: dict[str, Any] = {field.name: config[field.name] for field in dataclasses.fields(Settings)}
    try:
        for name, value in values.items():
            values[name] = OmegaConf.to_object(value) if OmegaConf.is_config(value) else value
        values["model"].pop("search", None)
        return Settings(**values)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def check(settings: Settings) -> None:
    """Compare the groups that describe objects with the classes they name, without data.

    Raises:
        ConfigError: an argument is unknown, missing or of a wrong type, by name.
    """
    groups = {"model": settings.model, "data": settings.data_set, "loss": settings.loss, "runtime": settings.runtime}
    for group, node in groups.items():
        check_arguments(node, group)
    lowered = settings.runtime.get("lowered", False)
    if not isinstance(lowered, bool):
        raise ConfigError(f"runtime.lowered: expected true or false, got {lowered!r}")


def resolved(config: DictConfig, group: str) -> dict[str, Any]:
    """A group as a plain dictionary, with interpolations filled in; a model without its `search_ranges`."""
    container = typing.cast(dict[str, Any], OmegaConf.to_container(config[group], resolve=True))
    if group == "model":
        container.pop("search", None)
    return container


def search_ranges(config: DictConfig) -> dict[str, Any] | None:
    """The ranges that a search tries, as the model's YAML has them in `search`: no setting of the model itself."""
    ranges = config.model.get("search")
    return None if ranges is None else typing.cast(dict[str, Any], OmegaConf.to_container(ranges, resolve=True))


def arguments(node: Mapping[str, Any]) -> dict[str, Any]:
    """What a `_target_` is called with: all but what `_NOT_ARGUMENTS` names."""
    return {name: value for name, value in node.items() if name not in _NOT_ARGUMENTS}


def build(node: Any, place: str) -> Any:
    """Build what plain settings describe: each mapping with a `_target_` becomes an object of that class.

    Args:
        node: a mapping, list or value, without interpolations.
        place: its name in the configuration, for messages.

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
    """Compare plain settings with the signatures of the classes they name, without building anything.

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
    # A loss without settings inherits torch's catch-all signature, which names no setting.
    catch_all = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    signature = inspect.signature(target).parameters
    parameters = {name: parameter for name, parameter in signature.items() if parameter.kind not in catch_all}
    try:
        hints = typing.get_type_hints(target.__init__)  # type: ignore[misc]
    except NameError:  # a library that imports its types for type checkers only: check names alone
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


#: What is accepted for a hint beside itself.
_PLAIN: dict[Any, Any] = {float: int | float, list: list | tuple, tuple: list | tuple}


def _fits(value: Any, hint: Any) -> bool:
    """Whether a plain value matches a type hint. Hints of objects are left to the class."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in options)
    if origin is typing.Literal:
        return value in options
    kind = origin or hint
    if kind not in (bool, int, float, str, types.NoneType, list, tuple):
        return True
    return isinstance(value, _PLAIN.get(kind, kind)) and (kind is bool or not isinstance(value, bool))


def _readable(hint: Any) -> str:
    options = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(map(str, options))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(_readable(option) for option in options)
    return "null" if hint is type(None) else getattr(hint, "__name__", str(hint))
