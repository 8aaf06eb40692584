"""The roof of a network, by hand."""

import pytest

from enhance_sweep.records.schema import Description, Layer
from enhance_sweep.stats.roof import layer_roof_ms, roof_of

RATES = {"fp32_gflops": 100.0, "bf16_gflops": 200.0, "copy_gb_per_s": 10.0}
PIXELS = 1280 * 720


def convolution(inputs: int, outputs: int, kernel_size: int) -> Layer:
    macs, parameters = inputs * outputs * kernel_size**2 * PIXELS, outputs * (inputs * kernel_size**2 + 1)
    return Layer(
        name="conv",
        kind="Conv2d",
        in_channels=inputs,
        out_channels=outputs,
        kernel_size=kernel_size,
        stride=1,
        height=720,
        width=1280,
        parameters=parameters,
        macs=macs,
    )


NORM = Layer(
    name="norm", kind="InstanceNorm2d", in_channels=8, out_channels=8, kernel_size=1, stride=1, height=720, width=1280
)


def described(*layers: Layer) -> Description:
    return Description(parameters=1, macs=sum(one.macs for one in layers), layers=list(layers))


def test_arithmetic_and_traffic_of_one_convolution() -> None:
    # 3x3, 16 to 16 at 1280x720: 2 * 9 * 16 * 16 * 921,600 operations; (32 * 921,600 + 2,320) numbers of four bytes.
    arithmetic_ms, traffic_ms = layer_roof_ms(convolution(16, 16, 3), 100.0, 10.0)
    assert arithmetic_ms == pytest.approx(4.2467328e9 / 100e9 * 1e3)
    assert traffic_ms == pytest.approx(117_974_080 / 10e9 * 1e3)


def test_each_convolution_takes_the_longer_of_both_and_a_norm_nothing() -> None:
    wide, narrow = convolution(64, 64, 3), convolution(8, 8, 1)
    roof = roof_of(described(wide, NORM, narrow), (1280, 720), "fp32", RATES)
    (wide_ms, wide_copied), (narrow_ms, narrow_copied) = (layer_roof_ms(one, 100.0, 10.0) for one in (wide, narrow))
    assert wide_ms > wide_copied
    assert narrow_copied > narrow_ms
    assert roof is not None
    assert roof.ms == pytest.approx(wide_ms + narrow_copied)
    assert roof.arithmetic_ms == pytest.approx(wide_ms + narrow_ms)
    assert roof.traffic_ms == pytest.approx(wide_copied + narrow_copied)


def test_it_scales_with_the_size_and_the_precision() -> None:
    network = described(convolution(64, 64, 3))
    whole, half = (roof_of(network, size, "fp32", RATES) for size in ((1280, 720), (640, 720)))
    in_bf16 = roof_of(network, (1280, 720), "bf16", RATES)
    assert whole is not None
    assert half is not None
    assert in_bf16 is not None
    assert half.ms == pytest.approx(whole.ms / 2)
    assert in_bf16.arithmetic_ms == pytest.approx(whole.arithmetic_ms / 2)
    assert in_bf16.traffic_ms == pytest.approx(whole.traffic_ms / 2)


def test_without_convolutions_the_photograph_is_read_and_written() -> None:
    roof = roof_of(described(NORM), (1280, 720), "fp32", RATES)
    assert roof is not None
    assert roof.ms == pytest.approx(6 * PIXELS * 4 / 10e9 * 1e3)


@pytest.mark.parametrize("rates", [None, {}, {"fp32_gflops": 100.0}, {"fp32_gflops": 100.0, "copy_gb_per_s": None}])
def test_there_is_none_where_a_rate_is_not_known(rates: dict[str, float | None] | None) -> None:
    assert roof_of(described(convolution(8, 8, 3)), (1280, 720), "fp32", rates) is None


def test_there_is_none_where_the_layers_are_not_known() -> None:
    assert roof_of(Description(parameters=1, macs=9), (1280, 720), "fp32", RATES) is None
