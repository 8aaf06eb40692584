"""One variant from its plan to its records: train, evaluate, time."""

import io
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import torch
from omegaconf import DictConfig
from pytorch_lightning import Callback
from torch import nn

from enhance_sweep import config as configuration
from enhance_sweep.data.pairs import Pairs
from enhance_sweep.records.code_versions import canonical
from enhance_sweep.records.keys import architecture_key
from enhance_sweep.records.schema import SCHEMA
from enhance_sweep.records.store import GENERATOR_FILE, SCORES_FILE, write_timed, write_trained
from enhance_sweep.sweep.code_digest import code_digest
from enhance_sweep.sweep.failures import (
    INTERRUPTED,
    OUT_OF_MEMORY,
    attempts_after,
    classify,
    classify_timing,
    reason_of,
)
from enhance_sweep.sweep.plan import Plan, plan_variant
from enhance_sweep.system.clock import now
from enhance_sweep.system.environment import cost_of_precision, describe_environment, out_of_memory_kills, system_id
from enhance_sweep.system.files import NoSpaceError, raise_if_full, remove_leftovers, write_whole
from enhance_sweep.system.leases import HeldError, Lease, LostError, lease
from enhance_sweep.system.locks import host_lock
from enhance_sweep.timing.protocol import time_variant
from enhance_sweep.training.errors import DivergedError
from enhance_sweep.training.evaluation import Scores, score
from enhance_sweep.training.fit import CHECKPOINT_FILE, Fitted, fit, start_from_seed, trains_on_processor
from enhance_sweep.training.parts import Watch, unwatched
from enhance_sweep.training.pictures import write_pictures


def run_variant(config: DictConfig) -> dict[str, Any]:
    """Do the stages of a configuration that are not done yet, and write the records.

    A failure while training, scoring or timing is written down as the variant's, and not raised: a sweep goes on. It is
    tried again as often as `retries` says.

    Returns:
        `status` (completed, failed, or held: another process works on it), `reason`, `failure`: the class of a
        failure, `did`: the stages that were really run, one after the other, `took_s`: the seconds of each, and
        `kept`: what stands instead of what was asked for, if anything.

    Raises:
        ConfigError, DataError: before anything is computed.
        NoSpaceError: the disk is full.
        StoppedError: this process was asked to stop; what it had is saved.
    """
    plan = plan_variant(config)
    did = _Stages()
    outcome: dict[str, Any] = {
        "name": plan.name,
        "status": "completed",
        "reason": None,
        "failure": None,
        "did": did.names,
        "took_s": did.seconds,
        "kept": None,
    }
    try:
        record = plan.trained_record()
        if _is_trained(record) and record["steps"] > plan.max_steps:  # type: ignore[index]
            outcome["kept"] = f"nothing: it has been trained for {record['steps']} steps already"  # type: ignore[index]
        if plan.needs_training() or plan.needs_evaluation(record):
            with lease(plan.runs_dir, plan.key, "train") as mine:
                record = _learn(plan, mine, did)
        if record is None or record["status"] == "running":
            if "evaluate" in config.stages and "train" not in config.stages:
                reason = (
                    f"there is no finished training to evaluate: say stages=[{','.join(['train', *config.stages])}]"
                )
                outcome |= {"status": "failed", "reason": reason}
        elif record["status"] == "failed":
            outcome |= {"status": "failed", "reason": record["reason"], "failure": record.get("failure")}
        if plan.needs_timing():
            with lease(plan.runs_dir, plan.measured_key(), "time") as mine:
                _time(plan, mine, did)
        if "time" in config.stages and (timed := plan.timed_records()[-1])["status"] == "failed":
            outcome |= {"status": "failed", "reason": timed["reason"], "failure": timed.get("failure")}
    except (HeldError, LostError) as error:
        outcome |= {"status": "held", "reason": str(error)}
    return outcome


class _Stages:
    """Which stages were run, and the seconds that each took."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.seconds: list[float] = []

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Around one of them."""
        self.names.append(stage)
        clock = time.monotonic()
        try:
            yield
        finally:
            self.seconds.append(round(time.monotonic() - clock, 3))


def _learn(plan: Plan, mine: Lease, did: _Stages) -> dict[str, Any] | None:
    """Train and evaluate what is still to be, again where that may help."""
    remove_leftovers(plan.folder)
    again = False
    while True:
        record = plan.trained_record()  # another may have done it before the lease was taken
        if plan.needs_training():
            with host_lock(shared=True), did("train"):  # nobody times a network beside a training
                record = _train(plan, mine, afresh=bool(plan.config.retry_failed) and not again)
        if record is not None and plan.needs_evaluation(record):
            with host_lock(shared=True), did("evaluate"):
                record = _with_pictures(plan, record if record.get("scores") else _evaluate(plan, record, mine), mine)
        if record is None or record["status"] != "failed" or not plan.may_train_again(record):
            return record
        again = True
        print(f"{plan.name}: {record['reason']}: once more", file=sys.stderr, flush=True)


def _time(plan: Plan, mine: Lease, did: _Stages) -> None:
    """Time it, again where that may help."""
    remove_leftovers(plan.runs_dir / "timed" / plan.measured_key())
    again = False
    while plan.may_time_again(plan.timed_records()) if again else plan.needs_timing():
        again = True
        timing = configuration.timing_settings(plan.config)
        print(f"{plan.name}: timing at {timing.width}x{timing.height} ...", file=sys.stderr, flush=True)
        _tell_cost(plan, timing.precision)
        model, runtime = (configuration.resolved(plan.config, group) for group in ("model", "runtime"))
        with did("time"):
            timed = time_variant(model, timing, runtime)
        if timed.status == "failed":
            timed = msgspec.structs.replace(timed, failure=classify_timing(str(timed.reason)))
        mine.check()
        write_timed(plan.runs_dir, timed)


def _tell_cost(plan: Plan, precision: str) -> None:
    if cost := cost_of_precision(precision):
        print(f"{plan.name}: {cost}", file=sys.stderr, flush=True)


def _is_trained(record: Mapping[str, Any] | None) -> bool:
    return record is not None and record["status"] == "completed"


def _train(plan: Plan, mine: Lease, afresh: bool) -> dict[str, Any]:
    """Train, and leave a record that is running, then completed or failed.

    Args:
        plan: what to train.
        mine: its lease.
        afresh: forget how often it has failed.
    """
    earlier = plan.trained_record() or {}
    record = _begun(plan, earlier, afresh)
    mine.check()
    write_trained(plan.runs_dir, record)
    if record["status"] == "failed":
        return record
    if trains_on_processor(plan.config.trainer.accelerator):
        _tell_cost(plan, record["learned_from"]["precision"])
    try:
        fitted = fit_plan(plan, plan.folder, record["micro_batches"], note=partial(_tend, mine))
        save_generator(plan.folder / GENERATOR_FILE, fitted.generator, configuration.resolved(plan.config, "model"))
        quality = _joined_curves(earlier.get("quality", []), fitted.quality)
        for outdated in ("scores", "untouched", "pictures"):
            record.pop(outdated, None)
        record |= {"status": "completed", "steps": fitted.steps, "quality": quality, "train_wall_s": fitted.wall_s}
    except Exception as error:
        record |= _failed(error, record)
    record["finished_at"] = now()
    mine.check()
    write_trained(plan.runs_dir, record)
    return record


def _begun(plan: Plan, earlier: Mapping[str, Any], afresh: bool) -> dict[str, Any]:
    """The record of a training that begins, or goes on and keeps what there is until it has something better.

    Its status is failed already if it has been interrupted more often than is allowed.
    """
    assert plan.pairs is not None
    kept = ("steps", "quality", "train_wall_s", "scores", "untouched", "pictures")
    status, reason, attempts, failure = "running", None, dict(earlier.get("attempts") or {}), earlier.get("failure")
    if earlier.get("status") == "running":
        failure = _what_interrupted(earlier)
        attempts = attempts_after(attempts, failure)
        if not plan.retries.allow(failure, attempts[failure]):
            status, reason = "failed", f"its process was lost ({failure}), {attempts[failure]} times by now"
    if afresh or earlier.get("retry") or earlier.get("status") == "completed":
        attempts = {}
    trainer = plan.config.trainer
    parts = max(trainer.micro_batches, earlier.get("micro_batches") or 1) * (2 if failure == OUT_OF_MEMORY else 1)
    return {
        **{name: earlier[name] for name in kept if name in earlier},
        "schema": SCHEMA,
        "kind": "trained",
        "key": plan.key,
        "architecture_key": architecture_key(plan.architecture),
        "status": status,
        "reason": reason,
        "failure": failure if status == "failed" else None,
        "attempts": attempts,
        "architecture": plan.architecture,
        "description": plan.description,
        "learned_from": plan.learned_from,
        "micro_batches": min(parts, trainer.batch_size),
        "data": plan.pairs.description,
        "environment": describe_environment() | {"threads": torch.get_num_threads(), "code": _code(plan, earlier)},
        "process": {"system": system_id(), "memory_kills": out_of_memory_kills()},
        "started_at": now(),
    }


def _what_interrupted(earlier: Mapping[str, Any]) -> str:
    """Whether the process that left a record running was killed for want of memory, as far as this system can tell."""
    process, now = earlier.get("process", {}), out_of_memory_kills()
    before = process.get("memory_kills")
    if before is None or now is None or process.get("system") != system_id():
        return INTERRUPTED
    return OUT_OF_MEMORY if now > before else INTERRUPTED


def _code(plan: Plan, earlier: Mapping[str, Any]) -> str:
    """The digest of the code that trains; where other code has trained a part of it, of all in turn."""
    before = earlier.get("environment", {}).get("code") if (plan.folder / CHECKPOINT_FILE).exists() else None
    seen = [canonical(digest) for digest in before.split("+")] if before else []
    return "+".join(seen if code_digest() in seen[-1:] else [*seen, code_digest()])


def _tend(mine: Lease, step: int, steps: int) -> None:
    mine.check()
    mine.note(step, steps)


def _failed(error: Exception, record: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says of a failure. A full disk is none of the variant's: it is raised again."""
    if isinstance(error, NoSpaceError | LostError):
        raise error
    raise_if_full(error, Path(str(record["key"])))
    failure = classify(error)
    return {
        "status": "failed",
        "reason": reason_of(error),
        "failure": failure,
        "attempts": attempts_after(record.get("attempts"), failure),
        "traceback": None if isinstance(error, DivergedError) else traceback.format_exc(),
    }


def fit_plan(
    plan: Plan,
    folder: Path,
    micro_batches: int = 1,
    watch: Watch = unwatched,
    note: Callable[[int, int], None] = lambda step, steps: None,
    beside: Sequence[Callback] = (),
) -> Fitted:
    """Train what is planned, from its seed or from the checkpoint in `folder`; see `enhance_sweep.training.fit`."""
    assert plan.learned_from is not None
    assert plan.pairs is not None
    trainer = plan.config.trainer
    start_from_seed(plan.config.seed)
    return fit(
        configuration.build(configuration.resolved(plan.config, "model"), "model"),
        configuration.build(configuration.resolved(plan.config, "loss"), "loss"),
        plan.pairs,
        folder,
        description=plan.name,
        max_steps=trainer.max_steps,
        batch_size=trainer.batch_size,
        crop_size=trainer.crop_size,
        learning_rate=trainer.learning_rate,
        schedule=trainer.schedule,
        precision=plan.learned_from["precision"],
        accelerator=trainer.accelerator,
        augment=trainer.augment,
        evaluate_at=trainer.evaluate_at,
        seed=plan.config.seed,
        micro_batches=micro_batches,
        watch=watch,
        note=note,
        beside=beside,
    )


def _evaluate(plan: Plan, record: dict[str, Any], mine: Lease) -> dict[str, Any]:
    """Score a trained generator on every test pair, and add that to its record."""
    assert plan.pairs is not None
    try:
        generator = load_generator(plan.folder / GENERATOR_FILE)
        scores = score(generator, plan.pairs.test, progress=f"{plan.name}, scoring")
        untouched = _untouched(plan.pairs)
        _write_scores(plan.folder / SCORES_FILE, plan.pairs, scores, untouched)
        means = scores.means()
        last = {"step": record["steps"], "psnr_db": means["psnr_db"], "ms_ssim": means["ms_ssim"]}
        record = record | {
            "scores": means,
            "untouched": untouched.means(),
            "quality": _joined_curves(record["quality"], [last]),
        }
    except Exception as error:
        record = record | _failed(error, record)
    mine.check()
    write_trained(plan.runs_dir, record)
    return record


def _with_pictures(plan: Plan, record: dict[str, Any], mine: Lease) -> dict[str, Any]:
    """The record of a scored generator with its pictures.

    They are for people, and no result depends on them: where they cannot be made that is said, the record stays as it
    is, and the next evaluation tries again.
    """
    assert plan.pairs is not None
    if not _is_trained(record) or not plan.config.pictures:
        return record
    try:
        generator = load_generator(plan.folder / GENERATOR_FILE)
        pictures = write_pictures(generator, plan.pairs, plan.folder, progress=f"{plan.name}, pictures")
    except Exception as error:
        raise_if_full(error, plan.folder)
        print(f"{plan.name}: no pictures ({reason_of(error)})", file=sys.stderr, flush=True)
        return record
    record = record | {"pictures": pictures}
    mine.check()
    write_trained(plan.runs_dir, record)
    return record


def _joined_curves(earlier: list[dict[str, Any]], later: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows by step; where both have one, the later."""
    by_step = {row["step"]: row for row in [*earlier, *later]}
    return [by_step[step] for step in sorted(by_step)]


_untouched_scores: dict[str, Scores] = {}


def _untouched(pairs: Pairs) -> Scores:
    """The untouched input's scores, computed once a process for each data set."""
    if pairs.fingerprint not in _untouched_scores:
        _untouched_scores[pairs.fingerprint] = score(None, pairs.test)
    return _untouched_scores[pairs.fingerprint]


def _write_scores(path: Path, pairs: Pairs, scores: Scores, untouched: Scores) -> None:
    table = pd.DataFrame(
        {
            "name": pairs.test.names,
            "psnr_db": scores.psnr_db,
            "ms_ssim": scores.ms_ssim,
            "untouched_psnr_db": untouched.psnr_db,
            "untouched_ms_ssim": untouched.ms_ssim,
        }
    )
    write_whole(path, table.to_csv(index=False, float_format="%.6f"))


def save_generator(path: Path, generator: nn.Module, model: Mapping[str, Any]) -> None:
    """Write weights and the configuration that they belong to; loads with `weights_only=True`."""
    content = io.BytesIO()
    torch.save({"model": dict(model), "state_dict": generator.state_dict()}, content)
    write_whole(path, content.getvalue())


def load_generator(path: Path) -> nn.Module:
    """A trained generator, on the CPU, in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
        ConfigError: it names a class that is not there.
    """
    stored = torch.load(path, map_location="cpu", weights_only=True)
    generator: nn.Module = configuration.build(stored["model"], "model")
    generator.load_state_dict(stored["state_dict"])
    return generator.eval()
