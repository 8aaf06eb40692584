"""Searches side by side: the hypervolume over log2 of the speed-up, by training steps spent.

    python benchmarks/compare_searches.py --runs runs/wide runs/random --records reports/dped-sample/records

Each folder of `--runs` holds one search with `search.speed=speed_up`, such as `sweeps=wide`, once with its own sampler
and once with `search/sampler=random`. Its trials are read in order; a network counts with its last quality on the
validation pairs from the cohort that has trained it on. `--records` adds folders of ordinary runs, such as the paper's
24 networks, with all their networks and steps. All share one zero, the untouched input's quality.
"""

import argparse
from pathlib import Path

import optuna
import pandas as pd

from enhance_sweep.frontier import log_hypervolume
from enhance_sweep.records import load_records
from enhance_sweep.records.store import timed_records, trained_records
from enhance_sweep.search.store import JOURNAL_FILE
from enhance_sweep.stats.speed_up import speed_up

SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)


def of_search(runs_dir: Path) -> pd.DataFrame:
    """A row for each trained network, in the order of trials: name, family, speed-up, quality, steps."""
    backend = optuna.storages.journal.JournalFileBackend(str(runs_dir / JOURNAL_FILE))
    storage = optuna.storages.JournalStorage(backend)
    names = optuna.get_all_study_names(storage)
    if len(names) != 1:
        raise SystemExit(f"{runs_dir}: expected one search, found {len(names)}")
    rows = []
    for trial in optuna.load_study(study_name=names[0], storage=storage).get_trials():
        about = trial.user_attrs
        if trial.state == optuna.trial.TrialState.COMPLETE and "same_as" not in about:
            if "speed_up" not in about:
                raise SystemExit(f"{runs_dir}: expected a search with search.speed=speed_up")
            rows.append(
                {
                    "name": about["name"],
                    "family": about.get("family"),
                    "speed_up": about["speed_up"],
                    "ms_ssim": trial.values[1],
                    "steps": about["steps"],
                }
            )
    return pd.DataFrame(rows, columns=["name", "family", "speed_up", "ms_ssim", "steps"])


def of_records(runs_dir: Path) -> pd.DataFrame:
    """The same of ordinary runs whose timings are paired; of several seeds the first."""
    ratios = {}
    for record in timed_records(runs_dir):
        ratio = speed_up(record.samples, resamples=1)
        if ratio is not None and record.measurement.runtime == "eager" and record.measurement.precision == "fp32":
            ratios[record.architecture_key] = ratio.median
    table = load_records(runs_dir, measurement=None).drop_duplicates("architecture_key")
    table = table.assign(speed_up=table["architecture_key"].map(ratios)).dropna(subset=["speed_up"])
    columns = {"architecture_key": "name", "topology": "family", "validation_ms_ssim": "ms_ssim"}
    found = table[[*columns, "speed_up", "steps"]].rename(columns=columns)
    return found.dropna(subset=["ms_ssim"])


def untouched_of(folders: list[Path]) -> float:
    """The untouched validation pairs' MS-SSIM: the best before a first step, of networks that start as the identity."""
    starts = [
        float(record.quality[0].ms_ssim or 0)
        for folder in folders
        for record in trained_records(folder)
        if record.learned_from.start == "identity" and record.quality and record.quality[0].step == 0
    ]
    if not starts:
        raise SystemExit("no network of these folders has started as the identity: nothing says what the zero is")
    return max(starts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="folders of searches")
    parser.add_argument("--records", type=Path, nargs="*", default=[], help="folders of ordinary runs")
    options = parser.parse_args()
    untouched = untouched_of([*options.runs, *options.records])
    tables = {str(folder): of_search(folder) for folder in options.runs}
    tables |= {str(folder): of_records(folder) for folder in options.records}
    rows = []
    for name, table in tables.items():
        spent = table["steps"].cumsum()
        row = {"folder": name, "networks": len(table), "steps": int(table["steps"].sum())}
        for share in SHARES:
            row[f"{share:.0%}"] = round(log_hypervolume(table[spent <= share * row["steps"]], untouched), 4)
        rows.append(row)
    print(f"MS-SSIM above {untouched:.4f} on the validation pairs, over log2 of the speed-up from 1; by steps spent")
    print(pd.DataFrame(rows).to_string(index=False))
    for name, table in tables.items():
        print(f"{name}: {', '.join(f'{family} {count}' for family, count in table['family'].value_counts().items())}")


if __name__ == "__main__":
    main()
