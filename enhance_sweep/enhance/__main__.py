"""`python -m enhance_sweep.enhance PHOTO... --run KEY|best --out DIR`: photographs through a trained variant."""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from enhance_sweep.measures import MEASURES
from enhance_sweep.settings import PRECISIONS
from enhance_sweep.system.environment import prepare_process
from enhance_sweep.version import VERSION_LINE

if TYPE_CHECKING:
    from enhance_sweep.enhance import Enhancer
    from enhance_sweep.enhance.finding import Failure, Task

_OVERRIDE = re.compile(r"model(\.\w+)?=")
_SIZES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
#: For everything but photographs: threads, libraries' buffers, what the allocator cannot give back (measured).
_SPARE_MIB = 160
#: Below this nothing but small pictures would fit.
_LEAST_MIB = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Enhance every photograph that can be read. Ctrl-C finishes those in progress; a second Ctrl-C does not wait.

    Returns:
        1 if any photograph failed, 2 if there is no network or an option is wrong, 130 if Ctrl-C ended it.
    """
    if arguments is None:
        prepare_process()  # before torch is imported
    options = _options(arguments)

    from tqdm import tqdm

    from enhance_sweep.enhance.batch import enhance_files
    from enhance_sweep.enhance.finding import find, printable

    try:
        out = None if options.in_place else options.out
        enhancer, name = _enhancer(options)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 2
    print(f"network: {printable(name)}", file=sys.stderr)
    tasks, failures = find(options.photos, out)
    done, start = 0, time.monotonic()
    interrupted = False
    failed: dict[Task, Failure] = {}
    with tqdm(total=len(tasks), unit="photo", disable=None, smoothing=0.1) as bar:
        try:
            for task, failure in enhance_files(enhancer, tasks, options.before_after):
                bar.update()
                done += failure is None
                if failure:
                    failed[task] = failure
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        print("interrupted: every result that was written is complete", file=sys.stderr, flush=True)
        os._exit(130)  # a second Ctrl-C leaves threads behind, which the interpreter would wait for
    failures += [failed[task] for task in tasks if task in failed]
    _say(failures, done, time.monotonic() - start, out)
    return 1 if failures else 0


def memory_size(text: str) -> int:
    """Bytes from `2GiB`, `1500M`, `800 MB`: letters stand for powers of 1024; a number alone is bytes.

    Raises:
        ValueError: the text is not a size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?\s*", text, re.IGNORECASE)
    if not match:
        raise ValueError(f"--max-memory: expected a size such as 2GiB or 1500MiB, got {text!r}")
    return int(float(match[1]) * _SIZES[match[2].upper()])


def _enhancer(options: argparse.Namespace) -> "tuple[Enhancer, str]":
    """The enhancer asked for, with the memory of `--max-memory` that the program itself does not take."""
    import psutil

    from enhance_sweep.enhance import Enhancer
    from enhance_sweep.records.choosing import choose_run
    from enhance_sweep.weights.loading import load_network, load_weights

    bound = memory_size(options.max_memory)
    if options.weights:
        network, name = load_weights(options.weights, options.overrides), str(options.weights)
    else:
        chosen_by = (options.max_latency_ms, options.runtime, options.precision, options.quality)
        run_dir = choose_run(options.runs, options.run, *chosen_by)
        network, name = load_network(run_dir), run_dir.name
    is_lowered = options.lowered == "true"
    enhancer = Enhancer(network, options.runtime, options.precision, spill_dir=_spill_dir(options), lowered=is_lowered)
    enhancer.warm_up()
    own = psutil.Process().memory_info().rss // 2**20
    left = bound // 2**20 - own - _SPARE_MIB
    if left < _LEAST_MIB:
        raise ValueError(
            f"--max-memory: expected at least {own + _SPARE_MIB + _LEAST_MIB}MiB, of which the program itself takes "
            f"{own + _SPARE_MIB}, got {options.max_memory}"
        )
    enhancer.limit(left)
    return enhancer, name


def _spill_dir(options: argparse.Namespace) -> Path | None:
    """Beside the results, unless TMPDIR is set: the system's temporary folder may itself be in memory."""
    return None if options.in_place or os.environ.get("TMPDIR") else options.out


def _say(failures: "Sequence[Failure]", done: int, seconds: float, out: Path | None) -> None:
    from enhance_sweep.enhance.finding import printable

    for failure in failures:
        print(f"error: {printable(failure.name)}: {failure.reason}", file=sys.stderr)
    where = "enhanced in place" if out is None else f"in {printable(str(out))}"
    rate = f", {done / seconds:.2f} a second" if done else ""
    print(f"{done} of {done + len(failures)} photographs are {where} ({seconds:.1f} s{rate})")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    options.overrides = [text for text in options.photos if _OVERRIDE.match(text)]
    options.photos = [text for text in options.photos if not _OVERRIDE.match(text)]
    if not options.photos:
        parser.error("name at least one photograph, folder or pattern")
    if options.overrides and not options.weights:
        parser.error(f"{options.overrides[0]}: a run already says which network it is; overrides go with --weights")
    if options.in_place and options.before_after:
        parser.error("--before-after needs --out: comparisons do not belong among the photographs")
    return options


def _parser() -> argparse.ArgumentParser:
    from enhance_sweep.records.choosing import BEST
    from enhance_sweep.timing.variants import runtimes

    parser = argparse.ArgumentParser(
        prog="python -m enhance_sweep.enhance",
        description="Enhance photographs. Results keep their source's name, format, size, EXIF, color profile and "
        "transparency, and are turned upright. A failure does not stop the others, and is named at the end.",
    )
    parser.add_argument("--version", action="version", version=VERSION_LINE)
    add = parser.add_argument
    add("photos", nargs="*", metavar="PHOTO", help="JPEG, PNG, WebP or TIFF files, folders, or patterns")
    add("--run", default=BEST, metavar="KEY", help="a variant's key, or best: on the frontier, by MS-SSIM (best)")
    add("--runs", default=Path("runs"), type=Path, metavar="DIR", help="folder of runs (runs)")
    add("--max-latency-ms", type=float, metavar="MS", help="best among networks this fast at 1280x720")
    add("--quality", choices=MEASURES, default="ms_ssim", help="the score that makes it the best (default: ms_ssim)")
    add(
        "--weights",
        type=Path,
        metavar="FILE",
        help="weights of any origin, with overrides: model.blocks=4",
    )
    add("--out", default=Path("enhanced"), type=Path, metavar="DIR", help="where results go (enhanced)")
    add("--in-place", action="store_true", help="replace the photographs by their results")
    add("--before-after", action="store_true", help="also save a comparison of each photograph and its result")
    add(
        "--max-memory",
        default="2GiB",
        metavar="SIZE",
        help="limit for the whole program; the rest goes to the disk (2GiB)",
    )
    add("--runtime", default="eager", choices=runtimes(), help="all but eager take whole images only (eager)")
    add("--precision", default="fp32", choices=PRECISIONS, help="(fp32)")
    add(
        "--lowered", default="true", choices=("true", "false"), help="rearranged for speed, with the same result (true)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
