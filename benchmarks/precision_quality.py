"""Whether training in bf16 ends as well as in fp32: the same seeds, a paired test.

    python benchmarks/precision_quality.py [OVERRIDE ...]

Trains a network (strided 3-4/16 unless overridden as in `python -m enhance_sweep`) with five seeds in each precision,
and prints the final MS-SSIM of each and the one-sided test that bf16 is not worse by 0.002 or more.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

from enhance_sweep.config import compose_settings
from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.records.store import trained_records
from enhance_sweep.sweep.variant import run_variant
from enhance_sweep.system.environment import cpu_model, prepare_process

SEEDS, MARGIN = range(5), 0.002
NETWORK = ["model=strided", "model.strided_kernel_size=4", "model.channels=16"]


def main() -> None:
    overrides = sys.argv[1:]
    network = [] if any(given.startswith("model=") for given in overrides) else NETWORK
    scores: dict[str, list[tuple[int, float]]] = {"fp32": [], "bf16": []}
    with tempfile.TemporaryDirectory() as runs:
        for seed in SEEDS:
            for precision in scores:
                of_run = [f"seed={seed}", f"trainer.precision={precision}", f"runs_dir={runs}"]
                settings = compose_settings([*network, *overrides, *of_run, "stages=[train,evaluate]"])
                run_variant(settings)
        for record in trained_records(Path(runs)):
            learned = record.learned_from
            scores[learned.precision].append((learned.seed, record.scores.ms_ssim))
    by_seed = {precision: dict(pairs) for precision, pairs in scores.items()}
    slug = architecture_slug(record.architecture)
    print(f"{cpu_model()}; {slug}, {learned['dataset']}, loss {learned['loss']}, {settings.trainer.max_steps} steps")
    for seed in SEEDS:
        print(f"seed {seed}: " + ", ".join(f"{precision} {found[seed]:.5f}" for precision, found in by_seed.items()))
    difference = np.array([by_seed["bf16"][seed] - by_seed["fp32"][seed] for seed in SEEDS])
    test = stats.ttest_1samp(difference, -MARGIN, alternative="greater")
    print(
        f"bf16 - fp32: mean {difference.mean():+.5f}, standard deviation {difference.std(ddof=1):.5f}; "
        f"p = {test.pvalue:.2g} that it is worse by {MARGIN} or more"
    )


if __name__ == "__main__":
    prepare_process()
    main()
