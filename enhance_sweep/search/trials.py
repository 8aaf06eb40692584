"""A search's trials in Optuna's storage: proposed a cohort at a time, counted in total, told once.

A process that takes over may repeat any step: a trial whose proposal was interrupted keeps the parameters it has, and a
told trial stays as it is.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from enhance_sweep.search.space import Space
from enhance_sweep.search.store import LOCK_FILE, retry_while_unavailable

#: What repeats of a trial copy from it.
_ABOUT = ("curve", "latency_ms", "latency", "speed_up", "steps", "finished", "reason")


@dataclass(frozen=True)
class Verdict:
    """The result that a trial is told.

    Attributes:
        state: complete with values, pruned (dropped untrained) or failed without.
        values: the speed (`search.speed`: latency in ms, or log2 of the speed-up) and the quality reached
            (`search.quality`).
        about: further facts to keep: the reason, the steps, the curve.
        over_limit_ms: how much slower it is than allowed, negative where it is faster; None without a limit.
    """

    state: TrialState
    values: list[float] | None
    about: Mapping[str, Any]
    over_limit_ms: float | None = None


class Trials:
    """The trials of one study, shared by all processes that run this search.

    Args:
        study: Optuna's.
        space: what is searched.
        settings_of: the names of a model's settings (see `Space.draw`).
        sampler: gives the sampler that proposes trial `number`.
        runs_dir: the folder of runs, which holds the lock on proposing.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        settings_of: Callable[[str | None], Collection[str]],
        sampler: Callable[[int], BaseSampler],
        runs_dir: Path,
    ) -> None:
        self._study = study
        self._space = space
        self._settings_of = settings_of
        self._sampler = sampler
        self._lock_path = runs_dir / LOCK_FILE

    @property
    def name(self) -> str:
        """The study's name."""
        return str(self._study.study_name)

    def all(self) -> list[FrozenTrial]:
        """All trials, in the order of their numbers."""
        return retry_while_unavailable(self._now)

    def next_cohort(self, size: int, total: int) -> list[int]:
        """The untold numbers of the first cohort that has any, proposed if need be; none once `total` are told.

        A cohort is a block of `size` numbers, the same for every process. One process proposes at a time, so that there
        are never more than `total` trials.
        """
        with FileLock(self._lock_path):
            trials = self.all()
            first = next((one.number for one in trials if not one.state.is_finished()), len(trials))
            begin = first // size * size
            end = min(begin + size, total)
            while len(trials) < end:
                retry_while_unavailable(partial(self._propose, end))
                trials = self.all()
            numbers = [one.number for one in trials[begin:end] if not one.state.is_finished()]
            for number in numbers:
                retry_while_unavailable(partial(self._draw, number))
            return numbers

    def note(self, number: int, about: Mapping[str, Any]) -> None:
        """Keep facts with a trial, unless another process has told it meanwhile."""
        with suppress(UpdateFinishedTrialError):
            retry_while_unavailable(partial(self._note, number, about))

    def tell(self, number: int, verdict: Verdict) -> None:
        """Tell one trial, unless another process has done so meanwhile."""
        with suppress(UpdateFinishedTrialError):
            retry_while_unavailable(partial(self._tell, number, verdict))

    def tell_repeats(self, numbers: Sequence[int]) -> None:
        """Tell repeated proposals of a network what its first trial was told."""
        trials = self.all()
        known = {one.user_attrs.get("architecture_key"): one for one in trials if one.state.is_finished()}
        for number in numbers:
            if trials[number].state.is_finished():
                continue
            same = known[trials[number].user_attrs["architecture_key"]]
            about = {name: same.user_attrs[name] for name in _ABOUT if name in same.user_attrs}
            values = list(same.values) if same.state == TrialState.COMPLETE else None
            over_limit_ms = next(iter(same.constraints.values()), None)
            self.tell(number, Verdict(same.state, values, about | {"same_as": same.number}, over_limit_ms))

    def keep(self, name: str, value: Any) -> Any:
        """Keep `value` with the study unless something is kept under that name already; returns what is kept."""

        def keep() -> Any:
            if name not in self._study.user_attrs:
                self._study.set_user_attr(name, value)
            return self._study.user_attrs[name]

        return retry_while_unavailable(keep)

    def kept(self, name: str) -> Any:
        """What is kept with the study under a name; None if nothing."""
        return retry_while_unavailable(lambda: self._study.user_attrs.get(name))

    def _now(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _propose(self, end: int) -> None:
        """Add one trial, unless an earlier attempt, whose answer was lost, has added it."""
        count = len(self._now())
        if count < end:
            self._study.sampler = self._sampler(count)
            self._study.ask()

    def _draw(self, number: int) -> None:
        frozen = self._now()[number]
        if "overrides" not in frozen.user_attrs:
            self._study.sampler = self._sampler(number)
            trial = Trial(self._study, frozen._trial_id)
            trial.set_user_attr("overrides", self._space.draw(trial, self._settings_of))

    def _note(self, number: int, about: Mapping[str, Any]) -> None:
        frozen = self._now()[number]
        trial = Trial(self._study, frozen._trial_id)
        for name, value in about.items():
            if frozen.user_attrs.get(name) != value:
                trial.set_user_attr(name, value)

    def _tell(self, number: int, verdict: Verdict) -> None:
        frozen = self._now()[number]
        if frozen.state.is_finished():
            return
        self._note(number, verdict.about)
        if verdict.over_limit_ms is not None and not frozen.constraints:
            # Samplers learn the limit from this constraint.
            Trial(self._study, frozen._trial_id).set_constraint("max_latency_ms", verdict.over_limit_ms)
        self._study.tell(number, values=verdict.values, state=verdict.state, skip_if_finished=True)


@dataclass(frozen=True)
class Rival:
    """A network that was told in an earlier cohort.

    Attributes:
        curve: the quality by steps.
        latency_ms: measured or predicted.
        family: see `enhance_sweep.search.loop.Candidate`.
    """

    curve: Mapping[int, float]
    latency_ms: float
    family: str | None


def rivals(trials: Sequence[FrozenTrial]) -> dict[str, Rival]:
    """Every told network, by architecture key."""
    found: dict[str, Rival] = {}
    for trial in trials:
        if trial.state == TrialState.COMPLETE:
            about = trial.user_attrs
            curve = {int(steps): float(quality) for steps, quality in about["curve"].items()}
            found[about["architecture_key"]] = Rival(curve, float(about["latency_ms"]), about.get("family"))
    return found
