"""Many variants: all checked before the first is trained, progress with the time left, a summary at the end."""

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

from enhance_sweep.config import ConfigError, settings_from
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

#: What a user can mend: reported in one line, without a traceback.
USER_ERRORS = (ConfigError, DataError, NoSpaceError, RecordError, WeightsError)

#: Between looks at whether another process has finished.
_LOOK_AGAIN_S = 2.0

_failures = 0


def exit_status() -> int:
    """1 if a variant failed in this process, else 0."""
    return 1 if _failures else 0


def run_one(config: DictConfig) -> dict[str, Any]:
    """Run one variant, report it, and remember a failure for the exit status.

    If another process works on the variant, a single run waits for it; a sweep goes on with the others.
    """
    global _failures
    alone = HydraConfig.get().mode == RunMode.RUN
    try:
        settings = settings_from(config)
        if settings.dry_run:
            show([plan_variant(settings)])
            return {"status": "planned", "reason": None}
        check_writable(Path(settings.runs_dir))
        while (outcome := run_variant(settings))["status"] == "held" and alone:
            tell(f"{outcome['name']}: {outcome['reason']}; waiting for it to end")
            _wait_while_held([plan_variant(settings)])
    except StoppedError as stopped:
        tell(STOPPED)
        sys.exit(stopped.exit_status)
    except (*USER_ERRORS, OSError) as error:
        if not alone and not isinstance(error, NoSpaceError):
            raise  # fails this variant of a sweep; the others go on
        sys.exit(f"error: {error}")
    if outcome["status"] == "held":
        tell(f"{outcome['name']}: {outcome['reason']}; later")
        return outcome
    took = [f"{stage} {took_s:.1f} s" for stage, took_s in zip(outcome["stages"], outcome["took_s"], strict=True)]
    done = ", ".join(took) or outcome["kept"] or "nothing: it is done already"
    tell(f"{outcome['name']}: {outcome['status']} (did {done})" + _because(outcome))
    _failures += outcome["status"] == "failed"
    return outcome


def sweep_variants(
    config: DictConfig, loader: ConfigLoader, launcher: Launcher, rows: Mapping[str, str], arguments: list[str]
) -> list[Any]:
    """Run every combination that `rows` and `arguments` ask for, each once.

    Every variant is composed and checked, and its data packed, before the first is trained: a typo in the last value
    wastes no training. Between variants it reports progress and the time left. Variants that another sweep works on
    come last: by then they may be done.

    Args:
        config: what all variants share.
        loader: Hydra's, to compose each variant's configuration.
        launcher: Hydra's, to run them.
        rows: what a named sweep fixes, `hydra.sweeper.params`.
        arguments: overrides from the command line; they must not touch the rows.

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
    if plans[0].settings.dry_run:
        show(plans)
        return []
    past = _begin(plans, jobs, arguments)
    # Hydra's own launcher runs one job at a time, so we can report progress in between; others take all at once.
    in_turn = str(config.hydra.launcher._target_).endswith(".BasicLauncher")
    returns = _run_in_turn(launcher, jobs, plans, past) if in_turn else _run_together(launcher, jobs, plans)
    _summarise(plans, returns)
    return [returns]


def _begin(plans: Sequence[Plan], jobs: Sequence[list[str]], arguments: Sequence[str]) -> Past:
    """Write the sweep's manifest and say what there is to do; end here if nothing can be written."""
    runs_dir = plans[0].runs_dir
    data = sorted({plan.pairs.fingerprint for plan in plans if plan.pairs is not None})
    variants = [plan.wanted(job) for plan, job in zip(plans, jobs, strict=True)]
    check_writable(runs_dir)
    changed = write_manifest(runs_dir, arguments, code_digest(), data, variants)
    if changed:
        tell(
            f"Note: {changed}. Finished variants are kept, and the report will not mix the two silently. For a sweep "
            "of one kind, start it with another runs_dir."
        )
    past = past_of(plans)
    tell(announcement(plans, past))
    return past


def _run_in_turn(launcher: Launcher, jobs: Sequence[list[str]], plans: Sequence[Plan], past: Past) -> list[Any]:
    """Run jobs one after the other; those that other processes work on come last."""
    returns: dict[int, Any] = {}
    pending = [*range(len(jobs))]
    took_s, forecast_s = 0.0, 0.0
    while pending:
        held = []
        for place, index in enumerate(pending):
            if plans[index].holder():
                held.append(index)
                continue
            # Correct the forecast by how long the variants so far have taken.
            left_s = past.seconds([plans[other] for other in [*held, *pending[place:]]])
            left = duration(left_s * took_s / forecast_s if forecast_s else left_s)
            guess = "" if forecast_s or past.trained else ", a first guess"
            tell(f"--- {len(returns) + 1} of {len(jobs)}: {plans[index].name} (about {left} left{guess})")
            this_s, clock = past.seconds([plans[index]]), time.monotonic()
            (job,) = launcher.launch([jobs[index]], initial_job_idx=index)
            if outcome_of(job)["status"] == "held":
                held.append(index)
                continue
            returns[index] = job
            if this_s:
                took_s, forecast_s = took_s + time.monotonic() - clock, forecast_s + this_s
        if held and held == pending:
            _wait_while_held([plans[index] for index in held])
        pending = held
    return [returns[index] for index in range(len(jobs))]


def _run_together(launcher: Launcher, jobs: Sequence[list[str]], plans: Sequence[Plan]) -> list[Any]:
    """Hand jobs out to processes or machines: all trainings first, then all timings.

    A timing needs its host to itself: among trainings it would wait, and block a place where one could run.
    """
    stages = plans[0].settings.stages
    learning, timing = [stage for stage in stages if stage != "time"], [stage for stage in stages if stage == "time"]
    returns: dict[int, Any] = {}
    for together in [learning, timing] if learning and timing else [stages]:
        # A variant whose training failed is not timed.
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
    """Wait until no other process holds one of them."""
    holders = [plan.holder() for plan in plans]
    if plans and all(holders):
        others = ", ".join(sorted({f"process {one.process} on {one.host}" for one in holders if one}))
        tell(f"waiting for {others}, which works on the rest: {', '.join(plan.name for plan in plans)}")
        while all(plan.holder() for plan in plans):
            time.sleep(_LOOK_AGAIN_S)


def _refuse_to_falsify(fixed: Sequence[Override], asked: Sequence[Override]) -> None:
    """Refuse overrides of what a named sweep fixes: its rows must be what its name says."""
    for row, override in itertools.product(fixed, asked):
        group, setting = row.get_key_element().lstrip("+~"), override.get_key_element().lstrip("+~")
        if setting == group or setting.startswith(f"{group}.") or group.startswith(f"{setting}."):
            sys.exit(
                f"error: {override.input_line} would falsify the rows of this named sweep, which fix {group}: "
                "leave one of the two out"
            )


def _plan(config: DictConfig, loader: ConfigLoader, job: Sequence[str]) -> Plan:
    try:
        return plan_variant(settings_from(loader.load_sweep_config(config, list(job))))
    except (*USER_ERRORS, HydraException) as error:
        sys.exit(f"error: {' '.join(job)}: {error}")


def _without_repeats(jobs: Sequence[list[str]], plans: Sequence[Plan]) -> tuple[list[list[str]], list[Plan]]:
    """Each variant once, however often the grid names it; of two lengths of one training, the longer."""
    kept: dict[tuple[str | None, str], int] = {}
    for index, plan in enumerate(plans):
        identity = (plan.key if plan.learned_from else None, plan.measured_key)
        other = kept.setdefault(identity, index)
        if plan.max_steps != plans[other].max_steps:
            kept[identity] = max(index, other, key=lambda one: plans[one].max_steps)
            fewer, more = sorted((plan.max_steps, plans[other].max_steps))
            tell(
                f"{plan.name}: under a constant schedule {fewer} steps are the beginning of {more}; it is trained "
                "once, and trainer.evaluate_at notes its quality on the way."
            )
    return [jobs[index] for index in sorted(kept.values())], [plans[index] for index in sorted(kept.values())]


def outcome_of(job: Any) -> dict[str, Any]:
    """What `run_variant` returned, or a failure that says why there is nothing; without a job: completed."""
    if job is None:
        return {"status": "completed", "reason": None}
    result = job._return_value  # `return_value` would raise a failed job's error, and print all its overrides
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
        tell("Failed variants stay failed; retry_failed=true runs them again.")


def _because(outcome: dict[str, Any]) -> str:
    return f": {outcome['reason']}" if outcome["reason"] else ""


def tell(line: str) -> None:
    """Print a line for the person who waits: on stderr, in order with the progress bars."""
    print(line, file=sys.stderr, flush=True)
