"""Tables, figures and the page, made from records alone.

`gather` reads a folder of runs, `write_report` makes the report's folder of it. The command is
`python -m enhance_sweep.report`.
"""

import re
from pathlib import Path

from enhance_sweep.report.results.gather import Results, gather
from enhance_sweep.report.results.select import ReportError

__all__ = ["ReportError", "Results", "default_out", "gather", "write_report"]


def default_out(results: Results) -> Path:
    """`reports/<data set>`, with the loss where the runs hold several; `reports/timing` where nothing is trained."""
    name = results.dataset or "timing"
    if results.one_of_several_losses:
        name += f"-{results.loss}"
    return Path("reports") / (re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip(".") or "report")


def write_report(results: Results, out: Path | None = None, pictures: bool = True) -> Path:
    """Write the report of `results` into a folder, whole or not at all.

    Args:
        results: what `gather` found.
        out: the folder, made where it is missing; `default_out` unless given.
        pictures: with figure files and photographs.

    Returns:
        The path of the page.

    Raises:
        ReportError: the folder cannot be written.
    """
    from enhance_sweep.report.page.output import write_files
    from enhance_sweep.report.page.page import render

    return write_files(default_out(results) if out is None else out, render(results, pictures))
