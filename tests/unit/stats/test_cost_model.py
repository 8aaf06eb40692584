from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

from enhance_sweep.stats.cost_model import CostModel, Predictor, costs, left_out_errors


def layer(kind: str, in_channels: int, out_channels: int, macs: int = 0, stride: int = 1) -> dict[str, Any]:
    shape = {"in_channels": in_channels, "out_channels": out_channels, "height": 100, "width": 100}
    return {"name": "", "kernel_size": 3, "kind": kind, "stride": stride, "macs": macs, **shape}


def network(channels: int, depth: int) -> dict[str, Any]:
    layers = [layer("Conv2d", channels, channels, channels**2 * 9 * 10_000) for _ in range(depth)]
    layers += [layer("ReLU", channels, channels) for _ in range(depth)]
    return {"parameters": 0, "layers": layers, "macs": sum(one["macs"] for one in layers)}


NETWORKS = [network(channels, depth) for channels in (16, 32, 48, 64) for depth in (1, 3, 9)]


def shuffling(times: int) -> dict[str, Any]:
    """A network that shuffles so many times, beside two convolutions."""
    return network(16, 2) | {"layers": [*network(16, 2)["layers"], *[layer("PixelShuffle", 12, 3)] * times]}


def test_traffic_counts_what_each_layer_reads_and_writes() -> None:
    down, up = layer("Conv2d", 3, 8, stride=2), layer("ConvTranspose2d", 8, 3, stride=2)
    for one, channels in ((layer("MaxPool2d", 5, 5), 10), (down, 8 + 3 * 4), (up, 3 + 8 / 4)):
        assert costs({"parameters": 0, "layers": [one], "macs": 0})[1] * 2**30 == 4 * 100 * 100 * channels


def test_a_model_finds_the_costs_that_made_its_data() -> None:
    truth = CostModel(ms_per_gmac=8.0, ms_per_gib=100.0, ms_per_layer=0.5, ms_per_moved_gib=300.0)
    networks = [*NETWORKS, *map(shuffling, (1, 2, 5))]
    times = [truth.predict_ms(one) for one in networks]
    found = CostModel.fit(networks, times)
    assert vars(found) == pytest.approx(vars(truth))
    assert left_out_errors(networks, times) == pytest.approx([0.0] * len(networks), abs=1e-6)


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
    assert list(vars(found).values()) == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_networks_that_are_all_alike_have_a_cost_model_too() -> None:
    found = CostModel.fit([network(8, 3)] * 4, [2.0] * 4)
    assert found.predict_ms(network(8, 3)) == pytest.approx(2.0)


def test_arithmetic_counts_in_whole_vectors_of_output_channels() -> None:
    for channels, counted in ((3, 16), (16, 16), (17, 32), (48, 48)):
        one = layer("Conv2d", 8, channels, macs=channels * 1000)
        assert costs({"parameters": 0, "layers": [one], "macs": 0})[0] == pytest.approx(counted * 1000 / 1e9)
    grouped = layer("Conv2d", 32, 32, macs=5000) | {"groups": 4}  # eight channels in each
    assert costs({"parameters": 0, "layers": [grouped], "macs": 0})[0] == pytest.approx(10_000 / 1e9)
    depthwise = layer("Conv2d", 32, 32, macs=5000) | {"groups": 32}
    assert costs({"parameters": 0, "layers": [depthwise], "macs": 0})[0] == pytest.approx(5000 / 1e9)


def test_what_changes_places_is_counted_apart_and_a_norm_reads_five_times() -> None:
    def gib(one: dict[str, Any]) -> tuple[float, float]:
        _, traffic, _, moved = costs({"parameters": 0, "layers": [one], "macs": 0})
        return traffic * 2**30 / 40_000, moved * 2**30 / 40_000

    assert gib(layer("AvgPool2d", 5, 5)) == (10, 0)
    assert gib(layer("ReLU", 5, 5)) == (5, 0), "half of it is in the caches"
    assert gib(layer("InstanceNorm2d", 5, 5)) == (50, 0)
    assert gib(layer("InstanceNorm2d", 5, 5) | {"step": 4}) == (10, 0)
    assert gib(layer("PixelShuffle", 3, 3)) == (0, 6)
    small = {"in_height": 25, "in_width": 25}
    assert gib(layer("UpsamplingBilinear2d", 12, 12) | small) == (0, 12 + 12 / 16)
    statistics = layer("ChannelMoments", 3, 6) | {"height": 1, "width": 1, "in_height": 100, "in_width": 100}
    assert gib(statistics)[0] == pytest.approx(3, abs=0.01)
    assert gib(statistics | {"step": 4}) == (0, 0)


def test_operations_outside_of_layers_count() -> None:
    join = {"name": "#add", "kind": "add", "inputs": [None, "a"], "after": 1}
    bare = {"parameters": 0, "layers": [layer("AvgPool2d", 1, 1)], "macs": 0}
    _, traffic, operations, _ = costs(bare | {"joins": [join | {"values": 30_000, "operations": 3}]})
    assert traffic * 2**30 / 4 == pytest.approx(2 * 10_000 + 1.3 * 30_000)
    assert operations == 4
    assert costs(bare | {"joins": [join]}) == costs(bare), "an older record does not say how much it moves"


# --- how sure it is ---------------------------------------------------------------------------------------------------


def timed(networks: list[dict[str, Any]], off: float = 1.0) -> list[float]:
    return [off * CostModel(8.0, 100.0, 0.5).predict_ms(one) for one in networks]


def test_a_family_that_was_never_timed_has_a_wide_interval() -> None:
    random = np.random.default_rng(0)
    families = ["a" if index < 6 else "b" for index in range(len(NETWORKS))]
    times = [ms * off for ms, off in zip(timed(NETWORKS), random.uniform(0.95, 1.05, len(NETWORKS)), strict=True)]
    times[6:] = [2 * ms for ms in times[6:]]  # b is slow in a way that its layers do not show
    predictor = Predictor.fit(NETWORKS, times, families)
    assert predictor.families == {"a", "b"}
    known, unknown = (predictor.interval_ms(NETWORKS[3], family) for family in ("a", "c"))
    assert known[0] == unknown[0]
    for predicted, low, high in (known, unknown):
        assert low < predicted < high
        assert predicted / low == pytest.approx(high / predicted)
    assert unknown[2] / unknown[0] > known[2] / known[0] > 1.05


def test_one_timing_makes_no_family_known_and_one_family_says_nothing_of_others() -> None:
    one = Predictor.fit(NETWORKS, timed(NETWORKS), ["a"] * len(NETWORKS))
    assert one.interval_ms(NETWORKS[0], "b")[1:] == (0.0, float("inf"))
    families = ["a"] * (len(NETWORKS) - 1) + ["b"]
    assert Predictor.fit(NETWORKS, timed(NETWORKS), families).families == {"a"}
    with pytest.raises(ValueError, match="expected a family for each network, got 1 and 12"):
        Predictor.fit(NETWORKS, timed(NETWORKS), ["a"])


def test_nine_of_ten_are_within_the_interval() -> None:
    random = np.random.default_rng(1)
    networks = [network(int(width), int(depth)) for width, depth in random.integers(4, 60, size=(60, 2))]
    times = [ms * off for ms, off in zip(timed(networks), random.lognormal(0, 0.1, len(networks)), strict=True)]
    predictor = Predictor.fit(networks, times, ["a"] * len(networks))
    intervals = [predictor.interval_ms(one, "a") for one in networks]
    inside = sum(low <= ms <= high for ms, (_, low, high) in zip(times, intervals, strict=True))
    assert 0.85 <= inside / len(networks) <= 0.97
