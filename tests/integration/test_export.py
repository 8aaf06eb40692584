"""A trained variant as files for other runtimes, as a person exports them."""

import io
import json
import re
import shutil
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from enhance_sweep.export import latency
from enhance_sweep.export.__main__ import main
from enhance_sweep.export.formats import ExportError, Runner, format_of
from enhance_sweep.metrics import ms_ssim
from enhance_sweep.records.store import exports_dir, find_trained
from enhance_sweep.report import gather, write_report
from enhance_sweep.settings import TimingSettings
from enhance_sweep.sweep.generator_file import load_generator
from enhance_sweep.timing import gauge

pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")


@pytest.fixture(autouse=True)
def its_cache(cache: Path) -> None:
    """Where the training patches are, on which int8 is calibrated."""


@pytest.fixture
def trained_strided(trained_networks: dict[str, Path], tmp_path: Path) -> Path:
    shutil.copytree(trained_networks["strided"].parents[1], tmp_path / "strided")
    return tmp_path / "strided" / "trained" / trained_networks["strided"].name


def export(trained: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and error of the command, in this process: a new one takes seconds to start."""
    common = ["--runs", str(trained.parents[1]), "--run", trained.name]
    with redirect_stdout(io.StringIO()) as stdout, redirect_stderr(io.StringIO()) as stderr, chdir(trained.parents[1]):
        status = main([*common, *arguments])
    return status, stdout.getvalue(), stderr.getvalue()


def exported(trained: Path, format: str, precision: str) -> tuple[Mapping[str, Any], Runner]:
    folder = exports_dir(trained.parents[1]) / trained.name / f"{format}-{precision}"
    record = json.loads((folder / "export.json").read_text())
    return record, format_of(format, precision).open(folder / record["file"], precision, 1)


def photo(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("topology", ["trained", "trained_strided"])
def test_files_of_any_size_give_what_eager_gives(request: pytest.FixtureRequest, topology: str) -> None:
    trained: Path = request.getfixturevalue(topology)
    status, said, complaints = export(trained, "--no-timing", "--format", "onnx", "torchscript", "openvino")
    assert status == 0, complaints
    network = load_generator(trained / "generator.pt")
    for format in ("onnx", "torchscript", "openvino"):
        record, run = exported(trained, format, "fp32")
        assert f"{format} fp32: " in said
        for height, width in ((48, 64), (33, 47), (50, 41)):
            with torch.inference_mode():
                wanted = network(photo(height, width))
            torch.testing.assert_close(run(photo(height, width)), wanted, rtol=0, atol=1e-4)
        assert record["check"]["max_abs_error"] < 1e-3
        assert record["latency_ms_median"] is None
        folder = exports_dir(trained.parents[1]) / trained.name / f"{format}-fp32"
        weights = [one for one in folder.iterdir() if one.name.startswith("model.")]
        assert record["bytes"] == sum(one.stat().st_size for one in weights)


def test_what_is_written_beside_a_file_is_what_it_scores(trained_strided: Path) -> None:
    trained = trained_strided
    status, _, complaints = export(trained, "--no-timing", "--format", "onnx", "--precision", "int8", "fp16")
    assert status == 0, complaints
    network = load_generator(trained / "generator.pt")
    trained_record = find_trained(trained.parents[1], trained.name)
    assert trained_record is not None
    for precision in ("int8", "fp16"):
        record, run = exported(trained, "onnx", precision)
        scores = record["scores"]
        assert scores["of_test_pairs"] is True
        assert scores["images"] == trained_record.scores.images
        eager = scores["intervals"]["eager_ms_ssim"]["mean"]
        assert eager == pytest.approx(trained_record.scores.ms_ssim, abs=1e-5)
        assert scores["ms_ssim"] - eager == pytest.approx(scores["intervals"]["ms_ssim_over_eager"]["mean"], abs=1e-9)
        with torch.inference_mode():
            wanted, got = network(photo(64, 64)), run(photo(64, 64))
        difference = float((wanted - got).abs().max())
        assert 1e-6 < difference < 0.2, "as precise as it says, and no more"
    smaller, larger = (exported(trained, "onnx", precision)[0]["bytes"] for precision in ("int8", "fp16"))
    assert smaller != larger
    assert exported(trained, "onnx", "int8")[0]["calibration_patches"] > 0


def test_the_card_says_what_a_stranger_has_to_know_and_its_lines_run(trained: Path) -> None:
    status, _, complaints = export(trained, "--no-timing", "--format", "torchscript")
    assert status == 0, complaints
    folder = exports_dir(trained.parents[1]) / trained.name / "torchscript-fp32"
    card = (folder / "README.md").read_text()
    _, front, text = card.split("---\n", 2)
    assert yaml.safe_load(front)["pipeline_tag"] == "image-to-image"
    for heading in ("## Use", "## Training", "## Scores", "## Speed", "## Limits", "## Origin"):
        assert heading in text
    assert str(folder) not in card, "nothing of this computer's folders"
    assert "In fp32: weights and arithmetic in fp32." in text
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (37, 52, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photo.jpg")
    match = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert match is not None
    with chdir(folder):
        exec(compile(match.group(1), "README.md", "exec"), {})
    with Image.open(folder / "enhanced.jpg") as enhanced:
        assert enhanced.size == (52, 37)


def test_the_report_shows_a_point_for_each_file(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    quick = TimingSettings(width=64, height=48, processes=1, samples=3, warm_up_calls=1, repeats=0, budget_s=0)
    monkeypatch.setattr(latency, "TIMING", quick)
    monkeypatch.setattr(gauge, "_PATIENCE_S", 0.0)  # other tests beside it are never quiet
    status, said, complaints = export(trained, "--format", "torchscript")
    assert status == 0, complaints
    record, _ = exported(trained, "torchscript", "fp32")
    assert record["latency_ms_median"] > 0
    assert record["eager_latency_ms_median"] > 0
    (process,) = record["samples"]["processes"]
    assert len(process["rounds"]) == 3
    assert all("others_share" in one["conditions"] for one in process["rounds"]), "as in every timing"
    assert "layout" not in record["measurement"]
    assert record["environment"]["wait_policy"] == "default"
    assert "times eager's speed" in said
    page = write_report(gather(trained.parents[1]), tmp_path / "report", pictures=False)
    assert "Exports" in page.read_text()
    table = (page.parent / "exports.csv").read_text().splitlines()
    assert len(table) == 2
    assert ",torchscript,fp32," in table[1]


def test_what_is_not_possible_is_said_and_stops_nothing_else(trained: Path) -> None:
    status, said, complaints = export(
        trained, "--no-timing", "--format", "onnx", "torchscript", "--precision", "bf16", "int8"
    )
    assert status == 1
    first, second, *_ = (line for line in complaints.splitlines() if not line.startswith("network:"))
    assert first.startswith("error: onnx bf16: --precision bf16: not in onnx"), "refused before others are exported"
    assert second.startswith("error: torchscript int8")
    assert "error: torchscript int8: --precision int8: not in torchscript" in complaints
    assert "onnx int8: " in said
    assert "torchscript bf16: " in said
    assert "Traceback" not in complaints


def test_int8_without_the_training_patches_is_refused_with_what_to_do(
    trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photographs: Path
) -> None:
    monkeypatch.setenv("ENHANCE_SWEEP_CACHE", str(tmp_path / "emptied"))
    status, _, complaints = export(trained, "--no-timing", "--format", "onnx", "--precision", "int8")
    assert status == 1
    assert "int8 is calibrated on training patches" in complaints
    assert not list(exports_dir(trained.parents[1]).glob("*/*")), "nothing half written"
    other = [f"data.root={photographs}", "data.patch_size=64", "data.shots=1"]
    status, _, complaints = export(trained, *other, "--no-timing", "--format", "onnx", "--precision", "int8")
    assert status == 1
    assert "expected the data that the run learned from" in complaints
    same = [f"data.root={photographs}", "data.patch_size=48", "data.shots=1"]
    status, _, complaints = export(trained, "--no-timing", "--format", "onnx", "--precision", "int8", *same)
    assert status == 0, complaints


def test_an_export_that_is_not_its_network_is_not_written(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from enhance_sweep.export.formats.as_torchscript import TorchScript

    real = TorchScript.open

    def open_another(self: TorchScript, file: Path, precision: str, threads: int) -> Runner:
        run = real(self, file, precision, threads)
        return lambda input: run(input) + 0.01

    monkeypatch.setattr(TorchScript, "open", open_another)
    status, _, complaints = export(trained, "--no-timing", "--format", "torchscript")
    assert status == 1
    assert "differs from the network" in complaints
    assert not list(exports_dir(trained.parents[1]).glob("*/*"))


def test_a_converter_that_fails_is_one_line_and_stops_no_other(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from enhance_sweep.export.formats.as_onnx import Onnx

    def fail(*_: object) -> None:
        raise RuntimeError("no such operation\nand a long stack")

    monkeypatch.setattr(Onnx, "write", fail)
    status, said, complaints = export(trained, "--no-timing", "--format", "onnx", "torchscript")
    assert status == 1
    assert "error: onnx fp32: its converter failed (RuntimeError: no such operation)\n" in complaints
    assert "torchscript fp32: " in said


def test_a_file_that_names_a_function_is_not_run(trained: Path, tmp_path: Path) -> None:
    runs = tmp_path / "malicious"
    shutil.copytree(trained, runs / "trained" / trained.name)
    marker = tmp_path / "was run"
    stored = {"model": {"_target_": "pathlib.Path.mkdir", "self": str(marker)}, "state_dict": {}}
    torch.save(stored, runs / "trained" / trained.name / "generator.pt")
    with redirect_stderr(io.StringIO()) as stderr:
        status = main(["--runs", str(runs), "--run", trained.name, "--no-timing", "--format", "onnx"])
    assert status == 1
    assert "error: onnx fp32: " in stderr.getvalue()
    assert not marker.exists()


def test_unknown_runs_are_told_with_what_there_is(trained: Path, tmp_path: Path) -> None:
    for runs, run, wanted in ((trained.parents[1], "strided", trained.name), (tmp_path / "none", "best", "none")):
        with redirect_stderr(io.StringIO()) as stderr:
            status = main(["--runs", str(runs), "--run", run, "--format", "onnx"])
        assert status == 2
        assert wanted in stderr.getvalue()
        assert stderr.getvalue().count("\n") == 1


def test_unknown_formats_and_precisions_are_told_with_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--format", "coreml"], ["--format", "onnx", "--precision", "int4"]):
        with pytest.raises(SystemExit):
            main(arguments)
        assert f"got {arguments[-1]!r}" in capsys.readouterr().err


def test_formats_that_are_not_there_name_what_to_install() -> None:
    with pytest.raises(ExportError, match="expected one of onnx, openvino"):
        format_of("coreml", "fp32")


def test_scores_are_those_of_the_metrics(trained: Path) -> None:
    """One photograph, by hand."""
    from enhance_sweep.export.checking import score
    from enhance_sweep.export.photographs import Photograph

    network = load_generator(trained / "generator.pt")
    pair = Photograph("one", photo(180, 180), photo(180, 180).flip(3) * 0.5 + photo(180, 180) * 0.5)

    def darker(input: torch.Tensor) -> torch.Tensor:
        return input * 0.9

    scored = score(network, darker, format_of("onnx", "fp32"), "one photograph", False, [pair])
    assert scored.exported["ms_ssim"][0] == pytest.approx(float(ms_ssim(pair.input * 0.9, pair.target)))
    with torch.inference_mode():
        eager = float(ms_ssim(network(pair.input), pair.target))
    assert scored.eager["ms_ssim"][0] == pytest.approx(eager)
