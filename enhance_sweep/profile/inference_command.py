"""The command's part for inference: which networks, in which runtimes."""

import argparse
import itertools
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from hydra.errors import HydraException

from enhance_sweep.config import ConfigError
from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.profile.inference import profile_inference
from enhance_sweep.profile.show_inference import text, write
from enhance_sweep.records.store import check_writable
from enhance_sweep.settings import TimingSettings
from enhance_sweep.system.locks import host_lock
from enhance_sweep.system.waiting import as_the_user_set
from enhance_sweep.timing import variants
from enhance_sweep.timing.worker import limit


def run(options: argparse.Namespace) -> int:
    """Profile each network in each runtime, print a table of each, write tables and a picture; 2 after an error."""
    profiles, status = [], 0
    try:
        width, height = _size(options.size)
        threads = _threads(options.threads)
        timing = TimingSettings(precision=options.precision, threads=threads, width=width, height=height)
        models = variants.of_overrides(options.overrides) if options.overrides else [dict(BASELINE)]
        known = variants.runtimes()
        for name in options.runtime:
            if name not in known:
                raise ConfigError(f"--runtime: expected one of {', '.join(known)}, got {name!r}")
        check_writable(options.out)
        threads_wait_as_when_timed = as_the_user_set(os.environ)
        os.environ.clear()
        os.environ.update(threads_wait_as_when_timed)
        with host_lock():
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                rates = process.submit(limit, {"threads": timing.used_threads, "precision": timing.precision}).result()
            for model, name, lowered in itertools.product(models, options.runtime, options.lowered):
                runtime = variants.runtime(name) | {"lowered": lowered == "true"}
                with ProcessPoolExecutor(1, get_context("spawn")) as process:
                    job = process.submit(profile_inference, model, runtime, timing, options.calls, rates)
                    profiles.append(job.result())
                print(f"{text(profiles[-1])}\n", flush=True)
    except (ConfigError, HydraException, ImportError, OSError, ValueError) as error:
        print(f"error: {str(error).partition('Config search path')[0].strip()}", file=sys.stderr)
        status = 2
    if profiles:
        write(profiles, options.out)
        print(options.out / "inference.png")
    return status


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (text.isascii() and width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise ConfigError(f"--size: expected WIDTHxHEIGHT such as 1280x720, got {text!r}")
    return int(width), int(height)


def _threads(count: int) -> int:
    cores = os.cpu_count() or 1
    if not 0 <= count <= cores:
        raise ConfigError(f"--threads: expected 0 to {cores}, the cores of this machine, got {count}")
    return count
