"""Do two timing runs agree, and is a run beside other work found out? Three runs of the same five networks.

    python benchmarks/timing_repeatability.py --out FOLDER    # two runs on a quiet host, one with a busy core
    python benchmarks/timing_repeatability.py --read FOLDER   # what such runs showed, from their records

The busy run has a process beside it that keeps one core busy. For comparison, the naive way from the same runs' raw
samples: the best of three calls of one process of the network, over the best of three calls of one process of the
baseline that was timed by itself before.
"""

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.records.keys import architecture_of, architecture_slug
from enhance_sweep.records.schema import TimedRecord
from enhance_sweep.records.store import timed_records, write_timed
from enhance_sweep.settings import TimingSettings
from enhance_sweep.stats.speed_up import speed_up
from enhance_sweep.timing import variants
from enhance_sweep.timing.protocol import time_variants

NETWORKS = ["model=plain model.channels=16 model.blocks=1,4", "model=plain model.channels=32 model.blocks=2"]
NETWORKS += ["model=strided model.strided_kernel_size=3,4 model.channels=16"]
RUNS = {"quiet-1": False, "quiet-2": False, "busy": True}
NAIVE_CALLS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="FOLDER", help="measure, and leave the records here")
    where.add_argument("--read", type=Path, metavar="FOLDER", help="measure nothing")
    parser.add_argument(
        "--budget", type=float, default=60.0, metavar="S", help="seconds for each network (default: 60)"
    )
    options = parser.parse_args()
    if options.out:
        measure(options.out, options.budget)
    show(options.out or options.read)


def measure(out: Path, budget_s: float) -> None:
    """The three runs."""
    models = [dict(BASELINE)]
    for overrides in NETWORKS:
        models += variants.of_overrides(overrides.split())
    for run, is_busy in RUNS.items():
        print(f"--- {run}", flush=True)
        with busy_core() if is_busy else contextlib.nullcontext():
            time_variants(
                models,
                TimingSettings(budget_s=budget_s),
                variants.runtime("eager"),
                tell=lambda line: print(line, flush=True),
                done=lambda record, run=run: write_timed(out / run, record),  # type: ignore[misc]
            )


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Something else computes on the first core meanwhile."""
    core = min(os.sched_getaffinity(0))
    process = subprocess.Popen(
        [sys.executable, "-c", f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"]
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def show(folder: Path) -> None:
    """The runs beside each other."""
    runs = {run: {architecture_slug(r.architecture): r for r in timed_records(folder / run)} for run in RUNS}
    baseline = architecture_slug(architecture_of(BASELINE))
    rows = []
    for network in [name for name in runs["quiet-1"] if name != baseline]:
        row: dict[str, Any] = {"network": network}
        for run, records in runs.items():
            ratio = speed_up(records[network].samples)
            assert ratio is not None
            row[run] = f"{ratio.median:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
            row[f"{run} naive"] = naive(records[network], records[baseline])
        quiet = [speed_up(runs[run][network].samples).median for run, busy in RUNS.items() if not busy]  # type: ignore[union-attr]
        naively = [row[f"{run} naive"] for run, busy in RUNS.items() if not busy]
        row["quiet runs differ"] = f"{max(quiet) / min(quiet) - 1:.1%}"
        row["naive ones differ"] = f"{max(naively) / min(naively) - 1:.1%}"
        rows.append(row)
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))
    for run, records in runs.items():
        flags = list(dict.fromkeys(flag for record in records.values() for flag in record.flags))
        check = next(iter(records.values())).baseline_check
        print(f"{run}: the baseline against itself {check.median:.3f} ({check.low:.3f} to {check.high:.3f})")
        print(f"    {sum(bool(record.flags) for record in records.values())} of {len(records)} records flagged")
        for flag in flags:
            print(f"    {flag}")


def naive(record: TimedRecord, baseline: TimedRecord) -> float:
    """The speed-up by the best of three calls each, in one process each, not beside each other."""
    best = [
        min(one.latency_ms for one in timed.samples.processes[0].rounds[:NAIVE_CALLS]) for timed in (baseline, record)
    ]
    return float(best[0] / best[1])


if __name__ == "__main__":
    main()
