"""Train a variant and evaluate it: each stage writes the variant's record."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pandas as pd
from pytorch_lightning import Callback

from enhance_sweep import config as configuration
from enhance_sweep.data.pairs import Pairs
from enhance_sweep.measures import MEASURES
from enhance_sweep.records.schema import TRAINED_COLUMNS, TrainedRecord
from enhance_sweep.records.store import GENERATOR_FILE, SCORES_FILE, write_trained
from enhance_sweep.sweep import training_record
from enhance_sweep.sweep.failures import reason_of
from enhance_sweep.sweep.generator_file import load_generator, save_generator
from enhance_sweep.sweep.plan import Plan, start
from enhance_sweep.sweep.published import published
from enhance_sweep.sweep.teacher import lessons
from enhance_sweep.system.clock import now
from enhance_sweep.system.environment import cost_of_precision
from enhance_sweep.system.files import raise_if_full, write_whole
from enhance_sweep.system.leases import Lease
from enhance_sweep.training.evaluation import Scores, score
from enhance_sweep.training.fit import Fitted, fit, start_from_seed, trains_on_processor
from enhance_sweep.training.parts import Watch, unwatched
from enhance_sweep.training.pictures import write_pictures


def train(plan: Plan, lease: Lease, afresh: bool) -> TrainedRecord:
    """Train, and write a record that is running, then completed or failed.

    Args:
        plan: what to train.
        lease: the variant's, held by this process.
        afresh: forget how often it has failed.
    """
    assert plan.learned_from is not None
    record = _written(plan, lease, training_record.begun(plan, plan.trained_record(), afresh))
    if record.status == "failed":
        return record
    if trains_on_processor(plan.settings.trainer.accelerator) and not plan.settings.weights:
        tell_cost(plan, plan.learned_from["precision"])

    def keep_lease(step: int, steps: int) -> None:
        lease.check()
        lease.note(step, steps)

    try:
        if plan.settings.weights:
            assert plan.pairs is not None
            fitted = published(plan.settings, plan.pairs)
        else:
            fitted = fit_plan(plan, plan.folder, record.micro_batches or 1, note=keep_lease)
        save_generator(plan.folder / GENERATOR_FILE, fitted.generator, plan.settings.model)
        record = training_record.finished(record, fitted)
    except Exception as error:
        record = training_record.failed(record, error)
    return _written(plan, lease, msgspec.structs.replace(record, finished_at=now()))


def fit_plan(
    plan: Plan,
    folder: Path,
    micro_batches: int = 1,
    watch: Watch = unwatched,
    note: Callable[[int, int], None] = lambda step, steps: None,
    callbacks: Sequence[Callback] = (),
) -> Fitted:
    """Train what is planned, from its seed or from the checkpoint in `folder`; see `enhance_sweep.training.fit`."""
    assert plan.learned_from is not None
    assert plan.pairs is not None
    settings, precision = plan.settings, plan.learned_from["precision"]
    start_from_seed(settings.seed)
    generator = configuration.build(settings.model, "model")
    start(generator, settings)
    return fit(
        generator,
        configuration.build(settings.loss, "loss"),
        plan.pairs,
        folder,
        replace(settings.trainer, precision=precision, micro_batches=micro_batches),
        seed=settings.seed,
        name=plan.name,
        watch=watch,
        note=note,
        callbacks=callbacks,
        curves=("psnr_db", "ms_ssim", settings.search.quality),
        lessons=None if plan.teaching is None else lessons(plan.teaching, settings, plan.pairs),
    )


def evaluate(plan: Plan, lease: Lease, record: TrainedRecord) -> TrainedRecord:
    """Score a trained generator on every test pair unless that is done, then make its pictures."""
    assert plan.pairs is not None
    if record.scores is None or record.scores.lacks_measures:
        try:
            scored = _scored(plan, record)
        except Exception as error:
            if record.scores is not None:  # older code scored it: it stands as it is
                raise_if_full(error, plan.folder)
                print(f"{plan.name}: not scored again ({reason_of(error)})", file=sys.stderr, flush=True)
                return record
            scored = training_record.failed(record, error)
        record = _written(plan, lease, scored)
    if record.status != "completed" or not plan.settings.pictures:
        return record
    # Pictures are for people, and no result depends on them: without them the record stands, and the next evaluation
    # tries again.
    try:
        generator = load_generator(plan.folder / GENERATOR_FILE)
        pictures = write_pictures(generator, plan.pairs, plan.folder, progress=f"{plan.name}, pictures")
    except Exception as error:
        raise_if_full(error, plan.folder)
        print(f"{plan.name}: no pictures ({reason_of(error)})", file=sys.stderr, flush=True)
        return record
    return _written(plan, lease, msgspec.structs.replace(record, pictures=pictures))


def _scored(plan: Plan, record: TrainedRecord) -> TrainedRecord:
    """The record with scores on the test pairs; those of each image are written."""
    assert plan.pairs is not None
    generator = load_generator(plan.folder / GENERATOR_FILE)
    scores, untouched = score(generator, plan.pairs.test, progress=f"{plan.name}, scoring"), _untouched(plan.pairs)
    _check_weights(plan.folder / GENERATOR_FILE, record, scores)
    if scores.too_small_for:
        labels = ", ".join(MEASURES[name].label for name in scores.too_small_for)
        print(f"{plan.name}: the test images are too small for {labels}", file=sys.stderr, flush=True)
    _write_scores(plan.folder / SCORES_FILE, plan.pairs, scores, untouched)
    return training_record.scored(record, scores, untouched, plan.pairs.test)


def _check_weights(path: Path, record: TrainedRecord, scores: Scores) -> None:
    """Raise a `ValueError` where weights do not score as their record says: then they are another network's."""
    if record.scores is None:
        return
    found = scores.means()
    for name in TRAINED_COLUMNS:
        told, measure = getattr(record.scores, name), MEASURES[name]
        # Rounding, which differs between processors, changes far less than this.
        if told is not None and not abs(found[name] - told) <= measure.margin / 10:
            raise ValueError(
                f"expected the record's {measure.label} of {told:.{measure.digits}f} from {path.name}, got "
                f"{found[name]:.{measure.digits}f}: put this network's own weights there"
            )


def tell_cost(plan: Plan, precision: str) -> None:
    """Say what `precision` costs on this processor, if it has no hardware for it."""
    if cost := cost_of_precision(precision):
        print(f"{plan.name}: {cost}", file=sys.stderr, flush=True)


def _written(plan: Plan, lease: Lease, record: TrainedRecord) -> TrainedRecord:
    """The record, after writing it, which only the holder of the lease may."""
    lease.check()
    write_trained(plan.runs_dir, record)
    return record


_untouched_scores: dict[str, Scores] = {}


def _untouched(pairs: Pairs) -> Scores:
    """The untouched input's scores, computed once per process and data set."""
    if pairs.fingerprint not in _untouched_scores:
        _untouched_scores[pairs.fingerprint] = score(None, pairs.test)
    return _untouched_scores[pairs.fingerprint]


def _write_scores(path: Path, pairs: Pairs, scores: Scores, untouched: Scores) -> None:
    of_untouched = {f"untouched_{name}": values for name, values in untouched.values.items() if name != "target_chroma"}
    table = pd.DataFrame({"name": pairs.test.names, **scores.values, **of_untouched})
    write_whole(path, table.to_csv(index=False, float_format="%.6f"))
