"""What a sweep costs beside its stages: `python benchmarks/sweep_overhead.py [--keep FOLDER] [OVERRIDES]`.

Runs README's sweep of 12 variants in a process of its own, as a person does, and compares its wall time, from the
start of Python to its end, with the sum of what it says that each variant's training, scoring and timing took.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GRID = ["model.channels=16,32,64", "model.blocks=1,2,3,4"]
_STAGES = re.compile(r"(train|evaluate|time) (\d+\.\d) s")


def main() -> None:
    """Run the sweep and print the two sums and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keep", type=Path, help="a folder for the runs (default: a temporary one)")
    parser.add_argument("overrides", nargs="*", default=GRID, help=f"of the sweep (default: {' '.join(GRID)})")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        runs = options.keep or Path(temporary)
        clock = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "enhance_sweep", "-m", f"runs_dir={runs}", *options.overrides],
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        wall_s = time.monotonic() - clock
    if done.returncode:
        sys.exit(done.stderr)
    lines = [line for line in done.stderr.splitlines() if ": completed (did " in line]
    by_stage = {"train": 0.0, "evaluate": 0.0, "time": 0.0}
    for line in lines:
        for stage, seconds in _STAGES.findall(line):
            by_stage[stage] += float(seconds)
    stages_s = sum(by_stage.values())
    print(f"variants            {len(lines)}")
    for stage, seconds in by_stage.items():
        print(f"{stage:<10}          {seconds:.1f} s")
    print(f"all stages          {stages_s:.1f} s")
    print(f"wall time           {wall_s:.1f} s")
    print(f"beside the stages   {wall_s - stages_s:.1f} s, {100 * (wall_s / stages_s - 1):.1f}%")


if __name__ == "__main__":
    main()
