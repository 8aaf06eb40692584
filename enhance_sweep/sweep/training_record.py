"""A training's record as it moves on: begun, failed, finished, scored."""

import traceback
from pathlib import Path
from typing import Any

import msgspec
import torch
from msgspec.structs import replace

from enhance_sweep.data.pairs import Split
from enhance_sweep.records.code_versions import canonical
from enhance_sweep.records.keys import architecture_key
from enhance_sweep.records.schema import (
    SCHEMA,
    Environment,
    LearnedFrom,
    Quality,
    Scores,
    TrainedRecord,
    TrainingProcess,
)
from enhance_sweep.sweep.code_digest import code_digest
from enhance_sweep.sweep.failures import INTERRUPTED, OUT_OF_MEMORY, attempts_after, classify, reason_of
from enhance_sweep.sweep.plan import Plan
from enhance_sweep.system.clock import now
from enhance_sweep.system.environment import describe_environment, out_of_memory_kills, system_id
from enhance_sweep.system.files import NoSpaceError, raise_if_full
from enhance_sweep.system.leases import LostError
from enhance_sweep.training import evaluation
from enhance_sweep.training.errors import DivergedError
from enhance_sweep.training.fit import CHECKPOINT_FILE, Fitted

#: Results that a training keeps until it has better ones.
_RESULTS = (
    "steps",
    "quality",
    "quality_on",
    "train_wall_s",
    "scores",
    "untouched",
    "scores_by_part",
    "untouched_by_part",
    "pictures",
)


def begun(plan: Plan, earlier: TrainedRecord | None, afresh: bool) -> TrainedRecord:
    """The record of a training that begins or goes on.

    Its status is already failed if it has been interrupted more often than is allowed.

    Args:
        plan: what to train.
        earlier: its record so far.
        afresh: forget how often it has failed.
    """
    assert plan.pairs is not None
    assert plan.learned_from is not None
    trainer, retries = plan.settings.trainer, plan.settings.retries
    micro_batches, attempts = trainer.micro_batches, dict[str, int]()
    failure, reason, kept = None, None, dict[str, Any]()
    if earlier is not None:
        kept = {name: getattr(earlier, name) for name in _RESULTS}
        failure, attempts = earlier.failure, earlier.attempts
        if earlier.status == "running":
            failure = _what_interrupted(earlier)
            attempts = attempts_after(attempts, failure)
            if not retries.allow(failure, attempts[failure]):
                reason = f"its process was lost ({failure}) {attempts[failure]} times"
        if afresh or earlier.retry or earlier.status == "completed":
            attempts = {}
        micro_batches = max(micro_batches, earlier.micro_batches or 1) * (2 if failure == OUT_OF_MEMORY else 1)
    environment = describe_environment() | {"threads": torch.get_num_threads(), "code": _code(plan, earlier)}
    return TrainedRecord(
        schema=SCHEMA,
        key=plan.key,
        architecture_key=architecture_key(plan.architecture),
        status="failed" if reason else "running",
        reason=reason,
        failure=failure if reason else None,
        attempts=attempts,
        architecture=plan.architecture,
        description=plan.description,
        learned_from=LearnedFrom(plan.learned_from),
        micro_batches=min(micro_batches, trainer.batch_size),
        data=_data(plan),
        environment=msgspec.convert(environment, Environment),
        process=TrainingProcess(system=system_id(), memory_kills=out_of_memory_kills()),
        started_at=now(),
        **kept,
    )


def _data(plan: Plan) -> dict[str, Any]:
    """What the data set says of itself, and which photographs without partners there are."""
    assert plan.pairs is not None
    unlabelled = None if plan.teaching is None else plan.teaching.unlabelled
    if unlabelled is None:
        return plan.pairs.description
    told = {"folder": unlabelled.folder, "photographs": unlabelled.photographs, "patches": len(unlabelled.names)}
    return {**plan.pairs.description, "unlabelled": told}


def failed(record: TrainedRecord, error: Exception) -> TrainedRecord:
    """The record with a failure.

    Raises:
        NoSpaceError, LostError: `error` itself, as it says nothing about the variant.
    """
    if isinstance(error, NoSpaceError | LostError):
        raise error
    raise_if_full(error, Path(record.key))
    failure = classify(error)
    return replace(
        record,
        status="failed",
        reason=reason_of(error),
        failure=failure,
        attempts=attempts_after(record.attempts, failure),
        traceback=None if isinstance(error, DivergedError) else traceback.format_exc(),
    )


def finished(record: TrainedRecord, fitted: Fitted) -> TrainedRecord:
    """The record of a training that came to its end, without the scores and pictures of a shorter one."""
    earlier = record.quality if record.quality_on == "validation" else []
    return replace(
        record,
        status="completed",
        steps=fitted.steps,
        quality=joined_curves(earlier, msgspec.convert(fitted.quality, list[Quality])),
        quality_on="validation",
        train_wall_s=fitted.wall_s,
        scores=None,
        untouched=None,
        scores_by_part={},
        untouched_by_part={},
        pictures=None,
    )


def scored(
    record: TrainedRecord, scores: evaluation.Scores, untouched: evaluation.Scores, split: Split
) -> TrainedRecord:
    """The record with scores on the test pairs, and on those of each data set where there are several."""
    mean, mean_untouched = (_means(one) for one in (scores, untouched))
    parts, untouched_parts = (
        {name: _means(of_part) for name, of_part in one.by_part(split).items()} for one in (scores, untouched)
    )
    return replace(
        record, scores=mean, untouched=mean_untouched, scores_by_part=parts, untouched_by_part=untouched_parts
    )


def _means(scores: evaluation.Scores) -> Scores:
    return msgspec.convert(scores.means(), Scores)


def joined_curves(earlier: list[Quality], later: list[Quality]) -> list[Quality]:
    """The points of two curves, by step; where both have a step, the later's."""
    by_step = {point.step: point for point in [*earlier, *later]}
    return [by_step[step] for step in sorted(by_step)]


def _what_interrupted(earlier: TrainedRecord) -> str:
    """Whether memory ran out when a process was lost, as far as this system can tell, or it was only interrupted."""
    process, kills = earlier.process, out_of_memory_kills()
    if process is None or process.memory_kills is None or kills is None or process.system != system_id():
        return INTERRUPTED
    return OUT_OF_MEMORY if kills > process.memory_kills else INTERRUPTED


def _code(plan: Plan, earlier: TrainedRecord | None) -> str:
    """The digest of the code that trains; digests of all versions in turn, where others trained a part of it."""
    before = earlier.environment.code if earlier and (plan.folder / CHECKPOINT_FILE).exists() else None
    seen = [canonical(digest) for digest in before.split("+")] if before else []
    return "+".join(seen if code_digest() in seen[-1:] else [*seen, code_digest()])
