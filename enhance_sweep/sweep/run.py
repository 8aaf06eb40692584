"""Many variants: every one checked before the first is trained, progress with the time left, a summary at the end."""

import itertools
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import RunMode
from omegaconf import DictConfig

from enhance_sweep.config import ConfigError
from enhance_sweep.data.pairs import DataError
from enhance_sweep.losses import WeightsError
from enhance_sweep.records.store import RecordError, check_writable
from enhance_sweep.sweep.code_digest import code_digest
from enhance_sweep.sweep.forecast import Past, announcement, past_of, show
from enhance_sweep.sweep.manifest import write_manifest
from enhance_sweep.sweep.plan import Plan, plan_variant
from enhance_sweep.sweep.variant import run_variant
from enhance_sweep.system.clock import duration
from enhance_sweep.system.files import NoSpaceError
from enhance_sweep.system.signals import STOPPED, StoppedError

#: What a user can mend: told in one line, without a traceback.
USER_ERRORS = (ConfigError, DataError, NoSpaceError, RecordError, WeightsError)

#: How often it is looked whether another's work is done.
_LOOK_AGAIN_S = 2.0

_failures = 0


def exit_status() -> int:
    """1 if a variant failed in this process, else 0."""
    return 1 if _failures else 0


def run_one(config: DictConfig) -> dict[str, Any]:
    """Run one variant, say what came of it, and remember a failure for the exit status.

    Alone, it waits for whoever else works on the same variant; in a sweep the others come first.
    """
    global _failures
    alone = HydraConfig.get().mode == RunMode.RUN
    try:
        if config.dry_run:
            show([plan_variant(config)])
            return {"status": "planned", "reason": None}
        check_writable(Path(config.runs_dir))
        while (outcome := run_variant(config))["status"] == "held" and alone:
            tell(f"{outcome['name']}: {outcome['reason']}; waiting for its end")
            _wait_while_held([plan_variant(config)])
    except StoppedError as stopped:
        tell(STOPPED)
        sys.exit(stopped.exit_status)
    except (*USER_ERRORS, OSError) as error:
        if not alone and not isinstance(error, NoSpaceError):
            raise  # of a sweep one variant fails, and the others go on
        sys.exit(f"error: {error}")
    if outcome["status"] == "held":
        tell(f"{outcome['name']}: {outcome['reason']}; later")
        return outcome
    took = [f"{stage} {took_s:.1f} s" for stage, took_s in zip(outcome["did"], outcome["took_s"], strict=True)]
    did = ", ".join(took) or outcome["kept"] or "nothing: it is done already"
    tell(f"{outcome['name']}: {outcome['status']} (did {did})" + _because(outcome))
    _failures += outcome["status"] == "failed"
    return outcome


def sweep_variants(
    config: DictConfig, loader: ConfigLoader, launcher: Launcher, rows: Mapping[str, str], arguments: list[str]
) -> list[Any]:
    """Run every combination that `rows` and `arguments` ask for, each once.

    Every variant is composed and checked, and its data packed, before the first is trained: a typing error in the last
    value costs no finished work. Between variants it says how far it has come and how long the rest will take. What
    another sweep works on comes last: by then it may be done.

    Args:
        config: what all variants share.
        loader: Hydra's, to compose each variant's configuration.
        launcher: Hydra's, to run them.
        rows: what a named sweep fixes, `hydra.sweeper.params`.
        arguments: overrides from the command line; they must leave the rows as they are.

    Returns:
        Hydra's job returns, a list a batch.
    """
    try:
        return _sweep(config, loader, launcher, rows, arguments)
    except (*USER_ERRORS, OSError) as error:
        sys.exit(f"error: {error}")


def _sweep(
    config: DictConfig, loader: ConfigLoader, launcher: Launcher, rows: Mapping[str, str], arguments: list[str]
) -> list[Any]:
    parser = OverridesParser.create(config_loader=loader)
    fixed = parser.parse_overrides([f"{name}={value}" for name, value in rows.items()])
    asked = parser.parse_overrides(arguments)
    _refuse_to_falsify(fixed, asked)
    jobs = list(itertools.chain(*BasicSweeper.split_arguments([*fixed, *asked], None)))
    jobs, plans = _without_repeats(jobs, [_plan(config, loader, job) for job in jobs])
    if plans[0].config.dry_run:
        show(plans)
        return []
    past = _begin(plans, jobs, arguments)
    # Hydra's own launcher runs one after the other, so progress can be told in between; others take all at once.
    in_turn = str(config.hydra.launcher._target_).endswith(".BasicLauncher")
    returns = _run_in_turn(launcher, jobs, plans, past) if in_turn else _run_together(launcher, jobs, plans)
    _summarise(plans, returns)
    return [returns]


def _begin(plans: Sequence[Plan], jobs: Sequence[list[str]], arguments: Sequence[str]) -> Past:
    """Say what there is to do, and write it down; where that is not possible, end before the work."""
    runs_dir = plans[0].runs_dir
    data = sorted({plan.pairs.fingerprint for plan in plans if plan.pairs is not None})
    variants = [plan.wanted(job) for plan, job in zip(plans, jobs, strict=True)]
    check_writable(runs_dir)
    changed = write_manifest(runs_dir, arguments, code_digest(), data, variants)
    if changed:
        tell(
            f"Note: {changed}. What is done is kept, and the report will not mix the two silently. For a sweep of one "
            "kind start it with another runs_dir."
        )
    past = past_of(plans)
    tell(announcement(plans, past))
    return past


def _run_in_turn(launcher: Launcher, jobs: Sequence[list[str]], plans: Sequence[Plan], past: Past) -> list[Any]:
    """Run jobs one after the other, those that others work on last."""
    returns: dict[int, Any] = {}
    pending = [*range(len(jobs))]
    took_s, foreseen_s = 0.0, 0.0
    while pending:
        held = []
        for place, index in enumerate(pending):
            if plans[index].holder():
                held.append(index)
                continue
            # What was foreseen is put right by how long it has really taken so far.
            left_s = past.seconds([plans[other] for other in [*held, *pending[place:]]])
            left = duration(left_s * took_s / foreseen_s if foreseen_s else left_s)
            guess = "" if foreseen_s or past.trained else ", a first guess"
            tell(f"--- {len(returns) + 1} of {len(jobs)}: {plans[index].name} (about {left} left{guess})")
            this_s, clock = past.seconds([plans[index]]), time.monotonic()
            (job,) = launcher.launch([jobs[index]], initial_job_idx=index)
            if outcome_of(job)["status"] == "held":
                held.append(index)
                continue
            returns[index] = job
            if this_s:
                took_s, foreseen_s = took_s + time.monotonic() - clock, foreseen_s + this_s
        if held and held == pending:
            _wait_while_held([plans[index] for index in held])
        pending = held
    return [returns[index] for index in range(len(jobs))]


def _run_together(launcher: Launcher, jobs: Sequence[list[str]], plans: Sequence[Plan]) -> list[Any]:
    """Hand jobs out to processes or machines: all trainings, and timings when those are over.

    A timing needs its host to itself: between trainings it would wait in a place where one could run.
    """
    stages = list(plans[0].config.stages)
    learning, timing = [stage for stage in stages if stage != "time"], [stage for stage in stages if stage == "time"]
    returns: dict[int, Any] = {}
    for together in [learning, timing] if learning and timing else [stages]:
        # One that failed to learn has its result.
        pending = [index for index in range(len(jobs)) if outcome_of(returns.get(index))["status"] == "completed"]
        while pending:
            its_stages = f"stages=[{','.join(together)}]"
            batch = [[one for one in jobs[index] if not one.startswith("stages=")] for index in pending]
            done = launcher.launch([[*overrides, its_stages] for overrides in batch], initial_job_idx=0)
            returns |= zip(pending, done, strict=True)
            pending = [index for index in pending if outcome_of(returns[index])["status"] == "held"]
            _wait_while_held([plans[index] for index in pending])
    return [returns[index] for index in range(len(jobs))]


def _wait_while_held(plans: Sequence[Plan]) -> None:
    """Until one of them is free."""
    holders = [plan.holder() for plan in plans]
    if plans and all(holders):
        others = ", ".join(sorted({f"process {one.process} on {one.host}" for one in holders if one}))
        tell(f"waiting for {others}, at work on the rest: {', '.join(plan.name for plan in plans)}")
        while all(plan.holder() for plan in plans):
            time.sleep(_LOOK_AGAIN_S)


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


def outcome_of(job: Any) -> dict[str, Any]:
    """What `run_variant` has returned, or a failure that says why there is nothing; completed for no job at all."""
    if job is None:
        return {"status": "completed", "reason": None}
    result = job._return_value  # the public one raises a failed job's error, after printing all its overrides
    if isinstance(result, dict):
        return result
    return {"status": "failed", "reason": f"{type(result).__name__}: {result}"}


def _summarise(plans: Sequence[Plan], jobs: Sequence[Any]) -> None:
    outcomes = [outcome_of(job) for job in jobs]
    failed = [
        f"  {plan.name}{_because(outcome)}"
        for plan, outcome in zip(plans, outcomes, strict=True)
        if outcome["status"] == "failed"
    ]
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
