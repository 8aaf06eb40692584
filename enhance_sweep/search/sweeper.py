"""A search: Optuna proposes networks, halving trains the promising ones further, Hydra's launcher runs them.

Proposals come in cohorts. The networks of a cohort are timed (or their latency is predicted), those too slow are
dropped untrained, and the others compete in a halving, also with the results of earlier cohorts. Then they are told.

Optuna's storage (what was proposed and told) and the records (what was timed and trained) hold the whole state of a
search: killed at any moment, it continues where it was. Several machines may run the same search on one folder and one
storage; they share each cohort, and each waits for networks that another is training.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig
from optuna.trial import TrialState

from enhance_sweep.config import ConfigError
from enhance_sweep.frontier import log_hypervolume, pareto_front
from enhance_sweep.measures import MEASURES
from enhance_sweep.records.store import check_writable
from enhance_sweep.search.forecast import forecast
from enhance_sweep.search.jobs import JobEvaluator
from enhance_sweep.search.loop import SearchLoop
from enhance_sweep.search.specification import SearchSpec
from enhance_sweep.search.store import open_study
from enhance_sweep.search.trials import Trials
from enhance_sweep.settings import SearchSettings
from enhance_sweep.sweep.run import USER_ERRORS, tell


def search_variants(
    config: DictConfig,
    loader: ConfigLoader,
    launcher: Launcher,
    params: Mapping[str, Any] | None,
    when: Mapping[str, Any] | None,
    arguments: list[str],
    parallel_jobs: int | None = 1,
    families: Sequence[str] | str | None = None,
    known: Sequence[Mapping[str, Any]] | None = None,
) -> list[Any]:
    """Search until as many trials as asked for are told, counting those of earlier runs and of other machines.

    Args:
        config: what all networks share.
        loader: Hydra's, to compose each network's configuration.
        launcher: Hydra's, to run them.
        params: the space of a named sweep.
        when: the conditions of its parameters.
        arguments: overrides from the command line.
        parallel_jobs: how many jobs the launcher gets at once.
        families: models whose ranges stand in their own files; "all": every model whose file has some.
        known: networks to try first, each a mapping of `model` and its settings.

    Returns:
        Hydra's job returns, a list for each batch.
    """
    # Optuna's own lines, one for each trial and some warnings of its internals, say less than ours.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        if not isinstance(parallel_jobs, int | None):
            raise ConfigError(f"hydra.sweeper.max_batch_size: expected a whole number, got {parallel_jobs!r}")
        spec = SearchSpec(
            config,
            loader,
            _by_name("params", params),
            _by_name("when", when),
            arguments,
            families if isinstance(families, str | None) else [str(one) for one in families],
            [_by_name("known", one) for one in known or []],
        )
        spec.check()
        if spec.config.dry_run:
            _preview(spec)
            return []
        return _search(spec, launcher, max(parallel_jobs or 1, 1))
    except (*USER_ERRORS, HydraException, OSError) as error:
        sys.exit(f"error: {error}")


def _search(spec: SearchSpec, launcher: Launcher, parallel_jobs: int) -> list[Any]:
    runs_dir = Path(spec.config.runs_dir)
    check_writable(runs_dir)
    settings = spec.settings
    study = open_study(settings.storage, runs_dir, spec.study_name(), spec.sampler(0), settings.quality, settings.speed)
    trials = Trials(study, spec.space, spec.settings_of, spec.sampler, runs_dir)
    evaluator = JobEvaluator(spec, trials, launcher, parallel_jobs, runs_dir)
    loop = SearchLoop(trials, evaluator, settings, spec.rungs, parallel_jobs, tell)
    _announce(spec, trials)
    while loop.run_cohort():
        pass
    _summarise(trials, settings, evaluator.untouched())
    return evaluator.returns


def _by_name(setting: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Check that a setting of the sweeper is a mapping from parameter names."""
    if not isinstance(given, Mapping | None):
        raise ConfigError(f"hydra.sweeper.{setting}: expected parameters by name, {{NAME: TEXT}}, got {given}")
    return dict(given or {})


# --- messages ---------------------------------------------------------------------------------------------------------


def _preview(spec: SearchSpec) -> None:
    """Print what a dry run can say: the most that a search costs, but not which networks it will propose."""
    settings = spec.settings
    tell(
        f"A search of {settings.trials} trials over {_extent(spec)}, {settings.cohort} at a "
        f"time: each is timed, and trained for at least {spec.rungs[0]} of {spec.rungs[-1]} steps. It proposes "
        "networks as it goes, so there is no list of them; to see the cost of one, give its settings without the "
        "named sweep."
    )
    for line in forecast(spec):
        tell(line)


def _extent(spec: SearchSpec) -> str:
    """How large the space is, in words."""
    parameters = f"{len(spec.space.parameters)} parameters"
    models, networks = spec.space.models(), spec.space.size(spec.settings_of)
    if not spec.families or networks is None:
        return parameters
    return f"{parameters} of {len(models)} families, {networks:,} networks"


def _announce(spec: SearchSpec, trials: Trials) -> None:
    told = sum(one.state.is_finished() for one in trials.all())
    rungs = ", ".join(map(str, spec.rungs))
    tell(
        f"Search {trials.name}: {spec.settings.trials} trials in all, {told} of them told; "
        f"{_extent(spec)}; trained in {len(spec.rungs)} rungs ({rungs} steps)."
    )
    if spec.known:
        tell(f"The first {len(spec.known)} trials are known networks, each family's own settings among them.")
    unused = [one.name for one in spec.space.without_takers(spec.settings_of)]
    if unused:
        tell(f"Left out, because no model of this search has it: {', '.join(unused)}.")


def _summarise(shared: Trials, settings: SearchSettings, untouched: float | None) -> None:
    """Say how many trials became what, the frontier, and its hypervolume.

    Args:
        shared: the trials.
        settings: how it was searched.
        untouched: the quality of the untouched input; None where it is not known.
    """
    trials, measure = shared.all(), MEASURES[settings.quality]
    repeats = sum("same_as" in one.user_attrs for one in trials)
    failed = sum(one.state == TrialState.FAIL for one in trials)
    untrained = sum(one.state == TrialState.PRUNED and "same_as" not in one.user_attrs for one in trials)
    finished = [one for one in trials if one.user_attrs.get("finished") and "same_as" not in one.user_attrs]
    tell(
        f"{len(trials)} trials: {len(trials) - repeats} networks, {repeats} repeats; "
        f"{untrained} dropped untrained, {failed} failed, {len(finished)} trained to the end."
        + (" On the frontier, of those:" if finished else "")
    )
    columns = ["name", "latency_ms", "latency", "speed_up"]
    points = pd.DataFrame([one.user_attrs for one in finished], columns=columns)
    points[measure.name] = [one.values[1] for one in finished]
    for one in pareto_front(points, "latency_ms", measure.name).to_dict("records"):
        predicted = " (predicted)" if one["latency"] == "predicted" else ""
        times = "" if settings.speed == "latency_ms" else f", {one['speed_up']:.1f} times the baseline's speed"
        quality = f"{measure.label} {one[measure.name]:.{measure.digits}f}"
        tell(f"  {one['name']}: {one['latency_ms']:.1f} ms{predicted}{times}, {quality}")
    if untouched is not None and settings.speed == "speed_up" and finished:
        area = log_hypervolume(points, untouched, quality=measure.name)
        tell(
            f"Hypervolume: {area:.4f} ({measure.label} above the untouched input's {untouched:.{measure.digits}f}, "
            "over log2 of the speed-up from 1)."
        )
