"""How long a search will take, before it begins: at most so many trainings, of networks such as it may propose."""

import math
from collections.abc import Sequence
from statistics import median

import optuna
from hydra.errors import HydraException
from optuna.samplers import RandomSampler

from enhance_sweep.config import ConfigError
from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.search.families import first
from enhance_sweep.search.specification import SearchSpec
from enhance_sweep.settings import SearchSettings
from enhance_sweep.sweep.forecast import OVERHEAD_S, Past, past_of
from enhance_sweep.sweep.plan import Plan
from enhance_sweep.system.clock import duration

#: Networks that are drawn at random, beside the known ones, to see what this search's networks cost.
_DRAWN = 24
#: Seconds that a training of a rung takes beside its steps: scoring the validation pairs, checkpoints. The last one
#: also scores the test pairs and makes pictures (`sweep.forecast.OVERHEAD_S`).
_RUNG_S = 1.5


def most_trained(
    networks: int, rungs: int, factor: float, finalists: int, families: int = 0, family_rungs: int = 0
) -> list[int]:
    """How many of a cohort's networks are trained to each rung at most, where none competes from earlier cohorts.

    From the first `family_rungs` rungs the best of each of `families` continues, too.
    """
    counts = [networks]
    while len(counts) < rungs:
        kept = families if len(counts) <= family_rungs else 0
        counts.append(min(counts[-1], max(math.ceil(counts[-1] / factor), finalists) + kept))
    return counts


def most_work(settings: SearchSettings, rungs: Sequence[int], families: int = 0) -> tuple[int, int, int]:
    """The steps, the trainings, and of these the ones to the last rung, of a whole search at most."""
    steps = trainings = finished = 0
    for begin in range(0, settings.trials, settings.cohort):
        networks = min(settings.cohort, settings.trials - begin)
        counts = most_trained(
            networks, len(rungs), settings.reduction_factor, settings.finalists, families, settings.family_rungs
        )
        steps += sum(count * (rung - before) for count, rung, before in zip(counts, rungs, [0, *rungs], strict=False))
        trainings += sum(counts)
        finished += counts[-1]
    return steps, trainings, finished


def examples(spec: SearchSpec) -> list[Plan]:
    """The known networks of a search, and some that are drawn at random from its space."""
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    plans = []
    for number in range(len(spec.known) + _DRAWN):
        study.sampler = first(spec.known, number, RandomSampler(seed=number))
        try:
            plans.append(spec.plan(spec.space.draw(study.ask(), spec.settings_of)))
        except (ConfigError, HydraException):
            continue  # not every combination is a network
    return plans


def forecast(spec: SearchSpec) -> list[str]:
    """What a search will cost at most, in sentences."""
    settings, plans = spec.settings, examples(spec)
    if not plans:
        return ["None of the networks that were drawn can be built."]
    past = past_of(plans)
    limit_ms = settings.max_latency_ms or math.inf
    fast = [plan for plan in plans if past.latency_ms(plan)[0] <= limit_ms]
    steps, trainings, finished = most_work(settings, spec.rungs, len(spec.families))
    said = [
        f"At most {steps:,} steps in {trainings} trainings, {finished} of them to the end "
        f"({', '.join(map(str, spec.rungs))} steps)."
    ]
    if settings.max_latency_ms is not None:
        said.append(
            f"Of {len(plans)} networks, known ones and some drawn at random, {len(fast)} are predicted to be within "
            f"search.max_latency_ms={settings.max_latency_ms:g}; the others are not trained."
        )
    if not fast:
        return said
    step_s = [past.steps_s(plan) / plan.max_steps for plan in fast]
    training_s = steps * sum(step_s) / len(step_s)
    scoring_s = (trainings - finished) * _RUNG_S + finished * OVERHEAD_S
    timing_s = settings.trials * median(past.calls_s(plan) for plan in fast) + _baseline_s(spec, fast[0], past)
    guess = "" if past.trained else ", a first guess"
    said.append(
        f"About {duration(training_s + scoring_s + timing_s)} in all{guess}: {duration(training_s)} of training "
        f"({min(step_s) * 1e3:.0f} to {max(step_s) * 1e3:.0f} ms a step), {duration(scoring_s)} of scoring, "
        f"{duration(timing_s)} of timing."
    )
    return said


def _baseline_s(spec: SearchSpec, like: Plan, past: Past) -> float:
    """How long the baseline's own timing takes, where speed-ups are compared."""
    if spec.settings.speed != "speed_up" or like.settings.timing.paired:
        return 0.0
    named = [f"model.{name}={value}" for name, value in BASELINE.items() if name not in ("_target_", "name")]
    return past.calls_s(spec.plan([f"model={BASELINE['name']}", *(one.lower() for one in named)]).baseline())
