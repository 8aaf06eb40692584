"""Seeds are averaged, and only what came about alike is put together."""

import math

import pytest
from what_if_frames import frame_of, plain, published, strided, timed, trained

from enhance_sweep.what_if import networks_of, spread_between_seeds

SMALL, LARGE = plain(3, 16, 1), plain(3, 64, 4)


def test_seeds_are_averaged_and_counted() -> None:
    frame = frame_of([trained(SMALL, value, seed) for seed, value in enumerate([0.90, 0.91, 0.95])], [timed(SMALL, 80)])
    networks = networks_of(frame)
    columns = ["ms_ssim", "psnr_db", "seed_count", "latency_ms_median"]
    assert networks[columns].to_numpy().tolist() == [pytest.approx([0.92, 20.92, 3, 80])]


def test_ways_of_training_and_of_timing_stay_apart() -> None:
    trainings = [trained(SMALL, 0.90), trained(SMALL, 0.92, steps=40_000)]
    timings = [timed(SMALL, 80), timed(SMALL, 40, runtime="openvino")]
    networks = networks_of(frame_of(trainings, timings, measurement=None))
    found = set(zip(networks["steps"], networks["runtime"], networks["ms_ssim"], strict=True))
    assert found == {(s, name, q) for s, q in ((25_000, 0.90), (40_000, 0.92)) for name in ("eager", "openvino")}
    assert set(networks["seed_count"]) == {1}


def test_a_failed_seed_is_no_part_of_the_mean_and_no_network_of_its_own() -> None:
    failed = trained(SMALL, 0.10, seed=1, status="failed", steps=90)
    networks = networks_of(frame_of([trained(SMALL, 0.90), failed], [timed(SMALL, 80)]))
    assert networks[["ms_ssim", "seed_count"]].to_numpy().tolist() == [[0.90, 1]]


def test_a_network_that_only_failed_stays_for_its_time() -> None:
    networks = networks_of(frame_of([trained(SMALL, 0.10, status="failed")], [timed(SMALL, 80), timed(LARGE, 900)]))
    assert list(networks["latency_ms_median"]) == [80, 900]
    assert networks["ms_ssim"].isna().all()
    assert list(networks["seed_count"]) == [0, 0]


def test_the_order_is_by_topology_and_size_whatever_the_order_of_the_rows() -> None:
    frame = published()
    ordered = networks_of(frame)
    assert list(ordered["topology"]) == ["plain"] * 17 + ["strided"] * 7
    assert list(ordered["channels"][:9]) == [16, 16, 16, 16, 32, 32, 64, 128, 128]
    assert list(networks_of(frame.sample(frac=1, random_state=0))["key"]) == list(ordered["key"])


def test_results_that_the_table_cannot_tell_apart_are_refused() -> None:
    frame = frame_of([trained(SMALL, 0.90), trained(SMALL, 0.91, learning_rate=1e-3)])
    for question in (networks_of, spread_between_seeds):
        with pytest.raises(ValueError, match="several results of one seed"):
            question(frame)


def test_the_spread_is_the_root_of_the_mean_square_within_networks() -> None:
    # Within the small: (-1, 0, 1) and within the large (-2, 2), in hundredths: 2 + 8 over 2 + 1 degrees of freedom.
    scores = {0: [0.90, 0.91, 0.92], 1: [0.90, 0.94], 2: [0.5]}
    networks = [SMALL, LARGE, strided(3, 4, 16)]
    frame = frame_of(
        [trained(networks[index], v, seed) for index, values in scores.items() for seed, v in enumerate(values)],
        # Two timings of one network must not count its seeds twice.
        [timed(SMALL, 80), timed(SMALL, 70, runtime="openvino")],
        measurement=None,
    )
    row = spread_between_seeds(frame).iloc[0]
    assert (row["networks"], row["degrees_of_freedom"]) == (2, 3)
    assert row["standard_deviation"] == pytest.approx(0.01 * math.sqrt(10 / 3))


def test_without_several_seeds_the_spread_is_missing_and_not_zero() -> None:
    row = spread_between_seeds(published()).iloc[0]
    assert row["networks"] == 0
    assert math.isnan(row["standard_deviation"])


@pytest.mark.parametrize("column", ["mos", "key"])
def test_a_column_that_cannot_be_averaged_is_named(column: str) -> None:
    with pytest.raises((KeyError, ValueError), match=column):
        spread_between_seeds(published(), of=column)
