"""What a configuration asks for: checked, with its keys, and with what of it is still to be done.

This is where the configuration ends: everything below takes arguments with names and types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from enhance_sweep import config as configuration
from enhance_sweep.data.packing import default_cache_dir
from enhance_sweep.data.pairs import Pairs
from enhance_sweep.models.description import describe
from enhance_sweep.records.keys import architecture_of, architecture_slug, learned_key, measured_key
from enhance_sweep.records.store import GENERATOR_FILE, find_trained, timed_records, trained_dir
from enhance_sweep.settings import Retries
from enhance_sweep.sweep.failures import OUT_OF_MEMORY
from enhance_sweep.sweep.manifest import Wanted, measured_without_host
from enhance_sweep.system.leases import Holder, holder_of
from enhance_sweep.timing.protocol import measurement_of
from enhance_sweep.training.fit import check_accelerator, resolve_precision
from enhance_sweep.training.pictures import are_complete

#: What identifies a training but not what is learned: it may differ between a run and its continuation.
_NOT_LEARNED = ("max_steps", "evaluate_at", "accelerator", "precision", "micro_batches")


@dataclass(frozen=True)
class Plan:
    """What a configuration asks for, checked, before anything is computed.

    Attributes:
        config: the configuration itself.
        architecture: `topology` and the constructor's arguments.
        description: layers, parameters and multiply-adds.
        learned_from: everything else that decides the weights; None where nothing is trained or evaluated.
        pairs: the data, packed; None where nothing is trained or evaluated.
    """

    config: DictConfig
    architecture: dict[str, Any]
    description: dict[str, Any]
    learned_from: dict[str, Any] | None
    pairs: Pairs | None

    @property
    def runs_dir(self) -> Path:
        """The folder that everything is written into."""
        return Path(self.config.runs_dir)

    @property
    def name(self) -> str:
        """Short and readable, for progress and messages."""
        return architecture_slug(self.architecture)

    @property
    def max_steps(self) -> int:
        """How many steps of the generator are asked for."""
        return int(self.config.trainer.max_steps)

    @property
    def key(self) -> str:
        """The key of what is learned."""
        assert self.learned_from is not None
        return learned_key(self.architecture, self.learned_from)

    @property
    def folder(self) -> Path:
        """Where its record and checkpoint are."""
        return trained_dir(self.runs_dir, self.key)

    def trained_record(self) -> dict[str, Any] | None:
        """What there is of it already."""
        return None if self.learned_from is None else find_trained(self.runs_dir, self.key)

    @property
    def retries(self) -> Retries:
        """How often what failed is tried again."""
        retries: Retries = OmegaConf.to_object(self.config.retries)  # type: ignore[assignment]
        return retries

    def needs_training(self) -> bool:
        """Whether its record is not yet one of a training this long, finished, nor of a failure that stays one."""
        if "train" not in self.config.stages:
            return False
        record = self.trained_record()
        if record is None or record["status"] == "running":
            return True
        if record["status"] == "failed":
            return bool(self.config.retry_failed or record.get("retry")) or self.may_train_again(record)
        return bool(record["steps"] < self.max_steps)

    def may_train_again(self, record: Mapping[str, Any]) -> bool:
        """Whether a failed training is tried again by itself."""
        failure = record.get("failure")
        return self.retries.allow(failure, (record.get("attempts") or {}).get(failure, 0))

    def needs_evaluation(self, record: Mapping[str, Any] | None) -> bool:
        """Whether a trained network lacks scores, or pictures that can be made of what is in its folder.

        A record from before there were as many pictures gets them without being scored or trained again.
        """
        if "evaluate" not in self.config.stages or record is None or record["status"] != "completed":
            return False
        if not record.get("scores"):
            return True
        if not self.config.pictures:
            return False
        return not are_complete(record.get("pictures"), self.folder) and (self.folder / GENERATOR_FILE).is_file()

    def needs_timing(self) -> bool:
        """Whether its speed has not been measured in this way yet; a quick look does not stand for a careful one."""
        if "time" not in self.config.stages:
            return False
        timed = self.timed_records()
        if not timed or self.may_time_again(timed):
            return True
        if timed[-1]["status"] == "failed" and (self.config.retry_failed or timed[-1].get("retry")):
            return True
        return bool(self.config.timing.paired) and not any(record.get("baseline") for record in timed)

    def may_time_again(self, timed: Sequence[Mapping[str, Any]]) -> bool:
        """Whether a failed timing is tried again by itself. One for want of memory is not: nothing can be made less."""
        failure = timed[-1].get("failure") if timed[-1]["status"] == "failed" else None
        if failure in (None, OUT_OF_MEMORY):
            return False
        of_this_kind = takewhile(lambda record: record.get("failure") == failure, reversed(timed))
        return self.retries.allow(failure, len(list(of_this_kind)))

    def holder(self) -> Holder | None:
        """Who else works on what this one still needs; None if nobody does."""
        if self.learned_from is not None and (self.needs_training() or self.needs_evaluation(self.trained_record())):
            return holder_of(self.runs_dir, self.key)
        return holder_of(self.runs_dir, self.measured_key()) if self.needs_timing() else None

    def timed_records(self) -> list[dict[str, Any]]:
        """Its timings under this measurement, the oldest first."""
        return list(timed_records(self.runs_dir, self.measured_key()))

    def measured_key(self) -> str:
        """The key of how its speed is measured here."""
        return measured_key(self.architecture, self.measurement())

    def measurement(self) -> dict[str, Any]:
        """How its speed is measured here."""
        timing, runtime = configuration.timing_settings(self.config), configuration.resolved(self.config, "runtime")
        return dict(measurement_of(timing, runtime))

    def wanted(self, overrides: Sequence[str]) -> Wanted:
        """What a sweep writes down of it."""
        learns, times = self.learned_from is not None, "time" in self.config.stages
        return Wanted(
            self.name,
            list(overrides),
            self.key if learns else None,
            self.max_steps if learns else None,
            measured_without_host(self.architecture, self.measurement()) if times else None,
            self.measured_key() if times else None,
        )


def plan_variant(config: DictConfig) -> Plan:
    """Check a configuration and everything it names: values, data, weights.

    Raises:
        ConfigError: a setting is wrong, by name.
        DataError: the photographs cannot be used, by file.
    """
    configuration.check(config)
    try:
        check_accelerator(config.trainer.accelerator)
    except ValueError as error:
        raise configuration.ConfigError(f"trainer.accelerator: {error}") from error
    model = configuration.resolved(config, "model")
    with torch.device("meta"):
        description = describe(configuration.build(model, "model"))
    learned_from, pairs = None, None
    if {"train", "evaluate"} & set(config.stages):
        pairs = _load_pairs(OmegaConf.to_yaml(config.data, resolve=True), default_cache_dir())
        learned_from = _learned_from(config, pairs)
        smallest = min(pairs.train.input.shape[1:3])
        if config.trainer.crop_size > smallest:
            raise configuration.ConfigError(
                f"trainer.crop_size: expected at most {smallest}, the patches' side, got {config.trainer.crop_size}"
            )
    return Plan(config, architecture_of(model), description, learned_from, pairs)


@cache
def _load_pairs(data_yaml: str, cache_dir: Path) -> Pairs:
    """Each data set once a process, however many variants learn from it."""
    data = OmegaConf.to_container(OmegaConf.create(data_yaml))
    pairs: Pairs = configuration.build(data, "data").load(cache_dir)
    return pairs


def _learned_from(config: DictConfig, pairs: Pairs) -> dict[str, Any]:
    loss = _without_places(configuration.resolved(config, "loss"))
    trainer = {str(name): value for name, value in config.trainer.items() if name not in _NOT_LEARNED}
    # Where the schedule depends on the length, a longer training is another training.
    length = {} if trainer["schedule"] == "constant" else {"max_steps": config.trainer.max_steps}
    return {
        "dataset": pairs.dataset,
        "data_fingerprint": pairs.fingerprint,
        "loss": loss.pop("name"),
        "loss_terms": loss,
        "content": _content_name(loss),
        "precision": resolve_precision(config.trainer.precision, config.trainer.accelerator),
        "seed": config.seed,
        **trainer,
        **length,
    }


def _content_name(loss: Mapping[str, Any]) -> str | None:
    features = [term["features"].get("name") for term in loss["terms"].values() if "features" in term]
    return features[0] if features else None


def _without_places(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {name: _without_places(value) for name, value in node.items() if name not in configuration.PLACES}
    return node
