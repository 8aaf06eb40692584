"""The specification of a search: its space, what all its networks share, and a check before anything is computed."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig
from optuna.samplers import BaseSampler

from enhance_sweep import config as configuration
from enhance_sweep.config import ConfigError
from enhance_sweep.records.keys import digest
from enhance_sweep.search.families import first, known_networks, with_families
from enhance_sweep.search.halving import rung_steps
from enhance_sweep.search.space import MODEL, read_space
from enhance_sweep.sweep.plan import Plan, plan_variant, start
from enhance_sweep.timing.recording import measurement_of

#: Below the last rung a network has scores of its validation pairs alone, which training gives.
RUNG = "stages=[train]"
TRAINING = "stages=[train,evaluate]"
TIMING = "stages=[time]"
BASELINE_ONCE = "timing.baseline_once=true"

#: The search sets these itself, for each of its jobs.
_RESERVED = ("stages", "trainer.evaluate_at", "pictures")


class SearchSpec:
    """The specification of one search.

    Args:
        config: what all networks share.
        loader: Hydra's, to compose each network's configuration.
        params: the space of a named sweep.
        when: the conditions of its parameters.
        arguments: overrides from the command line.
        families: models whose ranges stand in their own files; "all": every model whose file has some.
        known: networks to try first, each a mapping of `model` and its settings.

    Attributes:
        space: what is searched.
        families: the models whose ranges stand in their own files; none where the search names all ranges.
        known: the networks that are tried first: parameters' values, by name.
        shared: the overrides that all networks share.
        settings: how to search.
        rungs: the steps at which networks are compared, rising.
        measurement: how speed is measured on this host.
        settings_of: the names of a model's settings (None: of the model as it is configured).

    Raises:
        ConfigError: a parameter that cannot be searched, by name.
    """

    def __init__(
        self,
        config: DictConfig,
        loader: ConfigLoader,
        params: Mapping[str, Any],
        when: Mapping[str, Any],
        arguments: Sequence[str],
        families: Sequence[str] | str | None = None,
        known: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.config = config
        self._loader = loader
        parser = OverridesParser.create(config_loader=loader)
        self.families = models = self._families(families)
        if models:
            params = {MODEL: f"choice({', '.join(models)})"} | dict(params)
        self.space, self.shared = read_space(params, when, arguments, parser, may_be_empty=bool(models))
        every = configuration.settings_from(config)
        self.settings = every.search
        self.rungs = rung_steps(self.settings.first_rung, every.trainer.max_steps, self.settings.reduction_factor)
        self.measurement = measurement_of(every.timing, every.runtime)
        self.settings_of = cache(self._read_settings)
        if models:
            ranges = {model: self._ranges(model) or {} for model in self.space.models()}
            self.space = with_families(self.space, ranges, self.settings_of, parser)
        self.known: list[dict[str, Any]] = []
        if models or known:
            nodes = {model: self._node(model) for model in self.space.models()}
            self.known = known_networks(self.space, nodes, known, self.settings_of)

    def check(self) -> None:
        """Refuse a search that cannot end well, before anything is computed.

        Raises:
            ConfigError: what is wrong, by name.
        """
        for override in OverridesParser.create().parse_overrides(self.shared):
            if override.key_or_group in _RESERVED:
                raise ConfigError(
                    f"{override.input_line}: a search decides itself what it times, trains and scores, and when: "
                    "remove this override"
                )
        schedule = self.config.trainer.schedule
        if len(self.rungs) > 1 and schedule != "constant":
            raise ConfigError(
                f"trainer.schedule: expected constant, got {schedule}: with it a training of {self.rungs[0]} steps is "
                f"not the beginning of one of {self.rungs[-1]}, so halving cannot continue it; use "
                f"trainer.schedule=constant, or search.first_rung={self.rungs[-1]} to train every network to its end"
            )
        for parameter in self.space.without_takers(self.settings_of):
            if parameter.asked:
                raise ConfigError(
                    f"{parameter.name}: no model of this search has such a setting; "
                    f"{' and '.join(str(model or 'the model') for model in self.space.models())} have "
                    f"{', '.join(sorted({name for one in self.space.models() for name in self.settings_of(one)}))}"
                )
        configuration.check_arguments(configuration.resolved(self.config, "search")["sampler"], "search.sampler")
        for model in self.space.models():
            chosen = self._choosing(model)
            try:
                settings = configuration.settings_from(self._compose(chosen))
                configuration.check(settings)
                for parameter in self.space.searched_of(model, self.settings_of):
                    name = parameter.sets.removeprefix(f"{MODEL}.")
                    for value in parameter.extremes:
                        with torch.device("meta"):
                            start(configuration.build(settings.model | {name: value}, "model"), settings)
            except (ConfigError, HydraException) as error:
                raise ConfigError(f"{' '.join([*chosen, ''])}{error}") from error

    def _choosing(self, model: str | None) -> list[str]:
        return [] if model is None or MODEL in self.space.fixed else [f"{MODEL}={model}"]

    def _compose(self, overrides: Sequence[str]) -> DictConfig:
        return self._loader.load_sweep_config(self.config, [*self.shared, *overrides])

    def plan(self, overrides: Sequence[str]) -> Plan:
        """The training of one network, checked.

        Raises:
            ConfigError, hydra.errors.HydraException: there is no such network.
        """
        return plan_variant(configuration.settings_from(self._compose([*overrides, TRAINING])))

    def _read_settings(self, model: str | None) -> frozenset[str]:
        """See `settings_of`."""
        return frozenset(self._node(model))

    def _node(self, model: str | None) -> dict[str, Any]:
        """A model's settings, with what the command line says of them."""
        return configuration.arguments(configuration.resolved(self._compose(self._choosing(model)), "model"))

    def _families(self, families: Sequence[str] | str | None) -> list[str]:
        """The models that are named, or all whose files have ranges."""
        every = sorted(self._loader.get_group_options(MODEL))
        if families == "all":
            return [model for model in every if self._ranges(model) is not None]
        if isinstance(families, str) or any(model not in every for model in families or []):
            raise ConfigError(
                f"hydra.sweeper.families: expected all, or a list of {', '.join(every)}, got {families!r}"
            )
        return list(families or [])

    def _ranges(self, model: str | None) -> dict[str, Any] | None:
        """What a search tries of a model's settings, as its file says; None where it says nothing."""
        chosen = [] if model is None else [f"{MODEL}={model}"]
        return configuration.search_ranges(self._loader.load_sweep_config(self.config, chosen))

    def study_name(self) -> str:
        """The same for all searches whose trials compare: one space, one data set, one way to train and time.

        Raises:
            ConfigError: the data have no validation pairs.
        """
        plan = self.plan(self._choosing(self.space.models()[0]))
        assert plan.learned_from is not None
        assert plan.pairs is not None
        if plan.pairs.validation is None:
            raise ConfigError(
                "data.validation: expected validation pairs, on which a search compares its networks, got none; "
                "take a share above 0"
            )
        measurement = self.measurement
        comparable: dict[str, Any] = {
            "learned_from": plan.learned_from,
            "rungs": self.rungs,
            # Not the host: a search may continue elsewhere, with the latencies of the host where it began.
            "measurement": {name: value for name, value in measurement.items() if name not in ("threads", "host")},
            "max_latency_ms": self.settings.max_latency_ms,
            "space": {one.name: [str(one.distribution), str(one.conditions)] for one in self.space.parameters},
            "fixed": dict(self.space.fixed),
        }
        if self.settings.family_rungs:  # before there was a choice, none
            comparable["family_rungs"] = self.settings.family_rungs
        if self.settings.speed != "latency_ms":
            comparable["speed"] = self.settings.speed
        if self.settings.quality != "ms_ssim":  # by which all searches went before there was a choice
            comparable["quality"] = self.settings.quality
        dataset, loss = plan.learned_from["dataset"], plan.learned_from["loss"]
        return f"{dataset}-{loss}-{digest(comparable)}"

    def sampler(self, number: int) -> BaseSampler:
        """The sampler for trial `number`, which is part of its seed: a restart repeats no proposal.

        The first trials are the known networks; what these leave open is drawn.
        """
        asked = dict(configuration.resolved(self.config, "search")["sampler"])
        if isinstance(asked.get("seed"), int):
            asked["seed"] += number
        sampler = configuration.build(asked, "search.sampler")
        if not isinstance(sampler, BaseSampler):
            raise ConfigError(
                f"search.sampler._target_: expected a class of optuna.samplers, got {asked['_target_']!r}"
            )
        return first(self.known, number, sampler)
