"""The space of a search, written in Hydra's override syntax, with conditions on its parameters.

Hydra's parser reads `choice()`, `range()`, `interval()` and comma lists; they become Optuna's distributions. Whether a
parameter is drawn depends on others in two ways:

- a setting that the chosen model does not have is left out: `model.strided_kernel_size` where the model is `plain`;
- a condition says where it is searched: `when: {model.blocks: model=plain}`. Elsewhere it keeps the model's own value.
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


@dataclass(frozen=True)
class Condition:
    """A condition that holds if the parameter `name` has one of `values`, written as in an override."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Parameter:
    """One parameter of the search.

    Attributes:
        name: `model`, or a setting of it such as `model.channels`.
        distribution: what it is drawn from.
        texts: each value of a choice as an override has it; empty for ranges and intervals.
        conditions: all must hold for it to be searched.
        asked: whether it comes from the command line; if no model has it, that is then an error.
    """

    name: str
    distribution: BaseDistribution
    texts: Mapping[Any, str]
    conditions: tuple[Condition, ...]
    asked: bool

    def text(self, value: Any) -> str:
        """A value as the right side of an override."""
        return self.texts[value] if self.texts else str(value)

    @property
    def extremes(self) -> list[Any]:
        """All values of a choice, both ends of a range or interval: the values to check before a search."""
        if isinstance(self.distribution, CategoricalDistribution):
            return list(self.distribution.choices)
        assert isinstance(self.distribution, IntDistribution | FloatDistribution)
        return [self.distribution.low, self.distribution.high]


@dataclass(frozen=True)
class Space:
    """All parameters of the search, the model first.

    Attributes:
        parameters: in the order in which they are drawn.
        fixed: overrides of the model that are not searched, by name.
    """

    parameters: tuple[Parameter, ...]
    fixed: Mapping[str, str]

    def draw(self, trial: Trial, settings_of: Callable[[str | None], Collection[str]]) -> list[str]:
        """The overrides of one proposal; parameters that the trial already has are kept.

        Args:
            trial: Optuna's.
            settings_of: the names of a model's settings (None: of the model as it is configured).
        """
        drawn = dict(self.fixed)
        for parameter in self.parameters:
            if all(drawn.get(one.name) in one.values for one in parameter.conditions) and (
                parameter.name == MODEL or _setting(parameter.name) in settings_of(drawn.get(MODEL))
            ):
                drawn[parameter.name] = parameter.text(_suggested(trial, parameter))
        return [f"{name}={value}" for name, value in drawn.items() if name not in self.fixed]

    def models(self) -> list[str | None]:
        """The values of `model`; one fixed value or None where it is not searched."""
        for parameter in self.parameters:
            if parameter.name == MODEL:
                return list(parameter.texts.values())
        return [self.fixed.get(MODEL)]

    def searched_of(self, settings: Collection[str]) -> list[Parameter]:
        """The parameters that are settings of a model."""
        return [one for one in self.parameters if one.name != MODEL and _setting(one.name) in settings]

    def without_takers(self, settings_of: Callable[[str | None], Collection[str]]) -> list[Parameter]:
        """Parameters that no model of this space has."""
        taken = self.searched_of({name for model in self.models() for name in settings_of(model)})
        return [one for one in self.parameters if one.name != MODEL and one not in taken]


def read_space(
    params: Mapping[str, Any], when: Mapping[str, Any], arguments: Sequence[str], parser: OverridesParser
) -> tuple[Space, list[str]]:
    """Read the space, and the overrides that all networks share.

    Args:
        params: the space of a named sweep, by name; the command line replaces them.
        when: parameter name to its condition, or to a list of conditions that must all hold.
        arguments: the command line's overrides.
        parser: Hydra's.

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
    if not names:
        raise ConfigError(
            "nothing to search: say what may vary, such as model.channels=choice(8,16,32), or sweeps=search"
        )
    for name in when:
        if name not in names and name not in fixed:
            raise ConfigError(f"hydra.sweeper.when.{name}: it is not searched; searched are {', '.join(names)}")
    conditions = {name: _conditions(name, value, parser, [*fixed, *names]) for name, value in when.items()}
    parameters = []
    for override, is_asked in order:
        distribution, texts = _distribution(override)
        name = override.key_or_group
        parameters.append(Parameter(name, distribution, texts, conditions.get(name, ()), is_asked))
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


def _conditions(name: str, value: Any, parser: OverridesParser, known: Sequence[str]) -> tuple[Condition, ...]:
    found = []
    for text in value if isinstance(value, list) or OmegaConf.is_list(value) else [value]:
        try:
            (override,) = parser.parse_overrides([str(text)])
        except HydraException as error:
            raise ConfigError(
                f"hydra.sweeper.when.{name}: expected a condition such as model=plain, or a list of them, got {text!r}"
            ) from error
        on = override.key_or_group
        if on not in known:
            raise ConfigError(f"hydra.sweeper.when.{name}: {on} is not searched; searched are {', '.join(known)}")
        if name in known and known.index(on) >= known.index(name):
            raise ConfigError(f"hydra.sweeper.when.{name}: {on} is drawn after {name}: put it before {name} in params")
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


def _setting(name: str) -> str:
    return name.removeprefix(f"{MODEL}.").partition(".")[0]
