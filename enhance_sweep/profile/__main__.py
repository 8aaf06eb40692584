"""`python -m enhance_sweep.profile`: where the time of a training step, or of a photograph, goes."""

import argparse
import itertools
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from enhance_sweep.system.environment import prepare_process
from enhance_sweep.version import VERSION_LINE


def main(arguments: Sequence[str] | None = None) -> int:
    """Profile variants, print a table of each, write tables and a picture; returns 2 after an error."""
    options = parser().parse_args(arguments)
    if options.inference:
        from enhance_sweep.profile.inference_command import run

        return run(options)
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from enhance_sweep.config import ConfigError, compose_settings
    from enhance_sweep.data.pairs import DataError
    from enhance_sweep.losses import WeightsError
    from enhance_sweep.profile.measure import profile_variant
    from enhance_sweep.profile.show import text, write
    from enhance_sweep.records.store import check_writable
    from enhance_sweep.sweep.plan import plan_variant
    from enhance_sweep.system.locks import host_lock
    from enhance_sweep.training.errors import DivergedError

    profiles, status = [], 0
    try:
        parsed = OverridesParser.create().parse_overrides(options.overrides)
        jobs = list(itertools.chain(*BasicSweeper.split_arguments(parsed, None)))
        for job in jobs:  # check all before waiting for the machine
            plan_variant(compose_settings([*job]))
        check_writable(options.out)
        with host_lock():
            for job in jobs:
                # A fresh process each: no variant inherits another's memory, caches or threads.
                with ProcessPoolExecutor(1, get_context("spawn")) as process:
                    profiles.append(process.submit(profile_variant, job, options.steps, options.warm_up).result())
                print(f"{text(profiles[-1])}\n", flush=True)
    except (ConfigError, DataError, WeightsError, DivergedError, HydraException, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    if profiles:  # keep what was finished before an error
        write(profiles, options.out)
        print(options.out / "profile.png")
    return status


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m enhance_sweep.profile",
        description="Train a variant for a few steps, as a sweep would, and show where the time goes: data, generator, "
        "each term of the loss, discriminator, optimizer, logging; with operations and the share of the "
        "arithmetic limit.",
        epilog="Overrides are those of python -m enhance_sweep; several values are profiled one after the other: "
        "model=strided loss=paper,fidelity trainer.batch_size=50 trainer.crop_size=100",
    )
    inference = parser.add_argument_group("where the time of one photograph goes, layer by layer")
    inference.add_argument("--inference", action="store_true", help="networks as they run, trained or not")
    inference.add_argument("--runtime", nargs="+", default=["eager"], metavar="NAME", help="eager onnxruntime openvino")
    inference.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="default: fp32")
    inference.add_argument("--lowered", nargs="+", default=["false"], choices=("true", "false"), help="default: false")
    inference.add_argument("--size", default="1280x720", metavar="WxH", help="default: 1280x720")
    inference.add_argument("--threads", type=int, default=0, metavar="N", help="0, the default: all usable cores")
    inference.add_argument("--calls", type=_positive, default=9, metavar="N", help="profiled calls (default: 9)")
    parser.add_argument("--version", action="version", version=VERSION_LINE)
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="such as model=strided loss=paper")
    parser.add_argument("--steps", type=_positive, default=10, metavar="N", help="measured steps (default: 10)")
    parser.add_argument("--warm-up", type=_positive, default=3, metavar="N", help="steps before them (default: 3)")
    parser.add_argument("--out", type=Path, default=Path("profile"), metavar="DIR", help="default: profile")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    prepare_process()  # before torch is imported
    sys.exit(main())
