"""How long the report of thousands of networks takes.

    python benchmarks/report_of_many.py [COUNT]

Makes COUNT (10,000) records of trainings and timings, each a committed one of `reports/dped-sample` with another
architecture and other scores, runs `python -m enhance_sweep.report --no-pictures` on them three times, and prints the
seconds of each and the page's size.
"""

import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from enhance_sweep.records.keys import architecture_key, learned_key, measured_key
from enhance_sweep.records.store import SCORES_FILE, trained_dir, write_timed, write_trained
from enhance_sweep.system.environment import cpu_model, usable_cores

REPORTS = Path(__file__).parents[1] / "reports"
ROUNDS = 3


def committed(pattern: str) -> tuple[Path, dict[str, Any]]:
    path = sorted(REPORTS.glob(pattern))[0]
    return path, json.loads(path.read_text())


def make(runs: Path, count: int) -> None:
    of_training, trained = committed("dped-sample/records/trained/plain-k3-c16-b1-*/record.json")
    _, timed = committed("timing/records/timed/plain-k3-c16-b1-eager-fp32-*/*.json")
    _, baseline = committed("timing/records/timed/plain-k3-c64-b4-eager-fp32-*/*.json")
    write_timed(runs, baseline)
    random = np.random.default_rng(0)
    scores = pd.read_csv(of_training.parent / SCORES_FILE)
    sizes = itertools.product((1, 3, 5, 7, 9), range(4, 504, 2), range(1, 21))
    for _, (kernel_size, channels, blocks) in zip(range(count), sizes, strict=False):
        architecture = trained["architecture"] | {"kernel_size": kernel_size, "channels": channels, "blocks": blocks}
        gain = 0.02 * np.tanh(kernel_size * channels * blocks / 2000) + random.normal(0, 0.003)
        own = scores["ms_ssim"] + gain + random.normal(0, 0.004, len(scores))
        learned = trained | {
            "key": learned_key(architecture, trained["learned_from"]),
            "architecture_key": architecture_key(architecture),
            "architecture": architecture,
            "scores": trained["scores"] | {"ms_ssim": float(own.mean())},
        }
        write_trained(runs, learned)
        folder = trained_dir(runs, learned["key"])
        scores.assign(ms_ssim=own).to_csv(folder / SCORES_FILE, index=False, float_format="%.6f")
        slower = (1 + kernel_size**2 * channels**2 * blocks / 5e4) * random.lognormal(0, 0.1)
        measured = json.loads(json.dumps(timed))
        for process in measured["samples"]["processes"]:
            for one in process["rounds"]:
                one["latency_ms"] *= slower
        measured |= {
            "key": measured_key(architecture, timed["measurement"]),
            "architecture_key": learned["architecture_key"],
            "architecture": architecture,
            "latency_ms_median": timed["latency_ms_median"] * slower,
        }
        write_timed(runs, measured)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        runs, out = Path(folder) / "runs", Path(folder) / "report"
        make(runs, count)
        command = [sys.executable, "-m", "enhance_sweep.report", "--runs", str(runs), "--out", str(out)]
        print(f"{cpu_model()}, {usable_cores()} cores; {count:,} networks, trained and timed")
        for _ in range(ROUNDS):
            start = time.perf_counter()
            subprocess.run([*command, "--no-pictures"], check=True, stdout=subprocess.DEVNULL)
            seconds, mib = time.perf_counter() - start, (out / "index.html").stat().st_size / 2**20
            print(f"{seconds:.1f} s; the page has {mib:.1f} MiB")


if __name__ == "__main__":
    main()
