"""A training step of ours against the same step written plainly, in turn, in one run.

    python benchmarks/training_step.py [--tensorflow PYTHON] [--who ours compiled ...] [--networks "strided 3-4/16"]

Batch 50 of 100x100, both players, the terms of the preset `paper`, with and without content. Ours is the step of
`enhance_sweep.training` as a sweep runs it here; the plain one is `plain_step.py`: fp32, channels-first, stock
allocator, threads that wait by default. `simultaneous` is ours with `loss.simultaneous=true`; `compiled` is ours with
its networks compiled, whose first step is told apart, with the number of steps after which it has paid. Each lives in a
process of its own. With --tensorflow, a Python that has TensorFlow runs `tensorflow_step.py` as well. Prints images a
second (medians of rounds) and the median of per-round ratios with the least and the largest.
"""

import argparse
import itertools
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from enhance_sweep.system import waiting
from enhance_sweep.system.environment import allocator_environment, cpu_model, usable_cores
from enhance_sweep.system.locks import host_lock

BATCH, PATCH, ROUNDS = 50, 100, 5
NETWORKS = {"plain 3/64/4": ("plain", [3, 64, 4]), "strided 3-4/16": ("strided", [3, 4, 16])}
ALLOCATORS = {"ours": "tuned", "simultaneous": "tuned", "compiled": "tuned", "plain": "stock", "tensorflow": "stock"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tensorflow", metavar="PYTHON", help="an interpreter that has TensorFlow")
    parser.add_argument("--who", nargs="+", choices=[*ALLOCATORS], default=["ours", "simultaneous", "plain"])
    parser.add_argument("--networks", nargs="+", choices=[*NETWORKS], default=[*NETWORKS])
    parser.add_argument("--worker", nargs=2, metavar=("WHO", "JOB"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve(options.worker[0], json.loads(options.worker[1]))
        return
    who = dict.fromkeys(options.who, sys.executable)
    who |= {"tensorflow": options.tensorflow} if options.tensorflow else {}
    print(f"{cpu_model()}, {usable_cores()} cores; batch {BATCH} of {PATCH}x{PATCH}, {ROUNDS} rounds")
    with host_lock():
        for name, content in itertools.product(options.networks, (False, True)):
            compare(name, NETWORKS[name], content, {one: python for one, python in who.items() if can(one, content)})


def can(one: str, content: bool) -> bool:
    """TensorFlow's step has no content term: VGG-19 is not to be had from a package."""
    return not (content and one == "tensorflow")


def compare(name: str, network: tuple[str, list[int]], content: bool, who: dict[str, str]) -> None:
    """One network with or without content: everyone's step in turn."""
    workers = {one: Worker(one, python, network, content) for one, python in who.items()}
    try:
        first = {one: worker.step_s() for one, worker in workers.items()}
        rounds: list[dict[str, float]] = []
        for _ in range(ROUNDS):
            order = list(workers)
            random.shuffle(order)
            rounds.append({one: workers[one].step_s() for one in order})
    finally:
        for worker in workers.values():
            worker.close()
    for one in workers:
        rate = BATCH / statistics.median(taken[one] for taken in rounds)
        line = f"{name:15} {'content' if content else 'no content':10} {one:12} {rate:7.1f} images/s"
        if one != "plain" and "plain" in workers:
            ratios = [taken["plain"] / taken[one] for taken in rounds]
            line += f"; {statistics.median(ratios):.2f} times the plain step ({min(ratios):.2f} to {max(ratios):.2f})"
        if one == "compiled" and "ours" in workers:
            won_s = statistics.median(taken["ours"] - taken[one] for taken in rounds)
            steps = f"{first[one] / won_s:.0f} steps pay for" if won_s > 0 else "no number of steps pays for"
            line += f"; {steps} its first, {first[one]:.1f} s"
        print(line, flush=True)


class Worker:
    """A process that takes a step whenever it is asked to."""

    def __init__(self, who: str, python: str, network: tuple[str, list[int]], content: bool) -> None:
        here = Path(__file__).parent
        job = json.dumps(
            {"network": network, "content": content, "batch": BATCH, "patch": PATCH, "threads": usable_cores()}
        )
        script = [str(here / "tensorflow_step.py"), job]
        environment = allocator_environment(ALLOCATORS[who])
        command = script if who == "tensorflow" else [__file__, "--worker", who, job]
        self.process = subprocess.Popen(
            [python, *command],
            env=waiting.asleep(environment) if ALLOCATORS[who] == "tuned" else environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def step_s(self) -> float:
        """Seconds of one step."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args} ended: see its messages above")
        return float(answer)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()


def serve(who: str, job: dict[str, Any]) -> None:
    """Take a step for each line of stdin, and print the seconds it took."""
    import torch

    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    shape = (4, job["batch"], 3, job["patch"], job["patch"])
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    shown = torch.rand(job["batch"]) < 0.5
    step = plain_step(job, pixels, shown) if who == "plain" else our_step(job, pixels, shown, who)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


def our_step(job: dict[str, Any], pixels: Any, shown: Any, who: str) -> Any:
    """The step that a sweep takes."""
    import torch

    from enhance_sweep import config as configuration
    from enhance_sweep.losses import ContentLoss
    from enhance_sweep.settings import TrainerSettings
    from enhance_sweep.training.fit import resolve_precision
    from enhance_sweep.training.module import EnhancementModule

    kind, sizes = job["network"]
    names = (
        ["kernel_size", "channels", "blocks"] if kind == "plain" else ["kernel_size", "strided_kernel_size", "channels"]
    )
    overrides = [f"model={kind}", *(f"model.{name}={size}" for name, size in zip(names, sizes, strict=True))]
    overrides += ["loss=paper", f"trainer.crop_size={job['patch']}"]
    overrides += [] if job["content"] else ["~loss.terms.content", "~loss.weights.content"]
    config = configuration.compose_config(overrides)
    generator = configuration.build(configuration.resolved(config, "model"), "model")
    objective = configuration.build(configuration.resolved(config, "loss"), "loss")
    precision = resolve_precision("auto", "cpu")
    generator.to(memory_format=torch.channels_last)
    module = EnhancementModule(generator, objective, TrainerSettings(max_steps=1, precision=precision))
    optimizers, _ = module.configure_optimizers()
    if who == "compiled":
        for network in (
            generator,
            objective.texture.discriminator,
            *(term.features for term in objective.terms.values() if isinstance(term, ContentLoss)),
        ):
            network.compile()
    first, second = ({"input": pixels[i], "target": pixels[i + 1], "shown_target": shown} for i in (0, 2))
    batches = [
        {
            name: value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value
            for name, value in one.items()
        }
        for one in (first, second)
    ]

    simultaneous = who == "simultaneous"
    if not simultaneous:
        batches[0].pop("shown_target")

    def step() -> None:
        module.generator_step(batches[0], *optimizers)
        if not simultaneous:
            module.discriminator_step(batches[1], optimizers[1])
        float(module.losses["total"])

    return step


def plain_step(job: dict[str, Any], pixels: Any, shown: Any) -> Any:
    """The step as anybody would write it."""
    import plain_step as plain

    from enhance_sweep.losses import EfficientNetLite0Features

    kind, sizes = job["network"]
    features = None
    if job["content"]:
        from enhance_sweep import config as configuration

        scale = configuration.compose_config([]).content.scale
        features = EfficientNetLite0Features(scale=scale).eval().requires_grad_(False)
    step = plain.Step(plain.Plain(*sizes) if kind == "plain" else plain.Strided(*sizes), features)

    def once() -> None:
        first, second = ((pixels[i].float() / 255, pixels[i + 1].float() / 255) for i in (0, 2))
        step(first, second, shown)

    return once


if __name__ == "__main__":
    main()
