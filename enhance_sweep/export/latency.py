"""How fast an exported file is, beside the same network in eager fp32, by the timing protocol."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from enhance_sweep.export.formats import Sides, format_of
from enhance_sweep.settings import TimingSettings
from enhance_sweep.system.locks import host_lock
from enhance_sweep.timing import recording
from enhance_sweep.timing.machine import Machine
from enhance_sweep.timing.process import TimingError
from enhance_sweep.timing.protocol import Baseline, Run
from enhance_sweep.timing.runtimes import Prepared
from enhance_sweep.timing.statistics import median
from enhance_sweep.timing.subject import Subject

#: How to time eager beside the file. The budget is smaller than for networks, because there are many files.
TIMING = TimingSettings(samples=5, budget_s=120.0)
_EAGER = {"_target_": "enhance_sweep.timing.runtimes.eager.Eager", "name": "eager"}


class ExportedFile:
    """A file as a runtime for the timing protocol: it runs the file, and ignores the network that it is given."""

    def __init__(self, format: str, precision: str, file: str) -> None:
        self.format, self.precision, self.file = format, precision, file

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        """See `enhance_sweep.timing.runtimes.Runtime.prepare`."""
        run = format_of(self.format, self.precision).open(Path(self.file), self.precision, threads)
        return Prepared(lambda: run(photograph), lambda result: result)


def time_beside_eager(
    model: Mapping[str, Any],
    format: str,
    precision: str,
    file: Path,
    timing: TimingSettings | None = None,
    machine: Machine | None = None,
) -> dict[str, Any]:
    """Time a file on one photograph, in fresh processes, each round beside eager fp32 in another process.

    Args:
        model: the network's configuration, with its `_target_`.
        format: of the file.
        precision: of the file.
        file: the file.
        timing: how to measure; `TIMING` unless given.
        machine: the real one unless given.

    Returns:
        For the export's record: the figures of a timed record, `eager_latency_ms_median`, the `flags` that speak
        against them, why timing `stopped`, and `samples`, whose baseline is the same network in eager fp32.

    Raises:
        TimingError: the file or the network could not be timed.
    """
    timing = timing or TIMING
    runtime = {"_target_": f"{__name__}.{ExportedFile.__name__}", "name": format, "format": format}
    runtime |= {"precision": precision, "file": str(file.resolve())}
    subject = Subject(model)
    with host_lock():
        run = Run(timing, runtime, machine or Machine.real(timing), lambda line: None, Baseline(model, _EAGER))
        run.time([subject], lambda finished: None)
    if subject.failure:
        raise TimingError(subject.failure)
    return {
        **recording.figures(subject),
        "eager_latency_ms_median": median([one.baseline_latency_ms or 0.0 for one in subject.rounds()]),
        "flags": recording.flags(subject, None),
        "stopped": subject.stopped,
        "samples": {"processes": subject.processes},
    }


def timing_of(allowed: Sides) -> TimingSettings:
    """`TIMING`, of a photograph with the largest sides that a file takes."""
    width, height = (allowed.within(side) for side in (TIMING.width, TIMING.height))
    return replace(TIMING, width=width, height=height)


def measurement_of(format: str, precision: str, timing: TimingSettings) -> dict[str, Any]:
    """How a file is timed here, as a timed record says it; a file has its own memory layout."""
    measurement = recording.measurement_of(timing, {"name": format}) | {"precision": precision}
    del measurement["layout"]
    return measurement


def model_of(generator_file: Path) -> dict[str, Any]:
    """The configuration of the network in a `generator.pt`."""
    return dict(torch.load(generator_file, map_location="cpu", weights_only=True)["model"])
