"""How long a network will take, from its layers alone.

Three things cost time: arithmetic, memory traffic, and starting each layer. A search skips what cannot win without
timing it; so the model is small, its coefficients mean something, and its error is known on networks that it has not
seen.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec import convert

from enhance_sweep.records.schema import Description, Layer

_BYTES = 4  # fp32
#: Of a gradient, relative to the costs: rounding makes it no smaller.
_TOLERANCE = 1e-14

Array = np.ndarray[Any, np.dtype[np.float64]]
#: A network's layers as `enhance_sweep.models.description` or a record describes them.
Described = Description | Mapping[str, Any]


@dataclass(frozen=True)
class CostModel:
    """Latency as a sum of three costs, none of them negative.

    Attributes:
        ms_per_gmac: of arithmetic, for 10^9 multiply-adds.
        ms_per_gib: of activations read and written, for 2^30 bytes.
        ms_per_layer: of starting one.
    """

    ms_per_gmac: float
    ms_per_gib: float
    ms_per_layer: float

    @classmethod
    def fit(cls, descriptions: Sequence[Described], latencies_ms: Sequence[float]) -> "CostModel":
        """The coefficients with the least squared relative error: 10% counts the same for a small and a large network.

        Raises:
            ValueError: fewer than three networks, or not one latency each.
        """
        if len(descriptions) != len(latencies_ms) or len(descriptions) < 3:
            raise ValueError(
                f"a cost model needs at least three networks and a latency for each, "
                f"got {len(descriptions)} and {len(latencies_ms)}"
            )
        coefficients = _least_squares(_costs_of(descriptions), np.asarray(latencies_ms, dtype=float))
        return cls(*(float(coefficient) for coefficient in coefficients))

    def predict_ms(self, description: Described) -> float:
        """How long a network takes, under the measurement that the model was fitted on."""
        gmacs, gib, layers = costs(description)
        return self.ms_per_gmac * gmacs + self.ms_per_gib * gib + self.ms_per_layer * layers


def _costs_of(descriptions: Sequence[Described]) -> Array:
    return np.array([costs(description) for description in descriptions])


def _least_squares(asked: Array, latencies_ms: Array) -> Array:
    """The coefficients, none negative, of (networks, 3) costs and (networks,) latencies.

    By the active sets of Lawson & Hanson 1974, ch. 23; `scipy.optimize` takes a quarter of a second to import.
    """
    relative = asked / latencies_ms[:, None]
    found, used = np.zeros(relative.shape[1]), np.zeros(relative.shape[1], dtype=bool)
    for _ in range(3 * len(found)):  # rounding can make it try the same again
        gain = np.where(used, 0.0, relative.T @ (1 - relative @ found))
        if gain.max() <= _TOLERANCE * np.abs(relative).sum():
            break
        used[gain.argmax()] = True
        while True:
            tried = np.zeros_like(found)
            tried[used] = np.linalg.lstsq(relative[:, used], np.ones(len(relative)), rcond=None)[0]
            negative = used & (tried < 0)
            if not negative.any():
                break
            # As far as the first coefficient that reaches 0, which is used no longer.
            steps = found[negative] / (found[negative] - tried[negative])
            found += steps.min() * (tried - found)
            used[np.flatnonzero(negative)[steps.argmin()]] = False
            found[~used] = 0
        found = tried
    return found


def costs(description: Described) -> tuple[float, float, float]:
    """What a network asks for: 10^9 multiply-adds, 2^30 bytes of activations read and written, layers."""
    known = description if isinstance(description, Description) else convert(description, Description)
    traffic = sum(map(_values_moved, known.layers)) * _BYTES
    return known.macs / 1e9, traffic / 2**30, float(len(known.layers))


def _values_moved(layer: Layer) -> float:
    """Activations that a layer reads and writes; a transposed convolution's input is the smaller side."""
    scale = layer.stride ** (-2 if layer.kind.startswith("ConvTranspose") else 2)
    return float(layer.height * layer.width * (layer.out_channels + layer.in_channels * scale))


def left_out_errors(
    descriptions: Sequence[Described], latencies_ms: Sequence[float], groups: Sequence[Hashable] | None = None
) -> list[float]:
    """The relative error of each prediction by a model that has not seen that network (0.1: 10% too slow).

    Args:
        descriptions: of networks that were timed.
        latencies_ms: their times, under one measurement.
        groups: networks of the same group are left out together, which shows how far the model reaches beyond what it
            knows; each network is its own group unless given.
    """
    asked, latencies = _costs_of(descriptions), np.asarray(latencies_ms, dtype=float)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups or range(len(latencies))))}
    group_of = np.array([numbers[group] for group in groups or range(len(latencies))])
    errors = np.zeros(len(latencies))
    for group in numbers.values():
        out = group_of == group
        if (~out).sum() < 3:
            raise ValueError(f"a cost model needs at least three networks, got {(~out).sum()} beside a group left out")
        errors[out] = asked[out] @ _least_squares(asked[~out], latencies[~out]) / latencies[out] - 1
    return [float(error) for error in errors]
