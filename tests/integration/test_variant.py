"""One variant through all its stages, interrupted and continued, in this process."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from msgspec import convert
from msgspec.structs import asdict, replace

from enhance_sweep.config import ConfigError, compose_settings
from enhance_sweep.records import load_records
from enhance_sweep.records.keys import architecture_key, architecture_of, measured_key
from enhance_sweep.records.schema import SCHEMA, Description, Measurement, TimedRecord
from enhance_sweep.records.store import trained_records, write_trained
from enhance_sweep.settings import TimingSettings
from enhance_sweep.sweep import learning, training_record, variant
from enhance_sweep.sweep.generator_file import load_generator
from enhance_sweep.sweep.plan import plan_variant
from enhance_sweep.sweep.variant import run_variant
from enhance_sweep.system.leases import Lease, lease
from enhance_sweep.timing.recording import measurement_of
from enhance_sweep.training import module

TRAIN = "stages=[train,evaluate]"
WITH_PICTURES = "pictures=true"


def run(overrides: list[str]) -> tuple[dict[str, Any], Any]:
    """What `run_variant` says, and the record that it left."""
    settings = compose_settings(overrides)
    outcome = run_variant(settings)
    record = plan_variant(settings).trained_record()
    assert record is not None
    return outcome, record


def made_up_timing(
    model: Mapping[str, Any], timing: TimingSettings, runtime: Mapping[str, Any], *others: Any
) -> TimedRecord:
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
def test_a_trained_variant_leaves_a_whole_record(quick: list[str], tmp_path: Path, loss: str) -> None:
    outcome, record = run([*quick, f"loss={loss}", TRAIN, WITH_PICTURES])
    took_s = outcome.pop("took_s")
    assert len(took_s) == 2
    assert all(0 < one < 60 for one in took_s)
    assert outcome == {
        "name": "plain-k3-c2-b1", "status": "completed", "reason": None, "failure": None,
        "stages": ["train", "evaluate"], "kept": None
    }  # fmt: skip
    assert record.status == "completed"
    assert record.steps == 6
    assert [row.step for row in record.quality] == [0, 3, 6]
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


def test_checkpoints_hold_no_frozen_network_and_run_nobodys_code(quick: list[str], tmp_path: Path) -> None:
    _, record = run([*quick, "loss=paper", TRAIN])
    folder = tmp_path / "runs" / "trained" / record.key
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    players = {name.split(".")[0] for name in checkpoint["state_dict"]}
    assert players == {"generator", "averaged", "objective"}
    assert not [name for name in checkpoint["state_dict"] if "features.blocks" in name]
    assert len(checkpoint["optimizer_states"]) == 2
    generator = load_generator(folder / "generator.pt")
    assert sum(p.numel() for p in generator.parameters()) == record.description.parameters


@pytest.mark.parametrize("loss", ["fidelity", "paper"])
def test_a_longer_run_continues_a_shorter_one_and_equals_one_in_one_go(
    quick: list[str], tmp_path: Path, loss: str, capsys: pytest.CaptureFixture[str]
) -> None:
    constant = [*quick, f"loss={loss}", "trainer.schedule=constant", TRAIN]
    _, short = run(constant)
    outcome, continued = run([*constant, "trainer.max_steps=12"])
    assert "starts over" not in capsys.readouterr().err
    assert outcome["stages"] == ["train", "evaluate"]
    assert continued.key == short.key
    assert [row.step for row in continued.quality] == [0, 3, 6, 12]
    _, one_go = run([*constant, "trainer.max_steps=12", f"runs_dir={tmp_path / 'other'}"])
    assert asdict(continued.scores) == pytest.approx(asdict(one_go.scores), abs=1e-6)
    weights = load_generator(tmp_path / "runs" / "trained" / short.key / "generator.pt").state_dict()
    other = load_generator(tmp_path / "other" / "trained" / short.key / "generator.pt").state_dict()
    torch.testing.assert_close(weights, other, atol=1e-6, rtol=1e-5)


def test_a_shorter_run_than_there_is_keeps_the_longer_and_says_so(quick: list[str]) -> None:
    constant = [*quick, "trainer.schedule=constant", TRAIN]
    run(constant)
    outcome, record = run([*constant, "trainer.max_steps=4"])
    assert outcome["stages"] == []
    assert outcome["kept"] == "nothing: it has been trained for 6 steps already"
    assert record.steps == 6


def test_a_continuation_that_fails_keeps_what_there_was(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    constant = [*quick, "trainer.schedule=constant", TRAIN]
    _, good = run(constant)

    def broken(*arguments: object, **named: object) -> None:
        raise module.DivergedError("the loss has exploded")

    monkeypatch.setattr(learning, "fit", broken)
    _, failed = run([*constant, "trainer.max_steps=12"])
    assert failed.status == "failed"
    for name in ("scores", "quality", "steps", "train_wall_s"):
        assert getattr(failed, name) == getattr(good, name)
    assert run([*constant, "trainer.max_steps=24"])[0]["stages"] == []


def test_seeds_give_networks_of_their_own_and_repeat(quick: list[str], tmp_path: Path) -> None:
    scores = [
        run([*quick, TRAIN, f"seed={seed}", f"runs_dir={tmp_path / place}"])[1].scores.psnr_db
        for seed, place in ((0, "a"), (0, "b"), (1, "a"))
    ]
    assert scores[0] == scores[1]
    assert scores[0] != scores[2]
    assert len(list(trained_records(tmp_path / "a"))) == 2


def test_a_finished_variant_is_skipped_and_moving_the_photographs_changes_nothing(
    quick: list[str], photographs: Path, tmp_path: Path
) -> None:
    import shutil

    run([*quick, TRAIN])
    shutil.copytree(photographs, tmp_path / "moved")
    outcome, _ = run([*quick, TRAIN, f"data.root={tmp_path / 'moved'}"])
    assert outcome["stages"] == []


def test_one_cycle_of_another_length_is_another_training(quick: list[str]) -> None:
    keys = {plan_variant(compose_settings([*quick, f"trainer.max_steps={steps}"])).key for steps in (6, 12)}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("override", "changes"),
    [
        ("model.channels=3", True),
        ("trainer.batch_size=3", True),
        ("trainer.crop_size=33", True),
        ("trainer.precision=bf16", True),
        ("trainer.augment=false", True),
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
    key, changed = (plan_variant(compose_settings([*quick, *more])).key for more in ([], [override]))
    assert (key != changed) == changes


def test_a_diverging_run_is_failed_with_its_reason_and_retried_only_when_asked(quick: list[str]) -> None:
    wild = [*quick, TRAIN, "trainer.learning_rate=1e30", "trainer.schedule=constant"]
    outcome, record = run(wild)
    assert outcome["status"] == record.status == "failed"
    assert record.reason.startswith("diverged: the ")
    assert "try a lower learning rate" in record.reason
    assert record.scores is None
    assert run(wild)[0] == outcome | {"stages": [], "took_s": []}
    assert run([*wild, "retry_failed=true"])[0]["stages"] == ["train"]


def test_a_bug_is_written_down_with_its_place_and_tried_once_more(
    quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def broken(*arguments: object, **named: object) -> None:
        calls.append(1)
        raise KeyError("weights")

    monkeypatch.setattr(learning, "fit", broken)
    outcome, record = run([*quick, TRAIN])
    assert outcome["stages"] == ["train", "train"]
    assert (outcome["status"], outcome["failure"]) == ("failed", "bug")
    assert outcome["reason"] == record.reason == "KeyError: 'weights'"
    assert record.attempts == {"bug": 2}
    assert "in broken" in record.traceback
    assert run([*quick, TRAIN])[0]["stages"] == []  # it stays failed
    assert run([*quick, TRAIN, "retries.bug=3"])[0]["stages"] == ["train"] * 2
    assert run([*quick, TRAIN, "retries.bug=3", "retry_failed=true"])[0]["stages"] == ["train"] * 4
    assert len(calls) == 8


def test_want_of_memory_divides_the_batch_until_it_fits(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    real, tried = learning.fit, []

    def hungry(*arguments: Any, **named: Any) -> Any:
        tried.append(arguments[4].micro_batches)
        if tried[-1] < 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return real(*arguments, **named)

    monkeypatch.setattr(learning, "fit", hungry)
    outcome, record = run([*quick, "trainer.batch_size=6", TRAIN])
    assert tried == [1, 2, 4]
    assert outcome["status"] == record.status == "completed"
    assert outcome["stages"] == ["train", "train", "train", "evaluate"]
    assert (record.micro_batches, record.attempts) == (4, {"out_of_memory": 2})
    monkeypatch.undo()


def test_memory_that_never_suffices_is_a_failure(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def hungry(*arguments: Any, **named: Any) -> Any:
        tried.append(arguments[4].micro_batches)
        raise MemoryError

    monkeypatch.setattr(learning, "fit", hungry)
    outcome, record = run([*quick, "trainer.batch_size=3", TRAIN])
    assert tried == [1, 2, 3, 3]
    assert (outcome["failure"], record.attempts) == ("out_of_memory", {"out_of_memory": 4})


@pytest.mark.parametrize(
    ("kills", "failure", "micro_batches"), [(7, "interrupted", 1), (8, "out_of_memory", 2), (None, "interrupted", 1)]
)
def test_a_lost_process_was_killed_by_the_kernel_or_by_somebody(
    quick: list[str], monkeypatch: pytest.MonkeyPatch, kills: int | None, failure: str, micro_batches: int
) -> None:
    def killed(*arguments: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(training_record, "out_of_memory_kills", lambda: 7)
    with monkeypatch.context() as lost:
        lost.setattr(learning, "fit", killed)
        with pytest.raises(KeyboardInterrupt):
            run([*quick, TRAIN])
    monkeypatch.setattr(training_record, "out_of_memory_kills", lambda: kills)
    outcome, record = run([*quick, TRAIN])
    assert outcome["status"] == "completed"
    assert (record.attempts, record.micro_batches) == ({failure: 1}, micro_batches)


def test_interruptions_may_be_limited(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*arguments: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as lost:
        lost.setattr(learning, "fit", killed)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                run([*quick, TRAIN, "retries.interrupted=1"])
    outcome, record = run([*quick, TRAIN, "retries.interrupted=1"])
    assert (outcome["status"], outcome["failure"]) == ("failed", "interrupted")
    assert record.reason == "its process was lost (interrupted) 2 times"
    assert run([*quick, TRAIN, "retry_failed=true"])[0]["status"] == "completed"


def test_a_variant_in_other_hands_is_left_alone(quick: list[str], tmp_path: Path) -> None:
    plan = plan_variant(compose_settings([*quick, TRAIN]))
    with lease(plan.runs_dir, plan.key, "train"):
        outcome = run_variant(compose_settings([*quick, TRAIN]))
        assert outcome["status"] == "held"
        assert outcome["reason"].startswith("held by process ")
        assert outcome["stages"] == []
    assert plan.trained_record() is None
    assert run([*quick, TRAIN])[0]["status"] == "completed"


def test_a_training_that_another_has_taken_over_writes_nothing_more(
    quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_variant(compose_settings([*quick, TRAIN]))

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
    outcome = run_variant(compose_settings([*quick, TRAIN]))
    assert outcome["status"] == "held"
    assert "another process has taken over" in outcome["reason"]
    record = plan.trained_record()
    assert record is not None
    assert record.status == "running"  # what the other will make of it is its own affair


def test_a_failed_timing_is_tried_again_as_its_class_says(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    calls, reasons = [], []

    def failing(*arguments: Any) -> Any:
        calls.append(1)
        return replace(made_up_timing(*arguments), status="failed", reason=reasons[-1])

    monkeypatch.setattr(variant, "time_variant", failing)
    for reason, size, tries in (("its result differs", 40, 2), ("killed by signal 9", 44, 1)):
        calls.clear()
        reasons.append(reason)
        timing_only = [*quick, "stages=[time]", f"timing.width={size}"]
        outcome = run_variant(compose_settings(timing_only))
        assert outcome["status"] == "failed"
        assert outcome["stages"] == ["time"] * tries
        assert run_variant(compose_settings(timing_only))["stages"] == []
        assert len(calls) == tries


def test_a_timing_that_another_has_taken_over_writes_nothing(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = compose_settings([*quick, "stages=[time]"])

    @contextmanager
    def taken_over(*arguments: Any) -> Iterator[Lease]:
        with lease(*arguments) as mine:
            mine.lost = True
            yield mine

    monkeypatch.setattr(variant, "lease", taken_over)
    monkeypatch.setattr(variant, "time_variant", made_up_timing)
    assert run_variant(settings)["status"] == "held"
    assert plan_variant(settings).timed_records() == []


def test_what_was_marked_to_be_tried_again_has_all_its_retries_again(
    quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise KeyError("weights")

    monkeypatch.setattr(learning, "fit", broken)
    _, record = run([*quick, TRAIN])
    assert record.attempts == {"bug": 2}
    write_trained(plan_variant(compose_settings(quick)).runs_dir, replace(record, retry=True))
    outcome, record = run([*quick, TRAIN])
    assert outcome["stages"] == ["train", "train"]
    assert record.attempts == {"bug": 2}
    assert not record.retry, "once"


def test_what_the_killed_left_half_written_is_removed_by_who_goes_on(quick: list[str]) -> None:
    plan = plan_variant(compose_settings(quick))
    left = plan.folder / ".last.ckpt.0123abcd.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"PK")
    run([*quick, "stages=[train]"])
    assert not left.exists()


def test_a_continuation_by_other_code_says_so(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    constant = [*quick, TRAIN, "trainer.schedule=constant"]
    monkeypatch.setattr(training_record, "code_digest", lambda: "first")
    assert run(constant)[1].environment.code == "first"
    monkeypatch.setattr(training_record, "code_digest", lambda: "second")
    assert run([*constant, "trainer.max_steps=8"])[1].environment.code == "first+second"


def test_bad_values_stop_before_anything_is_written(quick: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"crop_size: expected at most 48"):
        run_variant(compose_settings([*quick, "trainer.crop_size=49"]))
    assert not (tmp_path / "runs").exists()


def test_stages_can_be_taken_one_by_one(quick: list[str], tmp_path: Path) -> None:
    assert run([*quick, "stages=[train]"])[0]["stages"] == ["train"]
    outcome, record = run([*quick, "stages=[evaluate]"])
    assert outcome["stages"] == ["evaluate"]
    assert record.scores.images > 0


def test_what_is_not_trained_is_not_called_complete_by_an_evaluation(quick: list[str]) -> None:
    outcome = run_variant(compose_settings([*quick, "stages=[evaluate]"]))
    assert (outcome["status"], outcome["stages"]) == ("failed", [])
    assert outcome["reason"] == "there is no finished training to evaluate: say stages=[train,evaluate]"


@pytest.mark.parametrize("damage", ["empty", "cut short", "of another network", "no checkpoint"])
def test_a_checkpoint_that_cannot_be_gone_on_from_is_set_aside_and_the_training_begun_again(
    quick: list[str], capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    overrides = [*quick, TRAIN]
    _, whole = run(overrides)
    plan = plan_variant(compose_settings(overrides))
    checkpoint = plan.folder / "last.ckpt"
    if damage == "of another network":
        other = [*overrides, "model.channels=3"]
        run(other)
        checkpoint.write_bytes((plan_variant(compose_settings(other)).folder / "last.ckpt").read_bytes())
    elif damage == "no checkpoint":
        torch.save([1, 2], checkpoint)
    else:
        checkpoint.write_bytes(b"" if damage == "empty" else checkpoint.read_bytes()[:5000])
    damaged = checkpoint.read_bytes()
    write_trained(plan.runs_dir, replace(whole, status="running"))
    outcome, record = run(overrides)
    assert outcome["status"] == "completed"
    assert outcome["stages"] == ["train", "evaluate"]
    assert asdict(record.scores) == pytest.approx(asdict(whole.scores), abs=1e-4)
    assert (plan.folder / "last.ckpt.unusable").read_bytes() == damaged
    assert f"its checkpoint is {'of another network' if 'network' in damage else 'damaged'}" in capsys.readouterr().err


def test_a_record_from_before_photographs_gets_them_without_training_or_scoring(
    quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, made = run([*quick, TRAIN, WITH_PICTURES])
    folder = tmp_path / "runs" / "trained" / made.key
    old = replace(made, pictures=[{"file": "pictures/patches.jpg", "title": "Untouched, enhanced, target"}])
    write_trained(tmp_path / "runs", old)
    for entry in made.pictures[1:]:
        (folder / entry["file"]).unlink()

    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("neither trained nor scored again")

    monkeypatch.setattr(learning, "fit", never)
    monkeypatch.setattr(learning, "score", never)
    outcome, record = run([*quick, TRAIN, WITH_PICTURES])
    assert outcome["stages"] == ["evaluate"]
    assert record == made
    assert all((folder / entry["file"]).is_file() for entry in record.pictures)
    assert run([*quick, TRAIN, WITH_PICTURES])[0]["stages"] == []
    (folder / "pictures" / "coffee.webp").unlink()
    assert run([*quick, "stages=[train]", WITH_PICTURES])[0]["stages"] == []
    assert run([*quick, "stages=[evaluate]", WITH_PICTURES])[0]["stages"] == ["evaluate"]
    (folder / "pictures" / "coffee.webp").unlink()
    (folder / "generator.pt").unlink()
    assert run([*quick, TRAIN, WITH_PICTURES])[0]["stages"] == [], "nothing to make them with"


def test_scores_stand_where_pictures_cannot_be_made_and_are_tried_again(
    quick: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(learning, "write_pictures", broken)
        outcome, record = run([*quick, TRAIN, WITH_PICTURES])
    assert outcome["status"] == record.status == "completed"
    assert record.scores.images > 0
    assert record.pictures is None
    assert "plain-k3-c2-b1: no pictures (OSError: no space left on device)" in capsys.readouterr().err
    outcome, again = run([*quick, TRAIN, WITH_PICTURES])
    assert outcome["stages"] == ["evaluate"]
    assert replace(again, pictures=None) == record
    assert again.pictures


def test_timing_needs_no_data_and_is_done_once(quick: list[str], tmp_path: Path) -> None:
    timing_only = [*quick, "stages=[time]", "data.root=/nowhere"]
    assert run_variant(compose_settings(timing_only))["stages"] == ["time"]
    assert run_variant(compose_settings(timing_only))["stages"] == []
    frame = load_records(tmp_path / "runs", measurement=None)
    assert len(frame) == 1
    assert frame.loc[0, "latency_ms_median"] > 0
    assert frame.loc[0, "peak_rss_mib"] > frame.loc[0, "peak_rss_delta_mib"] > 0
    assert pd.isna(frame.loc[0, "ms_ssim"])
    timed = json.loads(next((tmp_path / "runs" / "timed").rglob("*.json")).read_text())
    assert timed["measurement"]["allocator"] == "tuned"


def test_a_failed_timing_stays_failed_until_it_is_retried(
    quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any) -> TimedRecord:
        return replace(made_up_timing(*arguments), status="failed", reason="the worker was killed by signal 9")

    monkeypatch.setattr(variant, "time_variant", failing)
    timing_only = [*quick, "stages=[time]"]
    failed = {"status": "failed", "reason": "the worker was killed by signal 9"}
    assert run_variant(compose_settings(timing_only)).items() >= (failed | {"stages": ["time"]}).items()
    assert run_variant(compose_settings(timing_only)).items() >= (failed | {"stages": []}).items()
    monkeypatch.setattr(variant, "time_variant", made_up_timing)
    retried = run_variant(compose_settings([*timing_only, "retry_failed=true"]))
    assert retried.items() >= {"status": "completed", "stages": ["time"]}.items()


def test_a_quick_timing_does_not_stand_for_a_careful_one(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variant, "time_variant", made_up_timing)
    run_variant(compose_settings([*quick, "stages=[time]"]))
    assert not plan_variant(compose_settings([*quick, "stages=[time]"])).needs_timing()
    assert plan_variant(compose_settings([*quick, "stages=[time]", "timing=default"])).needs_timing()


def test_a_failed_evaluation_without_training_ends(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise KeyError("weights")

    run([*quick, "stages=[train]"])
    monkeypatch.setattr(learning, "score", broken)
    outcome, _ = run([*quick, "stages=[evaluate]"])
    assert (outcome["status"], outcome["failure"], outcome["stages"]) == ("failed", "bug", ["evaluate"])
