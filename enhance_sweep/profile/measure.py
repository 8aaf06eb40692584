"""Profile the training of one variant: real steps, in a process of their own, part by part."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback
from torch.utils.flop_counter import FlopCounterMode

from enhance_sweep.config import compose_settings
from enhance_sweep.models import rearranged
from enhance_sweep.sweep.learning import fit_plan
from enhance_sweep.sweep.plan import Plan, plan_variant
from enhance_sweep.system.environment import describe_environment, usable_cores
from enhance_sweep.timing.memory import PeakMemory
from enhance_sweep.timing.worker import limit

#: The rest of a step: Lightning's loop, curves, checkpoints, the progress bar.
REST = "loop and logging"


@dataclass(frozen=True)
class Part:
    """A part of a training step.

    Attributes:
        name: what it is.
        ms: a value for each measured step.
        flops: floating-point operations of one step, two for a multiply-add; 0 where they do not matter.
    """

    name: str
    ms: list[float]
    flops: int

    @property
    def ms_median(self) -> float:
        """The median over steps."""
        return float(np.median(self.ms))


@dataclass(frozen=True)
class Profile:
    """Where the time of one variant's training step goes.

    Attributes:
        name: of the network.
        loss: the preset, and the content network where it has one.
        batch_size: patches per step.
        crop_size: their side in pixels.
        precision: fp32 or bf16.
        device: cpu or the accelerator's name.
        parts: in the order of a step, the rest last.
        step_ms: of each measured step.
        peak_mib: peak resident memory during the measured steps; on a GPU, peak allocated memory.
        limit_gflops: the rate of a large matrix product in this precision and process.
        environment: host, versions, threads.
    """

    name: str
    loss: str
    batch_size: int
    crop_size: int
    precision: str
    device: str
    parts: list[Part]
    step_ms: list[float]
    peak_mib: float
    limit_gflops: float
    environment: dict[str, Any] = field(repr=False)

    @property
    def images_per_s(self) -> float:
        """Patches per second, from the median step."""
        return self.batch_size / float(np.median(self.step_ms)) * 1e3

    @property
    def flops(self) -> int:
        """Floating-point operations of one step."""
        return sum(part.flops for part in self.parts)

    @property
    def share_of_limit(self) -> float:
        """The share of a large matrix product's rate that a step reaches, 0 to 1."""
        return self.flops / float(np.median(self.step_ms)) / 1e6 / self.limit_gflops


class _Stopwatch:
    """Adds up the seconds of each part, step by step; while it has a `counter`, counts operations too."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.steps: list[dict[str, float]] = [{}]
        self.counter: FlopCounterMode | None = None
        self.flops: dict[str, int] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        start = self.now()
        before = self.counter.get_total_flops() if self.counter else 0
        try:
            yield
        finally:
            self.steps[-1][part] = self.steps[-1].get(part, 0.0) + self.now() - start
            if self.counter:
                counted = self.counter.get_total_flops() - before
                self.flops[part] = self.flops.get(part, 0) + counted

    def now(self) -> float:
        """Seconds, once the device is idle."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


class _Steps(Callback):
    """Marks the ends of steps, and counts operations in one more step at the end."""

    def __init__(self, watch: _Stopwatch, warm_up: int, steps: int) -> None:
        self.watch, self.warm_up, self.last = watch, warm_up, warm_up + steps
        self.ends: list[float] = []
        self.peak: PeakMemory | None = None
        self.peak_mib = 0.0
        self.counting = ExitStack()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """The next step begins here: a step is all between two ends, drawing its batch included."""
        self.ends.append(self.watch.now())
        done = len(self.ends)
        if done == self.warm_up:
            self.peak = PeakMemory.watch()
            if self.watch.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self.watch.device)
        if done == self.last:
            assert self.peak is not None
            self.peak_mib = self.peak.peak_mib()
            if self.watch.device.type == "cuda":
                self.peak_mib = torch.cuda.max_memory_allocated(self.watch.device) / 2**20
            # Counting slows a step down, so it gets an extra one after the measured steps.
            self.counting.enter_context(rearranged.as_written())
            self.watch.counter = self.counting.enter_context(FlopCounterMode(display=False))
        if done == self.last + 1 and self.watch.counter:
            self.counting.close()
            self.watch.counter = None
        self.watch.steps.append({})


def profile_variant(overrides: Sequence[str], steps: int, warm_up: int) -> Profile:
    """Train one variant for a few steps, as a sweep would, and measure where the time goes.

    Call it in a process that does nothing else, under the allocator that training uses.

    Args:
        overrides: as on the command line of `python -m enhance_sweep`.
        steps: how many to measure.
        warm_up: how many to take before them.

    Raises:
        ConfigError: a setting is wrong, by name.
        DataError: the photographs cannot be used, by file.
    """
    wanted = [*overrides, "stages=[train]", f"trainer.max_steps={warm_up + steps + 1}", "trainer.evaluate_at=[]"]
    plan = plan_variant(compose_settings(wanted))
    assert plan.learned_from is not None
    trainer, precision = plan.settings.trainer, plan.learned_from["precision"]
    torch.set_num_threads(usable_cores())
    on_gpu = trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    watch = _Stopwatch(device)
    marks = _Steps(watch, warm_up, steps)
    with tempfile.TemporaryDirectory() as folder:
        fit_plan(plan, Path(folder), watch=watch, callbacks=[marks])
    step_ms = [1e3 * s for s in np.diff(marks.ends)[warm_up - 1 : warm_up - 1 + steps]]
    rates = limit({"threads": usable_cores(), "device": str(device), "precision": precision})
    return Profile(
        name=plan.name,
        loss=_loss(plan),
        batch_size=trainer.batch_size,
        crop_size=trainer.crop_size,
        precision=precision,
        device=torch.cuda.get_device_name(device) if on_gpu else "cpu",
        parts=_parts(watch, watch.steps[warm_up : warm_up + steps], step_ms),
        step_ms=step_ms,
        peak_mib=marks.peak_mib,
        limit_gflops=rates[f"{precision}_gflops"],
        environment=describe_environment() | {"threads": torch.get_num_threads()},
    )


def _parts(watch: _Stopwatch, measured: Sequence[dict[str, float]], step_ms: Sequence[float]) -> list[Part]:
    """The parts of the measured steps, then what remains of each step."""
    names = list(dict.fromkeys(name for step in measured for name in step))
    parts = [Part(name, [1e3 * step.get(name, 0.0) for step in measured], watch.flops.get(name, 0)) for name in names]
    rest = [whole - sum(part.ms[index] for part in parts) for index, whole in enumerate(step_ms)]
    return [*parts, Part(REST, rest, 0)]


def _loss(plan: Plan) -> str:
    """The preset's name, with the content network where it has one."""
    loss, content = plan.settings.loss, plan.settings.content
    return str(loss["name"]) + (f" ({content['name']})" if "content" in loss["terms"] else "")
