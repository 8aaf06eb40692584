"""The space of a search, written in Hydra's override syntax, with conditions on its parameters.

Hydra's parser reads `choice()`, `range()`, `interval()` and comma lists; they become Optuna's distributions. Whether a
parameter is drawn depends on others in three ways:

- a setting that the chosen model does not have is left out: `model.strided_kernel_size` where the model is `plain`;
- a condition says where it is searched: `when: {model.blocks: model=plain}`. Elsewhere it keeps the model's own value;
- in a search over families (`enhance_sweep.search.families`) each family has parameters of its own.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep, Transformer
from hydra.errors import HydraException
from omegaconf import OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from enhance_sweep.config import ConfigError

MODEL = "model"

SettingsOf = Callable[[str | None], Collection[str]]


@dataclass(frozen=True)
class Condition:
    """A condition that holds if the parameter `name` has one of `values`, written as in an override."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Parameter:
    """One parameter of the search.

    Attributes:
        name: in the study; what it sets, or `shuffled.channels` where it is one family's.
        distribution: what it is drawn from.
        texts: each value of a choice as an override has it; empty for ranges and intervals.
        conditions: all must hold for it to be searched.
        asked: whether it comes from the command line; if no model has it, that is then an error.
        sets: `model`, or a setting of it such as `model.channels`.
        family: the only model that it is for; None: every model that has such a setting.
    """

    name: str
    distribution: BaseDistribution
    texts: Mapping[Any, str]
    conditions: tuple[Condition, ...]
    asked: bool
    sets: str
    family: str | None = None

    def text(self, value: Any) -> str:
        """A value as the right side of an override."""
        return self.texts[value] if self.texts else str(value)

    def holds(self, value: Any) -> bool:
        """Whether a value can be drawn."""
        of = self.distribution
        if isinstance(of, CategoricalDistribution):
            return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in of.choices)
        assert isinstance(of, IntDistribution | FloatDistribution)
        if isinstance(value, bool) or not isinstance(value, int | float) or not of.low <= value <= of.high:
            return False
        steps = (value - of.low) / of.step if of.step else 0.0
        return abs(steps - round(steps)) < 1e-9

    @property
    def values(self) -> list[Any] | None:
        """All values; None of an interval that cannot be counted."""
        of = self.distribution
        if isinstance(of, CategoricalDistribution):
            return list(of.choices)
        if isinstance(of, IntDistribution):
            return list(range(of.low, of.high + 1, of.step))
        assert isinstance(of, FloatDistribution)
        return [of.low + at * of.step for at in range(round((of.high - of.low) / of.step) + 1)] if of.step else None

    @property
    def extremes(self) -> list[Any]:
        """All values of a choice, both ends of a range or interval: the values to check before a search."""
        if isinstance(self.distribution, CategoricalDistribution):
            return list(self.distribution.choices)
        assert isinstance(self.distribution, IntDistribution | FloatDistribution)
        return [self.distribution.low, self.distribution.high]

    def is_of(self, model: str | None, settings_of: SettingsOf) -> bool:
        """Whether it is a setting of a model."""
        if self.family is not None:
            return self.family == model
        return self.sets != MODEL and setting_of(self.sets) in settings_of(model)


@dataclass(frozen=True)
class Space:
    """All parameters of the search, the model first.

    Attributes:
        parameters: in the order in which they are drawn.
        fixed: overrides of the model that are not searched, by name.
    """

    parameters: tuple[Parameter, ...]
    fixed: Mapping[str, str]

    def draw(self, trial: Trial, settings_of: SettingsOf) -> list[str]:
        """The overrides of one proposal; parameters that the trial already has are kept.

        Args:
            trial: Optuna's.
            settings_of: the names of a model's settings (None: of the model as it is configured).
        """
        drawn = dict(self.fixed)
        for parameter in self.parameters:
            if _is_drawn(parameter, drawn, settings_of):
                drawn[parameter.sets] = parameter.text(_suggested(trial, parameter))
        return [f"{name}={value}" for name, value in drawn.items() if name not in self.fixed]

    def models(self) -> list[str | None]:
        """The values of `model`; one fixed value or None where it is not searched."""
        for parameter in self.parameters:
            if parameter.name == MODEL:
                return list(parameter.texts.values())
        return [self.fixed.get(MODEL)]

    def searched_of(self, model: str | None, settings_of: SettingsOf) -> list[Parameter]:
        """The parameters that are settings of a model."""
        return [one for one in self.parameters if one.is_of(model, settings_of)]

    def without_takers(self, settings_of: SettingsOf) -> list[Parameter]:
        """Parameters that no model of this space has."""
        taken = {one.name for model in self.models() for one in self.searched_of(model, settings_of)}
        return [one for one in self.parameters if one.name != MODEL and one.name not in taken]

    def size(self, settings_of: SettingsOf) -> int | None:
        """How many networks it has; None where an interval makes them uncountable."""
        decisive = {condition.name for one in self.parameters for condition in one.conditions} | {MODEL}

        def count(parameters: Sequence[Parameter], drawn: Mapping[str, str]) -> int | None:
            found = 1
            for place, one in enumerate(parameters):
                if not _is_drawn(one, drawn, settings_of):
                    continue
                values = one.values
                if values is None:
                    return None
                if one.sets in decisive:  # what follows depends on it
                    rest = [count(parameters[place + 1 :], {**drawn, one.sets: one.text(value)}) for value in values]
                    return None if None in rest else found * sum(each or 0 for each in rest)
                found *= len(values)
            return found

        return count(self.parameters, self.fixed)


def _is_drawn(parameter: Parameter, drawn: Mapping[str, str], settings_of: SettingsOf) -> bool:
    """Whether a parameter is searched where others have been drawn."""
    return all(drawn.get(one.name) in one.values for one in parameter.conditions) and (
        parameter.sets == MODEL or parameter.is_of(drawn.get(MODEL), settings_of)
    )


def read_space(
    params: Mapping[str, Any],
    when: Mapping[str, Any],
    arguments: Sequence[str],
    parser: OverridesParser,
    may_be_empty: bool = False,
) -> tuple[Space, list[str]]:
    """Read the space, and the overrides that all networks share.

    Args:
        params: the space of a named sweep, by name; the command line replaces them.
        when: parameter name to its condition, or to a list of conditions that must all hold.
        arguments: the command line's overrides.
        parser: Hydra's.
        may_be_empty: whether ranges come from elsewhere too.

    Raises:
        ConfigError: a parameter that cannot be searched, by name.
    """
    asked = parser.parse_overrides(list(arguments))
    replaced = {override.key_or_group for override in asked}
    given = parser.parse_overrides([f"{name}={value}" for name, value in params.items() if name not in replaced])
    # The last override of a name counts, as everywhere in Hydra.
    last = {override.key_or_group: (override, False) for override in given}
    last |= {override.key_or_group: (override, True) for override in asked}
    shared: list[str] = []
    fixed: dict[str, str] = {}
    searched: list[tuple[Override, bool]] = []
    for name, (override, is_asked) in last.items():
        of_model = name == MODEL or name.startswith(f"{MODEL}.")
        if not override.is_sweep_override():
            shared.append(override.input_line or "")
            if of_model:
                fixed[name] = override.get_value_element_as_str()
        elif of_model:
            searched.append((override, is_asked))
        else:
            raise ConfigError(_not_searched(override))
    order = sorted(searched, key=lambda one: one[0].key_or_group != MODEL)
    names = [override.key_or_group for override, _ in order]
    if not names and not may_be_empty:
        raise ConfigError(
            "nothing to search: say what may vary, such as model.channels=choice(8,16,32), or sweeps=search"
        )
    for name in when:
        if name not in names and name not in fixed:
            raise ConfigError(f"hydra.sweeper.when.{name}: it is not searched; searched are {', '.join(names)}")
    conditions = {
        name: read_conditions("hydra.sweeper.when", name, value, parser, [*fixed, *names])
        for name, value in when.items()
    }
    parameters = []
    for override, is_asked in order:
        parameters.append(read_parameter(override, conditions.get(override.key_or_group, ()), is_asked))
    return Space(tuple(parameters), fixed), shared


def _not_searched(override: Override) -> str:
    name = override.key_or_group
    if name == "seed":
        return (
            f"{override.input_line}: a search does not choose among seeds, because the best seed is luck: give one "
            "seed, and train the frontier's networks with more seeds afterwards"
        )
    return (
        f"{override.input_line}: only the model and its settings are searched, such as model.channels=choice(8,16): "
        "scores can be compared only if everything else is the same for all networks"
    )


def read_parameter(override: Override, conditions: tuple[Condition, ...], asked: bool) -> Parameter:
    """The parameter that an override with several values describes.

    Raises:
        ConfigError: the values cannot be searched.
    """
    distribution, texts = _distribution(override)
    return Parameter(override.key_or_group, distribution, texts, conditions, asked, sets=override.key_or_group)


def read_conditions(
    place: str, name: str, value: Any, parser: OverridesParser, known: Sequence[str]
) -> tuple[Condition, ...]:
    """The conditions of one parameter, which must all hold.

    Args:
        place: where they stand, for messages.
        name: of the parameter.
        value: a condition such as `model=plain`, or a list of them.
        parser: Hydra's.
        known: the parameters that may be named, in the order in which they are drawn.

    Raises:
        ConfigError: a condition that cannot be, by name.
    """
    found = []
    for text in value if isinstance(value, list) or OmegaConf.is_list(value) else [value]:
        try:
            (override,) = parser.parse_overrides([str(text)])
        except HydraException as error:
            raise ConfigError(
                f"{place}.{name}: expected a condition such as model=plain, or a list of them, got {text!r}"
            ) from error
        on = override.key_or_group
        if on not in known:
            raise ConfigError(f"{place}.{name}: {on} is not searched; searched are {', '.join(known)}")
        if name in known and known.index(on) >= known.index(name):
            raise ConfigError(f"{place}.{name}: {on} is drawn after {name}: put it before {name} in params")
        if override.is_choice_sweep():
            found.append(Condition(on, tuple(override.sweep_string_iterator())))
        else:
            found.append(Condition(on, (override.get_value_element_as_str(),)))
    return tuple(found)


def _distribution(override: Override) -> tuple[BaseDistribution, dict[Any, str]]:
    sweep = override.value()
    line = override.input_line
    if isinstance(sweep, RangeSweep):
        values = list(override.sweep_iterator()) if sweep.step > 0 else []
        if not values:
            raise ConfigError(f"{line}: expected a rising range with at least one value; the end is excluded")
        if all(isinstance(value, int) for value in values):
            return IntDistribution(values[0], values[-1], step=int(sweep.step)), {}  # type: ignore[arg-type]
        return FloatDistribution(float(values[0]), round(float(values[-1]), 12), step=float(sweep.step)), {}  # type: ignore[arg-type]
    if isinstance(sweep, IntervalSweep):
        low, high, log = sweep.start, sweep.end, "log" in sweep.tags
        if low is None or high is None or not low < high or (log and low <= 0):
            raise ConfigError(
                f"{line}: expected an interval from a smaller to a larger number, both positive on a log scale"
            )
        # Hydra turns the ends into floats; without a decimal point in the text, whole numbers were meant.
        whole = float(low).is_integer() and float(high).is_integer() and "." not in override.get_value_string()
        if whole or (isinstance(low, int) and isinstance(high, int)):
            return IntDistribution(int(low), int(high), log=log), {}
        return FloatDistribution(low, high, log=log), {}
    assert isinstance(sweep, ChoiceSweep) or override.is_choice_sweep()
    values = list(override.sweep_iterator(transformer=Transformer.encode))
    texts: dict[Any, str] = dict(zip(values, override.sweep_string_iterator(), strict=True))
    if not texts:
        raise ConfigError(f"{line}: expected values to choose from, found none")
    return CategoricalDistribution(list(texts)), texts


def _suggested(trial: Trial, parameter: Parameter) -> Any:
    name, of = parameter.name, parameter.distribution
    if isinstance(of, IntDistribution):
        return trial.suggest_int(name, of.low, of.high, step=of.step, log=of.log)
    if isinstance(of, FloatDistribution):
        return trial.suggest_float(name, of.low, of.high, step=of.step, log=of.log)
    assert isinstance(of, CategoricalDistribution)
    return trial.suggest_categorical(name, of.choices)


def setting_of(name: str) -> str:
    """The setting in `model.SETTING`."""
    return name.removeprefix(f"{MODEL}.").partition(".")[0]
