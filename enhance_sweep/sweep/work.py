"""What a training computes: steps, pixels and multiply-adds, counted without computing anything."""

import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from enhance_sweep import config as configuration
from enhance_sweep.data.kept import is_kept
from enhance_sweep.data.pairs import Split
from enhance_sweep.losses import ContentLoss, TextureLoss
from enhance_sweep.records.schema import Description, TrainedRecord
from enhance_sweep.sweep.plan import Plan

#: Passes of the generator in a step, where a backward pass costs two forward passes.
_FORWARD_AND_BACKWARD = 3


@dataclass(frozen=True)
class Work:
    """What a variant costs to train and score.

    Attributes:
        steps: of training.
        pixels: of all patches that it is trained on and scored on.
        macs: multiply-adds: in training those of generator, content network and discriminator, forward and backward; in
            scoring the generator's.
    """

    steps: int = 0
    pixels: float = 0.0
    macs: float = 0.0


@dataclass(frozen=True)
class LossWork:
    """What a loss adds to a training step.

    Attributes:
        macs: multiply-adds of content network and discriminator for one patch. Terms without layers do not count.
        more_passes: of the generator: a discriminator that learns from a batch of its own needs it enhanced.
    """

    macs: int = 0
    more_passes: int = 0


def work_of(plan: Plan) -> Work:
    """The training and scoring that a variant still needs."""
    if plan.pairs is None or not plan.needs_training():
        return Work()
    trainer, record = plan.settings.trainer, plan.trained_record()
    steps = max(plan.max_steps - ((record and record.steps) or 0), 0)
    scored = pixels_of(plan.pairs.test)
    if plan.pairs.validation is not None:
        scorings = 2 + sum(step < trainer.max_steps for step in trainer.evaluate_at)  # at the start and at the end, too
        scored += scorings * pixels_of(plan.pairs.validation)
    loss = loss_work(plan.settings.loss, trainer.crop_size) or LossWork()
    return _work(
        plan.description, loss, steps, trainer.batch_size, trainer.crop_size, trainer.micro_batches, scored=scored
    )


def teaching_work(plans: Sequence[Plan]) -> Work:
    """What teachers have still to be shown before these variants are trained: once, however many learn from it."""
    shown: dict[Path, tuple[int, float]] = {}
    for plan in plans:
        if plan.teaching is None or plan.pairs is None or not plan.needs_training():
            continue
        description = plan.teaching.teacher.description
        per_pixel = description.macs / (description.height * description.width)
        for file, images in plan.teaching.shown(plan.pairs).items():
            if not is_kept(file, images.shape):
                shown[file] = math.prod(images.shape[:3]), per_pixel
    return Work(0, sum(pixels for pixels, _ in shown.values()), sum(pixels * each for pixels, each in shown.values()))


def work_of_record(record: TrainedRecord) -> Work | None:
    """The training that a record is of; None where it does not say, or where its loss cannot be counted.

    A record may come from anywhere, and building a class that it names could run a stranger's code: only a loss of the
    classes that `conf/` names is counted.
    """
    learned = record.learned_from
    settings, batch_size, crop_size = learned.get("loss_terms"), learned.batch_size, learned.crop_size
    if not settings or not batch_size or not crop_size:
        return None
    loss = loss_work(settings, crop_size, trusted=False)
    if loss is None:
        return None
    return _work(record.description, loss, record.steps or 0, batch_size, crop_size, record.micro_batches or 1)


def _work(
    description: Description,
    loss: LossWork,
    steps: int,
    batch_size: int,
    crop_size: int,
    micro_batches: int,
    scored: int = 0,
) -> Work:
    per_pixel = description.macs / (description.height * description.width)
    passes = _FORWARD_AND_BACKWARD + loss.more_passes + (micro_batches > 1)
    patches = steps * batch_size
    trained = patches * crop_size**2
    return Work(steps, trained + scored, per_pixel * (passes * trained + scored) + loss.macs * patches)


def pixels_of(split: Split) -> int:
    """All pixels of the inputs of a split."""
    return math.prod(split.input.shape[:3])


def loss_work(loss: Mapping[str, Any], crop_size: int, trusted: bool = True) -> LossWork | None:
    """What a loss adds to a step with patches of `crop_size`; None where it cannot be counted without computing it.

    Each distinct loss is counted once in a process.

    Args:
        loss: the settings of an `Objective`.
        crop_size: the side of a patch, in pixels.
        trusted: False: count only classes that `conf/` names.
    """
    return _loss_work(json.dumps(loss), crop_size, trusted)


@cache
def _loss_work(loss_json: str, crop_size: int, trusted: bool) -> LossWork | None:
    loss = json.loads(loss_json)
    if not trusted and not set(_classes(loss)) <= _known_classes():
        return None
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # weights read from a file are lost on the meta device, as they should be
            terms = [
                configuration.build(term, f"loss.terms.{name}")
                for name, term in loss["terms"].items()
                if issubclass(get_class(term["_target_"]), ContentLoss | TextureLoss)
            ]
            simultaneous = bool(loss.get("simultaneous"))
            macs = sum(_macs(term, crop_size, simultaneous) for term in terms)
    except Exception:  # somebody's class may want numbers, which the meta device does not have
        return None
    has_own_batch = any(isinstance(term, TextureLoss) for term in terms) and not simultaneous
    return LossWork(macs, more_passes=int(has_own_batch))


def _macs(term: nn.Module, crop_size: int, simultaneous: bool) -> int:
    """Multiply-adds of a step for one patch: of the generator's pass and, of a texture term, the discriminator's."""
    target = torch.empty(1, 3, crop_size, crop_size)
    enhanced = torch.empty_like(target, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        for loss in _passes(term, enhanced, target, simultaneous):
            loss.backward()  # type: ignore[no-untyped-call]
    return int(counter.get_total_flops()) // 2


def _passes(term: nn.Module, enhanced: Tensor, target: Tensor, simultaneous: bool) -> Iterator[Tensor]:
    if not isinstance(term, TextureLoss):
        yield term(enhanced, target)
        return
    shown_target = torch.zeros(1, dtype=torch.bool)
    if simultaneous:
        yield term.of_both_players(enhanced, target, shown_target, 1.0)[0]
        return
    yield term.requires_grad_(False)(enhanced, target)
    yield term.requires_grad_(True).discriminator_loss(enhanced, target, shown_target)


def _classes(node: Any) -> Iterator[str]:
    """Every `_target_` in settings."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield str(node["_target_"])
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _classes(part)


@cache
def _known_classes() -> frozenset[str]:
    """Every class that a preset of a loss or of content features names."""
    files = [path for group in ("loss", "content") for path in (configuration.CONF_DIR / group).glob("*.yaml")]
    return frozenset(name for file in files for name in _classes(OmegaConf.to_container(OmegaConf.load(file))))
