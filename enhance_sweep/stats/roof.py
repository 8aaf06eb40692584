"""The roof of a network: the least time that its convolutions could take on a machine (Williams et al. 2009)."""

from collections.abc import Mapping

from enhance_sweep.records.schema import Description, Layer, Roof

_BYTES = {"fp32": 4, "bf16": 2}
#: Red, green and blue.
_PICTURE_CHANNELS = 3


def roof_of(
    description: Description, size: tuple[int, int], precision: str, rates: Mapping[str, float | None] | None
) -> Roof | None:
    """The sum, over convolutions and matrix products, of the longer of arithmetic and traffic.

    A network with next to none of these has to read its photograph and write its result: no roof is below that.

    Args:
        description: of the network, with its layers.
        size: the timed width and height.
        precision: fp32 or bf16.
        rates: `fp32_gflops`, `bf16_gflops` and `copy_gb_per_s` of the machine (`timing.worker.limit`).

    Returns:
        None where the layers or a rate are not known.
    """
    gflops, copy = ((rates or {}).get(name) for name in (f"{precision}_gflops", "copy_gb_per_s"))
    if not gflops or not copy or not description.layers:
        return None
    share = size[0] * size[1] / (description.width * description.height)
    parts = [layer_roof_ms(one, gflops, copy, precision, share) for one in description.layers if one.macs]
    arithmetic_ms, traffic_ms = (sum(times) for times in zip(*parts, strict=True)) if parts else (0.0, 0.0)
    photograph_ms = 2 * _PICTURE_CHANNELS * size[0] * size[1] * _BYTES[precision] / copy / 1e6
    return Roof(
        ms=max(sum(max(part) for part in parts), photograph_ms),
        arithmetic_ms=arithmetic_ms,
        traffic_ms=max(traffic_ms, photograph_ms),
    )


def layer_roof_ms(
    layer: Layer, gflops: float, copy_gb_per_s: float, precision: str = "fp32", share: float = 1.0
) -> tuple[float, float]:
    """Of one layer, the ms of its arithmetic and those of moving its input, output and weights once.

    Args:
        layer: as it is at 1280x720.
        gflops: of a large matrix product; a multiply-add is two operations.
        copy_gb_per_s: bytes read and written.
        precision: fp32 or bf16.
        share: of the pixels of 1280x720.
    """
    values = (layer.read + layer.written) * share + layer.parameters
    return 2 * layer.macs * share / gflops / 1e6, values * _BYTES[precision] / copy_gb_per_s / 1e6
