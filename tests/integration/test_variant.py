"""One variant through all its stages, interrupted and continued, in this process."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pandas as pd
import pytest
import torch
from msgspec import convert
from msgspec.structs import replace

from enhance_sweep.config import ConfigError, compose_settings
from enhance_sweep.records import load_records
from enhance_sweep.records.keys import architecture_key, architecture_of, measured_key
from enhance_sweep.records.schema import SCHEMA, Description, Measurement, TimedRecord
from enhance_sweep.records.store import trained_records, write_trained
from enhance_sweep.settings import TimingSettings
from enhance_sweep.sweep import learning, training_record, variant
from enhance_sweep.sweep.generator_file import load_generator
from enhance_sweep.sweep.plan import Plan, plan_variant
from enhance_sweep.sweep.variant import run_variant
from enhance_sweep.system.leases import Lease, lease
from enhance_sweep.timing.recording import measurement_of
from enhance_sweep.training import module
from tests.integration.figures import figures

TRAIN = "stages=[train,evaluate]"
WITH_PICTURES = "pictures=true"
BUG = KeyError("weights")


def plan_of(*overrides: str) -> Plan:
    return plan_variant(compose_settings(overrides))


def outcome_of(*overrides: str) -> dict[str, Any]:
    """What `run_variant` says."""
    return run_variant(compose_settings(overrides))


def run(*overrides: str) -> tuple[dict[str, Any], Any]:
    """What `run_variant` says, and the record that it left."""
    outcome, record = outcome_of(*overrides), plan_of(*overrides).trained_record()
    assert record is not None
    return outcome, record


def raising(error: BaseException) -> Callable[..., Any]:
    """A stand-in for a function that fails."""

    def broken(*arguments: object, **named: object) -> None:
        raise error

    return broken


@pytest.fixture
def training(quick: list[str]) -> list[str]:
    """Overrides to train and score."""
    return [*quick, TRAIN]


@pytest.fixture
def constant(training: list[str]) -> list[str]:
    """Overrides of a training that a longer one continues."""
    return [*training, "trainer.schedule=constant"]


def made_up_timing(model: Any, timing: TimingSettings, runtime: Mapping[str, Any], *others: Any) -> TimedRecord:
    """What `time_variant` leaves: a real one starts a process (`test_timing_needs_no_data_and_is_done_once`)."""
    architecture, measurement = architecture_of(model), measurement_of(timing, runtime)
    return TimedRecord(
        schema=SCHEMA,
        key=measured_key(architecture, measurement),
        architecture=architecture,
        architecture_key=architecture_key(architecture),
        status="completed",
        description=Description(parameters=1, macs=1),
        measurement=convert(measurement, Measurement),
        latency_ms_median=5.0,
    )


@pytest.mark.parametrize("loss", ["fidelity", "paper", "dped_code"])
def test_a_trained_variant_leaves_a_whole_record(training: list[str], tmp_path: Path, loss: str) -> None:
    outcome, record = run(*training, f"loss={loss}", WITH_PICTURES)
    took_s = outcome.pop("took_s")
    assert len(took_s) == 2
    assert all(0 < one < 60 for one in took_s)
    assert outcome == {
        "name": "plain-k3-c2-b1", "status": "completed", "reason": None, "failure": None,
        "stages": ["train", "evaluate"], "kept": None
    }  # fmt: skip
    assert (record.status, record.steps, [row.step for row in record.quality]) == ("completed", 6, [0, 3, 6])
    assert record.quality_on == "validation"
    assert record.validation == record.quality[-1]
    assert record.learned_from.loss == loss
    assert record.learned_from.content == (None if loss == "fidelity" else "efficientnet_lite0")

    folder = tmp_path / "runs" / "trained" / record.key
    scores = pd.read_csv(folder / "scores.csv")
    assert len(scores) == record.scores.images == record.untouched.images
    assert scores["ms_ssim"].mean() == pytest.approx(record.scores.ms_ssim, abs=1e-5)
    losses = pd.read_csv(folder / "losses.csv")
    assert losses["step"].tolist() == [6]
    assert set(losses.columns) > {"total", *record.learned_from["loss_terms"]["terms"]}
    assert ("discriminator" in losses) == (loss != "fidelity")
    assert (folder / record.pictures[0]["file"]).stat().st_size > 1000
    assert list((folder / "tensorboard").iterdir())

    # A checkpoint holds no frozen network and runs nobody's code.
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    players = {"generator", "objective"} if loss != "fidelity" else {"generator"}
    averaged = {"averaged"} if loss != "dped_code" else set()
    assert {name.split(".")[0] for name in checkpoint["state_dict"]} == players | averaged
    assert not [name for name in checkpoint["state_dict"] if "features.blocks" in name]
    assert len(checkpoint["optimizer_states"]) == len(players)
    generator = load_generator(folder / "generator.pt")
    assert sum(p.numel() for p in generator.parameters()) == record.description.parameters


@pytest.mark.parametrize("loss", ["fidelity", "paper"])
def test_a_longer_run_continues_a_shorter_one_as_in_one_go(
    constant: list[str], tmp_path: Path, loss: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, short = run(*constant, f"loss={loss}")
    longer = [*constant, f"loss={loss}", "trainer.max_steps=12"]
    outcome, continued = run(*longer)
    assert "starts over" not in capsys.readouterr().err
    assert outcome["stages"] == ["train", "evaluate"]
    assert continued.key == short.key
    assert [row.step for row in continued.quality] == [0, 3, 6, 12]
    _, one_go = run(*longer, f"runs_dir={tmp_path / 'other'}")
    for row, whole in zip(continued.quality, one_go.quality, strict=True):  # of averaged weights, at every rung
        assert (row.psnr_db, row.ms_ssim) == pytest.approx((whole.psnr_db, whole.ms_ssim), abs=1e-6)
    assert figures(continued.scores) == pytest.approx(figures(one_go.scores), abs=1e-6)
    weights, other = (
        load_generator(tmp_path / name / "trained" / short.key / "generator.pt").state_dict()
        for name in ("runs", "other")
    )
    torch.testing.assert_close(weights, other, atol=1e-6, rtol=1e-5)

    outcome, record = run(*longer, "trainer.max_steps=4")  # keeps the longer and says so
    assert outcome["stages"] == []
    assert outcome["kept"] == "nothing: it has been trained for 12 steps already"
    assert record.steps == 12


def test_a_continuation_that_fails_keeps_what_there_was(constant: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, good = run(*constant)
    monkeypatch.setattr(learning, "fit", raising(module.DivergedError("the loss has exploded")))
    _, failed = run(*constant, "trainer.max_steps=12")
    assert failed.status == "failed"
    for name in ("scores", "quality", "steps", "train_wall_s"):
        assert getattr(failed, name) == getattr(good, name)
    assert outcome_of(*constant, "trainer.max_steps=24")["stages"] == []


def test_seeds_give_networks_of_their_own_and_repeat(training: list[str], tmp_path: Path) -> None:
    scores = [
        run(*training, f"seed={seed}", f"runs_dir={tmp_path / place}")[1].scores.psnr_db
        for seed, place in ((0, "a"), (0, "b"), (1, "a"))
    ]
    assert scores[0] == scores[1]
    assert scores[0] != scores[2]
    assert len(list(trained_records(tmp_path / "a"))) == 2


def test_a_finished_variant_is_skipped_and_moving_the_photographs_changes_nothing(
    training: list[str], photographs: Path, tmp_path: Path
) -> None:
    run(*training)
    shutil.copytree(photographs, tmp_path / "moved")
    assert outcome_of(*training, f"data.root={tmp_path / 'moved'}")["stages"] == []


@pytest.mark.parametrize(
    ("override", "changes"),
    [
        ("model.channels=3", True),
        ("trainer.batch_size=3", True),
        ("trainer.crop_size=33", True),
        ("trainer.precision=bf16", True),
        ("trainer.augment=false", True),
        ("trainer.averaging=false", True),
        ("trainer.exposure_ev=0.5", True),
        ("trainer.max_steps=12", False),  # at a constant rate it goes on
        ("loss.weights.l1=2.0", True),
        ("data.camera.haze=0.1", True),
        ("seed=1", True),
        ("content=vgg19", False),  # fidelity looks at no features
        ("timing.samples=4", False),
        ("runtime=openvino", False),
        ("trainer.evaluate_at=[1,2]", False),
        ("retry_failed=true", False),
    ],
)
def test_what_changes_weights_changes_the_key(quick: list[str], override: str, changes: bool) -> None:
    key, changed = (plan_of(*quick, *more).key for more in ([], [override]))
    assert (key != changed) == changes


def test_one_cycle_of_another_length_is_another_training(quick: list[str]) -> None:
    keys = [plan_of(*quick, "trainer.schedule=one_cycle", f"trainer.max_steps={steps}").key for steps in (6, 12)]
    assert keys[0] != keys[1]


def test_the_start_is_a_part_of_the_key(quick: list[str]) -> None:
    keys = [plan_of(*quick, "model.channels=3", f"trainer.start={start}").key for start in ("identity", "dped_code")]
    assert keys[0] != keys[1]


def test_a_diverging_run_is_failed_with_its_reason_and_retried_only_when_asked(constant: list[str]) -> None:
    wild = [*constant, "trainer.learning_rate=1e30"]
    outcome, record = run(*wild)
    assert outcome["status"] == record.status == "failed"
    assert record.reason.startswith("diverged: the ")
    assert "try a lower learning rate" in record.reason
    assert record.scores is None
    assert outcome_of(*wild) == outcome | {"stages": [], "took_s": []}
    assert outcome_of(*wild, "retry_failed=true")["stages"] == ["train"]


def test_a_bug_is_written_down_and_tried_once_more(training: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "fit", fit := Mock(side_effect=raising(BUG)))
    outcome, record = run(*training)
    assert outcome["stages"] == ["train", "train"]
    assert (outcome["status"], outcome["failure"]) == ("failed", "bug")
    assert outcome["reason"] == record.reason == "KeyError: 'weights'"
    assert record.attempts == {"bug": 2}
    assert "in broken" in record.traceback
    write_trained(plan_of(*training).runs_dir, replace(record, retry=True))  # as `status --retry-failed` does
    outcome, record = run(*training)
    assert (outcome["stages"], record.attempts) == (["train", "train"], {"bug": 2})
    assert not record.retry, "once"
    for more, tries in (([], 0), (["retries.bug=3"], 2), (["retries.bug=3", "retry_failed=true"], 4)):
        assert outcome_of(*training, *more)["stages"] == ["train"] * tries
    assert fit.call_count == 2 + 2 + 0 + 2 + 4


@pytest.mark.parametrize(("batch_size", "fits", "tried"), [(6, 4, [1, 2, 4]), (3, 9, [1, 2, 3, 3])])
def test_want_of_memory_divides_the_batch_until_it_fits_or_cannot_be_divided(
    training: list[str], monkeypatch: pytest.MonkeyPatch, batch_size: int, fits: int, tried: list[int]
) -> None:
    real, seen = learning.fit, []

    def hungry(*arguments: Any, **named: Any) -> Any:
        seen.append(arguments[4].micro_batches)
        if seen[-1] < fits:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return real(*arguments, **named)

    monkeypatch.setattr(learning, "fit", hungry)
    outcome, record = run(*training, f"trainer.batch_size={batch_size}")
    assert seen == tried
    fitted = tried[-1] == fits
    assert outcome["status"] == record.status == ("completed" if fitted else "failed")
    assert outcome["failure"] == (None if fitted else "out_of_memory")
    assert outcome["stages"] == ["train"] * len(tried) + ["evaluate"] * fitted
    assert (record.micro_batches, record.attempts) == (tried[-1], {"out_of_memory": len(tried) - fitted})


@pytest.mark.parametrize(
    ("kills", "failure", "micro_batches"), [(7, "interrupted", 1), (8, "out_of_memory", 2), (None, "interrupted", 1)]
)
def test_a_lost_process_was_killed_by_the_kernel_or_by_somebody(
    training: list[str], monkeypatch: pytest.MonkeyPatch, kills: int | None, failure: str, micro_batches: int
) -> None:
    monkeypatch.setattr(training_record, "out_of_memory_kills", lambda: 7)
    with monkeypatch.context() as lost:
        lost.setattr(learning, "fit", raising(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            run(*training)
    monkeypatch.setattr(training_record, "out_of_memory_kills", lambda: kills)
    outcome, record = run(*training)
    assert outcome["status"] == "completed"
    assert (record.attempts, record.micro_batches) == ({failure: 1}, micro_batches)


def test_interruptions_may_be_limited(training: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    limited = [*training, "retries.interrupted=1"]
    with monkeypatch.context() as lost:
        lost.setattr(learning, "fit", raising(KeyboardInterrupt()))
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                run(*limited)
    outcome, record = run(*limited)
    assert (outcome["status"], outcome["failure"]) == ("failed", "interrupted")
    assert record.reason == "its process was lost (interrupted) 2 times"
    assert outcome_of(*training, "retry_failed=true")["status"] == "completed"


def test_a_variant_in_other_hands_is_left_alone(training: list[str]) -> None:
    plan = plan_of(*training)
    with lease(plan.runs_dir, plan.key, "train"):
        outcome = outcome_of(*training)
        assert (outcome["status"], outcome["stages"]) == ("held", [])
        assert outcome["reason"].startswith("held by process ")
    assert plan.trained_record() is None
    assert outcome_of(*training)["status"] == "completed"


def test_a_training_that_is_taken_over_writes_nothing(training: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(*training)

    def overtaken(*arguments: Any, note: Any, **named: Any) -> Any:
        (own,) = (plan.runs_dir / "leases" / plan.key).glob("*.json")
        own.with_name("000009.json").write_text(own.read_text().replace('"process": ', '"process": 1'))
        for thread in threading.enumerate():
            if thread.name.startswith("lease of"):
                time.sleep(0.3)
        note(1, 6)
        raise AssertionError("it went on")

    monkeypatch.setattr("enhance_sweep.system.leases._TOUCHED_EVERY_S", 0.05)
    monkeypatch.setattr(learning, "fit", overtaken)
    outcome = outcome_of(*training)
    assert outcome["status"] == "held"
    assert "another process has taken over" in outcome["reason"]
    record = plan.trained_record()
    assert record is not None
    assert record.status == "running"  # what the other will make of it is its own affair


def test_a_failed_timing_is_tried_again_as_its_class_says(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for reason, size, tries in (("its result differs", 40, 2), ("the worker was killed by signal 9", 44, 1)):

        def failing(*arguments: Any, reason: str = reason) -> TimedRecord:
            return replace(made_up_timing(*arguments), status="failed", reason=reason)

        monkeypatch.setattr(variant, "time_variant", timing := Mock(side_effect=failing))
        timing_only = [*quick, "stages=[time]", f"timing.width={size}"]
        for times in (tries, 0):
            outcome = outcome_of(*timing_only)
            assert outcome.items() >= {"status": "failed", "reason": reason, "stages": ["time"] * times}.items()
        assert timing.call_count == tries
    monkeypatch.setattr(variant, "time_variant", made_up_timing)
    retried = outcome_of(*timing_only, "retry_failed=true")
    assert retried.items() >= {"status": "completed", "stages": ["time"]}.items()


def test_a_timing_that_another_has_taken_over_writes_nothing(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    timing_only = [*quick, "stages=[time]"]

    @contextmanager
    def taken_over(*arguments: Any) -> Iterator[Lease]:
        with lease(*arguments) as mine:
            mine.lost = True
            yield mine

    monkeypatch.setattr(variant, "lease", taken_over)
    monkeypatch.setattr(variant, "time_variant", made_up_timing)
    assert outcome_of(*timing_only)["status"] == "held"
    assert plan_of(*timing_only).timed_records() == []


def test_what_the_killed_left_half_written_is_removed_by_who_goes_on(quick: list[str]) -> None:
    plan = plan_of(*quick)
    left = plan.folder / ".last.ckpt.0123abcd.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"PK")
    run(*quick, "stages=[train]")
    assert not left.exists()


def test_a_continuation_by_other_code_says_so(constant: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_record, "code_digest", lambda: "first")
    assert run(*constant)[1].environment.code == "first"
    monkeypatch.setattr(training_record, "code_digest", lambda: "second")
    assert run(*constant, "trainer.max_steps=8")[1].environment.code == "first+second"


def test_bad_values_stop_before_anything_is_written(quick: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"crop_size: expected at most 48"):
        outcome_of(*quick, "trainer.crop_size=49")
    assert not (tmp_path / "runs").exists()


def test_stages_can_be_taken_one_by_one_and_in_order(quick: list[str]) -> None:
    outcome = outcome_of(*quick, "stages=[evaluate]")
    assert (outcome["status"], outcome["stages"]) == ("failed", [])
    assert outcome["reason"] == "there is no finished training to evaluate: say stages=[train,evaluate]"
    assert outcome_of(*quick, "stages=[train]")["stages"] == ["train"]
    outcome, record = run(*quick, "stages=[evaluate]")
    assert outcome["stages"] == ["evaluate"]
    assert record.scores.images > 0


@pytest.mark.parametrize("damage", ["empty", "cut short", "of another network", "no checkpoint"])
def test_a_checkpoint_that_cannot_be_gone_on_from_is_set_aside_and_the_training_begun_again(
    training: list[str], capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    _, whole = run(*training)
    plan = plan_of(*training)
    checkpoint = plan.folder / "last.ckpt"
    if damage == "of another network":
        other = [*training, "model.channels=3"]
        run(*other)
        checkpoint.write_bytes((plan_of(*other).folder / "last.ckpt").read_bytes())
    elif damage == "no checkpoint":
        torch.save([1, 2], checkpoint)
    else:
        checkpoint.write_bytes(b"" if damage == "empty" else checkpoint.read_bytes()[:5000])
    damaged = checkpoint.read_bytes()
    write_trained(plan.runs_dir, replace(whole, status="running"))
    outcome, record = run(*training)
    assert (outcome["status"], outcome["stages"]) == ("completed", ["train", "evaluate"])
    assert figures(record.scores) == pytest.approx(figures(whole.scores), abs=1e-4)
    assert (plan.folder / "last.ckpt.unusable").read_bytes() == damaged
    assert f"its checkpoint is {'of another network' if 'network' in damage else 'damaged'}" in capsys.readouterr().err


def test_a_record_from_before_photographs_gets_them_without_training_or_scoring(
    training: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictured = [*training, WITH_PICTURES]
    _, made = run(*pictured)
    folder = tmp_path / "runs" / "trained" / made.key
    old = replace(made, pictures=[{"file": "pictures/patches.jpg", "title": "Untouched, enhanced, target"}])
    write_trained(tmp_path / "runs", old)
    for entry in made.pictures[1:]:
        (folder / entry["file"]).unlink()
    for name in ("fit", "score"):
        monkeypatch.setattr(learning, name, raising(AssertionError("neither trained nor scored again")))
    outcome, record = run(*pictured)
    assert outcome["stages"] == ["evaluate"]
    assert record == made
    assert all((folder / entry["file"]).is_file() for entry in record.pictures)
    assert outcome_of(*pictured)["stages"] == []
    (folder / "pictures" / "coffee.webp").unlink()
    assert outcome_of(*pictured, "stages=[train]")["stages"] == []
    assert outcome_of(*pictured, "stages=[evaluate]")["stages"] == ["evaluate"]
    (folder / "pictures" / "coffee.webp").unlink()
    (folder / "generator.pt").unlink()
    assert outcome_of(*pictured)["stages"] == [], "nothing to make them with"


def test_a_record_from_before_a_measure_gets_it_without_training(
    training: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, made = run(*training)
    folder = tmp_path / "runs" / "trained" / made.key
    assert not made.scores.lacks_measures
    assert made.validation.mdsi is not None
    assert made.quality[0].mdsi is None
    scores = pd.read_csv(folder / "scores.csv")
    assert {"mdsi", "chroma", "target_chroma", "untouched_mdsi", "untouched_chroma"} <= set(scores)

    before = dict.fromkeys(["ciede2000", "haarpsi", "mdsi", "dss", "vsi", "gmsd", "chroma", "target_chroma"])
    old = replace(made, scores=replace(made.scores, **before), untouched=replace(made.untouched, **before))
    write_trained(tmp_path / "runs", old)
    scores[["name", "psnr_db", "ms_ssim", "untouched_psnr_db", "untouched_ms_ssim"]].to_csv(folder / "scores.csv")
    monkeypatch.setattr(learning, "fit", raising(AssertionError("not trained again")))
    assert outcome_of(*training, "stages=[train]")["stages"] == []
    with monkeypatch.context() as patched:
        patched.setattr(learning, "score", raising(MemoryError("too large")))
        outcome, record = run(*training)
    assert (outcome["status"], record) == ("completed", old), "what it has stands"
    assert "not scored again (MemoryError: too large)" in capsys.readouterr().err

    outcome, record = run(*training)
    assert outcome["stages"] == ["evaluate"]
    assert record == made
    pd.testing.assert_frame_equal(pd.read_csv(folder / "scores.csv"), scores)
    assert outcome_of(*training)["stages"] == []
    write_trained(tmp_path / "runs", old)
    (folder / "generator.pt").unlink()
    outcome = outcome_of(*training)
    assert outcome["stages"] == [], "nothing to score"
    assert outcome["kept"] == "nothing: it lacks scores, and the weights to compute them (generator.pt) are not there"


def test_a_record_is_not_scored_with_another_networks_weights(
    training: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, made = run(*training)
    scores = tmp_path / "runs" / "trained" / made.key / "scores.csv"
    other = replace(made, scores=replace(made.scores, ms_ssim=made.scores.ms_ssim - 0.001, mdsi=None))
    write_trained(tmp_path / "runs", other)
    table = scores.read_bytes()
    scores.write_bytes(b"untouched")
    outcome, record = run(*training)
    assert (outcome["status"], record) == ("completed", other)
    assert scores.read_bytes() == b"untouched"
    said = capsys.readouterr().err
    assert f"expected the record's MS-SSIM of {other.scores.ms_ssim:.4f} from generator.pt, got" in said
    write_trained(tmp_path / "runs", replace(made, scores=replace(made.scores, mdsi=None)))
    assert run(*training)[1] == made
    assert scores.read_bytes() == table


def test_scores_stand_where_pictures_cannot_be_made_and_are_tried_again(
    training: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(learning, "write_pictures", raising(OSError("no space left on device")))
        outcome, record = run(*training, WITH_PICTURES)
    assert outcome["status"] == record.status == "completed"
    assert record.scores.images > 0
    assert record.pictures is None
    assert "plain-k3-c2-b1: no pictures (OSError: no space left on device)" in capsys.readouterr().err
    outcome, again = run(*training, WITH_PICTURES)
    assert outcome["stages"] == ["evaluate"]
    assert replace(again, pictures=None) == record
    assert again.pictures


def test_timing_needs_no_data_and_is_done_once(quick: list[str], tmp_path: Path) -> None:
    timing_only = [*quick, "stages=[time]", "data.root=/nowhere"]
    assert outcome_of(*timing_only)["stages"] == ["time"]
    assert outcome_of(*timing_only)["stages"] == []
    frame = load_records(tmp_path / "runs", measurement=None)
    assert len(frame) == 1
    assert frame.loc[0, "latency_ms_median"] > 0
    assert frame.loc[0, "peak_rss_mib"] > frame.loc[0, "peak_rss_delta_mib"] > 0
    assert pd.isna(frame.loc[0, "ms_ssim"])
    timed = json.loads(next((tmp_path / "runs" / "timed").rglob("*.json")).read_text())
    assert timed["measurement"]["allocator"] == "tuned"


def test_a_quick_timing_does_not_stand_for_a_careful_one(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variant, "time_variant", made_up_timing)
    outcome_of(*quick, "stages=[time]")
    assert not plan_of(*quick, "stages=[time]").needs_timing()
    assert plan_of(*quick, "stages=[time]", "timing=default").needs_timing()


def test_a_failed_evaluation_without_training_ends(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    outcome_of(*quick, "stages=[train]")
    monkeypatch.setattr(learning, "score", raising(BUG))
    outcome = outcome_of(*quick, "stages=[evaluate]")
    assert (outcome["status"], outcome["failure"], outcome["stages"]) == ("failed", "bug", ["evaluate"])
