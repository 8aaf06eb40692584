"""Photographs through a trained variant."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import enhance_sweep
from enhance_sweep.config import compose_config
from enhance_sweep.enhance.__main__ import choose_run
from enhance_sweep.plan import plan_variant
from enhance_sweep.variant import load_generator, run_variant


@pytest.fixture
def trained(quick: list[str]) -> Path:
    config = compose_config([*quick, "stages=[train,evaluate]"])
    run_variant(config)
    return plan_variant(config).folder


def enhance(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "enhance_sweep.enhance", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def test_an_enhancer_is_its_generator_on_pixels(trained: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (21, 34, 3), dtype=np.uint8)
    enhanced = enhance_sweep.load_enhancer(trained)(photo)
    assert enhanced.dtype == np.uint8
    with torch.inference_mode():
        input = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
        wanted = load_generator(trained / "generator.pt")(input)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(enhanced - wanted.clip(0, 255)).max() < 0.51
    np.testing.assert_array_equal(enhance_sweep.load_enhancer(trained / "generator.pt")(photo), enhanced)


@pytest.mark.parametrize(
    "photo", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), "photo.jpg"]
)
def test_what_is_no_photograph_is_refused(trained: Path, photo: object) -> None:
    with pytest.raises(ValueError, match="expected a photograph"):
        enhance_sweep.load_enhancer(trained)(photo)  # type: ignore[arg-type]


def test_command_line_enhances_turns_upright_and_reports_the_bad_one(trained: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif)
    Image.fromarray(pixels[..., 0]).save(tmp_path / "gray.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 not a photograph")
    done = enhance("turned.jpg", "broken.jpg", "gray.png", "--out", "out", "--before-after", cwd=tmp_path)
    assert done.returncode == 1
    assert "error: broken.jpg: cannot identify image file" in done.stderr
    assert "Traceback" not in done.stderr
    assert "2 of 3 photographs are in out" in done.stdout
    assert Image.open(tmp_path / "out" / "turned.jpg").size == (40, 30)
    assert Image.open(tmp_path / "out" / "gray.png").size == (60, 20)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["gray.png", "turned.jpg"]


def test_a_source_is_never_replaced(trained: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg")
    before = (tmp_path / "photo.jpg").read_bytes()
    done = enhance("photo.jpg", "--out", ".", cwd=tmp_path)
    assert done.returncode == 1
    assert "choose another --out" in done.stderr
    assert (tmp_path / "photo.jpg").read_bytes() == before


def test_two_photographs_of_one_name_do_not_replace_each_other(trained: Path, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / folder / "IMG_0001.jpg")
    done = enhance("first/IMG_0001.jpg", "second/IMG_0001.jpg", "--out", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "error: second/IMG_0001.jpg: its result would replace that of first/IMG_0001.jpg" in done.stderr
    assert "1 of 2 photographs" in done.stdout


def test_runs_that_are_not_there_are_named(trained: Path, tmp_path: Path) -> None:
    assert choose_run(tmp_path / "runs", "best", None) == trained
    assert choose_run(tmp_path / "runs", trained.name, None) == trained
    with pytest.raises(ValueError, match=f"no completed variant 'x' .* {trained.name}"):
        choose_run(tmp_path / "runs", "x", None)
    with pytest.raises(ValueError, match="no scored variant of at most 5 ms"):
        choose_run(tmp_path / "runs", "best", 5)
    done = enhance("photo.jpg", "--runs", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no folder of runs at nowhere")
