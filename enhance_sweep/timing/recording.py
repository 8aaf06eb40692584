"""Make timed records (see `enhance_sweep.records`)."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from msgspec import convert

from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.records.flags import UNSETTLED
from enhance_sweep.records.keys import architecture_key, architecture_of, measured_key
from enhance_sweep.records.schema import (
    SCHEMA,
    Check,
    Description,
    Environment,
    Interval,
    Measurement,
    Samples,
    TimedRecord,
)
from enhance_sweep.settings import TimingSettings
from enhance_sweep.stats.roof import roof_of
from enhance_sweep.stats.speed_up import Ratio, disturbances
from enhance_sweep.system.clock import now
from enhance_sweep.system.environment import describe_environment, installed_versions
from enhance_sweep.system.waiting import DEFAULT, as_the_user_set, wait_policy
from enhance_sweep.timing import host
from enhance_sweep.timing.photograph import fingerprint_of
from enhance_sweep.timing.statistics import interquartile_range, median
from enhance_sweep.timing.subject import JsonObject, Subject

#: A speed-up is settled, and a run trusted, when its interval is this narrow on either side.
SETTLED = 0.02

_RUNTIME_PACKAGES = ("torch", "onnx", "onnxruntime", "openvino")


def measurement_of(timing: TimingSettings, runtime: Mapping[str, Any]) -> JsonObject:
    """How this host measures with these settings; with the architecture it makes a `measured_key`.

    How threads wait is part of it only where the user has set it, a lowered network only where it is one, and the
    photograph only where it is not the installed one: so earlier keys stand.
    """
    waiting = timed_wait_policy()
    return {
        "runtime": runtime["name"],
        "precision": timing.precision,
        "layout": timing.layout,
        "size": [timing.width, timing.height],
        "threads": timing.used_threads,
        "allocator": timing.allocator,
        **({} if waiting == DEFAULT else {"wait_policy": waiting}),
        **({"lowered": True} if runtime.get("lowered") else {}),
        **({"photograph": fingerprint_of(timing.photograph)} if timing.photograph else {}),
        "host": host.host_id(host.fingerprint()),
    }


def timed_wait_policy() -> str:
    """How threads wait in the timed calls (`system.waiting.wait_policy`)."""
    return wait_policy(as_the_user_set(os.environ))


def record(
    subject: Subject,
    timing: TimingSettings,
    runtime: Mapping[str, Any],
    baseline_check: Ratio | None = None,
    arithmetic_limit: Mapping[str, float] | None = None,
) -> TimedRecord:
    """The timed record of a subject.

    `flags` says in words why it should not be trusted; empty means no known reason. Speed-ups are
    not stored: `enhance_sweep.stats.speed_up` computes them from `samples`, which hold every round.

    Args:
        subject: timed, or failed.
        timing: how it was measured.
        runtime: the runtime's configuration.
        baseline_check: the baseline against itself in the same run.
        arithmetic_limit: `fp32_gflops` of a large matrix product in the same run, `bf16_gflops` where measured, and
            `copy_gb_per_s`.
    """
    import torch

    from enhance_sweep.models.description import describe
    from enhance_sweep.timing.worker import build

    measurement, architecture, processes = measurement_of(timing, runtime), subject.architecture, subject.measured()
    with torch.device("meta"):
        description = convert(describe(build(dict(subject.model)), 720, 1280), Description)
    environment = describe_environment() | {
        "allocator": timing.allocator,
        "wait_policy": timed_wait_policy(),
        "timing": asdict(timing),
        "fingerprint": host.fingerprint(),
        "runtime_versions": installed_versions(_RUNTIME_PACKAGES),
    }
    return TimedRecord(
        schema=SCHEMA,
        key=measured_key(architecture, measurement),
        architecture_key=architecture_key(architecture),
        status="failed" if subject.failure else "completed",
        reason=subject.failure,
        architecture=architecture,
        description=description,
        measurement=convert(measurement, Measurement),
        **figures(subject),
        stopped=subject.stopped,
        flags=flags(subject, baseline_check),
        repeated_calls=sum(len(process.repeated_calls) for process in processes),
        disturbed_rounds=sum(bool(disturbances(one)) for process in processes for one in process.rounds),
        baseline=architecture_key(architecture_of(BASELINE)) if timing.paired else None,
        baseline_check=Interval(**baseline_check.as_json()) if baseline_check else None,
        arithmetic_limit=dict(arithmetic_limit) if arithmetic_limit else None,
        roof=roof_of(description, (timing.width, timing.height), timing.precision, arithmetic_limit),
        check=convert(subject.check, Check | None),
        samples=Samples(processes=processes),
        started_at=subject.started_at,
        finished_at=now(),
        environment=convert(environment, Environment),
    )


def flags(subject: Subject, baseline_check: Ratio | None) -> list[str]:
    """Why a timing should not be trusted, in words."""
    found = []
    if baseline_check is not None and not believable(baseline_check):
        found.append(
            f"the baseline against itself gave {baseline_check.median:.3f} "
            f"({baseline_check.low:.3f} to {baseline_check.high:.3f}), not 1.00 within {SETTLED:.0%}"
        )
    disturbed = [one for one in subject.rounds() if disturbances(one)]
    if disturbed:
        found.append(
            f"{len(disturbed)} of {len(subject.rounds())} rounds were disturbed: {disturbances(disturbed[0])[0]}"
        )
    cold = sum(not process["warm"] for process in subject.processes)
    if cold:
        found.append(f"{UNSETTLED} in {cold} of {len(subject.processes)} processes")
    return found


def believable(baseline_check: Ratio) -> bool:
    """Whether the baseline against itself gave 1.00, within a narrow interval."""
    return baseline_check.holds(1.0) and baseline_check.within(SETTLED)


def figures(subject: Subject) -> dict[str, Any]:
    """The medians that a table shows; empty where nothing was measured."""
    rounds = subject.rounds()
    if subject.failure or not rounds:
        return {}
    firsts = [process["first_call"] for process in subject.processes]
    latencies = [one.latency_ms for one in rounds]
    return {
        "latency_ms_median": median(latencies),
        "latency_ms_iqr": interquartile_range(latencies),
        "cpu_s_median": median([one.cpu_s or 0.0 for one in rounds]),
        "peak_rss_mib": median([first["memory"]["peak_rss_mib"] for first in firsts]),
        "peak_rss_delta_mib": median([first["memory"]["peak_rss_delta_mib"] for first in firsts]),
        "first_call_ms": median([first["latency_ms"] for first in firsts]),
    }
