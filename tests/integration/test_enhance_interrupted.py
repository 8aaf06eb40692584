"""Ctrl-C in the middle of many photographs."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhance_sweep.models import PlainGenerator


@pytest.mark.slow
def test_ctrl_c_leaves_whole_results_and_nothing_else(tmp_path: Path) -> None:
    state = PlainGenerator(3, 16, 4).state_dict()
    np.savez(tmp_path / "w.npz", **{name: value.numpy() for name, value in state.items()})
    (tmp_path / "in").mkdir()
    for number in range(40):
        Image.new("RGB", (320, 240), (number, 80, 90)).save(tmp_path / "in" / f"{number:02}.jpg")
    command = [sys.executable, "-m", "enhance_sweep.enhance", "in", "--weights", "w.npz"]
    command += ["model.channels=16", "model.blocks=4", "--out", "out"]
    running = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while running.poll() is None and not list((tmp_path / "out").glob("*.jpg")):
        pass
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "interrupted: every result that is there is whole" in said
    assert "Traceback" not in said
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert 0 < len(names) < 40
    for name in names:
        assert not name.startswith(".")
        with Image.open(tmp_path / "out" / name) as image:
            image.load()
