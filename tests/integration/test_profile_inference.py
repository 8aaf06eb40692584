"""Where the time of one photograph goes."""

from pathlib import Path

import pandas as pd
import pytest

from enhance_sweep.profile.__main__ import main
from enhance_sweep.profile.inference import group_of
from tests.commands import FORKED

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def quick_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that need not import torch first, and the rates of small arrays."""
    monkeypatch.setattr("enhance_sweep.timing.worker._LIMIT_SIDES", (256,))
    monkeypatch.setattr("enhance_sweep.timing.worker._COPIED_VALUES", 2**16)
    monkeypatch.setattr("enhance_sweep.profile.inference_command.get_context", lambda kind: FORKED)
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")  # what the command changes ends with the test


def test_a_table_a_picture_and_the_roofs_as_written_and_lowered(tmp_path: Path, capsys: Said) -> None:
    wanted = [
        "--inference",
        "model=strided",
        "model.channels=4",
        "--size",
        "64x40",
        "--calls",
        "2",
        "--lowered",
        "false",
        "true",
    ]
    assert main([*wanted, "--out", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "inference.csv")
    written, lowered = (table[table["lowered"] == one] for one in (False, True))
    assert {"head.0", "down1.conv", "output", "#tanh"} & set(written["layer"]) >= {"head.0", "output", "#tanh"}
    for rows in (written, lowered):
        assert rows["share"].sum() == pytest.approx(1)
        convolutions = rows[rows["group"] == "convolution"]
        assert convolutions["roof_ms"].notna().sum() == 12, "one for each convolution"
    assert written.set_index("layer").loc["output", "kind"] == "Conv2d"
    assert lowered.set_index("layer").loc["output", "kind"] == "ToFewChannels"
    said = capsys.readouterr().out
    assert "times its roof" in said
    assert said.endswith(f"{tmp_path / 'inference.png'}\n")
    assert (tmp_path / "inference.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runtime", "compile"], "compiles a network as a whole and cannot tell"),
        (["--runtime", "tflite"], "--runtime: expected one of compile, eager, onnxruntime, openvino, got 'tflite'"),
        (["--size", "12"], "--size: expected WIDTHxHEIGHT such as 1280x720, got '12'"),
        (["--threads", "-1"], "--threads: expected 0 to"),
        (["trainer.max_steps=3"], "expected a network's setting, such as model.channels=16"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments: list[str], message: str, tmp_path: Path, capsys: Said) -> None:
    assert main(["--inference", "--out", str(tmp_path / "out"), *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("Convolution (brgconv_avx512_f32)", "convolution"),
        ("ConvTranspose2d", "convolution"),
        ("InstanceNorm2d", "norm"),
        ("MVN (jit_avx512_f32)", "norm"),
        ("LeakyReLU", "activation"),
        ("DepthToSpace", "moves pixels"),
        ("_Up: add", "other"),
    ],
)
def test_layers_are_grouped_by_what_they_do(kind: str, group: str) -> None:
    assert group_of(kind) == group
