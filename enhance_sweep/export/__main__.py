"""`python -m enhance_sweep.export --run KEY|best --format onnx`: a trained network as a file for another runtime."""

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from enhance_sweep.measures import MEASURES
from enhance_sweep.system.environment import prepare_process
from enhance_sweep.version import VERSION_LINE

if TYPE_CHECKING:
    from enhance_sweep.records.schema import ExportRecord


def main(arguments: Sequence[str] | None = None) -> int:
    """Export a network and print the figures; returns 1 if an export failed, 2 if there is no run."""
    if arguments is None:
        prepare_process()  # before torch is imported
    options = _options(arguments)

    from hydra.errors import HydraException

    from enhance_sweep.config import ConfigError
    from enhance_sweep.data.pairs import DataError
    from enhance_sweep.export.exporting import export_run
    from enhance_sweep.records.choosing import choose_run
    from enhance_sweep.records.store import exports_dir, read_record
    from enhance_sweep.timing.process import TimingError

    try:
        run_dir = choose_run(options.runs, options.run, options.max_latency_ms, quality=options.quality)
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    out = options.out or exports_dir(options.runs)
    print(f"network: {run_dir.name}", file=sys.stderr)
    possible, failed = _possible(options)
    for format, precision in possible:
        try:
            folder = export_run(
                run_dir, format, precision, out, options.data, not options.no_timing, lowered=options.lowered == "true"
            )
        except (ValueError, ConfigError, DataError, TimingError, HydraException, OSError, MemoryError) as error:
            failed = True
            print(f"error: {format} {precision}: {error}", file=sys.stderr)
            continue
        print(_summary(read_record(folder / "export.json", "export")))
        print(folder)
    return 1 if failed else 0


def _possible(options: argparse.Namespace) -> tuple[list[tuple[str, str]], bool]:
    """The formats and precisions asked for, without those that do not go together, and whether there are such.

    They are named before anything is exported, which takes minutes.
    """
    from enhance_sweep.export.formats import ExportError, format_of

    possible = []
    for format, precision in itertools.product(options.format, options.precision):
        try:
            format_of(format, precision)
            possible.append((format, precision))
        except ExportError as error:
            print(f"error: {format} {precision}: {error}", file=sys.stderr)
    return possible, len(possible) < len(options.format) * len(options.precision)


def _summary(record: "ExportRecord") -> str:
    from enhance_sweep.stats.speed_up import speed_up

    scores, check = record.scores, record.check
    text = f"{record.format} {record.precision}: {record.bytes / 1024:,.0f} KiB"
    if scores.ms_ssim is not None and scores.intervals is not None:
        change = scores.intervals["ms_ssim_over_eager"].mean
        text += f", MS-SSIM {scores.ms_ssim:.4f} ({change:+.4f} to eager), PSNR {scores.psnr_db:.2f} dB"
    if check is not None:
        text += f", {'the same as' if check.psnr_db is None else format_db(check.psnr_db)} eager on photographs"
    ratio = speed_up(record.samples)
    if ratio:
        text += f", {record.latency_ms_median:.0f} ms, {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) times "
        text += "eager's speed"
    return text + "".join(f"; {flag}" for flag in record.flags)


def format_db(value: float) -> str:
    """A PSNR in words."""
    return f"{value:.1f} dB to"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options; overrides may stand anywhere, even after a list of formats."""
    from enhance_sweep.export.formats import FORMATS, PRECISIONS

    parser = _parser()
    options = parser.parse_args(arguments)
    for name, known in (("format", FORMATS), ("precision", PRECISIONS)):
        values = getattr(options, name)
        options.data += [value for value in values if "=" in value]
        setattr(options, name, [value for value in values if "=" not in value])
        for value in getattr(options, name):
            if value not in known:
                parser.error(f"--{name}: expected some of {', '.join(known)}, got {value!r}")
    return options


def _parser() -> argparse.ArgumentParser:
    from enhance_sweep.export.formats import FORMATS, PRECISIONS

    parser = argparse.ArgumentParser(
        prog="python -m enhance_sweep.export",
        description="Write a trained network for another runtime, with a dynamic height and width; compare it with "
        "eager on real photographs, time both, and write figures (export.json) and a model card (README.md) beside the "
        "file. The report shows the exports in the folder of runs.",
    )
    parser.add_argument("--version", action="version", version=VERSION_LINE)
    add = parser.add_argument
    add("data", nargs="*", metavar="OVERRIDE", help="the run's data if it is not in the cache: data=dped data.root=DIR")
    add("--run", default="best", metavar="KEY", help="a variant's key, or best (highest MS-SSIM)")
    add("--runs", default=Path("runs"), type=Path, metavar="DIR", help="folder of runs (runs)")
    add("--max-latency-ms", type=float, metavar="MS", help="best among networks this fast at 1280x720")
    add("--quality", choices=MEASURES, default="ms_ssim", help="the score that makes it the best (default: ms_ssim)")
    add("--format", nargs="+", required=True, metavar="FORMAT", help=f"one or more of {', '.join(FORMATS)}")
    add("--precision", nargs="+", default=["fp32"], help=f"one or more of {', '.join(PRECISIONS)} (fp32)")
    add("--out", type=Path, metavar="DIR", help="folder of exports (<runs>/exports)")
    add(
        "--lowered",
        default="true",
        choices=("true", "false"),
        help="write it rearranged for speed where the format takes that, with the same result (true)",
    )
    add("--no-timing", action="store_true", help="do not measure its speed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
