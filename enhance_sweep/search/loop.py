"""The loop of a search: proposals in cohorts, a halving in each, and what every trial is told.

How a network gets its latency and its quality is an `Evaluator`'s business: the sweeper's runs jobs,
`benchmarks/search_replay.py` reads both from records.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hydra.errors import HydraException
from optuna.trial import FrozenTrial, TrialState

from enhance_sweep.config import ConfigError
from enhance_sweep.measures import MEASURES
from enhance_sweep.search.halving import Dropped, Halving
from enhance_sweep.search.trials import Trials, Verdict, rivals
from enhance_sweep.settings import SearchSettings

#: How long to wait before asking again for what another process is training.
HELD_PAUSE_S = 5.0


@dataclass
class Candidate:
    """One network of a cohort.

    Attributes:
        key: of its architecture.
        name: for the reader.
        overrides: its settings.
        trial: the number of the first trial that proposed it.
        family: within which saturation is judged; None: all networks are of one.
        latency_ms: None until it is known.
        speed_up: over the baseline; None where speed-ups are not compared.
        predicted: whether the latency is a cost model's.
        reason: why it is out, if it is.
        failed: whether it is out because something failed.
    """

    key: str
    name: str
    overrides: list[str]
    trial: int
    family: str | None = None
    latency_ms: float | None = None
    speed_up: float | None = None
    predicted: bool = False
    reason: str | None = None
    failed: bool = False

    def fail(self, reason: str) -> None:
        """Drop the network because something failed."""
        self.reason, self.failed = reason, True


class Evaluator(Protocol):
    """Where latencies and qualities come from."""

    def candidate(self, overrides: list[str], trial: int) -> Candidate:
        """The network that a trial proposes.

        Raises:
            ConfigError, hydra.errors.HydraException: there is no such network.
        """
        ...

    def find_latencies(self, candidates: Sequence[Candidate]) -> None:
        """Set `latency_ms` of each, measured or predicted, or fail it."""
        ...

    def train(self, work: Sequence[tuple[Candidate, int]]) -> dict[str, float | None]:
        """Train each candidate up to so many steps in all.

        Returns:
            The quality reached (`search.quality`), by key; None where the candidate failed. A candidate that another
            process is training is left out.
        """
        ...

    def time_finalists(self, finalists: Sequence[Candidate]) -> None:
        """Measure the finalists that have only a predicted latency."""
        ...


class SearchLoop:
    """Runs cohorts of trials until enough are told.

    Args:
        trials: shared by all processes that run this search.
        evaluator: gives latencies and qualities.
        settings: how to search.
        rungs: the steps at which networks are compared, rising.
        parallel_jobs: how many trainings the evaluator gets at once.
        tell: takes a line of progress.
    """

    def __init__(
        self,
        trials: Trials,
        evaluator: Evaluator,
        settings: SearchSettings,
        rungs: Sequence[int],
        parallel_jobs: int = 1,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._trials = trials
        self._evaluator = evaluator
        self._settings = settings
        # A halving keeps the larger quality.
        self._sign = 1 if MEASURES[settings.quality].higher_is_better else -1
        self._rungs = list(rungs)
        self._parallel_jobs = parallel_jobs
        self._tell = tell

    def run_cohort(self) -> bool:
        """Run one cohort from proposals to told trials; false if all trials are told already."""
        numbers = self._trials.next_cohort(self._settings.cohort, self._settings.trials)
        if not numbers:
            return False
        trials = self._trials.all()
        candidates = self._candidates(trials, numbers)
        cohort = f"Trials {numbers[0] + 1} to {numbers[-1] + 1} of {self._settings.trials}"
        self._tell(f"--- {cohort}: {len(candidates)} new networks")
        self._evaluator.find_latencies(list(candidates.values()))
        self._drop_slow(list(candidates.values()))
        halving = self._halve(
            {key: candidate for key, candidate in candidates.items() if candidate.reason is None}, trials
        )
        self._evaluator.time_finalists([candidates[key] for key in halving.finalists])
        for key, candidate in candidates.items():
            verdict = self._verdict(candidate, halving.qualities.get(key, {}), halving.dropped.get(key))
            self._trials.tell(candidate.trial, verdict)
        self._trials.tell_repeats(numbers)
        return True

    def _candidates(self, trials: Sequence[FrozenTrial], numbers: Sequence[int]) -> dict[str, Candidate]:
        """The networks of a cohort by architecture key, each once, without those told in earlier cohorts."""
        told = {trial.user_attrs.get("architecture_key") for trial in trials if trial.state.is_finished()}
        found: dict[str, Candidate] = {}
        for number in numbers:
            overrides = list(trials[number].user_attrs["overrides"])
            try:
                candidate = self._evaluator.candidate(overrides, number)
            except (ConfigError, HydraException) as error:
                self._trials.tell(number, Verdict(TrialState.FAIL, None, {"reason": str(error)}))
                self._tell(f"{' '.join(overrides)}: failed: {error}")
                continue
            about = {"architecture_key": candidate.key, "name": candidate.name}
            self._trials.note(number, about | ({} if candidate.family is None else {"family": candidate.family}))
            if candidate.key not in told:
                found.setdefault(candidate.key, candidate)
        return found

    def _drop_slow(self, candidates: Sequence[Candidate]) -> None:
        limit = self._settings.max_latency_ms
        for candidate in candidates:
            if limit is not None and candidate.latency_ms is not None and candidate.latency_ms > limit:
                candidate.reason = f"{candidate.latency_ms:.0f} ms, above search.max_latency_ms={limit:g}"
                self._tell(f"{candidate.name}: dropped untrained: {candidate.reason}")

    def _halve(self, candidates: Mapping[str, Candidate], trials: Sequence[FrozenTrial]) -> Halving:
        """Train each candidate as long as it stays competitive, also with earlier cohorts."""
        known = rivals(trials)
        halving = Halving(
            {key: candidate.latency_ms for key, candidate in candidates.items() if candidate.latency_ms is not None},
            self._rungs,
            self._settings.reduction_factor,
            self._settings.finalists,
            self._settings.saturation,
            {key: {steps: self._sign * quality for steps, quality in one.curve.items()} for key, one in known.items()},
            {key: one.latency_ms for key, one in known.items()},
            {key: one.family for key, one in known.items()} | {key: one.family for key, one in candidates.items()},
            self._settings.family_rungs,
        )
        held: list[tuple[str, int]] = []
        while work := halving.ask(self._parallel_jobs) or held:
            # Trainings that another process holds are asked for again when nothing else is left to do.
            again = work is held
            results = self._evaluator.train([(candidates[key], steps) for key, steps in work])
            for key, quality in results.items():
                halving.tell(key, None if quality is None else self._sign * quality)
            left = [(key, steps) for key, steps in work if key not in results]
            if again and len(left) == len(held):
                time.sleep(HELD_PAUSE_S)
            held = left if again else [*held, *left]
        return halving

    def _verdict(self, candidate: Candidate, curve: Mapping[int, float], dropped: Dropped | None) -> Verdict:
        """The verdict on a network: its values, or why it has none."""
        limit = self._settings.max_latency_ms
        over_limit_ms = None if limit is None or candidate.latency_ms is None else candidate.latency_ms - limit
        about: dict[str, Any] = {"reason": candidate.reason or (dropped.reason if dropped else None)}
        if candidate.latency_ms is not None:
            about |= {"latency_ms": candidate.latency_ms, "latency": "predicted" if candidate.predicted else "measured"}
        if candidate.speed_up is not None:
            about["speed_up"] = candidate.speed_up
        if candidate.failed or candidate.latency_ms is None:
            return Verdict(TrialState.FAIL, None, about, over_limit_ms)
        if not curve:
            return Verdict(TrialState.PRUNED, None, about | {"steps": 0}, over_limit_ms)
        steps = max(curve)
        about |= {"steps": steps, "finished": steps == self._rungs[-1]}
        about["curve"] = {str(at): self._sign * quality for at, quality in curve.items()}
        return Verdict(TrialState.COMPLETE, [self._speed(candidate), self._sign * curve[steps]], about, over_limit_ms)

    def _speed(self, candidate: Candidate) -> float:
        """What Optuna is told of a network's speed: its latency in ms, or log2 of its speed-up over the baseline."""
        if self._settings.speed == "latency_ms":
            assert candidate.latency_ms is not None
            return candidate.latency_ms
        assert candidate.speed_up is not None
        return math.log2(candidate.speed_up)
