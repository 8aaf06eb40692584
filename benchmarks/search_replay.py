"""How many of the full grid's training steps a search needs, replayed from stored learning curves.

    python benchmarks/search_replay.py --records reports/dped-sample/records --out reports/search

The grid is the paper's 24 networks (Tables 1 and 2), as far as they have records. Nothing is trained: the records hold
every latency, and the score after every number of steps (`quality`, at a constant learning rate). Every method runs
the real search, `enhance_sweep.search.loop`, with a sampler of its own and these results instead of jobs.

A replay draws a seed for each network that was trained with several: one way in which the full grid could have turned
out. All methods see the same draws. The hypervolume counts each network with its latest score, and is a share of that
of all networks fully trained. Reference: the baseline's latency (plain 3/64/4) and the untouched input's MS-SSIM, as in
the report; a second line takes the slowest network's latency.

    random search  networks in random order, each trained fully, none twice
    NSGA-II        Optuna's, over topology, kernels, channels, blocks, PReLU; each network trained fully; proposals
                   outside the grid, and repeats, cost nothing
    halving        the search's defaults, all networks in one cohort; a dropped network keeps its latest score
"""

import argparse
import itertools
import math
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import optuna
import pandas as pd
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from matplotlib.figure import Figure

from enhance_sweep.config import ConfigError
from enhance_sweep.frontier import hypervolume, pareto_front
from enhance_sweep.paper import BASELINE_SLUG, published_table
from enhance_sweep.records import load_records
from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.records.store import trained_records
from enhance_sweep.search import halving, loop
from enhance_sweep.search.halving import Halving, rung_steps
from enhance_sweep.search.loop import Candidate, SearchLoop
from enhance_sweep.search.space import Space, read_space
from enhance_sweep.search.trials import Trials
from enhance_sweep.settings import SearchSettings

DEFAULTS = SearchSettings()
AS_RUN = "The grid as it was run: each network's first seed"
SEEDS_DRAWN = "A seed drawn for each network that has several"
#: Of the full grid's steps, where methods are compared.
BUDGET = 0.30
ENOUGH = 0.99
#: Optuna's default population of 50 would be random search throughout.
POPULATION = 8
#: After so many free proposals in a row a sampler has nothing new to propose.
PATIENCE = 300

Curve = Mapping[int, float]
#: (network, steps trained since its last score, its score now).
Event = tuple[str, int, float]
Method = Callable[["Grid", Mapping[str, Curve], int], Iterator[Event]]


@dataclass(frozen=True)
class Grid:
    """The networks there are records of.

    Attributes:
        architectures: by slug, the fastest first.
        latencies_ms: measured.
        macs: multiply-adds of one call.
        curves: MS-SSIM by steps, one curve a seed.
        steps: of a whole training.
        untouched: the MS-SSIM of the untouched input.
        worst_ms: the reference latency.
    """

    architectures: Mapping[str, Mapping[str, Any]]
    latencies_ms: Mapping[str, float]
    macs: Mapping[str, int]
    curves: Mapping[str, Mapping[int, Curve]]
    steps: int
    untouched: float
    worst_ms: Mapping[str, float]

    @cached_property
    def space(self) -> Space:
        """Topology, kernels, channels, PReLU and blocks, with the values of these networks."""
        names = ("topology", "kernel_size", "channels", "prelu", "blocks", "strided_kernel_size")
        values = {name: sorted({one[name] for one in self.architectures.values() if name in one}) for name in names}
        params = {
            "model" if name == "topology" else f"model.{name}": f"choice({','.join(map(_written, found))})"
            for name, found in values.items()
            if found
        }
        when = {"model.blocks": "model=plain"}  # all strided networks of Table 2 have two
        return read_space(params, when, [], OverridesParser.create())[0]


def read_grid(records: Path) -> Grid:
    slugs = [slug for table in (1, 2) for slug in published_table(table)["slug"]]
    table = load_records(records).dropna(subset=["latency_ms_median"])
    latency = {key: float(ms) for key, ms in zip(table["architecture_key"], table["latency_ms_median"], strict=True)}
    found: dict[str, dict[str, Any]] = {}
    for record in trained_records(records):
        slug = architecture_slug(record.architecture)
        if slug in slugs and record.status == "completed" and record.architecture_key in latency:
            curve = {row.step: float(row.ms_ssim) for row in record.quality if row.ms_ssim is not None}
            found.setdefault(slug, {"record": record, "curves": {}})["curves"][record.learned_from.seed] = curve
    if not found:
        raise SystemExit(f"{records} has no network of Tables 1 and 2 that is trained and timed")
    last = {max(curve) for one in found.values() for curve in one["curves"].values()}
    if len(last) > 1:
        raise SystemExit(f"{records}: expected trainings of equal length, found {sorted(last)}")
    (steps,) = last
    needed = set(rung_steps(DEFAULTS.first_rung, steps, DEFAULTS.reduction_factor))
    for slug, one in found.items():
        for seed, curve in one["curves"].items():
            if not needed <= set(curve):
                raise SystemExit(f"{slug}, seed {seed}: expected scores at steps {sorted(needed)}, has {sorted(curve)}")
    latencies = {slug: latency[one["record"].architecture_key] for slug, one in found.items()}
    order = sorted(found, key=latencies.__getitem__)
    baseline = [ms for key, ms in latency.items() if key.startswith(f"{BASELINE_SLUG}-")]
    if not baseline:
        raise SystemExit(f"{records}: the baseline {BASELINE_SLUG} is not timed; its latency is the reference point's")
    any_record = found[order[0]]["record"]
    return Grid(
        {slug: found[slug]["record"].architecture for slug in order},
        {slug: latencies[slug] for slug in order},
        {slug: found[slug]["record"].description.macs for slug in order},
        {slug: found[slug]["curves"] for slug in order},
        steps,
        float(any_record.untouched.ms_ssim),
        {"baseline": baseline[0], "slowest": max(latencies.values())},
    )


# --- methods ----------------------------------------------------------------------------------------------------------


def _written(value: Any) -> str:
    return str(value).lower()


@dataclass
class StoredResults:
    """An `Evaluator` whose latencies and scores are those of the records, under one draw of seeds.

    Attributes:
        within_topologies: whether saturation is judged within each topology.
    """

    grid: Grid
    curves: Mapping[str, Curve]
    within_topologies: bool = False
    steps: dict[str, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def candidate(self, overrides: list[str], trial: int) -> Candidate:
        settings = {name: yaml.safe_load(value) for name, _, value in (one.partition("=") for one in overrides)}
        architecture = {"topology": settings.pop("model"), "blocks": 2}
        slug = architecture_slug(architecture | {name.removeprefix("model."): v for name, v in settings.items()})
        if slug not in self.grid.architectures:
            raise ConfigError(f"{slug} is not in the grid")
        family = architecture["topology"] if self.within_topologies else None
        return Candidate(slug, slug, overrides, trial, family)

    def find_latencies(self, candidates: Sequence[Candidate]) -> None:
        for one in candidates:
            one.latency_ms = self.grid.latencies_ms[one.key]

    def train(self, work: Sequence[tuple[Candidate, int]]) -> dict[str, float | None]:
        results: dict[str, float | None] = {}
        for one, steps in work:
            results[one.key] = quality = self.curves[one.key][steps]
            self.events.append((one.key, steps - self.steps.get(one.key, 0), quality))
            self.steps[one.key] = steps
        return results

    def time_finalists(self, finalists: Sequence[Candidate]) -> None:
        """All are measured."""


class InOrder(optuna.samplers.BaseSampler):
    """Proposes given networks, one after the other."""

    def __init__(self, architectures: Sequence[Mapping[str, Any]]) -> None:
        self._architectures = architectures

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        name = "topology" if param_name == "model" else param_name.removeprefix("model.")
        value = self._architectures[trial.number][name]
        return next(choice for choice in param_distribution.choices if choice in (value, _written(value)))


def searched(
    grid: Grid,
    curves: Mapping[str, Curve],
    sampler: optuna.samplers.BaseSampler,
    settings: SearchSettings,
    within_topologies: bool = False,
) -> list[Event]:
    """The trainings of a real search over the grid, until it has proposed all or nothing new for long."""
    study = optuna.create_study(directions=["minimize", "maximize"], sampler=sampler)
    results = StoredResults(grid, curves, within_topologies)
    rungs = rung_steps(settings.first_rung, grid.steps, settings.reduction_factor)
    settings_of = {one["topology"]: {*one} for one in grid.architectures.values()}
    with tempfile.TemporaryDirectory() as runs:
        trials = Trials(study, grid.space, lambda model: settings_of[str(model)], lambda number: sampler, Path(runs))
        search = SearchLoop(trials, results, settings, rungs)
        in_vain = 0
        while in_vain < PATIENCE and len(results.steps) < len(grid.architectures):
            known = len(results.events)
            if not search.run_cohort():
                break
            in_vain = 0 if len(results.events) > known else in_vain + 1
    return results.events


def by_halving(
    no_slower_than_baseline: bool = False,
    kind: type[Halving] = Halving,
    within_topologies: bool = False,
    **changes: Any,
) -> Method:
    def method(grid: Grid, curves: Mapping[str, Curve], seed: int) -> Iterator[Event]:
        every = list(grid.architectures.values())
        limit = grid.worst_ms["baseline"] if no_slower_than_baseline else None
        settings = SearchSettings(trials=len(every), cohort=len(every), max_latency_ms=limit, **changes)
        with patch.object(loop, "Halving", kind):
            yield from searched(grid, curves, InOrder(every), settings, within_topologies)

    return method


def one_by_one(sampler: Callable[[Grid, int], optuna.samplers.BaseSampler]) -> Method:
    """Every proposal trained fully, and told before the next one is made."""

    def method(grid: Grid, curves: Mapping[str, Curve], seed: int) -> Iterator[Event]:
        most = PATIENCE * len(grid.architectures)
        settings = SearchSettings(trials=most, cohort=1, first_rung=grid.steps, saturation=None)
        yield from searched(grid, curves, sampler(grid, seed), settings)

    return method


def shuffled(grid: Grid, seed: int) -> InOrder:
    every = list(grid.architectures.values())
    return InOrder([every[place] for place in np.random.default_rng(seed).permutation(len(every))])


def knowing_the_frontier(grid: Grid, curves: Mapping[str, Curve], seed: int) -> Iterator[Event]:
    """The bound: trains only networks that turn out to be on the frontier, the greatest gain first."""
    left = pareto_front(points(grid, {slug: curves[slug][grid.steps] for slug in curves}))
    have: dict[str, float] = {}
    while len(have) < len(left):
        slug = max(
            (slug for slug in left.index if slug not in have),
            key=lambda slug: volume(grid, {**have, slug: curves[slug][grid.steps]}),
        )
        have[slug] = curves[slug][grid.steps]
        yield slug, grid.steps, have[slug]


METHODS: dict[str, Method] = {
    "latency-first halving": by_halving(),
    "NSGA-II": one_by_one(lambda _, seed: optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed)),
    "random search": one_by_one(shuffled),
    "knowing the frontier": knowing_the_frontier,
}


def by_quality(latencies_ms: Mapping[str, float], qualities: Mapping[str, float]) -> list[tuple[str, int]]:
    """One axis only, as halving is usually done."""
    order = sorted(qualities, key=lambda key: (-qualities[key], latencies_ms[key]))
    return [(key, 0 if place == 0 else 1) for place, key in enumerate(order)]


def by_deficit(latencies_ms: Mapping[str, float], qualities: Mapping[str, float]) -> list[tuple[str, int]]:
    """Within a front, networks closest in quality to the best that is no slower come first."""
    lack = {
        key: max(qualities[other] for other in qualities if latencies_ms[other] <= latencies_ms[key]) - qualities[key]
        for key in qualities
    }
    front = dict(RANKED(latencies_ms, qualities))
    return sorted(front.items(), key=lambda item: (item[1], lack[item[0]], latencies_ms[item[0]]))


class KeepingTheFrontier(Halving):
    """Never drops a network of the frontier, however many there are."""

    def _enter_next_rung(self) -> bool:
        fewest = self._fewest
        fronts = [front for _, front in RANKED(self._latencies_ms, self._on_rung())]
        self._fewest = max(fewest, fronts.count(0))
        try:
            return super()._enter_next_rung()
        finally:
            self._fewest = fewest


RANKED = halving.ranked
VARIATIONS: dict[str, tuple[Method, Callable[..., list[tuple[str, int]]]]] = {
    "as it is: from 75 steps by 2": (by_halving(), RANKED),
    "first rung at 150": (by_halving(first_rung=150), RANKED),
    "first rung at 300": (by_halving(first_rung=300), RANKED),
    "by 4: 75, 300, 1200": (by_halving(reduction_factor=4), RANKED),
    "no saturation: all trained 75 steps": (by_halving(saturation=None), RANKED),
    "saturation beyond 2 times": (by_halving(saturation=2), RANKED),
    "saturation within each topology": (by_halving(within_topologies=True), RANKED),
    "saturation within each, beyond 2 times": (by_halving(within_topologies=True, saturation=2), RANKED),
    "max_latency_ms: the baseline's": (by_halving(no_slower_than_baseline=True), RANKED),
    "finalists: 1 (halving alone)": (by_halving(finalists=1), RANKED),
    "finalists: 3": (by_halving(finalists=3), RANKED),
    "finalists: 5": (by_halving(finalists=5), RANKED),
    "finalists: 6": (by_halving(finalists=6), RANKED),
    "finalists: 1, and all of the frontier": (by_halving(finalists=1, kind=KeepingTheFrontier), RANKED),
    "by deficit instead of crowding": (by_halving(), by_deficit),
    "by quality alone": (by_halving(), by_quality),
}


# --- replaying --------------------------------------------------------------------------------------------------------


def points(grid: Grid, qualities: Mapping[str, float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"latency_ms_median": [grid.latencies_ms[slug] for slug in qualities], "ms_ssim": list(qualities.values())},
        index=list(qualities),
    )


def volume(grid: Grid, qualities: Mapping[str, float], reference: str = "baseline") -> float:
    return hypervolume(points(grid, qualities), grid.worst_ms[reference], grid.untouched)


@dataclass(frozen=True)
class Replay:
    """One method on one draw: shares after each training, of the full grid's steps, arithmetic and hypervolume."""

    steps: list[float]
    arithmetic: list[float]
    volumes: list[float]
    volumes_to_slowest: list[float]

    def at(self, share: float, what: str = "volumes", of: str = "steps") -> float:
        done = [value for x, value in zip(getattr(self, of), getattr(self, what), strict=True) if x <= share + 1e-9]
        return done[-1] if done else 0.0

    def needed(self, what: str = "volumes") -> float:
        """The share of the steps after which the hypervolume is `ENOUGH`; infinite where it never is."""
        return next((x for x, value in zip(self.steps, getattr(self, what), strict=True) if value >= ENOUGH), math.inf)


def replay(grid: Grid, curves: Mapping[str, Curve], method: Method, seed: int) -> Replay:
    whole = {slug: curve[grid.steps] for slug, curve in curves.items()}
    full = {reference: volume(grid, whole, reference) for reference in grid.worst_ms}
    all_steps, all_macs = grid.steps * len(whole), grid.steps * sum(grid.macs[slug] for slug in whole)
    state: dict[str, float] = {}
    result = Replay([], [], [], [])
    steps = macs = 0.0
    for slug, more, quality in method(grid, curves, seed):
        state[slug] = quality
        steps, macs = steps + more, macs + more * grid.macs[slug]
        result.steps.append(steps / all_steps)
        result.arithmetic.append(macs / all_macs)
        result.volumes.append(volume(grid, state) / full["baseline"])
        result.volumes_to_slowest.append(volume(grid, state, "slowest") / full["slowest"])
    return result


def draws(grid: Grid, count: int) -> list[dict[str, Curve]]:
    """For each replay, one seed of every network."""
    random = np.random.default_rng(0)
    return [
        {slug: seeds[sorted(seeds)[random.integers(len(seeds))]] for slug, seeds in grid.curves.items()}
        for _ in range(count)
    ]


def spread(values: list[float]) -> str:
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9], method="inverted_cdf")
    return f"{_percent(middle)} ({_percent(low)} to {_percent(high)})"


def _percent(share: float) -> str:
    return f"{share:.1%}" if math.isfinite(share) else "never"


def summary(name: str, replays: list[Replay]) -> dict[str, Any]:
    needed = [one.needed() for one in replays]
    return {
        "method": name,
        "steps_used": spread([one.steps[-1] for one in replays]),
        "arithmetic_used": spread([one.arithmetic[-1] for one in replays]),
        "hypervolume_at_30%_of_steps": spread([one.at(BUDGET) for one in replays]),
        "hypervolume_at_30%_to_slowest": spread([one.at(BUDGET, "volumes_to_slowest") for one in replays]),
        "hypervolume_at_30%_of_arithmetic": spread([one.at(BUDGET, of="arithmetic") for one in replays]),
        "steps_to_99%": spread(needed),
        "99%_within_30%_of_steps": f"{np.mean([share <= BUDGET for share in needed]):.0%}",
    }


def noise(grid: Grid) -> str:
    """How much a score owes to its seed."""
    finals = [[curve[grid.steps] for curve in seeds.values()] for seeds in grid.curves.values() if len(seeds) > 1]
    between = [max(values) - min(values) for values in finals]
    whole = {slug: seeds[min(seeds)][grid.steps] for slug, seeds in grid.curves.items()}
    percent = (1 - ENOUGH) * volume(grid, whole) / (grid.worst_ms["baseline"] - min(grid.latencies_ms.values()))
    return (
        f"Between seeds of one network the final MS-SSIM differs by {min(between):.4f} to {max(between):.4f}; "
        f"{1 - ENOUGH:.0%} of the hypervolume is {percent:.4f} at all latencies"
    )


# --- showing ----------------------------------------------------------------------------------------------------------

_COLORS = ("#0072B2", "#D55E00", "#555555", "#CC79A7")
_SHARES = np.linspace(0, 1, 201)


def curve_table(replays: Mapping[str, Mapping[str, list[Replay]]]) -> pd.DataFrame:
    """The hypervolume against the share of steps and of arithmetic, up to where each method ends."""
    rows = []
    for title, methods in replays.items():
        for (name, ones), of in itertools.product(methods.items(), ("steps", "arithmetic")):
            end = max(getattr(one, of)[-1] for one in ones)
            for share in _SHARES[end + _SHARES[1] > _SHARES]:
                low, middle, high = np.quantile([one.at(float(share), of=of) for one in ones], [0.1, 0.5, 0.9])
                rows.append((title, name, of, round(float(share), 4), low, middle, high))
    columns = ["draws", "method", "share_of", "share", "hypervolume_p10", "hypervolume_median", "hypervolume_p90"]
    return pd.DataFrame(rows, columns=columns)


def figure(curves: pd.DataFrame) -> Figure:
    drawn = Figure(figsize=(10, 4.6), layout="constrained")
    panels = drawn.subplots(1, 2, sharey=True)
    steps = curves[curves["share_of"] == "steps"]
    for axes, (title, rows) in zip(panels, steps.groupby("draws", sort=False), strict=True):
        for (name, line), color in zip(rows.groupby("method", sort=False), _COLORS, strict=True):
            axes.step(line["share"], line["hypervolume_median"], where="post", color=color, label=name, linewidth=1.8)
            axes.step(line["share"], line["hypervolume_p10"], where="post", color=color, linewidth=1, linestyle=":")
            axes.plot(line["share"].iloc[-1], line["hypervolume_median"].iloc[-1], "o", color=color, markersize=4)
        axes.axhline(ENOUGH, color="#999999", linewidth=0.8, linestyle="--", zorder=0)
        axes.axvline(BUDGET, color="#999999", linewidth=0.8, linestyle="--", zorder=0)
        axes.set(xlabel="share of the full grid's training steps", xlim=(0, 1.01), ylim=(0.7, 1.005))
        axes.set_title(title, fontsize=10)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("share of the full grid's hypervolume")
    panels[1].legend(loc="lower right", frameon=False, fontsize=9, title="median; dotted: 10th percentile")
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, default=Path("reports/dped-sample/records"), help="a folder of runs")
    parser.add_argument("--out", type=Path, help="a folder to leave the tables, the figure and this text in")
    parser.add_argument("--replays", type=int, default=100, help="how many draws of seeds")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    lines: list[str] = []

    def say(line: str = "") -> None:
        print(line, flush=True)
        lines.append(line)

    grid = read_grid(options.records)
    several = sum(len(seeds) > 1 for seeds in grid.curves.values())
    published = sum(len(published_table(table)) for table in (1, 2))
    count = f"{len(grid.architectures)} of the paper's {published} networks"
    say(f"{count}, {grid.steps} steps each; {several} of them with several seeds")
    say(f"Reference: {grid.worst_ms['baseline']:.0f} ms (the baseline), MS-SSIM {grid.untouched:.4f} (untouched input)")
    if several:
        say(noise(grid))
    say(f"{options.replays} draws of seeds; median (10th to 90th percentile)")
    say()
    worlds = draws(grid, options.replays)
    as_run = [{slug: seeds[min(seeds)] for slug, seeds in grid.curves.items()}] * options.replays
    replays: dict[str, dict[str, list[Replay]]] = {}
    tables = []
    for title, ones in ((AS_RUN, as_run), (SEEDS_DRAWN, worlds)):
        replays[title] = {
            name: [replay(grid, curves, method, seed) for seed, curves in enumerate(ones)]
            for name, method in METHODS.items()
        }
        table = pd.DataFrame([summary(name, found) for name, found in replays[title].items()])
        tables.append(table.assign(draws=title))
        say(f"{title}\n" + "\n".join(_readable(row) for row in table.to_dict("records")) + "\n")
    say("Variations of the halving, seeds drawn")
    for name, (method, ranking) in VARIATIONS.items():
        with patch.object(halving, "ranked", ranking):
            row = summary(name, [replay(grid, curves, method, seed) for seed, curves in enumerate(worlds)])
            once = replay(grid, as_run[0], method, 0)
        tables.append(pd.DataFrame([row]).assign(draws="Variations, seeds drawn"))
        say(_readable(row))
        at_budget, needed = _percent(once.at(BUDGET)), _percent(once.needed())
        say(f"    on the grid as it was run               {at_budget} after 30%; 99% with {needed} of the steps")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        curves = curve_table(replays)
        curves.to_csv(options.out / "curves.csv", index=False, float_format="%.5f")
        pd.concat(tables, ignore_index=True).to_csv(options.out / "summary.csv", index=False)
        drawn = figure(curves)
        drawn.savefig(options.out / "replay.png", dpi=130)
        drawn.savefig(options.out / "replay.svg", metadata={"Date": None})
        (options.out / "replay.txt").write_text("\n".join(lines) + "\n")


def _readable(row: Mapping[Any, Any]) -> str:
    return "\n".join(
        [
            f"  {row['method']}",
            f"    hypervolume after 30% of the steps      {row['hypervolume_at_30%_of_steps']}",
            f"    ... up to the slowest network's latency {row['hypervolume_at_30%_to_slowest']}",
            f"    ... after 30% of the arithmetic         {row['hypervolume_at_30%_of_arithmetic']}",
            f"    steps to 99% of the hypervolume         {row['steps_to_99%']}; within 30%: "
            f"{row['99%_within_30%_of_steps']} of draws",
            f"    steps used in all                       {row['steps_used']}; "
            f"of the arithmetic {row['arithmetic_used']}",
        ]
    )


if __name__ == "__main__":
    main()
