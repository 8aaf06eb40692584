"""One variant through all its stages, interrupted and continued, in this process."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from enhance_sweep import records, variant
from enhance_sweep.config import ConfigError, compose_config
from enhance_sweep.plan import plan_variant
from enhance_sweep.training import module
from enhance_sweep.variant import load_generator, run_variant

TRAIN = "stages=[train,evaluate]"


def run(overrides: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `run_variant` says, and the record that it left."""
    config = compose_config(overrides)
    outcome = run_variant(config)
    record = plan_variant(config).trained_record()
    assert record is not None
    return outcome, record


@pytest.mark.parametrize("loss", ["fidelity", "paper", "dped_code"])
def test_a_trained_variant_leaves_a_whole_record(quick: list[str], tmp_path: Path, loss: str) -> None:
    outcome, record = run([*quick, f"loss={loss}", TRAIN])
    assert outcome == {
        "name": "plain-k3-c2-b1", "status": "completed", "reason": None, "failure": None,
        "did": ["train", "evaluate"], "kept": None
    }  # fmt: skip
    assert record["status"] == "completed"
    assert record["steps"] == 6
    assert [row["step"] for row in record["quality"]] == [3, 6]
    assert record["learned_from"]["loss"] == loss
    assert record["learned_from"]["content"] == (None if loss == "fidelity" else "efficientnet_lite0")

    folder = tmp_path / "runs" / "trained" / record["key"]
    scores = pd.read_csv(folder / "scores.csv")
    assert len(scores) == record["scores"]["images"] == record["untouched"]["images"]
    assert scores["ms_ssim"].mean() == pytest.approx(record["scores"]["ms_ssim"], abs=1e-5)
    assert record["quality"][-1]["ms_ssim"] == pytest.approx(record["scores"]["ms_ssim"], abs=1e-5)
    losses = pd.read_csv(folder / "losses.csv")
    assert losses["step"].tolist() == [6]
    assert set(losses.columns) > {"total", *record["learned_from"]["loss_terms"]["terms"]}
    assert ("discriminator" in losses) == (loss != "fidelity")
    assert (folder / record["pictures"][0]["file"]).stat().st_size > 1000
    assert list((folder / "tensorboard").iterdir())


def test_checkpoints_hold_no_frozen_network_and_run_nobodys_code(quick: list[str], tmp_path: Path) -> None:
    _, record = run([*quick, "loss=paper", TRAIN])
    folder = tmp_path / "runs" / "trained" / record["key"]
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    players = {name.split(".")[0] for name in checkpoint["state_dict"]}
    assert players == {"generator", "objective"}
    assert not [name for name in checkpoint["state_dict"] if "features.blocks" in name]
    assert len(checkpoint["optimizer_states"]) == 2
    generator = load_generator(folder / "generator.pt")
    assert sum(p.numel() for p in generator.parameters()) == record["description"]["parameters"]


@pytest.mark.parametrize("loss", ["fidelity", "paper"])
def test_a_longer_run_continues_a_shorter_one_and_equals_one_in_one_go(
    quick: list[str], tmp_path: Path, loss: str
) -> None:
    constant = [*quick, f"loss={loss}", "trainer.schedule=constant", TRAIN]
    _, short = run(constant)
    outcome, continued = run([*constant, "trainer.max_steps=12"])
    assert outcome["did"] == ["train", "evaluate"]
    assert continued["key"] == short["key"]
    assert [row["step"] for row in continued["quality"]] == [3, 6, 12]
    _, one_go = run([*constant, "trainer.max_steps=12", f"runs_dir={tmp_path / 'other'}"])
    assert continued["scores"] == pytest.approx(one_go["scores"], abs=1e-6)
    weights = load_generator(tmp_path / "runs" / "trained" / short["key"] / "generator.pt").state_dict()
    other = load_generator(tmp_path / "other" / "trained" / short["key"] / "generator.pt").state_dict()
    torch.testing.assert_close(weights, other, atol=1e-6, rtol=1e-5)


def test_a_shorter_run_than_there_is_keeps_the_longer_and_says_so(quick: list[str]) -> None:
    constant = [*quick, "trainer.schedule=constant", TRAIN]
    run(constant)
    outcome, record = run([*constant, "trainer.max_steps=4"])
    assert outcome["did"] == []
    assert outcome["kept"] == "nothing: it has been trained for 6 steps already"
    assert record["steps"] == 6


def test_a_continuation_that_fails_keeps_what_there_was(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    constant = [*quick, "trainer.schedule=constant", TRAIN]
    _, good = run(constant)

    def broken(*arguments: object, **named: object) -> None:
        raise module.DivergedError("the loss has exploded")

    monkeypatch.setattr(variant, "fit", broken)
    _, failed = run([*constant, "trainer.max_steps=12"])
    assert failed["status"] == "failed"
    for name in ("scores", "quality", "steps", "train_wall_s"):
        assert failed[name] == good[name]
    assert run([*constant, "trainer.max_steps=24"])[0]["did"] == []


def test_seeds_give_networks_of_their_own_and_repeat(quick: list[str], tmp_path: Path) -> None:
    scores = [
        run([*quick, TRAIN, f"seed={seed}", f"runs_dir={tmp_path / place}"])[1]["scores"]["psnr_db"]
        for seed, place in ((0, "a"), (0, "b"), (1, "a"))
    ]
    assert scores[0] == scores[1]
    assert scores[0] != scores[2]
    assert len(list(records.trained_records(tmp_path / "a"))) == 2


def test_a_finished_variant_is_skipped_and_moving_the_photographs_changes_nothing(
    quick: list[str], photographs: Path, tmp_path: Path
) -> None:
    import shutil

    run([*quick, TRAIN])
    shutil.copytree(photographs, tmp_path / "moved")
    outcome, _ = run([*quick, TRAIN, f"data.root={tmp_path / 'moved'}"])
    assert outcome["did"] == []


def test_one_cycle_of_another_length_is_another_training(quick: list[str]) -> None:
    keys = {plan_variant(compose_config([*quick, f"trainer.max_steps={steps}"])).key for steps in (6, 12)}
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
    key, changed = (plan_variant(compose_config([*quick, *more])).key for more in ([], [override]))
    assert (key != changed) == changes


def test_a_diverging_run_is_failed_with_its_reason_and_retried_only_when_asked(quick: list[str]) -> None:
    wild = [*quick, TRAIN, "trainer.learning_rate=1e30", "trainer.schedule=constant"]
    outcome, record = run(wild)
    assert outcome["status"] == record["status"] == "failed"
    assert record["reason"].startswith("diverged: the ")
    assert "try a lower learning rate" in record["reason"]
    assert "scores" not in record
    assert run(wild)[0] == outcome | {"did": []}
    assert run([*wild, "retry_failed=true"])[0]["did"] == ["train"]


def test_a_loss_that_explodes_is_divergence_too() -> None:
    import torch.nn as nn

    from enhance_sweep.losses import MSELoss, Objective

    training = module.EnhancementModule(
        nn.Identity(), Objective({"mse": MSELoss()}, {"mse": 1.0}), 1e-3, "constant", 50, False
    )
    for step in range(1, 11):
        training.steps_done = step
        training.losses = {"total": torch.tensor(1.0)}
        training._check_for_divergence()
    training.steps_done, training.losses = 20, {"total": torch.tensor(999.0)}
    training._check_for_divergence()
    training.losses = {"total": torch.tensor(1001.0)}
    with pytest.raises(module.DivergedError, match="exploded to 1e\\+03 at step 20, from 1 at the start"):
        training._check_for_divergence()


def test_any_other_failure_is_written_down_with_its_place(quick: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(variant, "fit", broken)
    outcome, record = run([*quick, TRAIN])
    assert outcome["reason"] == record["reason"] == "RuntimeError: DefaultCPUAllocator: can't allocate memory"
    assert "in broken" in record["traceback"]


def test_bad_values_stop_before_anything_is_written(quick: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"crop_size: expected at most 48"):
        run_variant(compose_config([*quick, "trainer.crop_size=49"]))
    assert not (tmp_path / "runs").exists()


def test_stages_can_be_taken_one_by_one(quick: list[str], tmp_path: Path) -> None:
    assert run([*quick, "stages=[train]"])[0]["did"] == ["train"]
    outcome, record = run([*quick, "stages=[evaluate]"])
    assert outcome["did"] == ["evaluate"]
    assert record["scores"]["images"] > 0


def test_a_record_from_before_photographs_gets_them_without_training_or_scoring(
    quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, made = run([*quick, TRAIN])
    folder = tmp_path / "runs" / "trained" / made["key"]
    old = made | {"pictures": [{"file": "pictures/patches.jpg", "title": "Untouched, enhanced, target"}]}
    records.write_trained(tmp_path / "runs", old)
    for entry in made["pictures"][1:]:
        (folder / entry["file"]).unlink()

    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("neither trained nor scored again")

    monkeypatch.setattr(variant, "fit", never)
    monkeypatch.setattr(variant, "score", never)
    outcome, record = run([*quick, TRAIN])
    assert outcome["did"] == ["evaluate"]
    assert record == made
    assert all((folder / entry["file"]).is_file() for entry in record["pictures"])
    assert run([*quick, TRAIN])[0]["did"] == []
    (folder / "pictures" / "coffee.webp").unlink()
    assert run([*quick, "stages=[train]"])[0]["did"] == []
    assert run([*quick, "stages=[evaluate]"])[0]["did"] == ["evaluate"]
    (folder / "pictures" / "coffee.webp").unlink()
    (folder / "generator.pt").unlink()
    assert run([*quick, TRAIN])[0]["did"] == [], "nothing to make them with"


def test_scores_stand_where_pictures_cannot_be_made_and_are_tried_again(
    quick: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(variant, "write_pictures", broken)
        outcome, record = run([*quick, TRAIN])
    assert outcome["status"] == record["status"] == "completed"
    assert record["scores"]["images"] > 0
    assert "pictures" not in record
    assert "plain-k3-c2-b1: no pictures (OSError: no space left on device)" in capsys.readouterr().err
    outcome, again = run([*quick, TRAIN])
    assert outcome["did"] == ["evaluate"]
    assert {name: again[name] for name in record} == record
    assert again["pictures"]


def test_timing_needs_no_data_and_is_done_once(quick: list[str], tmp_path: Path) -> None:
    timing_only = [*quick, "stages=[time]", "data.root=/nowhere"]
    assert run_variant(compose_config(timing_only))["did"] == ["time"]
    assert run_variant(compose_config(timing_only))["did"] == []
    frame = records.load_records(tmp_path / "runs", measurement=None)
    assert len(frame) == 1
    assert frame.loc[0, "latency_ms_median"] > 0
    assert frame.loc[0, "peak_rss_mib"] > frame.loc[0, "peak_rss_delta_mib"] > 0
    assert pd.isna(frame.loc[0, "ms_ssim"])
    timed = json.loads(next((tmp_path / "runs" / "timed").rglob("*.json")).read_text())
    assert timed["measurement"]["allocator"] == "tuned"


def test_a_failed_timing_stays_failed_until_it_is_retried(
    quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = variant.time_variant

    def failing(*arguments: Any) -> dict[str, Any]:
        return timed(*arguments) | {"status": "failed", "reason": "the worker was killed by signal 9"}

    monkeypatch.setattr(variant, "time_variant", failing)
    timing_only = [*quick, "stages=[time]"]
    failed = {"status": "failed", "reason": "the worker was killed by signal 9"}
    assert run_variant(compose_config(timing_only)).items() >= (failed | {"did": ["time"]}).items()
    assert run_variant(compose_config(timing_only)).items() >= (failed | {"did": []}).items()
    monkeypatch.setattr(variant, "time_variant", timed)
    retried = run_variant(compose_config([*timing_only, "retry_failed=true"]))
    assert retried.items() >= {"status": "completed", "did": ["time"]}.items()


def test_a_quick_timing_does_not_stand_for_a_careful_one(quick: list[str]) -> None:
    run_variant(compose_config([*quick, "stages=[time]"]))
    assert not plan_variant(compose_config([*quick, "stages=[time]"])).needs_timing()
    assert plan_variant(compose_config([*quick, "stages=[time]", "timing=default"])).needs_timing()
