"""`python -m enhance_sweep.report`: the report of a folder of runs."""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from enhance_sweep.measures import MEASURES
from enhance_sweep.report import ReportError, gather, write_report
from enhance_sweep.version import VERSION_LINE


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report and print where its page is; if that fails, print why on stderr and return 1."""
    parser = argparse.ArgumentParser(
        prog="python -m enhance_sweep.report",
        description="Write tables, figures and a page from the records of runs: which network gives the most quality "
        "for the CPU time it costs. Needs no checkpoint and trains nothing.",
    )
    parser.add_argument("--version", action="version", version=VERSION_LINE)
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of runs (default: runs)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the report (default: reports/<data set>)")
    parser.add_argument("--data", metavar="NAME", help="the data set to report, where the runs hold several")
    parser.add_argument("--loss", metavar="NAME", help="the loss preset to report, where the runs hold several")
    parser.add_argument(
        "--code", metavar="DIGEST", help="the version of the code that trained, where there were several, or: all"
    )
    parser.add_argument(
        "--quality",
        choices=MEASURES,
        default="ms_ssim",
        help="the score that frontier, tests and headline go by (default: ms_ssim)",
    )
    parser.add_argument(
        "--no-pictures", action="store_true", help="no figure files and no photographs: faster, smaller"
    )
    options = parser.parse_args(arguments)
    gc.disable()  # records have no reference cycles, and looking for some would take a quarter of the time
    try:
        results = gather(options.runs, data=options.data, loss=options.loss, code=options.code, quality=options.quality)
        page = write_report(results, options.out, pictures=not options.no_pictures)
    except ReportError as error:
        print(error, file=sys.stderr)
        return 1
    from enhance_sweep.report.page.page import summary

    print(summary(results))
    print(page)
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # taking thousands of records apart first would take a third of a second
