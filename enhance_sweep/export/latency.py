"""How fast an exported file is, beside the same network in eager fp32: the timing room's workers, called in turn."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from enhance_sweep.export.formats import format_of
from enhance_sweep.system.environment import usable_cores
from enhance_sweep.system.locks import host_lock
from enhance_sweep.timing import host
from enhance_sweep.timing.conditions import between, snapshot
from enhance_sweep.timing.process import Worker
from enhance_sweep.timing.runtimes import Prepared
from enhance_sweep.timing.statistics import interquartile_range, median

_WIDTH, _HEIGHT = 1280, 720
_ALLOCATOR = "tuned"
_PROCESSES, _ROUNDS, _WARM_UP_CALLS = 3, 5, 3
#: A run of which other work had more than this share of the cores says so.
_OTHERS_LIMIT = 0.05
_EAGER = {"_target_": "enhance_sweep.timing.runtimes.eager.Eager"}


class ExportedFile:
    """A file as a runtime of the timing room. The network that it is given is only that file's, and not looked at."""

    def __init__(self, format: str, precision: str, file: str) -> None:
        self.format, self.precision, self.file = format, precision, file

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        """See `enhance_sweep.timing.runtimes.Runtime.prepare`."""
        run = format_of(self.format, self.precision).open(Path(self.file), self.precision, threads)
        return Prepared(lambda: run(photograph), lambda result: result)


def time_beside_eager(model: Mapping[str, Any], format: str, precision: str, file: Path) -> dict[str, Any]:
    """Time a file on one photograph of 1280x720, in fresh processes, each round beside eager fp32 in another.

    Args:
        model: the network's configuration, with its `_target_`.
        format: of the file.
        precision: of the file.
        file: the file.

    Returns:
        What an export's record says of its speed: `latency_ms_median` and `latency_ms_iqr`, `eager_latency_ms_median`,
        `peak_rss_mib`, `flags` that speak against it, and `samples`, whose baseline is the same network in eager fp32.
    """
    threads = usable_cores()
    cores = host.cores_to_pin(threads)
    job = {"model": dict(model), "layout": "channels_last", "threads": threads, "seed": 0, "photograph": None}
    job |= {"width": _WIDTH, "height": _HEIGHT, "precision": "fp32"}
    runtime = {"_target_": f"{__name__}.{ExportedFile.__name__}", "format": format, "precision": precision}
    processes: list[list[dict[str, float]]] = []
    peaks_mib: list[float] = []
    others: list[float] = []
    with host_lock():
        for number in range(_PROCESSES):
            with ExitStack() as stack:
                ours, eager = (stack.enter_context(Worker(threads, cores, _ALLOCATOR)) for _ in range(2))
                ours.ask("load", **job, runtime=runtime | {"file": str(file.resolve())})
                eager.ask("load", **job, runtime=_EAGER)
                peaks_mib.append(ours.ask("call", memory=True)["memory"]["peak_rss_mib"])
                for worker in (ours, eager):
                    for _ in range(_WARM_UP_CALLS):
                        worker.ask("call", memory=False)
                rounds = []
                for one in range(_ROUNDS):
                    before = snapshot(cores)
                    order = (ours, eager) if (number + one) % 2 else (eager, ours)
                    calls = {id(worker): worker.ask("call", memory=False) for worker in order}
                    mine, beside = calls[id(ours)], calls[id(eager)]
                    others.append(between(before, snapshot(cores), mine["cpu_s"] + beside["cpu_s"]).others_share)
                    rounds.append({"latency_ms": mine["latency_ms"], "baseline_latency_ms": beside["latency_ms"]})
                processes.append(rounds)
    every = [one for rounds in processes for one in rounds]
    busy = median(others)
    return {
        "latency_ms_median": median([one["latency_ms"] for one in every]),
        "latency_ms_iqr": interquartile_range([one["latency_ms"] for one in every]),
        "eager_latency_ms_median": median([one["baseline_latency_ms"] for one in every]),
        "peak_rss_mib": max(peaks_mib),
        "flags": [f"other work took {busy:.0%} of the measured cores"] if busy > _OTHERS_LIMIT else [],
        "samples": {"processes": [{"rounds": rounds} for rounds in processes]},
    }


def measurement_of(format: str, precision: str) -> dict[str, Any]:
    """How a file is timed here, as a timed record says it."""
    return {
        "runtime": format,
        "precision": precision,
        "size": [_WIDTH, _HEIGHT],
        "threads": usable_cores(),
        "allocator": _ALLOCATOR,
        "host": host.host_id(host.fingerprint()),
    }


def model_of(generator_file: Path) -> dict[str, Any]:
    """The configuration of the network in a `generator.pt`."""
    return dict(torch.load(generator_file, map_location="cpu", weights_only=True)["model"])
