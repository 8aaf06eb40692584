"""A search: Optuna proposes networks, halving trains the promising ones further, Hydra's launcher runs them.

Proposals come in cohorts. The networks of a cohort are timed (or their latency is predicted), those too slow are
dropped untrained, and the others compete in a halving, also with the results of earlier cohorts. Then they are told.

Optuna's storage (what was proposed and told) and the records (what was timed and trained) hold the whole state of a
search: killed at any moment, it continues where it was. Several machines may run the same search on one folder and one
storage; they share each cohort, and each waits for networks that another is training.
"""

import sys
from collections.abc import Mapping
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
from enhance_sweep.frontier import pareto_front
from enhance_sweep.measures import MEASURES, Measure
from enhance_sweep.records.store import check_writable
from enhance_sweep.search.jobs import JobEvaluator
from enhance_sweep.search.loop import SearchLoop
from enhance_sweep.search.specification import SearchSpec
from enhance_sweep.search.store import open_study
from enhance_sweep.search.trials import Trials
from enhance_sweep.sweep.run import USER_ERRORS, tell


def search_variants(
    config: DictConfig,
    loader: ConfigLoader,
    launcher: Launcher,
    params: Mapping[str, Any] | None,
    when: Mapping[str, Any] | None,
    arguments: list[str],
    parallel_jobs: int | None = 1,
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

    Returns:
        Hydra's job returns, a list for each batch.
    """
    # Optuna's own lines, one for each trial and some warnings of its internals, say less than ours.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        if not isinstance(parallel_jobs, int | None):
            raise ConfigError(f"hydra.sweeper.max_batch_size: expected a whole number, got {parallel_jobs!r}")
        spec = SearchSpec(config, loader, _by_name("params", params), _by_name("when", when), arguments)
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
    quality = spec.settings.quality
    study = open_study(spec.settings.storage, runs_dir, spec.study_name(), spec.sampler(0), quality)
    trials = Trials(study, spec.space, spec.settings_of, spec.sampler, runs_dir)
    evaluator = JobEvaluator(spec, trials, launcher, parallel_jobs, runs_dir)
    loop = SearchLoop(trials, evaluator, spec.settings, spec.rungs, parallel_jobs, tell)
    _announce(spec, trials)
    while loop.run_cohort():
        pass
    _summarise(trials, MEASURES[quality])
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
        f"A search of {settings.trials} trials over {len(spec.space.parameters)} parameters, {settings.cohort} at a "
        f"time: each is timed, and trained for at least {spec.rungs[0]} of {spec.rungs[-1]} steps. It proposes "
        "networks as it goes, so there is no list of them; to see the cost of one, give its settings without "
        "sweeps=search."
    )


def _announce(spec: SearchSpec, trials: Trials) -> None:
    told = sum(one.state.is_finished() for one in trials.all())
    rungs = ", ".join(map(str, spec.rungs))
    tell(
        f"Search {trials.name}: {spec.settings.trials} trials in all, {told} of them told; "
        f"{len(spec.space.parameters)} parameters; trained in {len(spec.rungs)} rungs ({rungs} steps)."
    )
    unused = [one.name for one in spec.space.without_takers(spec.settings_of)]
    if unused:
        tell(f"Left out, because no model of this search has it: {', '.join(unused)}.")


def _summarise(shared: Trials, measure: Measure) -> None:
    trials = shared.all()
    repeats = sum("same_as" in one.user_attrs for one in trials)
    failed = sum(one.state == TrialState.FAIL for one in trials)
    untrained = sum(one.state == TrialState.PRUNED and "same_as" not in one.user_attrs for one in trials)
    finished = [one for one in trials if one.user_attrs.get("finished") and "same_as" not in one.user_attrs]
    tell(
        f"{len(trials)} trials: {len(trials) - repeats} networks, {repeats} repeats; "
        f"{untrained} dropped untrained, {failed} failed, {len(finished)} trained to the end."
        + (" On the frontier, of those:" if finished else "")
    )
    axes = ["latency_ms", measure.name]
    points = pd.DataFrame([one.values for one in finished], index=[one.number for one in finished], columns=axes)
    best = set(pareto_front(points, *axes).index)
    for one in sorted(finished, key=lambda one: float(one.values[0])):
        if one.number in best:
            about, (latency_ms, quality) = one.user_attrs, one.values
            predicted = " (predicted)" if about["latency"] == "predicted" else ""
            tell(f"  {about['name']}: {latency_ms:.1f} ms{predicted}, {measure.label} {quality:.{measure.digits}f}")
