"""Samplers compared on pretended worlds: the real search over the ranges of `sweeps=wide`, without any training.

    python benchmarks/samplers.py --trials 60 --worlds 20

A world says how good and how fast every network is. Latencies come from the cost model, fitted to the timings of
`--records`, through a quadratic fit within each family. Qualities are drawn, with effects as large as those that the
records show: a family's level (that of its best network there, give or take 0.004), 0.003 for a doubling of latency
(give or take 0.002), N(0, 0.003) for each value of each option and N(0, 0.0015) for pairs of these, and 0.0015 between
seeds. After few steps a network lacks 0.006 with norms and 0.026 without (at 75 steps), which halves with
each doubling. What a sampler is worth is the hypervolume of the networks trained to the end, by their qualities
without luck. A world is only as real as these numbers: differences between samplers count, not the values.
"""

import argparse
import hashlib
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import optuna
import pandas as pd
import torch
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial

from enhance_sweep.config import CONF_DIR, ConfigError, build, compose_config, resolved
from enhance_sweep.frontier import log_hypervolume
from enhance_sweep.models.description import describe
from enhance_sweep.records.schema import Description
from enhance_sweep.records.store import timed_records
from enhance_sweep.search.families import first, known_networks, with_families
from enhance_sweep.search.halving import rung_steps
from enhance_sweep.search.loop import Candidate, SearchLoop
from enhance_sweep.search.space import Space, read_space
from enhance_sweep.search.trials import Trials
from enhance_sweep.settings import SearchSettings
from enhance_sweep.stats.cost_model import CostModel

Sampler = optuna.samplers.BaseSampler
#: After so many networks that were proposed before, a repeat is proposed.
_TRIES = 50
#: Steps of a range that a change goes at most.
_FURTHEST = 2


class MutationSampler(Sampler):
    """Changes one setting of a network on the frontier, or two; now and then draws a new one (after Real et al. 2019).

    Args:
        seed: of all that is drawn.
        explore: the share of networks that are drawn from the whole space.
    """

    def __init__(self, seed: int | None = None, explore: float = 0.25) -> None:
        if not 0 <= explore <= 1:
            raise ValueError(f"explore: expected a share from 0 to 1, got {explore}")
        self._random = np.random.default_rng(seed)
        self._uniform = optuna.samplers.RandomSampler(seed=seed)
        self._explore = explore
        self._values: dict[str, Any] = {}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing: parameters depend on each other, so that each is given when it is asked for."""
        return {}

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Choose the network to change, and how."""
        frontier = study.best_trials
        self._values = {}
        if not frontier or self._random.random() < self._explore:
            return
        known = {_written(one.params) for one in study.get_trials(deepcopy=False) if one.number != trial.number}
        for _ in range(_TRIES):
            self._values = self._changed(frontier[self._random.integers(len(frontier))])
            if _written(self._values) not in known:
                return

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing, see `infer_relative_search_space`."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The value of the network that was chosen; a random one where it has none."""
        if param_name in self._values:
            return self._values[param_name]
        return self._uniform.sample_independent(study, trial, param_name, param_distribution)

    def _changed(self, parent: FrozenTrial) -> dict[str, Any]:
        values = dict(parent.params)
        free = [name for name, of in parent.distributions.items() if not of.single()]
        # A family has settings of its own, so that its name is no change to a network.
        free = [name for name in free if name != "model"] or free
        for name in self._random.permutation(free)[: 1 + int(self._random.random() < 0.5)]:
            values[str(name)] = self._neighbour(parent.distributions[str(name)], values[str(name)])
        return values

    def _neighbour(self, of: BaseDistribution, value: Any) -> Any:
        """Another value of a choice; a value near it of a range."""
        if isinstance(of, CategoricalDistribution):
            others = [one for one in of.choices if one != value or isinstance(one, bool) != isinstance(value, bool)]
            return others[self._random.integers(len(others))]
        assert isinstance(of, IntDistribution | FloatDistribution)
        step = of.step or (of.high - of.low) / 10
        steps = [at for at in range(-_FURTHEST, _FURTHEST + 1) if at and of.low <= value + at * step <= of.high]
        moved = value + step * steps[self._random.integers(len(steps))]
        return int(moved) if isinstance(of, IntDistribution) else float(moved)


def _written(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in values.items()))


BASELINE_MS, UNTOUCHED = 4600.0, 0.8654
LEVELS = {
    "tone": 0.913, "shuffled": 0.920, "coefficients": 0.919, "plain": 0.913, "strided": 0.913, "unet": 0.912,
    "separable": 0.915,
}  # fmt: skip
FITTED = 24  # networks of each family, for its latencies
SAMPLERS: dict[str, Callable[[int], Sampler]] = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "TPE": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "TPE, constant liar": lambda seed: optuna.samplers.TPESampler(seed=seed, constant_liar=True),
    "TPE, multivariate, group, constant liar": lambda seed: optuna.samplers.TPESampler(
        seed=seed, multivariate=True, group=True, constant_liar=True
    ),
    "NSGA-II": lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=20),
    "NSGA-III": lambda seed: optuna.samplers.NSGAIIISampler(seed=seed, population_size=20),
    "mutation": lambda seed: MutationSampler(seed=seed),
    "mutation, half explored": lambda seed: MutationSampler(seed=seed, explore=0.5),
}

FILES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((CONF_DIR / "model").glob("*.yaml"))}
FILES = {name: file for name, file in FILES.items() if "search" in file}
WIDE = yaml.safe_load((CONF_DIR.parent / "sweeps" / "wide.yaml").read_text())


def own_of(model: str | None) -> dict[str, Any]:
    return {k: v for k, v in FILES[str(model)].items() if k not in ("_target_", "name", "search")}


def wide_space() -> Space:
    parser = OverridesParser.create()
    given = read_space({"model": f"choice({','.join(FILES)})"}, {}, [], parser, may_be_empty=True)[0]
    return with_families(given, {name: file["search"] for name, file in FILES.items()}, own_of, parser)


def settings_in(overrides: Sequence[str]) -> dict[str, Any]:
    read = {one.partition("=")[0].removeprefix("model."): yaml.safe_load(one.partition("=")[2]) for one in overrides}
    return {**own_of(read["model"]), **read}


class Latencies:
    """Of every network: a fit of log2 latency to each family's settings, their logarithms, squares and products."""

    def __init__(self, space: Space, model: CostModel) -> None:
        self._fits: dict[str, tuple[list[str], Any]] = {}
        for name in FILES:
            study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
            file = resolved(compose_config([f"model={name}"]), "model")
            drawn: list[dict[str, Any]] = []
            times: list[float] = []
            while len(drawn) < FITTED:
                study.enqueue_trial({"model": name})
                settings = settings_in(space.draw(study.ask(), own_of))
                own = {key: value for key, value in settings.items() if key != "model"}
                with torch.device("meta"):
                    try:
                        made = build(file | own, "model")
                    except (ConfigError, ValueError):
                        continue
                    times.append(model.predict_ms(msgspec.convert(describe(made), Description)))
                drawn.append(settings)
            matrix = np.array([self._features(one) for one in drawn])
            weights = np.linalg.solve(matrix.T @ matrix + 0.01 * np.eye(matrix.shape[1]), matrix.T @ np.log2(times))
            self._fits[name] = (list(own), weights)

    @staticmethod
    def _features(settings: Mapping[str, Any]) -> list[float]:
        numbers = []
        for name, value in sorted(settings.items()):
            if isinstance(value, bool | str):
                numbers += [] if name == "model" else [int(hashlib.md5(str(value).encode()).hexdigest(), 16) % 7 / 7]
            else:
                numbers.append(float(np.log2(1 + value)))
        products = [one * other for at, one in enumerate(numbers) for other in numbers[at:]]
        return [1.0, *numbers, *products]

    def ms(self, settings: Mapping[str, Any]) -> float:
        return float(2 ** np.clip(self._features(settings) @ self._fits[settings["model"]][1], 2.8, 12))


class World:
    """An `Evaluator` in which qualities are drawn."""

    def __init__(self, seed: int, latencies: Latencies) -> None:
        self._seed, self._latencies = seed, latencies
        self.settings: dict[str, dict[str, Any]] = {}

    def _drawn(self, *what: Any) -> float:
        digest = hashlib.sha256(repr((self._seed, *what)).encode()).digest()
        return float(np.random.default_rng(int.from_bytes(digest[:8])).standard_normal())

    def quality(self, settings: Mapping[str, Any]) -> float:
        family = settings["model"]
        own = sorted((key, value) for key, value in settings.items() if key in FILES[family]["search"])
        slope = 0.003 + 0.002 * self._drawn("slope", family)
        found = LEVELS[family] + 0.004 * self._drawn("level", family)
        found += slope * np.clip(np.log2(self._latencies.ms(settings) / 50), -2.5, 2)
        options = [one for one in own if isinstance(one[1], bool | str)]
        found += sum(0.003 * self._drawn(family, *one) for one in options)
        return float(found + sum(0.0015 * self._drawn(family, *a, *b) for a in own for b in options if a < b) / 2)

    def after(self, key: str, steps: int) -> float:
        settings = self.settings[key]
        normed = settings.get("norm", "instance" if settings["model"] in ("plain", "strided") else "none") != "none"
        lacks = (0.006 if normed else 0.026) * 2 ** (0.4 * self._drawn("pace", key)) * 75 / steps
        return self.quality(settings) - lacks + 0.0015 * self._drawn("luck", key)

    def candidate(self, overrides: list[str], trial: int) -> Candidate:
        settings = settings_in(overrides)
        key = repr(sorted(settings.items()))
        self.settings[key] = settings
        return Candidate(key, key, overrides, trial, settings["model"])

    def find_latencies(self, candidates: Sequence[Candidate]) -> None:
        for one in candidates:
            one.latency_ms = self._latencies.ms(self.settings[one.key])
            one.speed_up = BASELINE_MS / one.latency_ms

    def train(self, work: Sequence[tuple[Candidate, int]]) -> dict[str, float | None]:
        return {one.key: self.after(one.key, steps) for one, steps in work}

    def time_finalists(self, finalists: Sequence[Candidate]) -> None:
        """All are known."""


def searched(space: Space, world: World, sampler: Callable[[int], Sampler], trials: int, seed: int) -> Any:
    """The hypervolume, the steps spent and the repeats of one search."""
    settings = SearchSettings(**{**WIDE["search"], "trials": trials, "latency": "measured"})
    study = optuna.create_study(directions=["maximize", "maximize"], sampler=sampler(0))
    known = known_networks(space, {name: own_of(name) for name in FILES}, WIDE["hydra"]["sweeper"]["known"], own_of)

    def of(number: int) -> Sampler:
        return first(known, number, sampler(1000 * seed + number))

    with tempfile.TemporaryDirectory() as runs:
        shared = Trials(study, space, own_of, of, Path(runs))
        loop = SearchLoop(shared, world, settings, rung_steps(settings.first_rung, 1200, settings.reduction_factor))
        while loop.run_cohort():
            pass
        told = [one for one in shared.all() if one.state == optuna.trial.TrialState.COMPLETE]
    networks = [one for one in told if "same_as" not in one.user_attrs]
    points = [
        (one.user_attrs["speed_up"], world.quality(world.settings[one.user_attrs["architecture_key"]]))
        for one in networks
        if one.user_attrs["finished"]
    ]
    area = log_hypervolume(pd.DataFrame(points, columns=["speed_up", "ms_ssim"]), UNTOUCHED)
    return area, sum(one.user_attrs["steps"] for one in networks), len(told) - len(networks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, default=Path("reports/wide/records"), help="a folder of timings")
    parser.add_argument("--trials", type=int, nargs="+", default=[60, 300])
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--samplers", nargs="+", default=list(SAMPLERS), choices=list(SAMPLERS))
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    timed = {one.architecture_key: one for one in timed_records(options.records) if one.latency_ms_median}
    known = [one for one in timed.values() if one.description.layers]
    model = CostModel.fit([one.description for one in known], [float(one.latency_ms_median or 0) for one in known])
    space = wide_space()
    latencies = Latencies(space, model)
    for trials in options.trials:
        print(f"{trials} trials, {options.worlds} worlds: hypervolume less random's, median (tenth, ninth tenth)")
        random: list[float] = []
        for name in options.samplers:
            begun, found = time.monotonic(), []
            for seed in range(options.worlds):
                found.append(searched(space, World(seed, latencies), SAMPLERS[name], trials, seed))
            areas = np.array([one[0] for one in found])
            random = random or list(areas)
            low, middle, high = np.quantile(areas - random, [0.1, 0.5, 0.9])
            print(
                f"  {name}: {np.median(areas):.4f}, {middle:+.4f} ({low:+.4f}, {high:+.4f}), better in "
                f"{np.mean(areas > random):.0%}; {np.median([one[1] for one in found]):,.0f} steps, "
                f"{np.median([one[2] for one in found]):.0f} repeats; {time.monotonic() - begun:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
