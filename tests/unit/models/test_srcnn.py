"""The challenge's SRCNN: counted by hand, and computed another way."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from enhance_sweep.config import ConfigError, build, check, compose_config, compose_settings, resolved
from enhance_sweep.models import SRCNN
from enhance_sweep.models.description import describe

WEIGHTS = [9 * 9 * 3 * 64, 5 * 5 * 64 * 32, 5 * 5 * 32 * 3]


def test_parameters_and_multiply_adds_counted_by_hand() -> None:
    described = describe(SRCNN())
    assert described["parameters"] == sum(WEIGHTS) + 64 + 32 + 3 == 69_251
    assert described["macs"] == sum(WEIGHTS) * 1280 * 720 == 63_730_483_200
    convolutions = [layer for layer in described["layers"] if layer["kind"] == "Conv2d"]
    sizes = [(layer["kernel_size"], layer["in_channels"], layer["out_channels"]) for layer in convolutions]
    assert sizes == [(9, 3, 64), (5, 64, 32), (5, 32, 3)]


def test_it_is_three_correlations_over_zeros_with_relu_between_and_tanh_after() -> None:
    """scipy's correlation knows nothing of torch; a sign, a transposition or other padding would show."""
    generator = SRCNN().double()
    torch.manual_seed(3)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    image = torch.rand(3, 7, 9, dtype=torch.float64)
    features = image.numpy()
    convolutions = [module for module in generator.modules() if isinstance(module, torch.nn.Conv2d)]
    layers = [(one.weight.detach().numpy(), one.bias.detach().numpy()) for one in convolutions]
    for number, (weight, bias) in enumerate(layers, start=1):
        features = np.stack(
            [
                sum(correlate2d(one, kernel, mode="same") for one, kernel in zip(features, kernels, strict=True)) + b
                for kernels, b in zip(weight, bias, strict=True)
            ]
        )
        features = np.maximum(features, 0) if number < len(layers) else np.tanh(features) * 0.58 + 0.5
    with torch.no_grad():
        np.testing.assert_allclose(generator(image[None])[0].numpy(), features, rtol=0, atol=1e-12)


def test_the_configuration_makes_it_and_has_no_sizes_to_set() -> None:
    assert isinstance(build(resolved(compose_config(["model=srcnn"]), "model"), "model"), SRCNN)
    with pytest.raises(ConfigError, match=r"model\.channels: model=srcnn has no such setting; it has none"):
        check(compose_settings(["model=srcnn", "+model.channels=8"]))
