"""Photographs through a trained variant."""

import io
import json
import struct
import zlib
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import enhance_sweep
from enhance_sweep.enhance import Enhancer
from enhance_sweep.enhance.__main__ import main, memory_size
from enhance_sweep.models import PlainGenerator
from enhance_sweep.records.choosing import choose_run
from enhance_sweep.records.store import write_timed, write_trained
from enhance_sweep.sweep.generator_file import load_generator
from tests.unit.enhance.picture_files import exif_of
from tests.unit.report import record_factory as records


def enhance(*arguments: str, cwd: Path, status: int = 0) -> tuple[str, str]:
    """Standard output and error of the command within this process: a new one takes seconds to import torch."""
    with redirect_stdout(io.StringIO()) as stdout, redirect_stderr(io.StringIO()) as stderr, chdir(cwd):
        assert main(arguments) == status
    return stdout.getvalue(), stderr.getvalue()


def test_an_enhancer_is_its_generator_on_pixels(trained: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (21, 34, 3), dtype=np.uint8)
    enhanced = enhance_sweep.load_enhancer(trained)(photo)
    assert enhanced.dtype == np.uint8
    with torch.inference_mode():
        input = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
        wanted = load_generator(trained / "generator.pt")(input)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(enhanced - wanted.clip(0, 255)).max() < 0.51
    np.testing.assert_array_equal(enhance_sweep.load_enhancer(trained / "generator.pt")(photo), enhanced)


def test_command_line_enhances_turns_upright_and_reports_the_bad_one(trained: Path, tmp_path: Path) -> None:
    """A folder, a pattern and a file; a bad one and a bomb among them stop nothing."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif_of(6))
    Image.fromarray(pixels[..., 0]).save(tmp_path / "gray.png")
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "broken\n.jpg").write_bytes(b"\xff\xd8 not a photograph")
    Image.fromarray(pixels).save(tmp_path / "in" / "deep" / "-odd name.webp")
    bomb = bytearray((tmp_path / "gray.png").read_bytes())
    struct.pack_into(">II", bomb, 16, 300_000, 300_000)
    struct.pack_into(">I", bomb, 29, zlib.crc32(bomb[12:29]))
    (tmp_path / "in" / "bomb.png").write_bytes(bomb)
    options = ["--out", "out", "--before-after", "--precision", "fp32"]
    output, error = enhance("turned.jpg", "in", "gr*.png", *options, cwd=tmp_path, status=1)
    assert "error: in/broken\\n.jpg: is no picture in JPEG, PNG, WebP or TIFF" in error
    assert "error: in/bomb.png: is 300000x300000, which needs about" in error
    assert "Traceback" not in error
    assert "3 of 5 photographs are in out" in output
    results = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    names = {"turned.jpg", "deep/-odd name.webp", "gray.png"}
    assert results == names | {f"{name}.before-after.jpg" for name in names}
    with Image.open(tmp_path / "out" / "turned.jpg") as turned:
        assert turned.size == (20, 30)
        upright = enhance_sweep.load_enhancer(trained)(ImageOps.exif_transpose(Image.open(tmp_path / "turned.jpg")))
        assert np.abs(np.asarray(turned).astype(int) - np.asarray(upright)).mean() < 3
    assert Image.open(tmp_path / "out" / "gray.png").mode == "L"


def test_a_source_is_never_replaced(trained: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.jpg")
    before = (tmp_path / "photo.jpg").read_bytes()
    _, error = enhance("photo.jpg", "--out", ".", cwd=tmp_path, status=1)
    assert "choose another --out" in error
    assert (tmp_path / "photo.jpg").read_bytes() == before


def test_two_photographs_of_one_name_do_not_replace_each_other(trained: Path, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / folder / "IMG_0001.jpg")
    output, error = enhance("first/IMG_0001.jpg", "second/IMG_0001.jpg", "--out", "out", cwd=tmp_path, status=1)
    assert "error: second/IMG_0001.jpg: its result would replace that of first/IMG_0001.jpg: rename one" in error
    assert "1 of 2 photographs" in output


def test_in_place_replaces_what_could_be_enhanced(trained: Path, tmp_path: Path) -> None:
    for name in ("good.png", "cut.png"):
        Image.new("RGB", (16, 16), "gray").save(tmp_path / name)
    cut = (tmp_path / "cut.png").read_bytes()[:-30]
    (tmp_path / "cut.png").write_bytes(cut)
    before = np.asarray(Image.open(tmp_path / "good.png"))
    _, error = enhance("good.png", "cut.png", "--in-place", cwd=tmp_path, status=1)
    assert "error: cut.png: is damaged or cut short" in error
    assert (tmp_path / "cut.png").read_bytes() == cut
    wanted = enhance_sweep.load_enhancer(trained)(before)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "good.png")), wanted)


def test_weights_of_any_origin_through_the_same_command(tmp_path: Path) -> None:
    network = PlainGenerator(3, 2, 1)
    np.savez(tmp_path / "w.npz", **{name: value.numpy() for name, value in network.state_dict().items()})
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    weights = ["photo.png", "--weights", "w.npz"]
    assert enhance(*weights, "model.channels=2", "model.blocks=1", cwd=tmp_path)[1] == "network: w.npz\n"
    enhanced = np.asarray(Image.open(tmp_path / "enhanced" / "photo.png"))
    np.testing.assert_array_equal(enhanced, Enhancer(network)(pixels))
    assert "check the overrides" in enhance(*weights, "model.channels=3", cwd=tmp_path, status=2)[1]
    enhance(*weights, "model.channels=2", "--max-memory", "9M", cwd=tmp_path, status=2)


def test_memory_is_bounded_and_sizes_are_read(tmp_path: Path, trained: Path) -> None:
    assert memory_size("2GiB") == memory_size("2g") == memory_size("2048 MB") == 2**31
    assert memory_size("1.5G") == 3 * 2**29
    with pytest.raises(ValueError, match="--max-memory: expected a size such as 2GiB"):
        memory_size("much")
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    _, error = enhance("photo.png", "--max-memory", "100MiB", cwd=tmp_path, status=2)
    assert "--max-memory: expected at least" in error


def test_the_best_is_on_the_frontier(tmp_path: Path) -> None:
    fast, slow, dominated = records.plain(3, 16, 1), records.plain(3, 64, 4), records.plain(3, 32, 4)
    for architecture, ms_ssim in ((fast, 0.91), (slow, 0.93), (dominated, 0.90)):
        write_trained(tmp_path, records.trained(architecture, ms_ssim))

    def best(max_latency_ms: float | None, *measured: str) -> str:
        record = json.loads((choose_run(tmp_path, "best", max_latency_ms, *measured) / "record.json").read_text())
        return f"{record['architecture']['channels']}/{record['architecture']['blocks']}"

    assert best(None) == "64/4", "without any timing: of all"
    for architecture, latency_ms in ((fast, 10.0), (slow, 90.0), (dominated, 40.0)):
        write_timed(tmp_path, records.timed(architecture, latency_ms))
    assert best(None) == "64/4"
    assert best(50) == "16/1", "what is slower and no better is not on the frontier"
    with pytest.raises(ValueError, match="no scored variant of at most 5 ms"):
        best(5)
    with pytest.raises(ValueError, match=r"no scored variant of at most 50 ms .* \(in openvino bf16\)"):
        best(50, "openvino", "bf16")
    write_trained(tmp_path, records.trained(records.plain(5, 16, 1), 0.95, fingerprint="elsewhere"))
    with pytest.raises(ValueError, match="are of different data"):
        best(None)


def test_runs_that_are_not_there_are_named(trained: Path, tmp_path: Path) -> None:
    assert choose_run(tmp_path / "runs", "best", None) == trained
    assert choose_run(tmp_path / "runs", trained.name, None) == trained
    with pytest.raises(ValueError, match=f"no completed variant 'x' .* {trained.name}"):
        choose_run(tmp_path / "runs", "x", None)
    with pytest.raises(ValueError, match="no scored variant of at most 5 ms"):
        choose_run(tmp_path / "runs", "best", 5)
    _, error = enhance("photo.jpg", "--runs", "nowhere", cwd=tmp_path, status=2)
    assert error.startswith("error: no folder of runs at nowhere")
