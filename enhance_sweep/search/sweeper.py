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
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from filelock import FileLock
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from enhance_sweep import config as configuration
from enhance_sweep import records
from enhance_sweep.config import ConfigError
from enhance_sweep.frontier import pareto_front
from enhance_sweep.search.halving import Dropped, Halving, rung_steps
from enhance_sweep.search.latency import FEWEST_TIMED, Latencies
from enhance_sweep.search.settings import SearchSettings
from enhance_sweep.search.space import MODEL, Space, read_space
from enhance_sweep.search.store import METRICS, open_study, patiently
from enhance_sweep.sweep import USER_ERRORS, tell
from enhance_sweep.timing.recording import measurement_of
from enhance_sweep.variant import Plan, plan_variant

#: How long to wait before asking again for what another process is training.
_HELD_PAUSE_S = 5.0
#: Set by the search itself, for each of its jobs.
_OWN = ("stages", "trainer.evaluate_at")


@dataclass
class Candidate:
    """One network of a cohort, and the trials that proposed it.

    Attributes:
        plan: its configuration, checked.
        overrides: what makes it this network.
        trials: numbers of the trials to tell.
        latency_ms: None until it is known.
        predicted: whether that is a cost model's.
        reason: why it is out, if it is.
    """

    plan: Plan
    overrides: list[str]
    trials: list[int] = field(default_factory=list)
    latency_ms: float | None = None
    predicted: bool = False
    reason: str | None = None

    @property
    def key(self) -> str:
        """Its architecture's."""
        return records.architecture_key(self.plan.architecture)


def search_variants(
    config: DictConfig,
    loader: ConfigLoader,
    launcher: Launcher,
    params: Mapping[str, Any],
    when: Mapping[str, Any],
    arguments: list[str],
    parallel_jobs: int = 1,
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
        parser = OverridesParser.create(config_loader=loader)
        space, shared = read_space(params, when, arguments, parser)
        search = Search(config, loader, launcher, space, shared, max(parallel_jobs or 1, 1))
        search.run()
    except (*USER_ERRORS, HydraException) as error:
        sys.exit(f"error: {error}")
    return search.returns


class Search:
    """One search, from its checked space to its last trial. See `search_variants` for the arguments.

    Raises:
        ConfigError: something is wrong with what is asked for, by name.
    """

    def __init__(
        self,
        config: DictConfig,
        loader: ConfigLoader,
        launcher: Launcher,
        space: Space,
        shared: list[str],
        parallel_jobs: int,
    ) -> None:
        self.config = config
        self.loader = loader
        self.launcher = launcher
        self.space = space
        self.shared = shared
        self.parallel_jobs = parallel_jobs
        self.settings: SearchSettings = configuration.search_settings(config)
        self.rungs = rung_steps(self.settings.first_rung, int(config.trainer.max_steps), self.settings.reduction_factor)
        self.returns: list[Any] = []
        self.known: dict[str, Candidate] = {}
        self._settings_of = cache(self._read_settings)
        self._check()
        any_plan = self._plan(self.space.examples(self._settings_of)[0], ["stages=[train,evaluate]"])
        measurement = measurement_of(configuration.timing_settings(config), configuration.resolved(config, "runtime"))
        self.runs_dir = Path(config.runs_dir)
        records.check_writable(self.runs_dir)
        self.study = open_study(
            self.settings.storage, self.runs_dir, self._study_name(any_plan, measurement), self._sampler(0)
        )
        kept = patiently(lambda: self.study.user_attrs.get("measurement"))
        self.latencies = Latencies(self.runs_dir, kept or measurement)

    # --- what is asked for --------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Refuse what cannot end well before anything is computed."""
        for override in OverridesParser.create().parse_overrides(self.shared):
            if override.key_or_group in _OWN:
                raise ConfigError(
                    f"{override.input_line}: a search decides itself what it times, trains and scores, and when: "
                    "leave it away"
                )
        schedule = self.config.trainer.schedule
        if len(self.rungs) > 1 and schedule != "constant":
            raise ConfigError(
                f"trainer.schedule: expected constant, got {schedule}: under it a training of {self.rungs[0]} steps is "
                f"not the beginning of one of {self.rungs[-1]}, so that halving cannot go on with it; say "
                f"trainer.schedule=constant, or search.first_rung={self.rungs[-1]} to train every network to its end"
            )
        for parameter in self.space.without_takers(self._settings_of):
            if parameter.asked:
                raise ConfigError(
                    f"{parameter.name}: no model of this search has such a setting; "
                    f"{' and '.join(str(model or 'the model') for model in self.space.models())} have "
                    f"{', '.join(sorted({name for one in self.space.models() for name in self._settings_of(one)}))}"
                )
        configuration.check_arguments(configuration.resolved(self.config, "search")["sampler"], "search.sampler")
        for overrides in self.space.examples(self._settings_of):
            try:
                configuration.check(self._compose(overrides))
            except (ConfigError, HydraException) as error:
                raise ConfigError(f"{' '.join(overrides)}: {error}") from error

    def _compose(self, overrides: Sequence[str]) -> DictConfig:
        return self.loader.load_sweep_config(self.config, [*self.shared, *overrides])

    def _plan(self, overrides: Sequence[str], more: Sequence[str] = ()) -> Plan:
        return plan_variant(self._compose([*overrides, *more]))

    def _read_settings(self, model: str | None) -> frozenset[str]:
        """The names of a model's settings."""
        chosen = [] if model is None or MODEL in self.space.fixed else [f"{MODEL}={model}"]
        return frozenset(configuration.arguments(configuration.resolved(self._compose(chosen), "model")))

    def _study_name(self, plan: Plan, measurement: Mapping[str, Any]) -> str:
        """One study for all that may be compared: the same question of the same data, whoever asks it."""
        assert plan.learned_from is not None
        question = {
            "learned_from": plan.learned_from,
            "rungs": self.rungs,
            # Not the host: a search may go on elsewhere, with the latencies of where it began.
            "measurement": {
                name: measurement[name] for name in ("runtime", "precision", "layout", "size", "allocator")
            },
            "max_latency_ms": self.settings.max_latency_ms,
            "space": {one.name: [str(one.distribution), str(one.conditions)] for one in self.space.parameters},
            "fixed": dict(self.space.fixed),
        }
        dataset, loss = plan.learned_from["dataset"], plan.learned_from["loss"]
        return f"{dataset}-{loss}-{records.digest(question)}"

    def _sampler(self, number: int) -> BaseSampler:
        """The sampler that proposes trial `number`: seeded by it, so that a restart repeats no proposal."""
        asked = dict(configuration.resolved(self.config, "search")["sampler"])
        if isinstance(asked.get("seed"), int):
            asked["seed"] += number
        sampler = configuration.build(asked, "search.sampler")
        if not isinstance(sampler, BaseSampler):
            raise ConfigError(
                f"search.sampler._target_: expected a class of optuna.samplers, got {asked['_target_']!r}"
            )
        return sampler

    # --- cohorts ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Cohort after cohort, until all trials are told."""
        self._announce()
        while numbers := self._next_cohort():
            self._run_cohort(numbers)
        self._summarise()

    def _trials(self) -> list[FrozenTrial]:
        trials: list[FrozenTrial] = patiently(lambda: self.study.get_trials(deepcopy=False))
        return trials

    def _next_cohort(self) -> list[int]:
        """The numbers of a whole cohort that is not told yet; none when all that was asked for is.

        One process proposes at a time, so that the trials of all together are never more than asked for.
        """
        with FileLock(self.runs_dir / ".search.lock"):
            trials = self._trials()
            first = next((one.number for one in trials if not one.state.is_finished()), len(trials))
            begin = first // self.settings.cohort * self.settings.cohort
            end = min(begin + self.settings.cohort, self.settings.trials)
            while len(trials) < end:
                self.study.sampler = self._sampler(len(trials))
                patiently(partial(self._propose, end))
                trials = self._trials()
            numbers = [one.number for one in trials[begin:end]]
            for number in numbers:
                if not trials[number].state.is_finished():
                    self.study.sampler = self._sampler(number)
                    patiently(partial(self._draw, number))
            return numbers if any(not trials[number].state.is_finished() for number in numbers) else []

    def _propose(self, end: int) -> None:
        """One more trial, unless an attempt whose answer was lost has made it already."""
        if len(self.study.get_trials(deepcopy=False)) < end:
            self._draw(self.study.ask().number)

    def _draw(self, number: int) -> None:
        """Decide all parameters of a trial; one that was interrupted in the middle keeps those it has."""
        frozen = self.study.get_trials(deepcopy=False)[number]
        if "overrides" in frozen.user_attrs:
            return
        trial = Trial(self.study, frozen._trial_id)
        trial.set_user_attr("overrides", self.space.draw(trial, self._settings_of))

    def _run_cohort(self, numbers: Sequence[int]) -> None:
        """From proposals to told trials."""
        trials = self._trials()
        candidates = self._candidates(trials, numbers)
        cohort = f"Trials {numbers[0] + 1} to {numbers[-1] + 1} of {self.settings.trials}"
        tell(f"--- {cohort}: {len(candidates)} networks that are new")
        self._find_latencies(candidates)
        running = {key: one for key, one in candidates.items() if one.reason is None}
        rivals = _rivals(trials)
        halving = Halving(
            {key: one.latency_ms for key, one in running.items() if one.latency_ms is not None},
            self.rungs,
            self.settings.reduction_factor,
            self.settings.saturation,
            {key: curve for key, (curve, _) in rivals.items()},
            {key: latency_ms for key, (_, latency_ms) in rivals.items()},
        )
        while work := halving.ask(self.parallel_jobs):
            self._train(halving, running, work)
        self._time_finalists([running[key] for key in halving.finalists])
        for key, one in candidates.items():
            dropped = halving.dropped.get(key)
            curve = halving.qualities.get(key, {})
            self._tell(one, curve, dropped, failed=key in halving.failed)
        self._tell_repeats(numbers)

    def _candidates(self, trials: Sequence[FrozenTrial], numbers: Sequence[int]) -> dict[str, Candidate]:
        """The networks of a cohort by architecture key, each once, without those that are told already."""
        told = {one.user_attrs.get("architecture_key") for one in trials if one.state.is_finished()}
        found: dict[str, Candidate] = {}
        for number in numbers:
            trial = trials[number]
            if trial.state.is_finished():
                continue
            overrides = list(trial.user_attrs["overrides"])
            try:
                plan = self._plan(overrides, ["stages=[train,evaluate]"])
            except (ConfigError, HydraException) as error:
                self._tell_trial(number, TrialState.FAIL, None, {"reason": str(error)})
                tell(f"{' '.join(overrides)}: failed: {error}")
                continue
            one = Candidate(plan, overrides)
            self._note(number, {"architecture_key": one.key, "name": plan.name})
            if one.key not in told:
                found.setdefault(one.key, one).trials.append(number)
        return found

    # --- latency ------------------------------------------------------------------------------------------------------

    def _find_latencies(self, candidates: Mapping[str, Candidate]) -> None:
        """Measure or predict every candidate's latency, and drop those that are too slow."""
        unknown = [one for one in candidates.values() if self.latencies.measured_ms(one.plan.architecture) is None]
        if self.settings.latency == "measured":
            self._measure(unknown)
        elif self.latencies.model() is None:
            # As many as the model needs, evenly over the sizes there are.
            unknown.sort(key=lambda one: one.plan.description["macs"])
            self._measure(unknown[:: max(1, len(unknown) // FEWEST_TIMED)])
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
        """Time networks through the launcher; the first ones decide whose latencies this search is about."""
        for begin in range(0, len(candidates), self.parallel_jobs):
            some = {one.key: one for one in candidates[begin : begin + self.parallel_jobs]}
            failures = self._until_not_held({key: [*one.overrides, "stages=[time]"] for key, one in some.items()})
            for key, reason in failures.items():
                some[key].reason = reason
        if candidates and patiently(lambda: self.study.user_attrs.get("measurement")) is None:
            self.latencies.adopt_host([one.plan.architecture for one in candidates])
            patiently(lambda: self.study.set_user_attr("measurement", self.latencies.measurement))

    def _time_finalists(self, finalists: Sequence[Candidate]) -> None:
        """A network that was trained to the end on a predicted latency has earned a measured one."""
        predicted = [one for one in finalists if one.predicted]
        self._measure(predicted)
        for one in predicted:
            measured_ms = self.latencies.measured_ms(one.plan.architecture)
            if measured_ms is not None:
                one.latency_ms, one.predicted = measured_ms, False

    # --- training -----------------------------------------------------------------------------------------------------

    def _train(self, halving: Halving, candidates: Mapping[str, Candidate], work: Sequence[tuple[str, int]]) -> None:
        """Train each network as far as its rung, and tell the halving."""
        at = ",".join(map(str, self.rungs))
        jobs = {}
        for key, steps in work:
            # Photographs are for those who see the end.
            pictures = [] if steps == self.rungs[-1] else ["pictures=false"]
            jobs[key] = [
                *candidates[key].overrides,
                "stages=[train,evaluate]",
                f"trainer.max_steps={steps}",
                f"trainer.evaluate_at=[{at}]",
                *pictures,
            ]
            tell(f"{candidates[key].plan.name}: to {steps} steps ({candidates[key].latency_ms:.0f} ms)")
        failures = self._until_not_held(jobs)
        for key, steps in work:
            one = candidates[key]
            record = one.plan.trained_record() or {}
            quality = _quality_at(record, steps)
            if key in failures or record.get("status") == "failed":
                one.reason = failures.get(key) or str(record.get("reason"))
                quality = None
            elif quality is None:
                one.reason = f"it has no MS-SSIM after {steps} steps"
            halving.tell(key, quality)

    def _until_not_held(self, jobs: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Run jobs through Hydra's launcher, again as long as another process has them in hand; reasons of failures."""
        left, failures = dict(jobs), {}
        while left:
            returns = self.launcher.launch(
                [[*self.shared, *overrides] for overrides in left.values()], initial_job_idx=sum(map(len, self.returns))
            )
            self.returns.append(returns)
            held = {}
            for (key, overrides), job in zip(left.items(), returns, strict=True):
                try:
                    outcome = job.return_value
                except Exception as error:  # the job's own, or its node's: the other variants go on
                    outcome = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
                if outcome["status"] == "failed":
                    failures[key] = str(outcome["reason"])
                elif outcome["status"] != "completed":
                    held[key] = overrides
            if len(held) == len(left):
                time.sleep(_HELD_PAUSE_S)
            left = held
        return failures

    # --- telling ------------------------------------------------------------------------------------------------------

    def _tell(self, one: Candidate, curve: Mapping[int, float], dropped: Dropped | None, failed: bool) -> None:
        """Tell all trials of a network: what it reached, or why it has nothing."""
        about: dict[str, Any] = {"curve": {str(steps): quality for steps, quality in curve.items()}}
        if one.latency_ms is not None:
            about |= {"latency_ms": one.latency_ms, "latency": "predicted" if one.predicted else "measured"}
        if failed or (one.reason is not None and one.latency_ms is None):
            state, values = TrialState.FAIL, None
            about["reason"] = one.reason
        elif curve:
            steps = max(curve)
            state, values = TrialState.COMPLETE, [float(one.latency_ms or 0.0), curve[steps]]
            about |= {
                "steps": steps,
                "finished": steps == self.rungs[-1],
                "reason": dropped.reason if dropped else None,
            }
        else:
            state, values = TrialState.PRUNED, None
            about |= {"steps": 0, "reason": one.reason or (dropped.reason if dropped else None)}
        for number in one.trials:
            self._tell_trial(number, state, values, about, one.latency_ms)

    def _tell_repeats(self, numbers: Sequence[int]) -> None:
        """Proposals of a network that is known are told what is known of it."""
        trials = self._trials()
        known = {one.user_attrs.get("architecture_key"): one for one in trials if one.state.is_finished()}
        for number in numbers:
            if trials[number].state.is_finished():
                continue
            same = known[trials[number].user_attrs["architecture_key"]]
            about = {name: same.user_attrs[name] for name in _ABOUT if name in same.user_attrs}
            values = same.values if same.state == TrialState.COMPLETE else None
            self._tell_trial(number, same.state, values, about | {"same_as": same.number}, about.get("latency_ms"))

    def _note(self, number: int, about: Mapping[str, Any]) -> None:
        frozen = self._trials()[number]

        def note() -> None:
            trial = Trial(self.study, frozen._trial_id)
            for name, value in about.items():
                if frozen.user_attrs.get(name) != value:
                    trial.set_user_attr(name, value)

        patiently(note)

    def _tell_trial(
        self,
        number: int,
        state: TrialState,
        values: Sequence[float] | None,
        about: Mapping[str, Any],
        latency_ms: float | None = None,
    ) -> None:
        """Tell one trial; another process may have told it the same meanwhile."""
        limit = self.settings.max_latency_ms

        def once() -> None:
            frozen = self.study.get_trials(deepcopy=False)[number]
            if frozen.state.is_finished():
                return
            trial = Trial(self.study, frozen._trial_id)
            for name, value in about.items():
                trial.set_user_attr(name, value)
            if limit is not None and latency_ms is not None and not frozen.constraints:
                # Samplers learn from it where too slow begins.
                trial.set_constraint("max_latency_ms", latency_ms - limit)
            self.study.tell(number, values=values, state=state, skip_if_finished=True)

        patiently(once)

    # --- saying -------------------------------------------------------------------------------------------------------

    def _announce(self) -> None:
        told = sum(one.state.is_finished() for one in self._trials())
        rungs = ", ".join(map(str, self.rungs))
        tell(
            f"Search {self.study.study_name}: {self.settings.trials} trials in all, {told} of them told; "
            f"{len(self.space.parameters)} parameters; trained in {len(self.rungs)} rungs ({rungs} steps)."
        )
        unused = [one.name for one in self.space.without_takers(self._settings_of)]
        if unused:
            tell(f"Left out, as no model of this search has it: {', '.join(unused)}.")

    def _summarise(self) -> None:
        trials = self._trials()
        repeats = sum("same_as" in one.user_attrs for one in trials)
        failed = [one for one in trials if one.state == TrialState.FAIL]
        untrained = sum(one.state == TrialState.PRUNED and "same_as" not in one.user_attrs for one in trials)
        finished = [one for one in trials if one.user_attrs.get("finished") and "same_as" not in one.user_attrs]
        tell(
            f"{len(trials)} trials: {len(trials) - repeats} networks, {repeats} repeats; "
            f"{untrained} dropped untrained, {len(failed)} failed, {len(finished)} trained to the end. "
            "On the frontier, of those:"
        )
        points = pd.DataFrame([one.values for one in finished], index=[one.number for one in finished], columns=METRICS)
        best = set(pareto_front(points, *METRICS).index)
        for one in sorted(finished, key=lambda one: float(one.values[0])):
            if one.number in best:
                about, (latency_ms, ms_ssim) = one.user_attrs, one.values
                predicted = " (predicted)" if about["latency"] == "predicted" else ""
                tell(f"  {about['name']}: {latency_ms:.1f} ms{predicted}, MS-SSIM {ms_ssim:.4f}")


#: What is said of a trial, and of its repeats.
_ABOUT = ("curve", "latency_ms", "latency", "steps", "finished", "reason")


def _rivals(trials: Sequence[FrozenTrial]) -> dict[str, tuple[dict[int, float], float]]:
    """What networks that are told already reached by steps, and their latency, by architecture key."""
    found: dict[str, tuple[dict[int, float], float]] = {}
    for trial in trials:
        if trial.state == TrialState.COMPLETE:
            curve = {int(steps): float(quality) for steps, quality in trial.user_attrs["curve"].items()}
            found[trial.user_attrs["architecture_key"]] = (curve, float(trial.values[0]))
    return found


def _quality_at(record: Mapping[str, Any], steps: int) -> float | None:
    """A training's MS-SSIM at a step; between the steps at which it was noted, interpolated. None if it never was.

    A network that something else trained further than a rung may have no score there.
    """
    noted = {row["step"]: row["ms_ssim"] for row in record.get("quality", []) if row.get("ms_ssim") is not None}
    if not noted:
        return None
    at = sorted(noted)
    return float(np.interp(steps, at, [noted[step] for step in at]))
