"""The settings of a run, typed: what `conf/` says, as everything below `config.py` takes it.

Each class refuses values out of range with a `ValueError` that names the setting. None is frozen: Hydra fills them in.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from enhance_sweep.measures import MEASURES
from enhance_sweep.system.environment import ALLOCATORS, usable_cores

STAGES = ("train", "evaluate", "time")
TRAINING_PRECISIONS = ("auto", "fp32", "bf16")
SCHEDULES = ("constant", "one_cycle")
STARTS = ("identity", "dped_code")
PRECISIONS = ("fp32", "bf16")
LAYOUTS = ("channels_last", "channels_first")
LATENCIES = ("measured", "predicted")
SPEEDS = ("latency_ms", "speed_up")
#: What `data` says beside the settings of a data set.
_UNLABELLED = ("unlabelled", "unlabelled_share")


@dataclass
class Retries:
    """How often each class of failure is retried without being asked; None: without limit. See conf/config.yaml."""

    diverged: int | None = 0
    out_of_memory: int | None = 3
    data_error: int | None = 0
    interrupted: int | None = None
    bug: int | None = 1

    def __post_init__(self) -> None:
        """Refuse negative limits."""
        for failure, limit in vars(self).items():
            if limit is not None and limit < 0:
                raise ValueError(f"retries.{failure}: expected at least 0, or null for no limit, got {limit}")

    def allow(self, failure: str | None, attempts: int) -> bool:
        """Whether to try again after so many failed attempts.

        Never where the class of failure is missing or unknown: another version wrote it.
        """
        if failure is None:
            return False
        limit: int | None = getattr(self, failure, -1)
        return limit is None or attempts <= limit


@dataclass
class TrainerSettings:
    """How a variant is trained. See conf/trainer/default.yaml for the meanings."""

    max_steps: int = 300
    batch_size: int = 10
    crop_size: int = 40
    learning_rate: float = 5e-4
    schedule: str = "constant"
    start: str = "identity"
    averaging: bool = True
    reparameterise: bool = False
    precision: str = "auto"
    accelerator: str = "auto"
    augment: bool = True
    permute_channels: bool = False
    channel_gains_ev: float = 0.0
    saturation: float = 0.0
    exposure_ev: float = 0.0
    micro_batches: int = 1
    evaluate_at: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        one_of("trainer.precision", self.precision, TRAINING_PRECISIONS)
        one_of("trainer.schedule", self.schedule, SCHEDULES)
        one_of("trainer.start", self.start, STARTS)
        for name, minimum in (("max_steps", 1), ("batch_size", 1), ("crop_size", 2)):
            if getattr(self, name) < minimum:
                raise ValueError(f"trainer.{name}: expected at least {minimum}, got {getattr(self, name)}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"trainer.learning_rate: expected a positive number, got {self.learning_rate}")
        for name, most in (("channel_gains_ev", 4), ("saturation", 1), ("exposure_ev", 4)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"trainer.{name}: expected 0 to {most}, got {getattr(self, name)}")
        if any(step < 1 for step in self.evaluate_at):
            raise ValueError(f"trainer.evaluate_at: expected steps of at least 1, got {self.evaluate_at}")
        if not 1 <= self.micro_batches <= self.batch_size:
            raise ValueError(
                f"trainer.micro_batches: expected 1 to {self.batch_size}, the batch size, got {self.micro_batches}"
            )


@dataclass
class TeacherSettings:
    """A network whose results others learn from beside the targets. See conf/config.yaml for the meanings."""

    network: str | None = None
    model: str = ""
    weight: float = 1.0
    trained_on: str = "unknown"

    def __post_init__(self) -> None:
        """Refuse what cannot teach."""
        if not 0 <= self.weight < math.inf:
            raise ValueError(f"teacher.weight: expected a number of at least 0, got {self.weight}")
        if self.model and not self.network:
            raise ValueError(
                "teacher.model says what network the weights in a file are of: give teacher.network=FILE, too"
            )

    @property
    def teaches(self) -> bool:
        """Whether there is a teacher, and it counts."""
        return self.network is not None and self.weight > 0


@dataclass
class TimingSettings:
    """One way to measure speed and memory. The defaults are the careful ones.

    Args:
        width: of the photograph, pixels.
        height: of the photograph, pixels.
        photograph: an image file to measure on; None takes the installed one.
        precision: fp32 or bf16.
        layout: channels_last or channels_first, of weights and activations.
        threads: 0 means all usable cores.
        allocator: stock or tuned (`enhance_sweep.system.environment.ALLOCATORS`).
        seed: of the network's weights and of the order within rounds.
        paired: time the baseline in every round, so that a speed-up is a median of ratios taken side by side.
        baseline_once: where it is not paired, time the baseline by itself too, once on each host.
        processes: fresh processes for each variant before its interval is trusted.
        samples: timed calls in each process, at least three.
        warm_up_calls: at most this many before timing; fewer once undisturbed calls get neither faster nor slower.
        repeats: how often at most a disturbed call is repeated.
        budget_s: wall seconds for each variant, shared by all that are timed together.

    Raises:
        ValueError: a value out of its range, by name.
    """

    width: int = 1280
    height: int = 720
    photograph: str | None = None
    precision: str = "fp32"
    layout: str = "channels_last"
    threads: int = 0
    allocator: str = "tuned"
    seed: int = 0
    paired: bool = True
    baseline_once: bool = False
    processes: int = 3
    samples: int = 3
    warm_up_calls: int = 6
    repeats: int = 1
    budget_s: float = 300.0

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        for name, allowed in (("precision", PRECISIONS), ("layout", LAYOUTS), ("allocator", tuple(ALLOCATORS))):
            one_of(f"timing.{name}", getattr(self, name), allowed)
        minima = {"width": 1, "height": 1, "threads": 0, "processes": 1, "samples": 3, "warm_up_calls": 0, "repeats": 0}
        for name, minimum in (minima | {"budget_s": 0}).items():
            if not minimum <= getattr(self, name) < float("inf"):  # false for nan too
                raise ValueError(f"timing.{name}: expected at least {minimum}, got {getattr(self, name)}")

    @property
    def used_threads(self) -> int:
        """How many threads a worker computes with."""
        return self.threads or usable_cores()


@dataclass
class SearchSettings:
    """One way to search. See conf/search/default.yaml for the meanings.

    Raises:
        ValueError: a value out of its range, by name.
    """

    trials: int = 100
    cohort: int = 24
    max_latency_ms: float | None = None
    latency: str = "measured"
    speed: str = "latency_ms"
    quality: str = "ms_ssim"
    first_rung: int = 75
    reduction_factor: float = 2.0
    finalists: int = 4
    family_rungs: int = 0
    saturation: float | None = 4.0
    storage: str | None = None
    sampler: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be searched with."""
        for name in ("trials", "cohort", "first_rung", "finalists"):
            if getattr(self, name) < 1:
                raise ValueError(f"search.{name}: expected at least 1, got {getattr(self, name)}")
        if self.family_rungs < 0:
            raise ValueError(f"search.family_rungs: expected at least 0, got {self.family_rungs}")
        one_of("search.latency", self.latency, LATENCIES)
        one_of("search.speed", self.speed, SPEEDS)
        one_of("search.quality", self.quality, list(MEASURES))
        if self.max_latency_ms is not None and not 0 < self.max_latency_ms < math.inf:
            raise ValueError(f"search.max_latency_ms: expected a positive number or null, got {self.max_latency_ms}")
        for name in ("reduction_factor", "saturation"):
            value = getattr(self, name)
            if value is not None and not 1 < value < math.inf:
                raise ValueError(f"search.{name}: expected a number above 1, got {value}")


@dataclass
class Settings:
    """One run: `model`, `data`, `content`, `loss` and `runtime` each describe an object, which `config.build` makes.

    Beside the data set's own settings (`data_set`), `data` has those of photographs without partners: `unlabelled`,
    their folder, and `unlabelled_share` of the crops.
    """

    model: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    content: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)
    runtime: dict[str, Any] = field(default_factory=dict)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)
    timing: TimingSettings = field(default_factory=TimingSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    seed: int = 0
    runs_dir: str = "runs"
    weights: str | None = None
    stages: list[str] = field(default_factory=lambda: list(STAGES))
    retries: Retries = field(default_factory=Retries)
    retry_failed: bool = False
    dry_run: bool = False
    pictures: bool = True

    def __post_init__(self) -> None:
        """Refuse unknown stages and seeds out of range."""
        for stage in self.stages:
            one_of("stages", stage, STAGES)
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed: expected 0 to {2**32 - 1}, got {self.seed}")
        if self.unlabelled is not None:
            self._check_unlabelled()

    @property
    def data_set(self) -> dict[str, Any]:
        """`data` without what concerns photographs without partners."""
        return {name: value for name, value in self.data.items() if name not in _UNLABELLED}

    @property
    def unlabelled(self) -> str | None:
        """The folder of photographs without partners, which only the teacher judges."""
        folder = self.data.get("unlabelled")
        return None if folder is None else str(folder)

    @property
    def unlabelled_crops(self) -> int:
        """How many crops of a batch come from them."""
        return 0 if self.unlabelled is None else round(self.data["unlabelled_share"] * self.trainer.batch_size)

    def _check_unlabelled(self) -> None:
        if not self.teacher.teaches:
            why = "teacher.weight is 0" if self.teacher.network else "there is no teacher"
            raise ValueError(
                f"data.unlabelled={self.unlabelled}: only a teacher can judge photographs without partners, and {why}: "
                "give teacher.network=FILE or KEY with teacher.weight above 0, or leave data.unlabelled out"
            )
        share, batch = self.data.get("unlabelled_share"), self.trainer.batch_size
        if not isinstance(share, int | float) or isinstance(share, bool) or not 0 < share < 1:
            raise ValueError(f"data.unlabelled_share: expected a share of the crops above 0 and below 1, got {share!r}")
        if not 0 < self.unlabelled_crops < batch:
            raise ValueError(
                f"data.unlabelled_share={share} of trainer.batch_size={batch} is {self.unlabelled_crops} crops: choose "
                f"shares that leave at least one of each kind, or larger batches"
            )


def one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise a `ValueError` with the setting's name unless `value` is allowed."""
    if value not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")
