"""Networks from files that may be anybody's."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from enhance_sweep.config import ConfigError
from enhance_sweep.enhance import Enhancer
from enhance_sweep.models import PlainGenerator
from enhance_sweep.sweep.generator_file import save_generator
from enhance_sweep.weights import loading
from enhance_sweep.weights.loading import load_network, load_weights, tensors_on_meta
from tests.golden import dped_test_patches
from tests.unit.models.made_up_topologies import Sharpened

MODEL = {"_target_": "enhance_sweep.models.PlainGenerator", "name": "plain", "channels": 4, "blocks": 1}
OVERRIDES = ["model=plain", "model.channels=4", "model.blocks=1"]


@pytest.fixture
def network() -> PlainGenerator:
    return PlainGenerator(3, 4, 1)


def test_a_network_comes_back(network: PlainGenerator, tmp_path: Path) -> None:
    save_generator(tmp_path / "generator.pt", network, MODEL)
    for loaded in (load_network(tmp_path), load_weights(tmp_path / "generator.pt", [])):
        assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), network.parameters(), strict=True))
        assert not loaded.training
    assert load_weights(tmp_path / "generator.pt", OVERRIDES) is not None


def test_weights_under_other_names_are_taken_in_order(network: PlainGenerator, tmp_path: Path) -> None:
    state = network.state_dict()
    layers = list(dict.fromkeys(key.rpartition(".")[0] for key in state))
    renamed = {f"layer{layers.index(k.rpartition('.')[0])}.{k.rpartition('.')[2]}": v for k, v in state.items()}
    reordered = dict(sorted(renamed.items(), key=lambda item: (int(item[0][5:].partition(".")[0]), item[0])))
    assert list(reordered) != list(renamed), "within a layer, bias and weight stand in another order"
    np.savez(tmp_path / "weights.npz", **{key: value.numpy() for key, value in reordered.items()})
    torch.save(reordered, tmp_path / "weights.pt")
    for name in ("weights.npz", "weights.pt"):
        loaded = load_weights(tmp_path / name, OVERRIDES)
        assert all(torch.equal(loaded.state_dict()[key], value) for key, value in state.items())


def test_another_networks_weights_are_refused(network: PlainGenerator, tmp_path: Path) -> None:
    save_generator(tmp_path / "generator.pt", network, MODEL)
    with pytest.raises(ValueError, match=r"head\.0\.weight: expected shape \(8, 3, 9, 9\), got \(4, 3, 9, 9\)"):
        load_weights(tmp_path / "generator.pt", ["model.channels=8", "model.blocks=1"])
    np.savez(tmp_path / "w.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="expected 6 convolutions, as the network has, got 0"):
        load_weights(tmp_path / "w.npz", OVERRIDES)
    with pytest.raises(ValueError, match=r"expected one network .* got 2"):
        load_weights(tmp_path / "w.npz", ["model.channels=4,8"])
    with pytest.raises(ValueError, match="add overrides"):
        load_weights(tmp_path / "w.npz", [])
    with pytest.raises(ConfigError):
        load_weights(tmp_path / "w.npz", ["trainer.max_steps=3"])


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_file_is_run(network: PlainGenerator, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    files = [tmp_path / name for name in ("pickled.pt", "torch.pt", "objects.npz", "target.pt", "call.pt", "zip.pt")]
    files[0].write_bytes(pickle.dumps(Payload(trace)))
    torch.save({"model": MODEL, "state_dict": Payload(trace)}, files[1])
    np.savez(files[2], weights=np.array([Payload(trace)], dtype=object))
    command = {"_target_": "subprocess.Popen", "args": ["mkdir", str(trace)]}
    for file, model in zip(files[3:5], (command, {"_target_": "os.mkdir", "path": str(trace)}), strict=True):
        torch.save({"model": model, "state_dict": network.state_dict()}, file)
    with zipfile.ZipFile(files[5], "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Payload(trace)))
    for file in files:
        with pytest.raises(ValueError, match=r"cannot be read as weights|expected a network of"):
            load_weights(file, OVERRIDES if file.suffix == ".npz" else [])
        assert not trace.exists(), file


def test_a_file_that_claims_to_be_enormous_takes_no_memory(network: PlainGenerator, tmp_path: Path) -> None:
    save_generator(tmp_path / "generator.pt", network, MODEL | {"channels": 200_000})
    with pytest.raises(ValueError, match="expected shape"):
        load_network(tmp_path)


@pytest.fixture
def sharpened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The settings of a topology with tensors that are not saved."""
    model = {"_target_": "tests.unit.models.made_up_topologies.Sharpened", "name": "sharpened", "side": 5}
    (tmp_path / "conf" / "model").mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(model), tmp_path / "conf" / "model" / "sharpened.yaml")
    monkeypatch.setattr(loading, "CONF_DIR", tmp_path / "conf")
    return model


def test_what_is_not_saved_has_its_values_too(sharpened: dict[str, object], tmp_path: Path) -> None:
    """A fixed kernel without values made garbage of photographs, and success was reported."""
    network = Sharpened()
    save_generator(tmp_path / "generator.pt", network, sharpened)
    before = torch.random.get_rng_state()
    loaded = load_network(tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before), "loading draws from the caller's random numbers"
    assert tensors_on_meta(loaded) == []
    photo = torch.rand(1, 3, 40, 30)
    with torch.no_grad():
        wanted = network(photo).clamp(0, 1)
    torch.testing.assert_close(Enhancer(loaded)(photo), wanted, rtol=0, atol=1e-5)


def test_fixed_tensors_of_any_size_are_not_made(sharpened: dict[str, object], tmp_path: Path) -> None:
    save_generator(tmp_path / "generator.pt", Sharpened(), sharpened | {"side": 100_001})
    with pytest.raises(ValueError, match="expected a network whose fixed tensors take 64 MiB at most, got 114443"):
        load_network(tmp_path)


def test_a_tensor_without_values_is_named(
    sharpened: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Sharpened()
    save_generator(tmp_path / "generator.pt", network, sharpened)
    network.offset = torch.empty((), device="meta")
    network.register_buffer("kernel", network.kernel.to("meta"), persistent=False)
    with pytest.raises(ValueError, match="expected a network with values, got none for kernel, offset"):
        Enhancer(network)
    monkeypatch.setattr(loading, "build", lambda model, group: network)
    with pytest.raises(ValueError, match=r"generator.pt: kernel, offset of .*Sharpened never got values"):
        load_network(tmp_path)


def test_the_published_baseline_scores_as_published(shared: Path) -> None:
    """Whatever its layers are called there; two patches of the public code's own outputs."""
    golden = shared / "reference" / "golden"
    network = load_weights(golden / "dped_resnet_32x2.npz", ["model.channels=32", "model.blocks=2"])
    input, _ = dped_test_patches(shared)
    with np.load(golden / "outputs_test8.npz") as outputs, torch.inference_mode():
        wanted = torch.from_numpy(outputs["dped_resnet_32x2"][:2]).permute(0, 3, 1, 2)
        torch.testing.assert_close(network(input[:2]), wanted, rtol=0, atol=1e-4)


def test_no_message_advises_to_run_code_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(ValueError, match=r"text\.pt cannot be read as weights \(no state dict that torch saved\)$"):
        load_weights(tmp_path / "text.pt", OVERRIDES)
