"""Many variants: every one checked before the first is trained, progress with the time left, a summary at the end."""

import itertools
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from enhance_sweep.config import ConfigError
from enhance_sweep.data.pairs import DataError
from enhance_sweep.estimate import Work, readable, remaining_s
from enhance_sweep.losses import WeightsError
from enhance_sweep.records import RecordError
from enhance_sweep.variant import Plan, plan_variant, run_variant

#: What a user can mend: told in one line, without a traceback.
USER_ERRORS = (ConfigError, DataError, RecordError, WeightsError)

_failures = 0


def exit_status() -> int:
    """1 if a variant failed in this process, else 0."""
    return 1 if _failures else 0


def run_one(config: DictConfig) -> dict[str, Any]:
    """Run one variant, say what came of it, and remember a failure for the exit status."""
    global _failures
    try:
        outcome = run_variant(config)
    except USER_ERRORS as error:
        sys.exit(f"error: {error}")
    did = ", ".join(outcome["did"]) or outcome["kept"] or "nothing: it is done already"
    tell(f"{outcome['name']}: {outcome['status']} (did {did})" + _because(outcome))
    _failures += outcome["status"] == "failed"
    return outcome


def sweep_variants(
    config: DictConfig, loader: ConfigLoader, launcher: Launcher, rows: Mapping[str, str], arguments: list[str]
) -> list[Any]:
    """Run every combination that `rows` and `arguments` ask for, each once.

    Every variant is composed and checked, and its data packed, before the first is trained: a typing error in the last
    value costs no finished work. Between variants it says how far it has come and how long the rest will take.

    Args:
        config: what all variants share.
        loader: Hydra's, to compose each variant's configuration.
        launcher: Hydra's, to run them.
        rows: what a named sweep fixes, `hydra.sweeper.params`.
        arguments: overrides from the command line; they must leave the rows as they are.

    Returns:
        Hydra's job returns, a list a batch.
    """
    parser = OverridesParser.create(config_loader=loader)
    fixed = parser.parse_overrides([f"{name}={value}" for name, value in rows.items()])
    asked = parser.parse_overrides(arguments)
    _refuse_to_falsify(fixed, asked)
    jobs = list(itertools.chain(*BasicSweeper.split_arguments([*fixed, *asked], None)))
    jobs, plans = _without_repeats(jobs, [_plan(config, loader, job) for job in jobs])
    tell(_announcement(plans))
    # Hydra's own launcher runs one after the other, so progress can be told in between; others take all at once.
    in_turn = str(config.hydra.launcher._target_).endswith(".BasicLauncher")
    batches = [[index] for index in range(len(jobs))] if in_turn else [[*range(len(jobs))]]
    returns: list[Any] = []
    behind: list[tuple[Work, float]] = []
    for batch in batches:
        if len(batch) == 1:
            left = readable(remaining_s([_work(plan) for plan in plans[batch[0] :]], behind))
            guess = "" if behind else ", a first guess"
            tell(f"--- {batch[0] + 1} of {len(jobs)}: {plans[batch[0]].name} (about {left} left{guess})")
        work, clock = [_work(plans[index]) for index in batch], time.monotonic()
        returns.append(launcher.launch([jobs[index] for index in batch], initial_job_idx=batch[0]))
        if len(work) == 1 and work[0].anything:
            behind.append((work[0], time.monotonic() - clock))
    _summarise(plans, [job for batch in returns for job in batch])
    return returns


def _refuse_to_falsify(fixed: Sequence[Override], asked: Sequence[Override]) -> None:
    """A named sweep's rows are what its name says, whatever else is asked for."""
    for row, override in itertools.product(fixed, asked):
        group, setting = row.get_key_element().lstrip("+~"), override.get_key_element().lstrip("+~")
        if setting == group or setting.startswith(f"{group}.") or group.startswith(f"{setting}."):
            sys.exit(
                f"error: {override.input_line} would falsify the rows of this named sweep, which fix {group}: "
                "leave one of the two away"
            )


def _plan(config: DictConfig, loader: ConfigLoader, job: Sequence[str]) -> Plan:
    try:
        return plan_variant(loader.load_sweep_config(config, list(job)))
    except (*USER_ERRORS, HydraException) as error:
        sys.exit(f"error: {' '.join(job)}: {error}")


def _without_repeats(jobs: Sequence[list[str]], plans: Sequence[Plan]) -> tuple[list[list[str]], list[Plan]]:
    """Each variant once, however often the grid names it; of a shorter and a longer training of one, the longer."""
    kept: dict[tuple[str | None, str], int] = {}
    for index, plan in enumerate(plans):
        identity = (plan.key if plan.learned_from else None, plan.measured_key())
        other = kept.setdefault(identity, index)
        if plan.max_steps != plans[other].max_steps:
            kept[identity] = max(index, other, key=lambda one: plans[one].max_steps)
            fewer, more = sorted((plan.max_steps, plans[other].max_steps))
            tell(
                f"{plan.name}: {fewer} steps are the beginning of {more}, as its schedule is constant; it is trained "
                "once, and trainer.evaluate_at notes its quality on the way."
            )
    return [jobs[index] for index in sorted(kept.values())], [plans[index] for index in sorted(kept.values())]


def _work(plan: Plan) -> Work:
    trainer, timing = plan.config.trainer, plan.config.timing
    pixels = plan.description["height"] * plan.description["width"]
    training, scored, steps = 0.0, 0.0, 0
    if plan.needs_training() and plan.pairs is not None:
        done = (plan.trained_record() or {}).get("steps", 0) or 0
        steps = max(plan.max_steps - done, 0)
        training = steps * trainer.batch_size * trainer.crop_size**2
        count, height, width = plan.pairs.test.input.shape[:3]
        scorings = 1 + sum(step < trainer.max_steps for step in trainer.evaluate_at)
        scored = scorings * count * height * width
    calls = timing.processes * (1 + timing.warm_up_calls + timing.samples) if plan.needs_timing() else 0
    share = timing.width * timing.height / pixels
    return Work.of(plan.description["macs"], pixels, steps, training, scored, round(calls * share))


def _announcement(plans: Sequence[Plan]) -> str:
    train, timed = sum(plan.needs_training() for plan in plans), sum(plan.needs_timing() for plan in plans)
    steps = " or ".join(str(steps) for steps in sorted({plan.max_steps for plan in plans}))
    announcement = f"{len(plans)} variants: {train} to train for {steps} steps, {timed} to time, the rest is done."
    work = [_work(plan) for plan in plans]
    if any(one.anything for one in work):
        announcement += f" About {readable(remaining_s(work, []))} in all, a first guess."
    return announcement


def _summarise(plans: Sequence[Plan], jobs: Sequence[Any]) -> None:
    failed = []
    for plan, job in zip(plans, jobs, strict=True):
        try:
            outcome = job.return_value
        except Exception as error:
            outcome = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
        if outcome["status"] == "failed":
            failed.append(f"  {plan.name}{_because(outcome)}")
    tell(f"{len(jobs) - len(failed)} of {len(jobs)} variants are complete." + "".join(f"\n{line}" for line in failed))
    if failed:
        global _failures
        _failures = max(_failures, len(failed))
        tell("Failed variants are kept as failed; retry_failed=true runs them again.")


def _because(outcome: dict[str, Any]) -> str:
    return f": {outcome['reason']}" if outcome["reason"] else ""


def tell(line: str) -> None:
    """A line for the person who waits; on stderr, as progress bars are, so that the order holds."""
    print(line, file=sys.stderr, flush=True)
