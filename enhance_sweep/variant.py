"""One variant from configuration to records: train, evaluate, time.

This is where the configuration ends: everything below takes arguments with names and types.
"""

import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback
from torch import nn

from enhance_sweep import config as configuration
from enhance_sweep import records
from enhance_sweep.data.packing import default_cache_dir
from enhance_sweep.data.pairs import Pairs
from enhance_sweep.environment import describe_environment
from enhance_sweep.models.description import describe
from enhance_sweep.timing.lock import host_lock
from enhance_sweep.timing.protocol import architecture_of, measurement_of, time_variant
from enhance_sweep.training.evaluation import Scores, score
from enhance_sweep.training.fit import Fitted, check_accelerator, fit, resolve_precision, start_from_seed
from enhance_sweep.training.module import DivergedError
from enhance_sweep.training.parts import Watch, unwatched
from enhance_sweep.training.pictures import are_complete, write_pictures

GENERATOR_FILE = "generator.pt"

#: What identifies a training but not what is learned: it may differ between a run and its continuation.
_NOT_LEARNED = ("max_steps", "evaluate_at", "accelerator", "precision")


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
        return records.architecture_slug(self.architecture)

    @property
    def max_steps(self) -> int:
        """How many steps of the generator are asked for."""
        return int(self.config.trainer.max_steps)

    @property
    def key(self) -> str:
        """The key of what is learned."""
        assert self.learned_from is not None
        return records.learned_key(self.architecture, self.learned_from)

    @property
    def folder(self) -> Path:
        """Where its record and checkpoint are."""
        return records.trained_dir(self.runs_dir, self.key)

    def trained_record(self) -> dict[str, Any] | None:
        """What there is of it already."""
        return None if self.learned_from is None else records.find_trained(self.runs_dir, self.key)

    def needs_training(self) -> bool:
        """Whether its record is not yet one of a training this long, finished."""
        if "train" not in self.config.stages:
            return False
        record = self.trained_record()
        if record is None or record["status"] == "running":
            return True
        if record["status"] == "failed":
            return bool(self.config.retry_failed)
        return bool(record["steps"] < self.max_steps)

    def needs_timing(self) -> bool:
        """Whether its speed has not been measured in this way yet; a quick look does not stand for a careful one."""
        if "time" not in self.config.stages:
            return False
        timed = self.timed_records()
        if not timed or (timed[-1]["status"] == "failed" and self.config.retry_failed):
            return True
        return bool(self.config.timing.paired) and not any(record.get("baseline") for record in timed)

    def timed_records(self) -> list[dict[str, Any]]:
        """Its timings under this measurement, the oldest first."""
        return list(records.timed_records(self.runs_dir, self.measured_key()))

    def measured_key(self) -> str:
        """The key of how its speed is measured here."""
        timing, runtime = configuration.timing_settings(self.config), configuration.resolved(self.config, "runtime")
        return records.measured_key(self.architecture, measurement_of(timing, runtime))


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
        pairs = _load_pairs(OmegaConf.to_yaml(config.data, resolve=True))
        learned_from = _learned_from(config, pairs)
        smallest = min(pairs.train.input.shape[1:3])
        if config.trainer.crop_size > smallest:
            raise configuration.ConfigError(
                f"trainer.crop_size: expected at most {smallest}, the patches' side, got {config.trainer.crop_size}"
            )
    return Plan(config, architecture_of(model), description, learned_from, pairs)


@cache
def _load_pairs(data_yaml: str) -> Pairs:
    """Each data set once a process, however many variants learn from it."""
    data = OmegaConf.to_container(OmegaConf.create(data_yaml))
    pairs: Pairs = configuration.build(data, "data").load(default_cache_dir())
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


def run_variant(config: DictConfig) -> dict[str, Any]:
    """Do the stages of a configuration that are not done yet, and write the records.

    A failure while training, scoring or timing is written down as the variant's, and not raised: a sweep goes on.

    Returns:
        `status` (completed or failed), `reason`, `did`: the stages that were really run, and `kept`: what stands
        instead of what was asked for, if anything.

    Raises:
        ConfigError, DataError: before anything is computed.
    """
    plan = plan_variant(config)
    did: list[str] = []
    outcome: dict[str, Any] = {"name": plan.name, "status": "completed", "reason": None, "did": did, "kept": None}
    record = plan.trained_record()
    if _is_trained(record) and record["steps"] > plan.max_steps:  # type: ignore[index]
        outcome["kept"] = f"nothing: it has been trained for {record['steps']} steps already"  # type: ignore[index]
    if plan.needs_training():
        did.append("train")
        with host_lock(shared=True):  # nobody times a network beside a training
            record = _train(plan)
    if record is not None and _needs_evaluation(plan, record):
        did.append("evaluate")
        with host_lock(shared=True):
            record = _with_pictures(plan, record if record.get("scores") else _evaluate(plan, record))
    if record is not None and record["status"] == "failed":
        outcome |= {"status": "failed", "reason": record["reason"]}
    if plan.needs_timing():
        did.append("time")
        timing = configuration.timing_settings(config)
        print(f"{plan.name}: timing at {timing.width}x{timing.height} ...", file=sys.stderr, flush=True)
        timed = time_variant(configuration.resolved(config, "model"), timing, configuration.resolved(config, "runtime"))
        records.write_timed(plan.runs_dir, timed)
    if "time" in config.stages and (timed := plan.timed_records()[-1])["status"] == "failed":
        outcome |= {"status": "failed", "reason": timed["reason"]}
    return outcome


def _is_trained(record: Mapping[str, Any] | None) -> bool:
    return record is not None and record["status"] == "completed"


def _train(plan: Plan) -> dict[str, Any]:
    """Train, and leave a record that is running, then completed or failed."""
    assert plan.pairs is not None
    earlier = plan.trained_record() or {}
    # A continuation keeps what there is until it has something better.
    record: dict[str, Any] = {
        **{
            name: earlier[name]
            for name in ("steps", "quality", "train_wall_s", "scores", "untouched", "pictures")
            if name in earlier
        },
        "schema": records.SCHEMA,
        "kind": "trained",
        "key": plan.key,
        "architecture_key": records.architecture_key(plan.architecture),
        "status": "running",
        "reason": None,
        "architecture": plan.architecture,
        "description": plan.description,
        "learned_from": plan.learned_from,
        "data": plan.pairs.description,
        "environment": describe_environment() | {"threads": torch.get_num_threads()},
        "started_at": _now(),
    }
    records.write_trained(plan.runs_dir, record)
    try:
        fitted = fit_plan(plan, plan.folder)
        save_generator(plan.folder / GENERATOR_FILE, fitted.generator, configuration.resolved(plan.config, "model"))
        quality = _joined_curves(earlier.get("quality", []), fitted.quality)
        for outdated in ("scores", "untouched", "pictures"):
            record.pop(outdated, None)
        record |= {"status": "completed", "steps": fitted.steps, "quality": quality, "train_wall_s": fitted.wall_s}
    except DivergedError as error:
        record |= {"status": "failed", "reason": f"diverged: {error}"}
    except Exception as error:
        record |= {"status": "failed", "reason": _reason(error), "traceback": traceback.format_exc()}
    record["finished_at"] = _now()
    records.write_trained(plan.runs_dir, record)
    return record


def fit_plan(plan: Plan, folder: Path, watch: Watch = unwatched, beside: Sequence[Callback] = ()) -> Fitted:
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
        watch=watch,
        beside=beside,
    )


def _evaluate(plan: Plan, record: dict[str, Any]) -> dict[str, Any]:
    """Score a trained generator on every test pair, and add that to its record."""
    assert plan.pairs is not None
    try:
        generator = load_generator(plan.folder / GENERATOR_FILE)
        scores = score(generator, plan.pairs.test, progress=f"{plan.name}, scoring")
        untouched = _untouched(plan.pairs)
        _write_scores(plan.folder / records.SCORES_FILE, plan.pairs, scores, untouched)
        means = scores.means()
        last = {"step": record["steps"], "psnr_db": means["psnr_db"], "ms_ssim": means["ms_ssim"]}
        record = record | {
            "scores": means,
            "untouched": untouched.means(),
            "quality": _joined_curves(record["quality"], [last]),
        }
    except Exception as error:
        record = record | {"status": "failed", "reason": _reason(error), "traceback": traceback.format_exc()}
    records.write_trained(plan.runs_dir, record)
    return record


def _needs_evaluation(plan: Plan, record: Mapping[str, Any]) -> bool:
    """Whether a trained network lacks scores, or pictures that can be made of what is in its folder.

    A record from before there were as many pictures gets them without being scored or trained again.
    """
    if "evaluate" not in plan.config.stages or not _is_trained(record):
        return False
    if not record.get("scores"):
        return True
    if not plan.config.pictures:
        return False
    return not are_complete(record.get("pictures"), plan.folder) and (plan.folder / GENERATOR_FILE).is_file()


def _with_pictures(plan: Plan, record: dict[str, Any]) -> dict[str, Any]:
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
        print(f"{plan.name}: no pictures ({_reason(error)})", file=sys.stderr, flush=True)
        return record
    record = record | {"pictures": pictures}
    records.write_trained(plan.runs_dir, record)
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
    records.write_whole(path, table.to_csv(index=False, float_format="%.6f"))


def save_generator(path: Path, generator: nn.Module, model: Mapping[str, Any]) -> None:
    """Write weights and the configuration that they belong to; loads with `weights_only=True`."""
    part = path.with_name(f".{path.name}.part")
    torch.save({"model": dict(model), "state_dict": generator.state_dict()}, part)
    part.replace(path)


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


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
