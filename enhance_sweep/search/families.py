"""A search over families: the ranges that stand in each model's YAML, and the known networks that it tries first.

    search:                     # in conf/model/NAME.yaml
      factor: choice(2, 3, 4)
      channels: choice(8, 16)
      when: {channels: factor=2}

Each family has parameters of its own, such as `shuffled.channels`: what is learned of one family's channels says
nothing of another's, and Optuna takes a name with one list of choices only.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, PartialFixedSampler

from enhance_sweep.config import ConfigError
from enhance_sweep.search.space import (
    MODEL,
    Parameter,
    SettingsOf,
    Space,
    read_conditions,
    read_parameter,
    setting_of,
)

#: The mapping of ranges in a model's YAML, and the conditions among them.
SEARCH = "search"
WHEN = "when"

Row = Mapping[str, Any]


def with_families(
    space: Space, ranges: Mapping[str | None, Row], settings_of: SettingsOf, parser: OverridesParser
) -> Space:
    """The space with each family's own parameters.

    What `space` says of a setting, searched or fixed, counts for every family that has it, instead of their ranges.

    Args:
        space: from the command line and a named sweep.
        ranges: `search:` of each model in this space; empty for a model without settings.
        settings_of: the names of a model's settings.
        parser: Hydra's.

    Raises:
        ConfigError: a range or a condition cannot be searched, by model and setting.
    """
    given = {one.sets: one for one in space.parameters}
    parameters = [given[MODEL]] if MODEL in given else []
    for model, own in ranges.items():
        place, conditions = f"{MODEL}={model}: {SEARCH}", own.get(WHEN) or {}
        rows = {f"{MODEL}.{name}": text for name, text in own.items() if name != WHEN}
        asked = [name for name in given if name != MODEL and setting_of(name) in settings_of(model)]
        its: dict[str, Parameter] = {}
        for name in [*rows, *(one for one in asked if one not in rows)]:
            if setting_of(name) not in settings_of(model):
                raise ConfigError(
                    f"{place}.{setting_of(name)}: {model} has no such setting; it has "
                    f"{', '.join(sorted(settings_of(model))) or 'none'}"
                )
            if name not in space.fixed:
                its[name] = given[name] if name in asked else _read(place, name, rows[name], parser)
        known = [*(name for name in space.fixed if name != MODEL), *its]
        for name, condition in conditions.items():
            full = f"{MODEL}.{name}"
            if full not in rows:
                raise ConfigError(f"{place}.{WHEN}.{name}: it is not searched; searched are {_listed(rows)}")
            if full in its:
                found = read_conditions(f"{place}.{WHEN}", full, _of_model(condition), parser, known)
                its[full] = replace(its[full], conditions=(*its[full].conditions, *found))
        parameters += [replace(one, name=f"{model}.{setting_of(name)}", family=model) for name, one in its.items()]
    taken = {one.sets for one in parameters}
    return Space((*parameters, *(one for name, one in given.items() if name not in taken)), space.fixed)


def _read(place: str, name: str, text: Any, parser: OverridesParser) -> Parameter:
    wrong = f"{place}.{setting_of(name)}: expected values to choose from, such as choice(8, 16), got {text!r}"
    try:
        (override,) = parser.parse_overrides([f"{name}={text}"])
    except HydraException as error:
        raise ConfigError(wrong) from error
    if not override.is_sweep_override():
        raise ConfigError(wrong)
    return read_parameter(override, (), asked=False)


def _of_model(condition: Any) -> list[str]:
    """A condition on a family's setting, `factor=2`, or a list of them, as conditions on settings of the model."""
    return [f"{MODEL}.{one}" for one in (condition if isinstance(condition, list) else [condition])]


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(map(setting_of, names))


def known_networks(
    space: Space, settings: Mapping[str | None, Row], named: Sequence[Row], settings_of: SettingsOf
) -> list[dict[str, Any]]:
    """The networks that a search tries first, as far as they are in its space: parameters' values, by name.

    Each family's own settings come first, so that every family is tried; those settings that are outside of its ranges
    are left to the sampler. Then those that are named.

    Args:
        space: what is searched.
        settings: of each model in this space, as its YAML and the command line have them.
        named: networks of a named sweep, each a mapping of `model` and its settings; the rest is as in `settings`.
        settings_of: the names of a model's settings.

    Raises:
        ConfigError: a named network has a setting that its model has not.
    """
    found = [_values(space, model, {}, settings[model], settings_of) for model in space.models()]
    for row in named:
        model, own = row.get(MODEL), {name: value for name, value in row.items() if name != MODEL}
        if model is None:
            raise ConfigError(f"hydra.sweeper.known: expected a model in each network, got {dict(row)}")
        if model not in settings:
            continue  # the command line has narrowed the search
        for name in own:
            if name not in settings_of(model):
                raise ConfigError(f"hydra.sweeper.known: {model} has no setting {name!r}: {dict(row)}")
        found.append(_values(space, model, own, settings[model], settings_of))
    return [one for place, one in enumerate(found) if one is not None and one not in found[:place]]


def _values(space: Space, model: str | None, own: Row, settings: Row, settings_of: SettingsOf) -> dict[str, Any] | None:
    """The values that make this network; None where what is `own` to it is not in the space."""
    values: dict[str, Any] = {}
    for one in space.parameters:
        if one.name == MODEL:
            values[MODEL] = next(value for value, text in one.texts.items() if text == model)
    searched = {setting_of(one.sets): one for one in space.searched_of(model, settings_of)}
    if any(settings.get(name) != value for name, value in own.items() if name not in searched):
        return None
    for name, parameter in searched.items():
        value = own.get(name, settings.get(name))
        if parameter.holds(value):
            values[parameter.name] = value
        elif name in own:
            return None
    return values


def first(known: Sequence[Mapping[str, Any]], number: int, sampler: BaseSampler) -> BaseSampler:
    """The sampler of trial `number`: a known network, of which `sampler` draws what is left open; later itself."""
    if number >= len(known):
        return sampler
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # experimental for years
        return PartialFixedSampler(dict(known[number]), sampler)
