"""Two folders of runs of the same networks, before and after a change: what became of scores, seeds and decisions.

    python benchmarks/compare_runs.py BEFORE AFTER [--quality SCORE]

Prints a Markdown table with a row for each network that both have, and under it how far seeds differ and how many of
the comparisons with the baseline are decided.
"""

import argparse
from pathlib import Path

import pandas as pd

from enhance_sweep.measures import MEASURES
from enhance_sweep.report import gather
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.variants import in_order
from enhance_sweep.stats.paired_scores import UNDECIDED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--quality", choices=MEASURES, default="ms_ssim")
    given = parser.parse_args()
    before, after = (gather(folder, code="all", quality=given.quality) for folder in (given.before, given.after))
    measure = before.quality
    names = list(dict.fromkeys([measure.name, "psnr_db", "chroma_ratio"]))
    tables = [
        in_order(results.scored).drop_duplicates("label").set_index("label")[names].add_suffix(f" {when}")
        for when, results in (("before", before), ("after", after))
    ]
    both = tables[0].join(tables[1], how="inner")
    titles = {measure.name: measure.label, "psnr_db": "PSNR, dB", "chroma_ratio": "chroma ratio"}
    digits = {measure.name: measure.digits, "psnr_db": 2, "chroma_ratio": 2}
    print("| network | " + " | ".join(f"{titles[name]}, before | after" for name in names) + " |")
    print("| --- |" + " ---: |" * 2 * len(names))
    for label, row in both.iterrows():
        cells = [_text(row[f"{name} {when}"], digits[name]) for name in names for when in ("before", "after")]
        print(f"| {label} | {' | '.join(cells)} |")
    for when, results in (("before", before), ("after", after)):
        print(f"\n{when}: {_spread(results)}; {_decided(results)}; best {_best(results)}")


def _text(value: float, digits: int) -> str:
    return "" if pd.isna(value) else f"{value:.{digits}f}"


def _spread(results: Results) -> str:
    paired = results.evidence.quality
    if paired.seed_deviation is None:
        return "no network has several seeds"
    spread = f"{paired.seed_deviation:.{results.quality.digits + 1}f}"
    return f"a seed changes {results.quality.label} by {spread} ({paired.seed_freedom} degrees of freedom)"


def _decided(results: Results) -> str:
    decisions = results.variants["vs_baseline_decision"].dropna()
    counts = decisions.value_counts()
    named = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{int((decisions != UNDECIDED).sum())} of {len(decisions)} comparisons are decided ({named})"


def _best(results: Results) -> str:
    measure = results.quality
    best = results.scored.sort_values(measure.name, ascending=not measure.higher_is_better).iloc[0]
    return f"{best['label']}, {best[measure.name]:.{measure.digits}f}"


if __name__ == "__main__":
    main()
