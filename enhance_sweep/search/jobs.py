"""Time and train candidates as jobs of Hydra's launcher, and read the results from the records."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hydra.plugins.launcher import Launcher

from enhance_sweep.measures import MEASURES
from enhance_sweep.records.keys import architecture_key
from enhance_sweep.records.schema import Quality
from enhance_sweep.search.latency import FEWEST_TIMED, AnyHost, Latencies, OneHost
from enhance_sweep.search.loop import HELD_PAUSE_S, Candidate
from enhance_sweep.search.specification import BASELINE_ONCE, RUNG, TIMING, TRAINING, SearchSpec
from enhance_sweep.search.trials import Trials
from enhance_sweep.stats.cost_model import FEWEST_OF_FAMILY, Predictor
from enhance_sweep.sweep.plan import Plan
from enhance_sweep.sweep.run import tell

#: How often a cohort is looked through for networks to time although their latency can be predicted.
_LOOKS = 2


class JobEvaluator:
    """The `Evaluator` of a real search.

    Args:
        spec: what is searched.
        trials: remembers which host's latencies this search uses, or which baseline's.
        launcher: Hydra's.
        parallel_jobs: how many jobs it gets at once.
        runs_dir: the folder of runs.

    Attributes:
        returns: Hydra's job returns, a list for each batch.
    """

    def __init__(
        self, spec: SearchSpec, trials: Trials, launcher: Launcher, parallel_jobs: int, runs_dir: Path
    ) -> None:
        self._spec = spec
        self._trials = trials
        self._launcher = launcher
        self._parallel_jobs = parallel_jobs
        self._timing = [TIMING]
        self._latencies: Latencies
        if spec.settings.speed == "speed_up":
            self._latencies = AnyHost(runs_dir, spec.measurement, trials.kept("baseline_ms"))
            self._timing.append(BASELINE_ONCE)
        else:
            self._latencies = OneHost(runs_dir, trials.kept("measurement") or spec.measurement)
        self._plans: dict[str, Plan] = {}
        self.returns: list[Any] = []

    def candidate(self, overrides: list[str], trial: int) -> Candidate:
        """See `Evaluator.candidate`."""
        plan = self._spec.plan(overrides)
        key = architecture_key(plan.architecture)
        self._plans[key] = plan
        family = str(plan.architecture["topology"]) if self._spec.families else None
        return Candidate(key, plan.name, overrides, trial, family)

    # --- latency ------------------------------------------------------------------------------------------------------

    def find_latencies(self, candidates: Sequence[Candidate]) -> None:
        """See `Evaluator.find_latencies`."""
        self._look()
        latency = self._spec.settings.latency
        unknown = [candidate for candidate in candidates if self._is_unmeasured(candidate)]
        if latency == "predicted" and self._latencies.predictor() is None:
            # Measure only as many as the cost model needs, evenly over their sizes.
            unknown.sort(key=lambda candidate: self._plans[candidate.key].description.macs)
            self._measure(unknown[:: max(1, len(unknown) // FEWEST_TIMED)])
        if latency == "measured" or self._latencies.predictor() is None:
            self._measure([candidate for candidate in unknown if self._is_unmeasured(candidate)])
        for _ in range(_LOOKS if latency == "predicted" else 0):  # each time tells more of a family
            self._measure(self._uncertain(candidates))
        if isinstance(self._latencies, OneHost):
            self._wait_for_its_host(self._latencies, candidates)
        else:
            self._measure(self._set_latencies(candidates))

    def _wait_for_its_host(self, latencies: OneHost, candidates: Sequence[Candidate]) -> None:
        """Until each has a latency of the one host whose latencies this search compares."""
        if self._trials.kept("measurement") is None:
            # The first cohort decides which host's latencies count.
            latencies.adopt_host([self._plans[candidate.key].architecture for candidate in candidates])
        latencies.measurement = self._trials.keep("measurement", latencies.measurement)
        waiting = False
        while lacking := self._set_latencies(candidates):
            if not waiting:
                host = latencies.measurement["host"]
                tell(f"This search uses the latencies of {host}; waiting for it to time {len(lacking)} networks")
                waiting = True
            time.sleep(HELD_PAUSE_S)

    def time_finalists(self, finalists: Sequence[Candidate]) -> None:
        """See `Evaluator.time_finalists`."""
        predicted = [candidate for candidate in finalists if candidate.predicted]
        self._measure(predicted)
        for candidate in predicted:
            measured_ms = self._measured_ms(candidate)
            if measured_ms is not None:
                self._set(candidate, measured_ms, predicted=False)

    def _set_latencies(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Give each its measured latency, else its predicted one; returns those that have neither."""
        predictor = self._latencies.predictor()
        standing = [candidate for candidate in candidates if candidate.reason is None]
        for candidate in standing:
            measured_ms = self._measured_ms(candidate)
            if measured_ms is not None:
                self._set(candidate, measured_ms, predicted=False)
            elif predictor is not None:
                self._set(candidate, self._predicted_ms(predictor, candidate)[0], predicted=True)
        return [candidate for candidate in standing if candidate.latency_ms is None]

    def _uncertain(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those to time although a latency can be predicted: a prediction alone must not decide their fate.

        These are the first of a family of which the cost model knows nothing yet, and those which may be on either side
        of the limit.
        """
        predictor, limit = self._latencies.predictor(), self._spec.settings.max_latency_ms
        if predictor is None:
            return []
        found: list[Candidate] = []
        new: Counter[str] = Counter()
        for candidate in candidates:
            if not self._is_unmeasured(candidate):
                continue
            _, low, high = self._predicted_ms(predictor, candidate)
            family = self._family(candidate)
            if family not in predictor.families:
                new[family] += 1
                if new[family] <= FEWEST_OF_FAMILY:
                    found.append(candidate)
            elif limit is not None and low <= limit < high:
                found.append(candidate)
        return found

    def _predicted_ms(self, predictor: Predictor, candidate: Candidate) -> tuple[float, float, float]:
        return predictor.interval_ms(self._plans[candidate.key].description, self._family(candidate))

    def _family(self, candidate: Candidate) -> str:
        return str(self._plans[candidate.key].architecture["topology"])

    def _set(self, candidate: Candidate, latency_ms: float, predicted: bool) -> None:
        candidate.latency_ms, candidate.predicted = latency_ms, predicted
        if isinstance(self._latencies, AnyHost) and self._latencies.reference_ms is not None:
            candidate.speed_up = self._latencies.reference_ms / latency_ms

    def _measure(self, candidates: Sequence[Candidate]) -> None:
        for begin in range(0, len(candidates), self._parallel_jobs):
            batch = {
                candidate.key: candidate
                for candidate in candidates[begin : begin + self._parallel_jobs]
                if self._is_unmeasured(candidate)  # another process may have timed it meanwhile
            }
            jobs = {key: [*candidate.overrides, *self._timing] for key, candidate in batch.items()}
            while jobs:
                failures, held = self._launch(jobs)
                for key, reason in failures.items():
                    batch[key].fail(reason)
                if len(held) == len(jobs):
                    time.sleep(HELD_PAUSE_S)
                jobs = {key: jobs[key] for key in jobs if key in held}
            self._look()
            unmeasured = [candidate for candidate in batch.values() if self._is_unmeasured(candidate)]
            if isinstance(self._latencies, AnyHost):
                for candidate in unmeasured:
                    candidate.fail("its host has no timing of the baseline to compare it with")
            elif unmeasured and self._trials.kept("measurement") is not None and len(unmeasured) == len(batch):
                return  # jobs run on another host than the one whose latencies count

    def _look(self) -> None:
        """Look for new timings; the first baseline that is seen is the one by which speed-ups are shown in ms."""
        latencies = self._latencies
        latencies.refresh()
        if isinstance(latencies, AnyHost) and latencies.reference_ms is None:
            baseline_ms = latencies.host_baseline_ms()
            if baseline_ms is not None:
                latencies.reference_ms = float(self._trials.keep("baseline_ms", baseline_ms))

    def _measured_ms(self, candidate: Candidate) -> float | None:
        return self._latencies.measured_ms(self._plans[candidate.key].architecture)

    def _is_unmeasured(self, candidate: Candidate) -> bool:
        return candidate.reason is None and self._measured_ms(candidate) is None

    def untouched(self) -> float | None:
        """The quality of the untouched validation pairs: the best before a first step, where that is the identity.

        A start is only close to the identity, some closer than others. None where no network of this search has started
        so.
        """
        quality = MEASURES[self._spec.settings.quality]
        records = [plan.trained_record() for plan in self._plans.values()]
        starts = [
            _quality_at(record.quality, 0, quality.name)
            for record in records
            if record is not None and record.learned_from.start == "identity" and record.quality
        ]
        return max((one for one in starts if one is not None), key=lambda one: quality.sign * one, default=None)

    # --- training -----------------------------------------------------------------------------------------------------

    def train(self, work: Sequence[tuple[Candidate, int]]) -> dict[str, float | None]:
        """See `Evaluator.train`."""
        rungs = self._spec.rungs
        jobs = {}
        for candidate, steps in work:
            # Test pairs and photographs are for finished networks alone.
            stages = TRAINING if steps == rungs[-1] else RUNG
            length = [f"trainer.max_steps={steps}", f"trainer.evaluate_at=[{','.join(map(str, rungs))}]"]
            jobs[candidate.key] = [*candidate.overrides, stages, *length]
            tell(f"{candidate.name}: to {steps} steps ({candidate.latency_ms:.0f} ms)")
        failures, held = self._launch(jobs)
        return {
            candidate.key: self._reached(candidate, steps, failures)
            for candidate, steps in work
            if candidate.key not in held
        }

    def _reached(self, candidate: Candidate, steps: int, failures: Mapping[str, str]) -> float | None:
        """The quality after a training; None, and the candidate fails, where there is none."""
        record = self._plans[candidate.key].trained_record()
        if candidate.key in failures or (record and record.status == "failed"):
            candidate.fail(failures.get(candidate.key) or str(record and record.reason))
            return None
        measure = MEASURES[self._spec.settings.quality]
        quality = _quality_at(record.quality if record else [], steps, measure.name)
        if quality is None:
            candidate.fail(f"it has no {measure.label} after {steps} steps")
        return quality

    def _launch(self, jobs: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], set[str]]:
        """Run jobs through Hydra's launcher; the reasons of failures, and the jobs that another process holds."""
        returns = self._launcher.launch(
            [[*self._spec.shared, *overrides] for overrides in jobs.values()],
            initial_job_idx=sum(map(len, self.returns)),
        )
        self.returns.append(returns)
        failures, held = {}, set()
        for key, job in zip(jobs, returns, strict=True):
            try:
                outcome = job.return_value
            except Exception as error:  # from the job or its node: the other variants continue
                outcome = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
            if outcome["status"] == "failed":
                failures[key] = str(outcome["reason"])
            elif outcome["status"] != "completed":
                held.add(key)
        return failures, held


def _quality_at(curve: Sequence[Quality], steps: int, measure: str) -> float | None:
    """A training's quality after so many steps, interpolated between the steps that have one.

    A network that was trained further outside the search may have no score at a rung. None where no step up to then
    has one: what a longer training reached says nothing of it.
    """
    scored = {row.step: value for row in curve if (value := getattr(row, measure)) is not None}
    at = sorted(scored)
    if not at or at[0] > steps:
        return None
    return float(np.interp(steps, at, [scored[step] for step in at]))
