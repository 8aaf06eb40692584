"""The teacher that settings name: found, loaded, checked, and what a record says about it."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import torch
from hydra.errors import HydraException
from torch import nn

from enhance_sweep.config import ConfigError, build
from enhance_sweep.data.joined import Joined
from enhance_sweep.data.leaks import count_shared, refuse_kept_photographs
from enhance_sweep.data.packing import default_cache_dir, find_packed
from enhance_sweep.data.pairs import Pairs, Pixels, Split, fingerprint_as_packed, set_apart
from enhance_sweep.data.taught import Lessons, TaughtFiles, lessons_of
from enhance_sweep.data.unlabelled import Unlabelled, load_unlabelled
from enhance_sweep.models.description import describe
from enhance_sweep.records.keys import architecture_of, architecture_slug
from enhance_sweep.records.schema import Description, TrainedRecord
from enhance_sweep.records.store import GENERATOR_FILE, RECORD_FILE, RecordError, read_record, trained_dir
from enhance_sweep.settings import Settings
from enhance_sweep.system.code_meaning import digest_of
from enhance_sweep.system.locks import claimed_gpu
from enhance_sweep.timing import variants
from enhance_sweep.training.teaching import taught
from enhance_sweep.weights.loading import load_network, load_weights

_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, eq=False)
class Teacher:
    """A network that teaches.

    Attributes:
        name: its key where it was trained here, else the name of its file.
        network: (N, 3, H, W) in [0, 1] to the same, frozen, on the CPU.
        fingerprint: a hash of its weights.
        description: its layers and multiply-adds.
        trained_on: what it learned from: a mapping where its record says so, else what the user says.
        record: of its training; None for weights of others.
    """

    name: str
    network: nn.Module
    fingerprint: str
    description: Description
    trained_on: Mapping[str, Any] | str
    record: TrainedRecord | None

    def as_learned_from(self, weight: float) -> dict[str, Any]:
        """What a record says about it; all of it is part of the key, and no place is."""
        return {
            "name": self.name,
            "weight": weight,
            "fingerprint": self.fingerprint,
            "trained_on": self.trained_on,
        }


@dataclass(frozen=True, eq=False)
class Teaching:
    """Who teaches a variant, and what is shown to the teacher beside the training pairs."""

    teacher: Teacher
    unlabelled: Unlabelled | None
    files: TaughtFiles

    def shown(self, pairs: Pairs) -> dict[Path, Pixels | Joined]:
        """All that the teacher is shown, by the file that keeps what it makes of it."""
        shown: dict[Path, Pixels | Joined] = {self.files.of(pairs.fingerprint): pairs.train.input}
        if self.unlabelled is not None:
            shown[self.files.of(self.unlabelled.fingerprint)] = self.unlabelled.patches
        return shown


def teaching_of(settings: Settings, pairs: Pairs) -> Teaching | None:
    """Find the teacher and the photographs without partners that settings name; None where there is no teacher.

    Nothing is computed with the teacher yet. Photographs are packed.

    Raises:
        ConfigError: the teacher cannot be used, or has learned from test pairs.
        DataError: the photographs cannot be used, or are for testing or validation here.
    """
    if not settings.teacher.teaches:
        return None
    own = settings.teacher
    teacher = _found(str(own.network), own.model, own.trained_on, Path(settings.runs_dir))
    _refuse_leaks(teacher, pairs, default_cache_dir())
    unlabelled = None
    if settings.unlabelled is not None:
        side = min(pairs.train.input.shape[1:3])
        unlabelled = load_unlabelled(settings.unlabelled, side, default_cache_dir())
        max_sides = sorted(set(_max_sides(settings.data_set)))
        refuse_kept_photographs(Path(settings.unlabelled).expanduser(), pairs, max_sides, default_cache_dir())
    return Teaching(teacher, unlabelled, TaughtFiles(default_cache_dir(), teacher.fingerprint, _code()))


def lessons(teaching: Teaching, settings: Settings, pairs: Pairs) -> Lessons:
    """What the teacher makes of the training patches and of photographs without partners: computed once, then read.

    Raises:
        DataError: the cache cannot be written, or the teacher cannot enhance these patches.
    """
    device = _device(settings.trainer.accelerator)
    with claimed_gpu(settings.trainer.accelerator if device.type == "cuda" else "cpu") as devices:
        if device.type == "cuda" and isinstance(devices, list):
            device = torch.device("cuda", devices[0])
        teacher = teaching.teacher
        network = teacher.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        try:
            return lessons_of(
                pairs,
                teaching.unlabelled,
                teaching.files,
                lambda patches: taught(network, patches, device, teacher.name),
                settings.teacher.weight,
                settings.unlabelled_crops,
                teacher.name,
            )
        finally:
            teacher.network.to("cpu")


def _device(accelerator: str) -> torch.device:
    gpu = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return torch.device("cuda" if gpu else "cpu")


@cache
def _code() -> str:
    """The digest of the code that decides what a teacher makes of a patch."""
    sources = [
        *(_PACKAGE / "models").rglob("*.py"),
        _PACKAGE / "training" / "teaching.py",
        _PACKAGE / "data" / "taught.py",
    ]
    return digest_of(path.read_text("utf-8") for path in sources)


# --- finding and loading ----------------------------------------------------------------------------------------------


@cache
def _found(given: str, model: str, trained_on: str, runs_dir: Path) -> Teacher:
    """Load each teacher once per process, however many variants it teaches."""
    file = _file_of(given, runs_dir)
    try:
        record = _record_beside(file)
        network = load_weights(file, model.split()) if model else load_network(file)
        configured = variants.of_overrides(model.split())[0] if model else _configured(file)
        with torch.device("meta"):
            description = msgspec.convert(describe(build(configured, "teacher.model")), Description)
    except (ValueError, HydraException) as error:
        said = str(error).strip().partition("\n")[0].replace(": use --weights with overrides", "")
        raise ConfigError(f"teacher.network: {said}{'' if model else _HOW_TO_NAME_WEIGHTS}") from error
    for name, weights in network.state_dict().items():
        if not bool(weights.isfinite().all()):
            raise ConfigError(f"teacher.network: {file}: {name} holds values that are not numbers: take other weights")
    architecture = architecture_of(configured)
    own_name = file.stem if file.name != GENERATOR_FILE else architecture_slug(architecture)  # ours says nothing
    return Teacher(
        name=own_name if record is None else record.key,
        network=network.eval().requires_grad_(False),
        fingerprint=_fingerprint(network, architecture),
        description=description,
        trained_on=trained_on if record is None else _learned_by(record),
        record=record,
    )


def _configured(file: Path) -> dict[str, Any]:
    """The settings of the network in a `generator.pt`."""
    return dict(torch.load(file, map_location="cpu", weights_only=True)["model"])


_HOW_TO_NAME_WEIGHTS = (
    '. Weights from elsewhere need their network: "teacher.model=model=plain model.channels=32 model.blocks=2"'
)


def _file_of(network: str, runs_dir: Path) -> Path:
    given, of_key = Path(network).expanduser(), trained_dir(runs_dir, network)
    for place in (of_key, given):
        file = place / GENERATOR_FILE if place.is_dir() else place
        if file.is_file():
            return file
    for place in (of_key, given):
        if place.is_dir():
            raise ConfigError(f"teacher.network: {place} has no {GENERATOR_FILE}: its training is not finished")
    raise ConfigError(
        f"teacher.network: expected a key in {runs_dir}, a folder of a trained network, its {GENERATOR_FILE} or a file "
        f"of weights, and {network} is none of them"
    )


def _record_beside(file: Path) -> TrainedRecord | None:
    """The record of the training that left this network; None for weights of others."""
    path = file.with_name(RECORD_FILE)
    if file.name != GENERATOR_FILE or not path.is_file():
        return None
    try:
        record: TrainedRecord = read_record(path, "trained")
    except RecordError as error:
        raise ValueError(str(error)) from error
    if record.status != "completed":
        raise ValueError(f"{file.parent}: its training is {record.status}: finish it before it teaches")
    return record


def _fingerprint(network: nn.Module, architecture: Mapping[str, Any]) -> str:
    """A hash of the weights, and of the architecture: dilation changes no weight."""
    digest = hashlib.blake2b(json.dumps(architecture, sort_keys=True).encode(), digest_size=12)
    for name, weights in sorted(network.state_dict().items()):
        digest.update(f"\n{name}{tuple(weights.shape)}".encode())
        digest.update(weights.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def _learned_by(record: TrainedRecord) -> dict[str, Any]:
    """What a network trained here has learned from, its own teacher included."""
    learned = record.learned_from
    told = ("dataset", "data_fingerprint", "shares", "teacher", "unlabelled")
    return {name: learned[name] for name in told if name in learned}


# --- what a teacher must not have seen --------------------------------------------------------------------------------


def _refuse_leaks(teacher: Teacher, pairs: Pairs, cache_dir: Path) -> None:
    """Refuse a teacher that has learned from this data set's test or validation pairs, as far as can be told.

    Its record names its data. Where they are these very pairs, divided in the same way, all is well. Else its training
    patches, if the cache still has them, are compared with the test and validation pairs here.
    """
    record = teacher.record
    if record is None or record.learned_from.data_fingerprint == pairs.fingerprint:
        return
    learned = record.learned_from
    theirs, ours = learned.data_fingerprint, pairs.fingerprint
    if fingerprint_as_packed(theirs) == fingerprint_as_packed(ours):
        if set_apart(theirs) >= set_apart(ours):  # it learned from fewer of the same training pairs
            return
        raise ConfigError(
            f"teacher {teacher.name} learned from {learned.dataset} with other validation pairs "
            f"({theirs}, here {ours}), so it may know those of this run: train it with the same data.validation"
        )
    known = _training_splits(record, cache_dir)
    if known is None:
        _tell_once(
            f"teacher {teacher.name} learned from {learned.dataset} ({theirs}), which is not in the cache: whether "
            "test pairs of this run are among its training pairs cannot be told"
        )
    elif shared := count_shared(pairs, known, cache_dir):
        raise ConfigError(
            f"teacher {teacher.name} learned from {learned.dataset}, of whose training patches {shared} have pixels of "
            f"this run's test or validation pairs ({pairs.dataset}): take one that has not seen them"
        )


@cache
def _tell_once(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _training_splits(record: TrainedRecord, cache_dir: Path) -> dict[str, Split] | None:
    """The pairs that a network learned from, by their data set's fingerprint; None if the cache lacks some of them."""
    own = {"dataset": record.learned_from.dataset, "fingerprint": record.learned_from.data_fingerprint}
    parts = (record.data or {}).get("parts", {"": own}).values()
    found = {}
    for part in parts:
        pairs = find_packed(cache_dir, str(part["dataset"]), str(part["fingerprint"]))
        if pairs is None:
            return None
        rows = slice(len(pairs.train) - set_apart(str(part["fingerprint"])))
        train = Split(pairs.train.input[rows], pairs.train.target[rows], pairs.train.names[rows])
        found[str(part["fingerprint"])] = train
    return found


def _max_sides(node: Any) -> Iterator[int]:
    """Every `max_side` in a data set's settings: a mix has several."""
    if isinstance(node, Mapping):
        if isinstance(node.get("max_side"), int):
            yield node["max_side"]
        for part in node.values():
            yield from _max_sides(part)
