"""What the settings ask for: checked, with its keys, and with what of it is still to be done."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from enhance_sweep import config as configuration
from enhance_sweep.config import ConfigError
from enhance_sweep.data.packing import default_cache_dir
from enhance_sweep.data.pairs import Pairs
from enhance_sweep.models.checking import ShapeError, check_shapes, raised
from enhance_sweep.models.description import describe
from enhance_sweep.models.identity import CannotCarryError
from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.records.keys import architecture_of, architecture_slug, learned_key, measured_key
from enhance_sweep.records.schema import BEFORE, Description, TimedRecord, TrainedRecord
from enhance_sweep.records.store import GENERATOR_FILE, find_trained, timed_records, trained_dir
from enhance_sweep.settings import Settings
from enhance_sweep.sweep import standing
from enhance_sweep.sweep.manifest import Wanted, measured_without_host
from enhance_sweep.sweep.published import what_is_known
from enhance_sweep.sweep.standing import Standing
from enhance_sweep.sweep.teacher import Teaching, teaching_of
from enhance_sweep.system.leases import Holder, holder_of
from enhance_sweep.timing.protocol import measurement_of
from enhance_sweep.training.fit import check_accelerator, resolve_precision
from enhance_sweep.training.pictures import are_complete

#: What a training may change when it goes on from its checkpoint: not part of its identity.
_NOT_LEARNED = ("max_steps", "evaluate_at", "accelerator", "precision", "micro_batches")


@dataclass(frozen=True)
class Plan:
    """What the settings ask for, checked before anything is computed.

    Attributes:
        settings: the settings themselves.
        architecture: `topology` and the constructor's arguments.
        description: layers, parameters and multiply-adds.
        learned_from: everything else that decides the weights; None where nothing is trained or evaluated.
        pairs: the data, packed; None where nothing is trained or evaluated.
        teaching: who teaches it; None where nobody does.
    """

    settings: Settings
    architecture: dict[str, Any]
    description: Description
    learned_from: dict[str, Any] | None
    pairs: Pairs | None
    teaching: Teaching | None = None

    @property
    def runs_dir(self) -> Path:
        """The folder for all results."""
        return Path(self.settings.runs_dir)

    @property
    def name(self) -> str:
        """Short and readable, for progress and messages."""
        return architecture_slug(self.architecture)

    @property
    def max_steps(self) -> int:
        """How many steps of the generator are asked for; none where others' weights are taken."""
        return 0 if self.settings.weights else self.settings.trainer.max_steps

    @property
    def key(self) -> str:
        """The key of what is learned."""
        assert self.learned_from is not None
        return learned_key(self.architecture, self.learned_from)

    @property
    def folder(self) -> Path:
        """Where its record and checkpoint are."""
        return trained_dir(self.runs_dir, self.key)

    @property
    def measurement(self) -> dict[str, Any]:
        """How its speed is measured on this host."""
        return measurement_of(self.settings.timing, self.settings.runtime)

    @property
    def measured_key(self) -> str:
        """The key of its speed, measured in this way."""
        return measured_key(self.architecture, self.measurement)

    def trained_record(self) -> TrainedRecord | None:
        """Its training's record, if there is one."""
        return None if self.learned_from is None else find_trained(self.runs_dir, self.key)

    def timed_records(self) -> list[TimedRecord]:
        """Its timings under this measurement, the oldest first."""
        return list(timed_records(self.runs_dir, self.measured_key))

    def due(self) -> list[str]:
        """The stages that are still to be run, in their order."""
        trains = self.needs_training()
        evaluates = self.needs_evaluation() or (trains and "evaluate" in self.settings.stages)
        dues = {"train": trains, "evaluate": evaluates, "time": self.needs_timing() or self.needs_baseline()}
        return [stage for stage, due in dues.items() if due]

    def needs_training(self) -> bool:
        """Whether it must be trained, or trained further, or again after a failure."""
        if "train" not in self.settings.stages:
            return False
        return standing.training_is_due(
            self.trained_record(), self.max_steps, self.settings.retries, self.settings.retry_failed
        )

    def may_train_again(self, record: TrainedRecord) -> bool:
        """Whether a failed training is retried without being asked."""
        return "train" in self.settings.stages and standing.may_train_again(record, self.settings.retries)

    def needs_evaluation(self) -> bool:
        """Whether a trained network lacks scores, or some scores or pictures that its weights can still give.

        A record from before there were as many measures or pictures gets them without being trained again.
        """
        if "evaluate" not in self.settings.stages:
            return False
        record = self.trained_record()
        reached = standing.of_training(record, steps=None)
        if reached is not Standing.DONE or record is None:
            return reached is Standing.UNSCORED
        lacks_pictures = self.settings.pictures and not are_complete(record.pictures, self.folder)
        lacks_measures = record.scores is not None and record.scores.lacks_measures
        return (lacks_pictures or lacks_measures) and (self.folder / GENERATOR_FILE).is_file()

    def needs_timing(self) -> bool:
        """Whether its speed has not been measured in this way yet."""
        if "time" not in self.settings.stages:
            return False
        return standing.timing_is_due(
            self.timed_records(), self.settings.timing.paired, self.settings.retries, self.settings.retry_failed
        )

    def baseline(self) -> "Plan":
        """The baseline, to be timed in the same way."""
        # It takes seconds a call: as few as a quick look has.
        timing = replace(self.settings.timing, baseline_once=False, samples=3, warm_up_calls=3, repeats=0)
        settings = replace(self.settings, model=dict(BASELINE), timing=timing, stages=["time"])
        return replace(self, settings=settings, architecture=architecture_of(BASELINE), learned_from=None)

    def needs_baseline(self) -> bool:
        """Whether the baseline is still to be timed by itself on this host."""
        timing = self.settings.timing
        asked = timing.baseline_once and not timing.paired and "time" in self.settings.stages
        return asked and self.baseline().needs_timing()

    def may_time_again(self) -> bool:
        """Whether its newest timing failed and is retried without being asked."""
        return standing.may_time_again(self.timed_records(), self.settings.retries)

    def holder(self) -> Holder | None:
        """The process that works on what this one still needs; None if there is none."""
        if self.learned_from is not None and (self.needs_training() or self.needs_evaluation()):
            return holder_of(self.runs_dir, self.key)
        return holder_of(self.runs_dir, self.measured_key) if self.needs_timing() else None

    def wanted(self, overrides: Sequence[str]) -> Wanted:
        """What a sweep's manifest says about it."""
        learns, times = self.learned_from is not None, "time" in self.settings.stages
        return Wanted(
            self.name,
            list(overrides),
            self.key if learns else None,
            self.max_steps if learns else None,
            measured_without_host(self.architecture, self.measurement) if times else None,
            self.measured_key if times else None,
        )


def plan_variant(settings: Settings) -> Plan:
    """Check settings and everything they name: classes, data, weights.

    Raises:
        ConfigError: a setting is wrong, by name.
        DataError: the photographs cannot be used, by file.
    """
    configuration.check(settings)
    try:
        check_accelerator(settings.trainer.accelerator)
    except ValueError as error:
        raise ConfigError(f"trainer.accelerator: {error}") from error
    with torch.device("meta"):
        generator, description = _described(settings.model)
        if {"train", "evaluate"} & set(settings.stages) and not settings.weights:
            start(generator, settings)
    learned_from, pairs, teaching = None, None, None
    if {"train", "evaluate"} & set(settings.stages):
        pairs = _load_pairs(json.dumps(settings.data_set), default_cache_dir())
        teaching = None if settings.weights else teaching_of(settings, pairs)
        learned_from = what_is_learned_from(settings, pairs, teaching)
        smallest, side = min(pairs.train.input.shape[1:3]), settings.trainer.crop_size
        if side > smallest and not settings.weights:
            raise ConfigError(f"trainer.crop_size: expected at most {smallest}, the patches' side, got {side}")
    return Plan(settings, architecture_of(settings.model), description, learned_from, pairs, teaching)


def _described(model: dict[str, Any]) -> tuple[nn.Module, Description]:
    """Build a network without weights, check that it gives back its photograph's size, and describe it.

    Raises:
        ConfigError: it does not, or cannot be built or followed.
    """
    name = architecture_slug(architecture_of(model))
    try:
        generator = configuration.build(model, "model")
        check_shapes(generator)
        return generator, msgspec.convert(describe(generator), Description)
    except ConfigError:
        raise
    except ShapeError as error:
        raise ConfigError(f"{name}: {error}") from error
    except Exception as error:  # somebody's network may raise anything
        raise ConfigError(f"{name}: it cannot be built and followed without computing: {raised(error)}") from error


def start(generator: nn.Module, settings: Settings) -> None:
    """Give a network just built, which has the DPED code's initial weights, those that `trainer.start` names.

    Raises:
        ConfigError: it cannot start as the identity.
    """
    if settings.trainer.start != "identity":
        return
    otherwise = "or take trainer.start=dped_code"
    start_as_identity = getattr(generator, "start_as_identity", None)
    if start_as_identity is None:
        raise ConfigError(
            f"trainer.start: {type(generator).__name__} has no method start_as_identity: write one, {otherwise}"
        )
    try:
        start_as_identity()
    except CannotCarryError as error:
        raise ConfigError(f"trainer.start: {error}; otherwise take trainer.start=dped_code") from error


@cache
def _load_pairs(data_json: str, cache_dir: Path) -> Pairs:
    """Load each data set once per process, however many variants learn from it."""
    pairs: Pairs = configuration.build(json.loads(data_json), "data").load(cache_dir)
    return pairs


def what_is_learned_from(settings: Settings, pairs: Pairs, teaching: Teaching | None = None) -> dict[str, Any]:
    """Everything but the architecture that decides the weights."""
    if settings.weights:
        return what_is_known(settings, pairs)
    loss, trainer = _without_places(settings.loss), settings.trainer
    learned = {name: value for name, value in vars(trainer).items() if name not in _NOT_LEARNED}
    # Where the schedule depends on the length, a longer training is another training.
    length = {} if trainer.schedule == "constant" else {"max_steps": trainer.max_steps}
    return {
        "dataset": pairs.dataset,
        "data_fingerprint": pairs.fingerprint,
        "loss": loss.pop("name"),
        "loss_terms": loss,
        "content": _content_name(loss),
        "precision": resolve_precision(trainer.precision, trainer.accelerator),
        "seed": settings.seed,
        **{name: value for name, value in learned.items() if name not in BEFORE or value != BEFORE[name]},
        **length,
        **({} if pairs.shares is None else {"shares": pairs.shares}),
        **({} if teaching is None else _what_is_taught(settings, teaching)),
    }


def _what_is_taught(settings: Settings, teaching: Teaching) -> dict[str, Any]:
    taught: dict[str, Any] = {"teacher": teaching.teacher.as_learned_from(settings.teacher.weight)}
    if (photographs := teaching.unlabelled) is not None:
        taught["unlabelled"] = {
            "fingerprint": photographs.fingerprint,
            "photographs": photographs.photographs,
            "share": settings.data["unlabelled_share"],
        }
    return taught


def _content_name(loss: Mapping[str, Any]) -> str | None:
    features = [term["features"].get("name") for term in loss["terms"].values() if "features" in term]
    return features[0] if features else None


def _without_places(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {name: _without_places(value) for name, value in node.items() if name not in configuration.PLACES}
    return node
