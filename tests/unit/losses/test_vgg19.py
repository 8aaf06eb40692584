"""VGG-19's features, with made-up weights: the real ones are half a gigabyte away."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from enhance_sweep.losses import VGG19Features, WeightsError

Served = tuple[str, Path]
#: torchvision's numbers of VGG-19's convolutions up to relu5_4.
CONVOLUTIONS = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
CHANNELS = [3, 64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512, 512, 512, 512]


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    made_up = {"classifier.6.bias": torch.zeros(1000)}
    for index, inputs, outputs in zip(CONVOLUTIONS, CHANNELS[:-1], CHANNELS[1:], strict=True):
        deviation = (2 / (9 * inputs)) ** 0.5
        made_up[f"features.{index}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * deviation
        made_up[f"features.{index}.bias"] = torch.zeros(outputs)
    return made_up


@pytest.fixture(scope="module")
def served(state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A local server of a weights file that is named by its hash, as torchvision's are."""
    folder = tmp_path_factory.mktemp("served")
    torch.save(state, folder / "weights")
    name = f"vgg19-{hashlib.sha256((folder / 'weights').read_bytes()).hexdigest()[:8]}.pth"
    (folder / "weights").rename(folder / name)
    (folder / "vgg19-00000000.pth").write_bytes((folder / name).read_bytes())

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder / name
    server.shutdown()
    server.server_close()


def test_is_relu5_4_of_torchvisions_layers(state: dict[str, torch.Tensor], served: Served) -> None:
    images = torch.rand(1, 3, 35, 48)
    mean, deviation = (torch.tensor(of).view(3, 1, 1) for of in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    features = (images - mean) / deviation
    for index in CONVOLUTIONS:
        if index in (5, 10, 19, 28):
            features = F.max_pool2d(features, 2)
        weight, bias = (state[f"features.{index}.{name}"] for name in ("weight", "bias"))
        features = F.relu(F.conv2d(features, weight, bias, padding=1))
    ours = VGG19Features(weights_file=str(served[1]))(images)
    assert ours.shape == (1, 512, 2, 3)
    torch.testing.assert_close(ours, features, atol=1e-4, rtol=1e-4)


def test_fetches_once_and_checks_the_hash(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    url = f"{served[0]}/{served[1].name}"
    first = VGG19Features(url=url)
    assert (tmp_path / "hub" / "checkpoints" / served[1].name).exists()
    # Nobody serves there: the second time must come from the cache.
    second = VGG19Features(url=f"http://127.0.0.1:1/{served[1].name}")
    torch.testing.assert_close(first.state_dict(), second.state_dict())


@pytest.mark.parametrize("name", ["vgg19-00000000.pth", "missing-12345678.pth"])
def test_a_wrong_hash_or_no_network_says_what_to_do(
    name: str, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"content\.weights_file=FILE"):
        VGG19Features(url=f"{served[0]}/{name}")
    assert not list(tmp_path.rglob("*.pth"))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="expected torchvision's VGG-19 weights"):
        VGG19Features(weights_file=str(tmp_path / "other.pth"))
    with pytest.raises(WeightsError, match="name a file"):
        VGG19Features(weights_file=str(tmp_path / "none.pth"))
