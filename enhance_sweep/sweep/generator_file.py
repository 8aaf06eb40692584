"""`generator.pt`: a trained network's weights, and the settings it is built from."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from enhance_sweep import config as configuration
from enhance_sweep.system.files import write_whole


def save_generator(path: Path, generator: nn.Module, model: Mapping[str, Any]) -> None:
    """Write weights and the settings they belong to; loads with `weights_only=True`."""
    content = io.BytesIO()
    torch.save({"model": dict(model), "state_dict": generator.state_dict()}, content)
    write_whole(path, content.getvalue())


def load_generator(path: Path) -> nn.Module:
    """A trained generator, on the CPU, in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
        ConfigError: its class is not installed.
    """
    stored = torch.load(path, map_location="cpu", weights_only=True)
    generator: nn.Module = configuration.build(stored["model"], "model")
    generator.load_state_dict(stored["state_dict"])
    return generator.eval()
