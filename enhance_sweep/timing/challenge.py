"""Timing as the PIRM 2018 challenge did it, for comparison with de Stoutz et al. 2018, Table 3.

One process enhances four 1280x720 photographs, one after the other. The first two calls are discarded and the others
averaged. Memory is the peak of the resident set during the call minus what was resident before it. There is no baseline
and no spread, so the result is no timed record and is kept apart.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import convert

from enhance_sweep.data.installed import installed_file
from enhance_sweep.records.keys import architecture_key, architecture_of
from enhance_sweep.records.schema import SCHEMA, Call, ChallengeRecord, Environment, Measurement
from enhance_sweep.settings import TimingSettings
from enhance_sweep.system.clock import now
from enhance_sweep.system.environment import describe_environment
from enhance_sweep.system.locks import host_lock
from enhance_sweep.timing.machine import Machine
from enhance_sweep.timing.photograph import INSTALLED
from enhance_sweep.timing.recording import measurement_of, timed_wait_policy

PHOTOGRAPHS, DISCARDED = 4, 2


def challenge(
    model: Mapping[str, Any],
    timing: TimingSettings,
    runtime: Mapping[str, Any],
    photographs: Sequence[str] = (),
    machine: Machine | None = None,
) -> ChallengeRecord:
    """Time one network by the challenge's rules.

    Args:
        model: a network's configuration.
        timing: threads, allocator, precision and layout; the challenge used the stock allocator.
        runtime: a runtime's configuration.
        photographs: four image files; by default four installed ones.
        machine: by default the real one.

    Returns:
        A record of kind `challenge`, with `latency_s_mean` and `memory_gib_mean` of the calls that count and all calls
        in `samples`.

    Raises:
        ValueError: not four photographs.
        TimingError: the network cannot be timed.
    """
    files = list(photographs) or [str(installed_file(place)) for place in INSTALLED]
    if len(files) != PHOTOGRAPHS:
        raise ValueError(
            f"the challenge takes {PHOTOGRAPHS} photographs, got {len(files)}: give none to use installed ones"
        )
    started_at, calls = now(), []
    job = {"model": dict(model), "runtime": dict(runtime), "width": 1280, "height": 720, "threads": timing.used_threads}
    job |= {"precision": timing.precision, "layout": timing.layout, "seed": timing.seed}
    with host_lock():
        worker = (machine or Machine.real(timing)).start_worker()
        with contextlib.closing(worker):
            for file in files:
                worker.ask("load", **job, photograph=file)
                calls.append(worker.ask("call", memory=True) | {"photograph": file.rpartition("/")[2]})
    counted = calls[DISCARDED:]
    environment = describe_environment() | {"allocator": timing.allocator, "wait_policy": timed_wait_policy()}
    architecture = architecture_of(model)
    return ChallengeRecord(
        schema=SCHEMA,
        architecture_key=architecture_key(architecture),
        architecture=architecture,
        measurement=convert(measurement_of(timing, runtime) | {"size": [1280, 720]}, Measurement),
        latency_s_mean=sum(call["latency_ms"] for call in counted) / len(counted) / 1e3,
        memory_gib_mean=sum(call["memory"]["peak_rss_delta_mib"] for call in counted) / len(counted) / 1024,
        samples=convert(calls, list[Call]),
        started_at=started_at,
        finished_at=now(),
        environment=convert(environment, Environment),
    )
