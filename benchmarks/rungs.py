"""Which rungs a search over families should have: how well early scores tell late ones, and halvings replayed.

    python benchmarks/rungs.py --records reports/wide/records

Takes every network with a speed-up and a learning curve that has all of 75, 150, 300, 600 and 1200 steps (the first
seed of each), and replays halvings on these curves, all networks in cohorts of 20 in an order drawn at random. A
method is compared by the hypervolume over log2 of the speed-up that its networks reach, and by its steps.

These networks had to survive earlier halvings, unless they are the paper's: families that no earlier search has let
through are not among them, so what keeping the best of each family gains is not seen here, only what it costs.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from enhance_sweep.frontier import log_hypervolume
from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.records.keys import architecture_key, architecture_of
from enhance_sweep.records.store import timed_records, trained_records
from enhance_sweep.search.halving import Halving, rung_steps
from enhance_sweep.stats.speed_up import speed_up

RUNGS = (75, 150, 300, 600, 1200)
COHORT, FINALISTS, REPLAYS = 20, 6, 100
METHODS = {
    "from 75": {"first": 75},
    "from 75, the best of each family through two rungs": {"first": 75, "family_rungs": 2},
    "from 75, the best of each family through all rungs": {"first": 75, "family_rungs": 4},
    "from 150": {"first": 150},
    "from 150, the best of each family through one rung": {"first": 150, "family_rungs": 1},
    "from 150, the best of each family through two rungs": {"first": 150, "family_rungs": 2},
    "from 300": {"first": 300},
    "no halving": {"first": 1200},
}


@dataclass(frozen=True)
class Network:
    family: str
    normed: bool
    speed_up: float
    curve: Mapping[int, float]


def networks(runs_dir: Path) -> dict[str, Network]:
    """By architecture key."""
    baseline_key = architecture_key(architecture_of(BASELINE))
    timed = [one for one in timed_records(runs_dir) if one.status == "completed" and one.latency_ms_median]
    timed = [one for one in timed if one.measurement.runtime == "eager" and one.measurement.precision == "fp32"]
    quick_ms = [one.latency_ms_median for one in timed if one.architecture_key == baseline_key and not one.baseline]
    ratios: dict[str, float] = {}
    for one in timed:
        paired = speed_up(one.samples, resamples=1)
        if paired is not None:
            ratios[one.architecture_key] = paired.median
        elif quick_ms and quick_ms[0] and one.latency_ms_median:
            ratios.setdefault(one.architecture_key, quick_ms[0] / one.latency_ms_median)
    found: dict[str, Network] = {}
    for record in sorted(trained_records(runs_dir), key=lambda one: str(one.learned_from.seed)):
        curve = {row.step: row.ms_ssim for row in record.quality if row.ms_ssim is not None}
        ratio = ratios.get(record.architecture_key)
        if ratio is None or record.architecture_key in found or not set(RUNGS) <= set(curve):
            continue
        own = record.architecture
        normed = own.get("norm", "instance" if own["topology"] in ("plain", "strided") else "none") != "none"
        found[record.architecture_key] = Network(str(own["topology"]), normed, ratio, curve)
    return found


def tau(first: Sequence[float], second: Sequence[float]) -> float:
    """Kendall's, of pairs without ties."""
    one, other = (np.subtract.outer(np.asarray(values), np.asarray(values)) for values in (first, second))
    signs = np.sign(one * other)[np.triu_indices(len(first), 1)]
    return float(signs.mean()) if len(signs) else float("nan")


def replayed(every: Mapping[str, Network], seed: int, first: int, family_rungs: int = 0) -> tuple[dict[str, int], int]:
    """The steps that each network reached, and all steps spent."""
    order = list(np.random.default_rng(seed).permutation(sorted(every)))
    rungs = rung_steps(first, RUNGS[-1], 2)
    told: dict[str, dict[int, float]] = {}
    for begin in range(0, len(order), COHORT):
        latencies = {key: 1 / every[key].speed_up for key in order[begin : begin + COHORT]}
        families = {key: one.family for key, one in every.items()}
        halving = Halving(
            latencies, rungs, 2, FINALISTS, 4.0, told, {k: 1 / every[k].speed_up for k in told}, families, family_rungs
        )
        while work := halving.ask():
            for key, steps in work:
                halving.tell(key, every[key].curve[steps])
        told |= {key: curve for key, curve in halving.qualities.items() if curve}
    reached = {key: max(curve) for key, curve in told.items()}
    return reached, sum(reached.values())


def volume(every: Mapping[str, Network], reached: Mapping[str, int], untouched: float) -> float:
    points = pd.DataFrame(
        [(every[key].speed_up, every[key].curve[steps]) for key, steps in reached.items()],
        columns=["speed_up", "ms_ssim"],
    )
    return log_hypervolume(points, untouched)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, default=Path("reports/wide/records"), help="a folder of runs")
    options = parser.parse_args()
    every = networks(options.records)
    starts = [
        row.ms_ssim
        for record in trained_records(options.records)
        if record.learned_from.start == "identity"
        for row in record.quality
        if row.step == 0 and row.ms_ssim is not None
    ]
    untouched = max(starts)
    families = sorted({one.family for one in every.values()})
    counts = ", ".join(f"{name} {sum(one.family == name for one in every.values())}" for name in families)
    print(f"{len(every)} networks ({counts}); MS-SSIM above {untouched:.4f}")
    for steps in RUNGS[:-1]:
        said = f"{tau(*([one.curve[at] for one in every.values()] for at in (steps, RUNGS[-1]))):+.2f}"
        print(f"  Kendall's tau of MS-SSIM after {steps} steps and after {RUNGS[-1]}: {said}")
    for normed in (True, False):
        ours = [one for one in every.values() if one.normed == normed]
        gains = [np.median([one.curve[RUNGS[-1]] - one.curve[at] for one in ours]) for at in RUNGS[:-1]]
        said = ", ".join(f"{gain:+.4f} from {at}" for gain, at in zip(gains, RUNGS, strict=False))
        print(f"  {len(ours)} {'with' if normed else 'without'} norms still gain until {RUNGS[-1]} steps: {said}")
    whole = volume(every, dict.fromkeys(every, RUNGS[-1]), untouched)
    print(f"{REPLAYS} replays: median share of the whole hypervolume, share of the steps, families trained to the end")
    for name, settings in METHODS.items():
        shares, spent, ended = [], [], []
        for seed in range(REPLAYS):
            reached, steps = replayed(every, seed, **settings)
            finished = {key: at for key, at in reached.items() if at == RUNGS[-1]}
            shares.append(volume(every, finished, untouched) / whole)
            spent.append(steps / (len(every) * RUNGS[-1]))
            ended.append(len({every[key].family for key in finished}))
        low, middle = np.quantile(shares, [0.1, 0.5])
        print(f"  {name}: {middle:.1%} (a tenth below {low:.1%}), {np.median(spent):.0%}, {np.median(ended):.0f}")


if __name__ == "__main__":
    main()
