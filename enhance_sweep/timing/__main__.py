"""`python -m enhance_sweep.timing`: how fast networks are on this host, trained or not."""

import argparse
import dataclasses
import itertools
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf

from enhance_sweep.config import ConfigError, compose_config
from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.records.schema import TimedRecord
from enhance_sweep.records.store import check_writable, write_challenge, write_timed
from enhance_sweep.settings import LAYOUTS, PRECISIONS, TimingSettings
from enhance_sweep.stats.speed_up import speed_up
from enhance_sweep.system.environment import ALLOCATORS
from enhance_sweep.timing import variants
from enhance_sweep.timing.challenge import PHOTOGRAPHS as CHALLENGE_PHOTOGRAPHS
from enhance_sweep.timing.challenge import challenge
from enhance_sweep.timing.photograph import photograph
from enhance_sweep.timing.process import TimingError
from enhance_sweep.timing.protocol import time_variants
from enhance_sweep.timing.recording import timed_wait_policy
from enhance_sweep.version import VERSION_LINE

#: The baseline holds a photograph's 64 channels several times over: no machine has memory for more pixels.
_MOST_PIXELS = 100_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Time the requested networks and write the records.

    Returns:
        1 if a network could not be timed, 2 for a wrong argument, 130 after Ctrl-C.
    """
    options = parser().parse_args(arguments)
    try:
        models = _models(options)
        measurements = list(_measurements(options))
        check_writable(options.runs)
    except (ConfigError, HydraException, ValueError, OSError) as error:
        # Hydra's search path, which follows the choices, does not help here.
        print(f"error: {str(error).partition('Config search path')[0].strip()}", file=sys.stderr)
        return 2
    failed = 0
    try:
        for timing, runtime in measurements:
            print(f"--- {_in_words(timing, runtime)}: {len(models)} networks", flush=True)
            if options.challenge:
                failed += _challenge(models, timing, runtime, options)
            else:
                failed += _time(models, timing, runtime, options.runs)
    except KeyboardInterrupt:
        print(f"interrupted: anything measured so far is in {options.runs}", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"error: {error}: anything measured before is in {options.runs}", file=sys.stderr)
        return 1
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    careful = TimingSettings()
    parser = argparse.ArgumentParser(
        prog="python -m enhance_sweep.timing",
        description="Time networks on this host, each in fresh processes beside the baseline (plain 3/64/4), and write "
        "timed records. Speed depends on the architecture alone, so nothing needs to be trained. Several values for "
        "--runtime, --precision, --layout, --allocator or --lowered are measured one after the other.",
        epilog="Without --sweep and overrides, the networks trained in --runs are timed.",
    )
    parser.add_argument("--version", action="version", version=VERSION_LINE)
    add = parser.add_argument
    add("overrides", nargs="*", metavar="OVERRIDE", help="networks, such as model=strided model.channels=16,32")
    add("--sweep", action="append", default=[], metavar="NAME", help="the networks of a named sweep; may be repeated")
    add("--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of runs (default: runs)")
    add("--timing", default="default", metavar="NAME", help="conf/timing/NAME.yaml: default (careful) or quick")
    add("--runtime", nargs="+", default=["eager"], choices=variants.runtimes(), help="default: eager")
    add("--precision", nargs="+", choices=PRECISIONS, help=f"default: {careful.precision}")
    add("--layout", nargs="+", choices=LAYOUTS, help=f"default: {careful.layout}")
    add(
        "--allocator",
        nargs="+",
        choices=tuple(ALLOCATORS),
        help=f"default: {careful.allocator}; stock with --challenge",
    )
    add("--lowered", nargs="+", default=["false"], choices=("true", "false"), help="rearranged for speed (false)")
    add("--size", metavar="WxH", help=f"of the photograph (default: {careful.width}x{careful.height})")
    add("--threads", type=int, metavar="N", help="0, the default: all usable cores")
    add("--budget", type=float, metavar="S", help=f"seconds for each network (default: {careful.budget_s:.0f})")
    add("--photograph", nargs="+", metavar="FILE", help="to time on (four with --challenge); default: an installed one")
    add("--challenge", action="store_true", help="by the rules of the PIRM 2018 challenge, for the paper's Table 3")
    return parser


def _models(options: argparse.Namespace) -> list[dict[str, Any]]:
    models = [model for name in options.sweep for model in variants.of_sweep(name)]
    if options.overrides:
        models += variants.of_overrides(options.overrides)
    if not models:
        models = variants.of_runs(options.runs)
    if not models:
        raise ConfigError(
            "nothing to time: give --sweep table1, overrides such as model.channels=16, or --runs with a folder of "
            f"trained networks (looked in {options.runs})"
        )
    return variants.without_repeats(models)


def _measurements(options: argparse.Namespace) -> Iterator[tuple[TimingSettings, dict[str, Any]]]:
    """Every combination of the options."""
    settings = OmegaConf.to_object(compose_config([f"timing={options.timing}"]).timing)
    assert isinstance(settings, TimingSettings)
    if options.size:
        width, _, height = options.size.partition("x")
        if not (options.size.isascii() and width.isdigit() and height.isdigit()):
            raise ConfigError(f"--size: expected WIDTHxHEIGHT such as 1280x720, got {options.size!r}")
        settings = dataclasses.replace(settings, width=int(width), height=int(height))
    if settings.width * settings.height > _MOST_PIXELS:
        raise ConfigError(f"--size: expected at most {_MOST_PIXELS} pixels, got {options.size}")
    wanted = CHALLENGE_PHOTOGRAPHS if options.challenge else 1
    if options.challenge and "true" in options.lowered:
        raise ConfigError("--challenge: the paper's Table 3 is of networks as written: leave --lowered out")
    if options.photograph and len(options.photograph) != wanted:
        raise ConfigError(f"--photograph: expected {wanted}, got {len(options.photograph)}")
    for file in options.photograph or ():
        photograph(1, 1, file)  # raises now if it cannot be read
    if options.photograph and not options.challenge:
        settings = dataclasses.replace(settings, photograph=options.photograph[0])
    if options.threads is not None:
        cores = os.cpu_count() or 1
        if options.threads > cores:
            raise ConfigError(f"--threads: expected at most {cores}, the cores of this machine, got {options.threads}")
        settings = dataclasses.replace(settings, threads=options.threads)
    if options.budget is not None:
        settings = dataclasses.replace(settings, budget_s=options.budget)
    for runtime, lowered, precision, layout, allocator in itertools.product(
        options.runtime,
        options.lowered,
        options.precision or [settings.precision],
        options.layout or [settings.layout],
        # The challenge's memory is what a call adds, but a tuned allocator keeps memory from the call before.
        options.allocator or (["stock"] if options.challenge else [settings.allocator]),
    ):
        changed = dataclasses.replace(settings, precision=precision, layout=layout, allocator=allocator)
        yield changed, variants.runtime(runtime) | {"lowered": lowered == "true"}


def _in_words(timing: TimingSettings, runtime: dict[str, Any]) -> str:
    """What is measured."""
    return ", ".join(
        [
            *(runtime["name"], *(["lowered"] if runtime["lowered"] else []), timing.precision, timing.layout),
            *(f"{timing.allocator} allocator", f"{timing.width}x{timing.height}"),
            *(f"{timing.used_threads} threads", f"wait policy {timed_wait_policy()}"),
        ]
    )


def _time(models: list[dict[str, Any]], timing: TimingSettings, runtime: dict[str, Any], runs: Path) -> int:
    """Time with one measurement, write each record when it is done, print all; returns how many failed."""
    if timing.paired:
        models = variants.without_repeats([dict(BASELINE), *models])

    def write(record: TimedRecord) -> None:
        write_timed(runs, record)

    timed = time_variants(models, timing, runtime, tell=lambda line: print(line, flush=True), done=write)
    print(_table(timed))
    for flag in dict.fromkeys(flag for record in timed for flag in record.flags):
        print(f"flagged: {flag}")
    return sum(record.status == "failed" for record in timed)


def _table(timed: Sequence[TimedRecord]) -> str:
    """What was measured, one line for each network."""
    lines = [f"{'network':32} {'ms':>9} {'IQR':>7} {'CPU s':>7} {'peak MiB':>9} {'speed-up':>25}  flags"]
    for record in timed:
        name = architecture_slug(record.architecture)
        if record.status == "failed":
            lines.append(f"{name:32} failed: {record.reason}")
            continue
        ratio = speed_up(record.samples)
        shown = f"{ratio.median:.3f} ({ratio.low:.3f} to {ratio.high:.3f})" if ratio else ""
        lines.append(
            f"{name:32} {record.latency_ms_median:9.1f} {record.latency_ms_iqr:7.1f} "
            f"{record.cpu_s_median:7.3f} {record.peak_rss_mib:9.1f} {shown:>25}  {len(record.flags) or ''}"
        )
    return "\n".join(lines)


def _challenge(
    models: list[dict[str, Any]], timing: TimingSettings, runtime: dict[str, Any], options: argparse.Namespace
) -> int:
    """Time by the challenge's rules, print and write the results; returns how many failed."""
    failed = 0
    for model in models:
        try:
            found = challenge(model, timing, runtime, options.photograph or ())
        except (TimingError, ValueError) as error:
            print(f"failed: {error}", file=sys.stderr)
            failed += 1
            continue
        write_challenge(options.runs, found)
        name = architecture_slug(found.architecture)
        print(f"{name}: {found.latency_s_mean:.2f} s, {found.memory_gib_mean:.2f} GiB", flush=True)
    return failed


if __name__ == "__main__":
    # Whoever stops a run, a person or a batch system, gets records of what was measured so far.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
