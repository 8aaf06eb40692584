from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

from enhance_sweep.stats.cost_model import CostModel, costs, left_out_errors


def layer(kind: str, in_channels: int, out_channels: int, macs: int = 0, stride: int = 1) -> dict[str, Any]:
    shape = {"in_channels": in_channels, "out_channels": out_channels, "height": 100, "width": 100}
    return {"name": "", "kernel_size": 3, "kind": kind, "stride": stride, "macs": macs, **shape}


def network(channels: int, depth: int) -> dict[str, Any]:
    layers = [layer("Conv2d", channels, channels, channels**2 * 9 * 10_000) for _ in range(depth)]
    layers += [layer("ReLU", channels, channels) for _ in range(depth)]
    return {"parameters": 0, "layers": layers, "macs": sum(one["macs"] for one in layers)}


NETWORKS = [network(channels, depth) for channels in (4, 8, 16, 64) for depth in (1, 3, 9)]


def test_traffic_counts_what_each_layer_reads_and_writes() -> None:
    down, up = layer("Conv2d", 3, 8, stride=2), layer("ConvTranspose2d", 8, 3, stride=2)
    for one, channels in ((layer("ReLU", 5, 5), 10), (down, 8 + 3 * 4), (up, 3 + 8 / 4)):
        assert costs({"parameters": 0, "layers": [one], "macs": 0})[1] * 2**30 == 4 * 100 * 100 * channels


def test_a_model_finds_the_costs_that_made_its_data() -> None:
    truth = CostModel(ms_per_gmac=8.0, ms_per_gib=100.0, ms_per_layer=0.5)
    times = [truth.predict_ms(one) for one in NETWORKS]
    found = CostModel.fit(NETWORKS, times)
    assert (found.ms_per_gmac, found.ms_per_gib, found.ms_per_layer) == pytest.approx((8.0, 100.0, 0.5))
    assert left_out_errors(NETWORKS, times) == pytest.approx([0.0] * len(NETWORKS), abs=1e-6)


def test_a_network_that_behaves_differently_has_a_large_error_when_left_out() -> None:
    times = [CostModel(8.0, 100.0, 0.5).predict_ms(one) for one in NETWORKS]
    times[4] *= 2
    errors = left_out_errors(NETWORKS, times)
    assert errors[4] == pytest.approx(-0.5, abs=0.01)


def test_groups_are_left_out_together() -> None:
    times = [CostModel(8.0, 100.0, 0.5).predict_ms(one) for one in NETWORKS]
    groups = [index // 3 for index in range(len(NETWORKS))]
    together = left_out_errors(NETWORKS, times, groups)
    assert together == pytest.approx([0.0] * len(NETWORKS), abs=1e-6)
    times[9:] = [3 * time for time in times[9:]]  # the widest are slow in a way that the others do not show
    together = left_out_errors(NETWORKS, times, groups)
    assert together[9:] == pytest.approx([-2 / 3] * 3)
    assert abs(left_out_errors(NETWORKS, times)[11]) < 2 / 3


def test_costs_are_never_negative() -> None:
    found = CostModel.fit(NETWORKS, [1000.0 / (1 + index) for index in range(len(NETWORKS))])
    assert min(found.ms_per_gmac, found.ms_per_gib, found.ms_per_layer) >= 0


def test_too_few_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="at least three networks"):
        CostModel.fit(NETWORKS[:2], [1.0, 2.0])


@pytest.mark.parametrize("seed", range(50))
def test_the_coefficients_are_those_of_scipys_non_negative_least_squares(seed: int) -> None:
    random = np.random.default_rng(seed)
    channels, depths = random.integers(1, 200, size=(2, 12))
    networks = [network(int(width), int(depth)) for width, depth in zip(channels, depths % 20 + 1, strict=True)]
    times = random.lognormal(3, 1, size=12)  # of nothing in particular: some coefficients would be negative
    found = CostModel.fit(networks, times.tolist())
    relative = np.array([costs(one) for one in networks]) / times[:, None]
    wanted, _ = nnls(relative, np.ones(12))
    assert [found.ms_per_gmac, found.ms_per_gib, found.ms_per_layer] == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_networks_that_are_all_alike_have_a_cost_model_too() -> None:
    found = CostModel.fit([network(8, 3)] * 4, [2.0] * 4)
    assert found.predict_ms(network(8, 3)) == pytest.approx(2.0)
