"""Ctrl-C in the middle of many photographs."""

import signal
import time
from pathlib import Path

import numpy as np
from PIL import Image

from enhance_sweep.models import PlainGenerator
from tests.commands import Command


def test_ctrl_c_leaves_whole_results_and_nothing_else(tmp_path: Path) -> None:
    state = PlainGenerator(3, 16, 4).state_dict()
    np.savez(tmp_path / "w.npz", **{name: value.numpy() for name, value in state.items()})
    (tmp_path / "in").mkdir()
    for number in range(40):
        Image.new("RGB", (320, 240), (number, 80, 90)).save(tmp_path / "in" / f"{number:02}.jpg")
    arguments = ["in", "--weights", "w.npz", "model.channels=16", "model.blocks=4", "--out", "out"]
    running = Command("enhance_sweep.enhance", *arguments, cwd=tmp_path)
    while running.poll() is None and not list((tmp_path / "out").glob("*.jpg")):
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    assert running.wait(120) == 130
    assert "interrupted: every result that was written is complete" in running.said()
    assert "Traceback" not in running.said()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert 0 < len(names) < 40
    for name in names:
        assert not name.startswith(".")
        with Image.open(tmp_path / "out" / name) as image:
            image.load()
