"""Where a training step's time goes: the parts are the whole, and their operations are those of the layers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from enhance_sweep.config import compose_settings
from enhance_sweep.profile.__main__ import main
from enhance_sweep.profile.measure import REST, Profile, profile_variant
from enhance_sweep.profile.show import frame, picture, text
from enhance_sweep.sweep.work import loss_work
from tests.commands import FORKED

Said = pytest.CaptureFixture[str]
PARTS = ["data", "generator forward", "color", "content", "texture", "total_variation", "generator backward"]
PARTS += ["optimizer", "discriminator step", REST]


@pytest.fixture(scope="module", autouse=True)
def quick_processes() -> Iterator[None]:
    """Processes that need not import torch first, and the arithmetic limit of small matrices."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("enhance_sweep.timing.worker._LIMIT_SIDES", (256,))
        patch.setattr("enhance_sweep.profile.__main__.get_context", lambda kind: FORKED)
        yield


@pytest.fixture(scope="module")
def profile(photographs: Path, made_once: Path) -> Profile:
    """Two steps of a tiny network with every term of the paper's loss."""
    overrides = ["model.channels=4", "model.blocks=1", "trainer.batch_size=2", "trainer.crop_size=32", "loss=paper"]
    overrides += ["trainer.precision=fp32", "data.patch_size=48", "data.shots=1", f"data.root={photographs}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENHANCE_SWEEP_CACHE", str(made_once / "cache"))
        return profile_variant(overrides, steps=2, warm_up=1)


def test_every_part_is_there_and_together_they_are_the_step(profile: Profile) -> None:
    assert sorted(part.name for part in profile.parts) == sorted(PARTS)
    assert all(len(part.ms) == 2 for part in profile.parts)
    sums = np.sum([part.ms for part in profile.parts], axis=0)
    assert sums == pytest.approx(profile.step_ms)
    assert all(part.ms_median >= 0 for part in profile.parts if part.name != REST)
    assert profile.peak_mib > 100


def test_operations_are_counted_as_the_layers_say(profile: Profile) -> None:
    flops = {part.name: part.flops for part in profile.parts}
    k, c = 3, 4
    per_pixel = 3 * c * 81 * 2 + 4 * k * k * c * c  # 9x9 at both ends; a block's and the tail's two convolutions
    assert flops["generator forward"] == 2 * per_pixel * 2 * 32 * 32
    # Backward costs as much again for the weights and for the input; the first layer's input needs no gradient.
    assert flops["generator backward"] == 2 * flops["generator forward"] - 2 * 3 * c * 81 * 2 * 32 * 32
    assert flops["content"] > flops["total_variation"] == 0
    assert flops["data"] == flops["optimizer"] == flops[REST] == 0
    assert 0 < profile.share_of_limit < 1


def test_a_forecast_counts_the_operations_of_a_real_step(profile: Profile) -> None:
    flops = {part.name: part.flops for part in profile.parts}
    loss = loss_work(compose_settings(["loss=paper", "trainer.crop_size=32"]).loss, 32)
    assert loss is not None
    networks = flops["content"] + flops["texture"] + flops["discriminator step"]
    assert networks == 2 * 2 * loss.macs + loss.more_passes * flops["generator forward"]


def test_a_profile_is_shown_as_a_table_and_a_picture(profile: Profile) -> None:
    rows = frame([profile, profile])
    assert rows["part"].tolist() == [*[part.name for part in profile.parts], "whole step"] * 2
    whole = rows[rows["part"] == "whole step"].iloc[0]
    assert whole["images_per_s"] == pytest.approx(2e3 / whole["ms"])
    assert whole["gflop"] == pytest.approx(profile.flops / 1e9)
    assert "plain-k3-c4-b1, loss paper (efficientnet_lite0), batch 2 of 32x32, fp32, cpu" in text(profile)
    assert picture([profile]).startswith(b"\x89PNG")


def test_the_command_writes_what_it_prints(quick: list[str], tmp_path: Path, capsys: Said) -> None:
    overrides = [one for one in quick if not one.startswith(("runs_dir", "trainer.max_steps", "trainer.evaluate_at"))]
    assert main([*overrides, "--steps", "1", "--warm-up", "1", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.count("images/s") == 1
    assert (tmp_path / "out" / "profile.png").stat().st_size > 5000
    assert pd.read_csv(tmp_path / "out" / "profile.csv")["network"].unique() == ["plain-k3-c2-b1"]


def test_a_wrong_setting_is_named(capsys: Said) -> None:
    assert main(["model=strided", "model.strided_kernel_size=1"]) == 2
    assert "strided_kernel_size: expected at least 2" in capsys.readouterr().err


def test_a_wrong_later_job_or_folder_is_found_first(quick: list[str], tmp_path: Path, capsys: Said) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    overrides = [one for one in quick if not one.startswith("model.")]
    assert main([*overrides, "model.kernel_size=3,0"]) == 2
    assert main([*overrides, "--out", str(occupied)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "kernel_size: expected at least 1" in said.err
    assert f"{occupied} cannot hold records" in said.err


def test_what_was_finished_before_an_error_is_kept(quick: list[str], tmp_path: Path, capsys: Said) -> None:
    overrides = [one for one in quick if not one.startswith("trainer.crop_size")]
    options = ["--steps", "1", "--warm-up", "1", "--out", str(tmp_path / "out")]
    assert main([*overrides, "trainer.crop_size=24", "loss=fidelity,paper", *options]) == 2
    said = capsys.readouterr()
    assert "the content network takes images of at least 32x32, got 24x24: set trainer.crop_size=32" in said.err
    assert "Traceback" not in said.err
    assert pd.read_csv(tmp_path / "out" / "profile.csv")["loss"].unique().tolist() == ["fidelity"]
