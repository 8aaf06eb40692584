"""How well the cost model predicts networks, and families, that it has not seen.

    python benchmarks/cost_model.py --runs reports/dped-sample/records runs

Takes the timings of each folder under its most common measurement, described anew (older records lack what runs outside
of layers), and prints the model's coefficients and its errors: each network left out, and each family left out.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch

from enhance_sweep.config import CONF_DIR, build, compose_config, resolved
from enhance_sweep.models.description import describe
from enhance_sweep.records.schema import Description, TimedRecord
from enhance_sweep.records.store import timed_records
from enhance_sweep.stats.cost_model import CostModel, Predictor, left_out_errors


def newest(runs_dir: Path) -> list[TimedRecord]:
    """The newest timing of each network under the measurement that most have; paired ones before quick ones."""
    completed = [record for record in timed_records(runs_dir) if record.status == "completed"]
    if not completed:
        raise SystemExit(f"{runs_dir} has no timings")
    measurement, _ = Counter(map(repr, (record.measurement for record in completed))).most_common(1)[0]
    ours = [record for record in completed if repr(record.measurement) == measurement]
    ours.sort(key=lambda record: (bool(record.baseline), record.finished_at or ""))
    return list({record.architecture_key: record for record in ours}.values())


def described(record: TimedRecord) -> Description:
    topology = record.architecture["topology"]
    if not (CONF_DIR / "model" / f"{topology}.yaml").is_file():
        raise SystemExit(f"{topology}: no conf/model/{topology}.yaml says what it is made of")
    own = {name: value for name, value in record.architecture.items() if name != "topology"}
    with torch.device("meta"):
        generator = build(resolved(compose_config([f"model={topology}"]), "model") | own, "model")
        return msgspec.convert(describe(generator), Description)


def spread(errors: Sequence[float]) -> str:
    absolute = np.abs(errors)
    return (
        f"median {np.median(absolute):.1%}, nine of ten within {np.quantile(absolute, 0.9):.1%}, "
        f"within 15%: {np.mean(absolute <= 0.15):.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="folders of runs with timings")
    for runs_dir in parser.parse_args().runs:
        records = newest(runs_dir)
        descriptions = [described(record) for record in records]
        latencies_ms = [float(record.latency_ms_median or 0) for record in records]
        families = [str(record.architecture["topology"]) for record in records]
        model = CostModel.fit(descriptions, latencies_ms)
        print(f"{runs_dir}: {len(records)} networks, {min(latencies_ms):.0f} to {max(latencies_ms):.0f} ms")
        print("  " + ", ".join(f"{name} {value:.3g}" for name, value in vars(model).items()))
        print(f"  each network left out: {spread(left_out_errors(descriptions, latencies_ms))}")
        if len(set(families)) > 1:
            errors = left_out_errors(descriptions, latencies_ms, families)
            print(f"  each family left out:  {spread(errors)}")
            for family in sorted(set(families)):
                of_it = [error for error, one in zip(errors, families, strict=True) if one == family]
                print(f"    {family}: {np.median(of_it):+.1%} ({len(of_it)} networks, {spread(of_it)})")
            predictor = Predictor.fit(descriptions, latencies_ms, families)
            print(
                f"  intervals: {predictor.known_error:.0%} for known families, {predictor.unknown_error:.0%} for others"
            )


if __name__ == "__main__":
    main()
