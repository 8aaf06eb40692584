"""Stand-ins: a launcher that leaves records as a training would, without training; a loader that composes once."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import optuna
from hydra import compose
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, open_dict
from optuna.trial import FrozenTrial

from enhance_sweep.config import settings_from
from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.records.keys import architecture_key, architecture_of, measured_key
from enhance_sweep.records.schema import SCHEMA
from enhance_sweep.records.store import timed_records, write_timed, write_trained
from enhance_sweep.search.store import JOURNAL_FILE
from enhance_sweep.sweep.plan import Plan, plan_variant

#: The baseline's, on a host where nothing takes longer.
BASELINE_MS = 1000.0

Quality = Callable[[dict[str, Any], int], float | None]


def latency_ms(architecture: dict[str, Any]) -> float:
    """Slower with every setting, and no two alike."""
    strided = 0.5 if architecture["topology"] == "strided" else 1.0
    return strided * architecture["channels"] ** 2 * (1 + architecture["blocks"]) * architecture["kernel_size"]


def quality(architecture: dict[str, Any], steps: int) -> float:
    """Better with size, a little, and with steps."""
    return 0.8 + 0.01 * math.log(latency_ms(architecture)) - 0.1 / steps


class QuickLoader:
    """Hydra's loader, which composes anew only where another file is chosen, and parses each override once.

    Args:
        loader: Hydra's.
    """

    composed: ClassVar[dict[tuple[str, ...], DictConfig]] = {}
    parsed: ClassVar[dict[str, Override]] = {}

    def __init__(self, loader: ConfigLoader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def load(self, overrides: Sequence[str]) -> DictConfig:
        """What `hydra.compose` gives, Hydra's own settings included."""
        return self._compose(overrides, lambda files: compose("config", overrides=files, return_hydra_config=True))

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
        """A job's settings."""

        def without_hydra(files: list[str]) -> DictConfig:
            config = self._loader.load_sweep_config(master_config, files)
            with open_dict(config):
                del config.hydra  # large to copy
            return config

        return self._compose(sweep_overrides, without_hydra, "job")

    def _compose(
        self, overrides: Sequence[str], compose_files: Callable[[list[str]], DictConfig], *kind: str
    ) -> DictConfig:
        """Files first, then values, as Hydra does."""
        parsed = [self._parse(one) for one in overrides]
        groups = {one.key_or_group: one for one in parsed if self._loader.repository.group_exists(one.key_or_group)}
        files = [str(one.input_line) for one in groups.values()]
        if (*kind, *files) not in self.composed:
            self.composed[*kind, *files] = compose_files(files)
        config = copy.deepcopy(self.composed[*kind, *files])
        ConfigLoaderImpl._apply_overrides_to_config([one for one in parsed if one.key_or_group not in groups], config)
        return config

    def _parse(self, override: str) -> Override:
        if override not in self.parsed:
            (self.parsed[override],) = OverridesParser.create(config_loader=self._loader).parse_overrides([override])
        return self.parsed[override]


@dataclass
class Job:
    """What Hydra returns of a job."""

    outcome: dict[str, Any] | Exception

    @property
    def return_value(self) -> dict[str, Any]:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@dataclass
class PretendLauncher:
    """Writes the records of each job at once.

    Attributes:
        config: Hydra's.
        loader: Hydra's.
        quality: MS-SSIM of an architecture after so many steps, and 1 less its MDSI; None: the training fails.
        host: whose times are written; None: this one's.
        slowness: how many times longer everything takes there.
        baseline: whether the baseline can be timed there.
        interrupt: called before each job with its plan; may raise, or say what happened instead of it.
        trained: (name, steps) of every training, in order.
        timed: names of every timing, in order.
        scored: (name, steps) of those whose test pairs were to be scored.
        batches: how many jobs came at once.
    """

    config: DictConfig
    loader: ConfigLoader
    quality: Quality = quality
    host: str | None = None
    slowness: float = 1.0
    baseline: bool = True
    interrupt: Callable[[Plan], dict[str, Any] | Exception | None] = lambda plan: None
    trained: list[tuple[str, int]] = field(default_factory=list)
    timed: list[str] = field(default_factory=list)
    scored: list[tuple[str, int]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[Job]:
        self.batches.append(len(job_overrides))
        return [
            Job(self._run(plan_variant(settings_from(self.loader.load_sweep_config(self.config, [*one])))))
            for one in job_overrides
        ]

    def _run(self, plan: Plan) -> dict[str, Any] | Exception:
        instead = self.interrupt(plan)
        if instead is not None:
            return instead
        common = {
            "schema": SCHEMA,
            "status": "completed",
            "architecture": plan.architecture,
            "architecture_key": architecture_key(plan.architecture),
            "description": plan.description,
        }
        outcome = {"name": plan.name, "status": "completed", "reason": None, "stages": []}
        if "time" in plan.settings.stages:
            if plan.needs_baseline() and self.baseline and not self._has_timed(plan.baseline()):
                self._time(plan.baseline())
            if not self._has_timed(plan):
                self._time(plan)
            return outcome
        self.trained.append((plan.name, plan.max_steps))
        if "evaluate" in plan.settings.stages:
            self.scored.append(self.trained[-1])
        before = plan.trained_record()
        earlier = msgspec.to_builtins(before.quality) if before else []
        reached = self.quality(plan.architecture, plan.max_steps)
        record = common | {
            "kind": "trained",
            "key": plan.key,
            "learned_from": plan.learned_from,
            "environment": {},
            "steps": plan.max_steps,
            "quality": [*earlier, {"step": plan.max_steps, "ms_ssim": reached, "mdsi": reached and 1 - reached}],
        }
        if reached is None:
            record |= {"status": "failed", "reason": "diverged: as arranged", "quality": earlier}
            outcome |= {"status": "failed", "reason": "diverged: as arranged"}
        write_trained(plan.runs_dir, record)
        return outcome

    def _has_timed(self, plan: Plan) -> bool:
        return any(timed_records(plan.runs_dir, measured_key(plan.architecture, self._measurement(plan))))

    def _time(self, plan: Plan) -> None:
        self.timed.append(plan.name)
        measurement, is_baseline = self._measurement(plan), plan.architecture == architecture_of(BASELINE)
        record = {
            **{"schema": SCHEMA, "kind": "timed", "status": "completed", "description": plan.description},
            **{"architecture": plan.architecture, "architecture_key": architecture_key(plan.architecture)},
            **{"key": measured_key(plan.architecture, measurement), "measurement": measurement},
            "latency_ms_median": self.slowness * (BASELINE_MS if is_baseline else latency_ms(plan.architecture)),
        }
        write_timed(plan.runs_dir, record)

    def _measurement(self, plan: Plan) -> dict[str, Any]:
        return plan.measurement if self.host is None else plan.measurement | {"host": self.host, "threads": 7}


def trials(runs: Path, storage: str | None = None) -> list[FrozenTrial]:
    """Those of the only study."""
    place = storage or optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(runs / JOURNAL_FILE))
    )
    (name,) = optuna.get_all_study_names(place)
    return optuna.load_study(study_name=name, storage=place).get_trials()
