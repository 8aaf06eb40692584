"""A search: Optuna proposes networks, halving trains the promising ones further, Hydra's launcher runs them.

Proposals come in cohorts. The networks of a cohort are timed (or their latency is predicted), those too slow are
dropped untrained, and the others compete in a halving, also with what earlier cohorts reached. Then they are told.

All that a search knows is in Optuna's storage (what was proposed, what was told) and in the records (what was timed and
trained): killed at any moment, it goes on where it was. Several machines may run the same search on one folder and one
storage; they share each cohort, and wait for what another one is training.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, TrialState

from enhance_sweep.config import ConfigError
from enhance_sweep.frontier import pareto_front
from enhance_sweep.records.keys import architecture_key
from enhance_sweep.records.store import check_writable
from enhance_sweep.search.halving import Dropped, Halving
from enhance_sweep.search.latency import FEWEST_TIMED, Latencies
from enhance_sweep.search.specification import TIMING, TRAINING, Question
from enhance_sweep.search.store import METRICS, open_study
from enhance_sweep.search.trials import Trials, Verdict, rivals
from enhance_sweep.sweep.plan import Plan
from enhance_sweep.sweep.run import USER_ERRORS, tell

#: How long to wait before asking again for what another process is training.
_HELD_PAUSE_S = 5.0


@dataclass
class Candidate:
    """One network of a cohort.

    Attributes:
        plan: its configuration, checked.
        overrides: what makes it this network.
        trial: the number of the first trial that proposed it.
        latency_ms: None until it is known.
        predicted: whether that is a cost model's.
        reason: why it is out, if it is.
        failed: whether that is a failure.
    """

    plan: Plan
    overrides: list[str]
    trial: int
    latency_ms: float | None = None
    predicted: bool = False
    reason: str | None = None
    failed: bool = False

    @property
    def key(self) -> str:
        """Its architecture's."""
        return architecture_key(self.plan.architecture)


def search_variants(
    config: DictConfig,
    loader: ConfigLoader,
    launcher: Launcher,
    params: Mapping[str, Any] | None,
    when: Mapping[str, Any] | None,
    arguments: list[str],
    parallel_jobs: int | None = 1,
) -> list[Any]:
    """Search until as many trials as asked for are told, whenever and by whomever they were begun.

    Args:
        config: what all networks share.
        loader: Hydra's, to compose each network's configuration.
        launcher: Hydra's, to run them.
        params: the space of a named sweep.
        when: on what its parameters depend.
        arguments: overrides from the command line.
        parallel_jobs: how many jobs the launcher gets at once.

    Returns:
        Hydra's job returns, a list a batch.
    """
    # Optuna's own lines, one for each trial and some warnings of its internals, say less than ours.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        if not isinstance(parallel_jobs, int | None):
            raise ConfigError(f"hydra.sweeper.max_batch_size: expected a whole number, got {parallel_jobs!r}")
        question = Question(config, loader, _by_name("params", params), _by_name("when", when), arguments)
        if question.config.dry_run:
            _show(question)
            return []
        search = Search(question, launcher, max(parallel_jobs or 1, 1))
        search.run()
    except (*USER_ERRORS, HydraException, OSError) as error:
        sys.exit(f"error: {error}")
    return search.returns


def _by_name(setting: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the sweeper was given under a name of its own, by the names of parameters."""
    if not isinstance(given, Mapping | None):
        raise ConfigError(f"hydra.sweeper.{setting}: expected parameters by name, {{NAME: TEXT}}, got {given}")
    return dict(given or {})


def _show(question: Question) -> None:
    """Check what is asked for and say how much it is at most; which networks it will be is decided on the way."""
    question.check()
    settings, steps = question.settings, question.rungs[-1]
    tell(
        f"A search of {settings.trials} trials over {len(question.space.parameters)} parameters, "
        f"{settings.cohort} at a time: each is timed, and trained for {question.rungs[0]} of {steps} steps at least. "
        "It proposes networks as it goes, so there is no list of them; to see one's costs give its settings without "
        "sweeps=search."
    )


class Search:
    """One search, from its question to its last trial.

    Args:
        question: what is asked.
        launcher: Hydra's.
        parallel_jobs: how many jobs it gets at once.

    Attributes:
        returns: Hydra's job returns, a list a batch.

    Raises:
        ConfigError: something is wrong with what is asked for, by name.
    """

    def __init__(self, question: Question, launcher: Launcher, parallel_jobs: int) -> None:
        question.check()
        self.question = question
        self.settings = question.settings
        self.rungs = question.rungs
        self.launcher = launcher
        self.parallel_jobs = parallel_jobs
        self.returns: list[Any] = []
        runs_dir = Path(question.config.runs_dir)
        check_writable(runs_dir)
        study = open_study(self.settings.storage, runs_dir, question.study_name(), question.sampler(0))
        self.trials = Trials(study, question.space, question.settings_of, question.sampler, runs_dir)
        self.latencies = Latencies(runs_dir, self.trials.kept("measurement") or question.measurement)

    # --- cohorts ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Cohort after cohort, until all trials are told."""
        self._announce()
        while numbers := self.trials.next_cohort(self.settings.cohort, self.settings.trials):
            self._run_cohort(numbers)
        self._summarise()

    def _run_cohort(self, numbers: Sequence[int]) -> None:
        """From proposals to told trials."""
        trials = self.trials.all()
        candidates = self._candidates(trials, numbers)
        cohort = f"Trials {numbers[0] + 1} to {numbers[-1] + 1} of {self.settings.trials}"
        tell(f"--- {cohort}: {len(candidates)} networks that are new")
        self._find_latencies(candidates)
        running = {key: one for key, one in candidates.items() if one.reason is None}
        known = rivals(trials)
        halving = Halving(
            {key: one.latency_ms for key, one in running.items() if one.latency_ms is not None},
            self.rungs,
            self.settings.reduction_factor,
            self.settings.finalists,
            self.settings.saturation,
            {key: curve for key, (curve, _) in known.items()},
            {key: latency_ms for key, (_, latency_ms) in known.items()},
        )
        held: list[tuple[str, int]] = []
        while work := halving.ask(self.parallel_jobs) or held:
            # What another process trains is asked for again when nothing else is left to do.
            again = work is held
            left = self._train(halving, running, work)
            if again and len(left) == len(held):
                time.sleep(_HELD_PAUSE_S)
            held = left if again else [*held, *left]
        self._time_finalists([running[key] for key in halving.finalists])
        for key, one in candidates.items():
            verdict = self._verdict(one, halving.qualities.get(key, {}), halving.dropped.get(key))
            self.trials.tell(one.trial, verdict)
        self.trials.tell_repeats(numbers)

    def _candidates(self, trials: Sequence[FrozenTrial], numbers: Sequence[int]) -> dict[str, Candidate]:
        """The networks of a cohort by architecture key, each once, without those that are told already."""
        told = {one.user_attrs.get("architecture_key") for one in trials if one.state.is_finished()}
        found: dict[str, Candidate] = {}
        for number in numbers:
            overrides = list(trials[number].user_attrs["overrides"])
            try:
                plan = self.question.plan(overrides)
            except (ConfigError, HydraException) as error:
                self.trials.tell(number, Verdict(TrialState.FAIL, None, {"reason": str(error)}))
                tell(f"{' '.join(overrides)}: failed: {error}")
                continue
            one = Candidate(plan, overrides, number)
            self.trials.note(number, {"architecture_key": one.key, "name": plan.name})
            if one.key not in told:
                found.setdefault(one.key, one)
        return found

    # --- latency ------------------------------------------------------------------------------------------------------

    def _find_latencies(self, candidates: Mapping[str, Candidate]) -> None:
        """Measure or predict every candidate's latency, and drop those that are too slow."""
        unknown = [one for one in candidates.values() if self._unmeasured(one)]
        if self.settings.latency == "predicted" and self.latencies.model() is None:
            # As many as the model needs, evenly over the sizes there are.
            unknown.sort(key=lambda one: one.plan.description["macs"])
            self._measure(unknown[:: max(1, len(unknown) // FEWEST_TIMED)])
        if self.settings.latency == "measured" or self.latencies.model() is None:
            self._measure([one for one in unknown if self._unmeasured(one)])
        if self.trials.kept("measurement") is None:
            # The first cohort decides whose latencies this search is about.
            self.latencies.adopt_host([one.plan.architecture for one in candidates.values()])
        self.latencies.measurement = self.trials.keep("measurement", self.latencies.measurement)
        said = False
        while lacking := self._set_latencies([one for one in candidates.values() if one.reason is None]):
            if not said:
                host = self.latencies.measurement["host"]
                tell(
                    f"The latencies of this search are those of {host}; waiting for it to time {len(lacking)} networks"
                )
                said = True
            time.sleep(_HELD_PAUSE_S)
        limit = self.settings.max_latency_ms
        for one in candidates.values():
            if limit is not None and one.latency_ms is not None and one.latency_ms > limit:
                one.reason = f"{one.latency_ms:.0f} ms, above search.max_latency_ms={limit:g}"
                tell(f"{one.plan.name}: dropped untrained: {one.reason}")

    def _set_latencies(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Give each what is known of it, measured before predicted; returns those of which nothing is."""
        model = self.latencies.model()
        for one in candidates:
            one.latency_ms = self.latencies.measured_ms(one.plan.architecture)
            if one.latency_ms is None and model is not None:
                one.latency_ms, one.predicted = model.predict_ms(one.plan.description), True
        return [one for one in candidates if one.latency_ms is None]

    def _measure(self, candidates: Sequence[Candidate]) -> None:
        """Time networks, wherever the launcher runs jobs."""
        for begin in range(0, len(candidates), self.parallel_jobs):
            some = {one.key: one for one in candidates[begin : begin + self.parallel_jobs]}
            jobs = {key: [*one.overrides, TIMING] for key, one in some.items()}
            while jobs:
                failures, held = self._launch(jobs)
                for key, reason in failures.items():
                    some[key].reason, some[key].failed = reason, True
                if len(held) == len(jobs):
                    time.sleep(_HELD_PAUSE_S)
                jobs = {key: jobs[key] for key in jobs if key in held}
            if self.trials.kept("measurement") is not None and all(map(self._unmeasured, some.values())):
                return  # jobs run on another host than the one whose latencies count

    def _unmeasured(self, one: Candidate) -> bool:
        return one.reason is None and self.latencies.measured_ms(one.plan.architecture) is None

    def _time_finalists(self, finalists: Sequence[Candidate]) -> None:
        """A network that was trained to the end on a predicted latency has earned a measured one."""
        predicted = [one for one in finalists if one.predicted]
        self._measure(predicted)
        for one in predicted:
            measured_ms = self.latencies.measured_ms(one.plan.architecture)
            if measured_ms is not None:
                one.latency_ms, one.predicted = measured_ms, False

    # --- training -----------------------------------------------------------------------------------------------------

    def _train(
        self, halving: Halving, candidates: Mapping[str, Candidate], work: Sequence[tuple[str, int]]
    ) -> list[tuple[str, int]]:
        """Train each network as far as its rung, and tell the halving; returns what another process has in hand."""
        at = ",".join(map(str, self.rungs))
        jobs = {}
        for key, steps in work:
            # Photographs are for those who see the end.
            pictures = [] if steps == self.rungs[-1] else ["pictures=false"]
            jobs[key] = [
                *candidates[key].overrides,
                TRAINING,
                f"trainer.max_steps={steps}",
                f"trainer.evaluate_at=[{at}]",
                *pictures,
            ]
            tell(f"{candidates[key].plan.name}: to {steps} steps ({candidates[key].latency_ms:.0f} ms)")
        failures, held = self._launch(jobs)
        for key, steps in work:
            if key in held:
                continue
            one = candidates[key]
            record = one.plan.trained_record() or {}
            quality = _quality_at(record, steps)
            if key in failures or record.get("status") == "failed":
                one.reason, one.failed = failures.get(key) or str(record.get("reason")), True
                quality = None
            elif quality is None:
                one.reason, one.failed = f"it has no MS-SSIM after {steps} steps", True
            halving.tell(key, quality)
        return [(key, steps) for key, steps in work if key in held]

    def _launch(self, jobs: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], set[str]]:
        """Run jobs through Hydra's launcher; reasons of failures, and what another process has in hand."""
        returns = self.launcher.launch(
            [[*self.question.shared, *overrides] for overrides in jobs.values()],
            initial_job_idx=sum(map(len, self.returns)),
        )
        self.returns.append(returns)
        failures, held = {}, set()
        for key, job in zip(jobs, returns, strict=True):
            try:
                outcome = job.return_value
            except Exception as error:  # the job's own, or its node's: the other variants go on
                outcome = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
            if outcome["status"] == "failed":
                failures[key] = str(outcome["reason"])
            elif outcome["status"] != "completed":
                held.add(key)
        return failures, held

    def _verdict(self, one: Candidate, curve: Mapping[int, float], dropped: Dropped | None) -> Verdict:
        """What a network reached, or why it has nothing."""
        limit = self.settings.max_latency_ms
        over_limit_ms = None if limit is None or one.latency_ms is None else one.latency_ms - limit
        about: dict[str, Any] = {"reason": one.reason or (dropped.reason if dropped else None)}
        if one.latency_ms is not None:
            about |= {"latency_ms": one.latency_ms, "latency": "predicted" if one.predicted else "measured"}
        if one.failed or one.latency_ms is None:
            return Verdict(TrialState.FAIL, None, about, over_limit_ms)
        if not curve:
            return Verdict(TrialState.PRUNED, None, about | {"steps": 0}, over_limit_ms)
        steps = max(curve)
        about |= {"steps": steps, "finished": steps == self.rungs[-1]}
        about["curve"] = {str(at): quality for at, quality in curve.items()}
        return Verdict(TrialState.COMPLETE, [one.latency_ms, curve[steps]], about, over_limit_ms)

    # --- saying -------------------------------------------------------------------------------------------------------

    def _announce(self) -> None:
        told = sum(one.state.is_finished() for one in self.trials.all())
        rungs = ", ".join(map(str, self.rungs))
        tell(
            f"Search {self.trials.name}: {self.settings.trials} trials in all, {told} of them told; "
            f"{len(self.question.space.parameters)} parameters; trained in {len(self.rungs)} rungs ({rungs} steps)."
        )
        unused = [one.name for one in self.question.space.without_takers(self.question.settings_of)]
        if unused:
            tell(f"Left out, as no model of this search has it: {', '.join(unused)}.")

    def _summarise(self) -> None:
        trials = self.trials.all()
        repeats = sum("same_as" in one.user_attrs for one in trials)
        failed = [one for one in trials if one.state == TrialState.FAIL]
        untrained = sum(one.state == TrialState.PRUNED and "same_as" not in one.user_attrs for one in trials)
        finished = [one for one in trials if one.user_attrs.get("finished") and "same_as" not in one.user_attrs]
        tell(
            f"{len(trials)} trials: {len(trials) - repeats} networks, {repeats} repeats; "
            f"{untrained} dropped untrained, {len(failed)} failed, {len(finished)} trained to the end."
            + (" On the frontier, of those:" if finished else "")
        )
        points = pd.DataFrame([one.values for one in finished], index=[one.number for one in finished], columns=METRICS)
        best = set(pareto_front(points, *METRICS).index)
        for one in sorted(finished, key=lambda one: float(one.values[0])):
            if one.number in best:
                about, (latency_ms, ms_ssim) = one.user_attrs, one.values
                predicted = " (predicted)" if about["latency"] == "predicted" else ""
                tell(f"  {about['name']}: {latency_ms:.1f} ms{predicted}, MS-SSIM {ms_ssim:.4f}")


def _quality_at(record: Mapping[str, Any], steps: int) -> float | None:
    """A training's MS-SSIM at a step; between the steps at which it was noted, interpolated. None if it never was.

    A network that something else trained further than a rung may have no score there.
    """
    noted = {row["step"]: row["ms_ssim"] for row in record.get("quality", []) if row.get("ms_ssim") is not None}
    if not noted:
        return None
    at = sorted(noted)
    return float(np.interp(steps, at, [noted[step] for step in at]))
