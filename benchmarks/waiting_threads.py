"""What it costs and saves that threads sleep while they wait: libgomp's default against OMP_WAIT_POLICY=passive.

    python benchmarks/waiting_threads.py [--rounds N] [--only steps|calls]

A training step of plain 3/16/2 (8 crops of 64, the default loss) with two threads on two cores: quiet, and with one
busy loop beside it. And one timed call at 1280x720, quiet, of the baseline and of strided 3-4/16, as the timing
protocol makes it. Each round starts fresh processes for everything, in random order. Prints medians over rounds with
the least and the largest, and the median of per-round ratios with theirs. About three minutes on a quiet machine;
what else ran is printed. With one core there is nothing to see: two threads take turns on it whatever they do.
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil

from enhance_sweep.system import waiting
from enhance_sweep.system.environment import allocator_environment, cpu_model, usable_cores
from enhance_sweep.system.locks import host_lock
from enhance_sweep.timing import variants
from enhance_sweep.timing.host import cores_to_pin
from enhance_sweep.timing.process import Worker

THREADS = 2
POLICIES: dict[str, dict[str, str]] = {"default": {}, "passive": {"OMP_WAIT_POLICY": "passive"}}
CROPS, CROP, WARM_UP, MOST_STEPS, ENOUGH_S = 8, 64, 3, 20, 5.0
#: Networks to call, with the number of timed calls of a process, after one that warms up.
CALLED = {
    "plain 3/64/4": (["model=plain"], 1),
    "strided 3-4/16": (["model=strided", "model.strided_kernel_size=4", "model.channels=16"], 3),
}
STEP = "training step"
#: Other work that takes more than this share of the cores is told as a disturbance.
NOISE = 0.05
QUIET, BUSY = "quiet", "beside a busy loop"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument("--only", choices=("steps", "calls"), help="default: both")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve()
        return
    if usable_cores() < THREADS:
        sys.exit(f"two cores are needed, for two threads that wait for each other; here is {usable_cores()}")
    for name in (*waiting.VARIABLES, *waiting.asleep({})):
        os.environ.pop(name, None)
    cores = cores_to_pin(THREADS)
    if cores:  # what is started from here stays on them, the busy loop too
        os.sched_setaffinity(0, set(cores))
    found: dict[tuple[str, str, str], list[float]] = {}
    steps, calls = [(STEP, QUIET), (STEP, BUSY)], [(name, QUIET) for name in CALLED]
    jobs = {"steps": steps, "calls": calls, None: steps + calls}[options.only]
    with host_lock():
        print(
            f"{cpu_model()}, {THREADS} threads{f' on cores {cores}' if cores else ''}, {options.rounds} rounds",
            flush=True,
        )
        for number in range(options.rounds):
            share = others_share(cores)
            remark = "" if share < NOISE else ": not quiet, so what is called quiet is not"
            print(f"round {number + 1}: other work takes {share:.0%} of these cores{remark}", flush=True)
            for what, when in random.sample(jobs, len(jobs)):
                for policy in random.sample(list(POLICIES), len(POLICIES)):
                    ms = step_ms(policy, when) if what == STEP else call_ms(policy, what, cores)
                    found.setdefault((what, when, policy), []).append(ms)
    for what, when in jobs:
        default, passive = (found[what, when, policy] for policy in POLICIES)
        ratios = [one / other for one, other in zip(passive, default, strict=True)]
        print(
            f"{what:15} {when:19} default {spread(default, 0)} ms, passive {spread(passive, 0)} ms; "
            f"passive / default {spread(ratios, 2)}"
        )


def spread(values: list[float], digits: int) -> str:
    """The median, with the least and the largest."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def others_share(cores: list[int]) -> float:
    """How busy the cores are in a second in which this benchmark does nothing."""
    shares = psutil.cpu_percent(interval=1.0, percpu=True)
    return statistics.mean(shares[core] for core in cores or range(len(shares))) / 100


def step_ms(policy: str, when: str) -> float:
    """The median step of a fresh process."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--worker"],
        env=allocator_environment("tuned") | {"OMP_NUM_THREADS": str(THREADS)} | POLICIES[policy],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the training process ended: see its messages above")
        with busy_loop() if when == BUSY else contextlib.nullcontext():
            answer, _ = process.communicate("go\n")
    finally:
        process.kill()
        process.wait()
    return statistics.median(json.loads(answer))


@contextlib.contextmanager
def busy_loop() -> Iterator[None]:
    """Something else computes meanwhile, on whichever core the kernel gives it."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def call_ms(policy: str, name: str, cores: list[int]) -> float:
    """The median call of a fresh process, as the timing protocol makes it."""
    overrides, calls = CALLED[name]
    (model,) = variants.of_overrides(overrides)
    job = {"precision": "fp32", "layout": "channels_last", "threads": THREADS, "seed": 0, "photograph": None}
    os.environ.update(POLICIES[policy])  # as if the user had set it
    try:
        with Worker(THREADS, cores, "tuned") as worker:
            worker.ask("load", model=model, runtime=variants.runtime("eager"), width=1280, height=720, **job)
            found = [worker.ask("call", memory=False)["latency_ms"] for _ in range(1 + calls)]
    finally:
        for variable in POLICIES[policy]:
            del os.environ[variable]
    return statistics.median(found[1:])


def serve() -> None:
    """Train a few steps; when told to, some more, and print the milliseconds that each took."""
    import torch

    from enhance_sweep import config
    from enhance_sweep.settings import TrainerSettings
    from enhance_sweep.training.module import EnhancementModule

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    composed = config.compose_config(["model=plain", "model.channels=16", "model.blocks=2"])
    generator = config.build(config.resolved(composed, "model"), "model").to(memory_format=torch.channels_last)
    objective = config.build(config.resolved(composed, "loss"), "loss")
    module = EnhancementModule(generator, objective, TrainerSettings(max_steps=1000, precision="fp32"))
    optimizers, _ = module.configure_optimizers()
    pixels = torch.randint(0, 256, (2, CROPS, 3, CROP, CROP), dtype=torch.uint8)
    input, target = (one.contiguous(memory_format=torch.channels_last) for one in pixels)

    def step() -> float:
        start = time.perf_counter()
        module.generator_step({"input": input, "target": target}, *optimizers)
        float(module.losses["total"])
        return (time.perf_counter() - start) * 1e3

    for _ in range(WARM_UP):
        step()
    print("ready", flush=True)
    sys.stdin.readline()
    start, steps = time.perf_counter(), []
    while len(steps) < MOST_STEPS and time.perf_counter() - start < ENOUGH_S:
        steps.append(step())
    print(json.dumps(steps), flush=True)


if __name__ == "__main__":
    main()
