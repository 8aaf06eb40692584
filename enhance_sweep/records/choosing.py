"""Which of a folder's networks: one by its key, or the best on the frontier."""

from pathlib import Path

import pandas as pd

from enhance_sweep.frontier import pareto_front
from enhance_sweep.measures import CHROMA_RATIO_LIMITS, higher_is_better
from enhance_sweep.records import load_records
from enhance_sweep.records.frame import DEFAULT_MEASUREMENT
from enhance_sweep.records.store import trained_dir

BEST = "best"


def choose_run(
    runs: Path,
    run: str,
    max_latency_ms: float | None,
    runtime: str = "eager",
    precision: str = "fp32",
    quality: str = "ms_ssim",
) -> Path:
    """The folder of a variant by its key, or of the best on the frontier by a measure, among those fast enough.

    Which is the best is decided on the validation pairs, where all networks have scores there.

    The first parts of a key will do where no other begins with them: `strided-k3-s4-c16-b2`.

    Raises:
        FileNotFoundError: no such folder of runs.
        ValueError: no such variant, or several; or several data sets, whose scores do not compare.
    """
    if run == BEST:
        return trained_dir(runs, str(frontier_runs(runs, max_latency_ms, runtime, precision, quality)["key"].iloc[-1]))
    frame = _completed(runs, runtime, precision)
    keys = list(dict.fromkeys(map(str, frame["key"])))
    found = [key for key in keys if key == run] or [key for key in keys if key.startswith(f"{run}-")]
    if len(found) != 1:
        problem = f"several variants begin with {run!r}" if found else f"no completed variant {run!r}"
        raise ValueError(f"--run: {problem} in {runs}; there are: {', '.join(found or keys)}")
    return trained_dir(runs, found[0])


def frontier_runs(
    runs: Path,
    max_latency_ms: float | None = None,
    runtime: str = "eager",
    precision: str = "fp32",
    quality: str = "ms_ssim",
) -> pd.DataFrame:
    """The rows of `load_records` on the frontier, the best by a measure last, and among them those fast enough.

    The scores are those on the validation pairs; those on the test pairs if some network has no other. Where nothing
    was timed in this runtime and precision, and no latency is asked for, all scored networks. Networks with too little
    or too much color (`enhance_sweep.measures`) are left out unless there are no others.

    Raises:
        FileNotFoundError: no such folder of runs.
        ValueError: there are none, or of several data sets, whose scores do not compare.
    """
    frame = _completed(runs, runtime, precision)
    if len(frame) and frame[quality].isna().all():
        raise ValueError(
            f"--quality {quality}: no network in {runs} has this score: run the sweep again with stages=[evaluate], "
            "which trains nothing"
        )
    frame = frame.dropna(subset=[quality])
    if "data_fingerprint" in frame and len(set(frame["data_fingerprint"])) > 1:
        names = ", ".join(sorted(set(frame["dataset"])))
        raise ValueError(f"--run best: scores in {runs} are of different data ({names}): name a network")
    frame = _in_color(frame)
    on_validation = f"validation_{quality}"
    chosen_by = on_validation if on_validation in frame and frame[on_validation].notna().all() else quality
    front = pareto_front(frame, quality=chosen_by)
    if max_latency_ms is not None:
        front = front[front["latency_ms_median"] <= max_latency_ms]
    elif front.empty:
        front = frame
    if front.empty:
        limit = "" if max_latency_ms is None else f" of at most {max_latency_ms:g} ms"
        raise ValueError(f"--run best: no scored variant{limit} in {runs} (in {runtime} {precision})")
    return front.sort_values(chosen_by, ascending=higher_is_better(chosen_by), kind="stable")


def _in_color(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows whose networks keep the color of the targets, or whose color is not known; all if there are none."""
    if "chroma_ratio" not in frame:  # of older records, or none
        return frame
    low, high = CHROMA_RATIO_LIMITS
    ratio = frame["chroma_ratio"].astype("float64")
    kept = frame[ratio.isna() | ratio.between(low, high)]
    return kept if len(kept) else frame


def _completed(runs: Path, runtime: str, precision: str) -> pd.DataFrame:
    frame = load_records(runs, {**DEFAULT_MEASUREMENT, "runtime": runtime, "precision": precision})
    return frame[frame["status"] == "completed"]
