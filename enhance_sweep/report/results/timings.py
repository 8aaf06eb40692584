"""Findings from timings alone: runtimes side by side, agreement with the paper's times, a cost model by layers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from enhance_sweep.paper import BASELINE_SLUG, PROPOSED_SLUG, baseline_time_s, published_networks
from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.records.schema import Environment, TimedRecord, TrainedRecord
from enhance_sweep.report.labels import is_number, network_label, plural
from enhance_sweep.report.results.gather import Results, whole
from enhance_sweep.report.results.select import is_timed, when
from enhance_sweep.report.words import paragraphs
from enhance_sweep.stats.cost_model import CostModel, left_out_errors
from enhance_sweep.stats.rank_agreement import kendall_tau
from enhance_sweep.stats.speed_up import Ratio, speed_up
from enhance_sweep.system.waiting import DEFAULT

#: The fewest networks for a rank agreement, or for a cost model's error.
FEWEST = 6
#: The cost model, which has three coefficients, is fitted on a sample of about this many networks.
_MOST_FITTED = 400
#: The reference way to time a network, to which other runtimes, layouts and allocators are compared.
_PLAIN_WAY = {
    **{"runtime": "eager", "precision": "fp32", "layout": "channels_last", "allocator": "tuned"},
    "lowered": False,
}
_PHOTOGRAPH = 1280 * 720
#: A network with fewer operations for each byte, such as curves from statistics, is none of convolutions.
_LEAST_PER_BYTE = 0.1


@dataclass(frozen=True)
class Place:
    """Host, threads, how they wait, size and photograph of a timing; latencies of two places are never compared."""

    host: str
    threads: int
    size: tuple[int, int]
    machine: str
    wait_policy: str = DEFAULT
    photograph: str | None = None

    @property
    def text(self) -> str:
        """In words."""
        waiting = "" if self.wait_policy == DEFAULT else f", wait policy {self.wait_policy}"
        photograph = f", photograph {self.photograph}" if self.photograph else ""
        size = f"{self.size[0]}x{self.size[1]}"
        return f"{self.machine}, {plural(self.threads, 'thread')}{waiting}, {size}{photograph}"


@dataclass(frozen=True)
class Measured:
    """One network under one measurement.

    Attributes:
        record: the timed record; a failed one where it could not be timed in that way.
        ratio: its speed-up over the baseline in the same rounds; None if the baseline did not run beside it.
        vs_eager: how much faster than the same network in eager fp32, channels-last, tuned allocator; None if unknown.
        to_limit: its latency over the least time that its multiply-adds could take, by the rate of a large matrix
            product in the same precision in the same run; None where that was not measured.
        to_roof: its latency over its roof (`stats.roof`); None where the rates were not measured.
    """

    record: TimedRecord
    ratio: Ratio | None
    vs_eager: float | None
    to_limit: float | None
    to_roof: float | None = None

    @property
    def label(self) -> str:
        """The network's short name."""
        return network_label(self.record.architecture)


@lru_cache(maxsize=1)
def by_place(results: Results) -> dict[Place, list[Measured]]:
    """By place, the networks that were timed there in several ways, each way once; the place with most rows first.

    Of several timings of one network in one way the newest that had the baseline beside it counts.
    """
    chosen: dict[tuple[Place, str, tuple[str, ...]], TimedRecord] = {}
    counts = Counter(record.architecture_key for record in results.every_timing)
    repeated = [record for record in results.every_timing if counts[record.architecture_key] > 1]
    # Last comes the record to show: timed, with the baseline beside it, the newest.
    for record in sorted(repeated, key=lambda one: (is_timed(one), bool(one.baseline), when(one))):
        way = tuple(getattr(record.measurement, name) for name in _PLAIN_WAY)
        chosen[_place(record), record.architecture_key, way] = record
    places: dict[Place, dict[str, list[TimedRecord]]] = {}
    for (place, key, _), record in chosen.items():
        places.setdefault(place, {}).setdefault(key, []).append(record)
    found = {}
    for place, networks in places.items():
        several = [records for records in networks.values() if len(records) > 1]
        if several:
            found[place] = [one for records in sorted(several, key=_order) for one in _measured(records)]
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def latency_ms(record: TimedRecord) -> float:
    """The latency of a completed timing."""
    assert record.latency_ms_median is not None, "a completed timing has one"
    return record.latency_ms_median


def _measured(records: Sequence[TimedRecord]) -> list[Measured]:
    """Every way in which one network was timed at one place, the fastest first, failed ones last."""
    done = sorted(filter(is_timed, records), key=latency_ms)
    eager_ms = [latency_ms(r) for r in done if all(getattr(r.measurement, n) == v for n, v in _PLAIN_WAY.items())]
    rows = []
    for record in done:
        vs_eager = eager_ms[0] / latency_ms(record) if eager_ms else None
        to_roof = latency_ms(record) / record.roof.ms if record.roof else None
        rows.append(Measured(record, speed_up(record.samples), vs_eager, latency_to_limit(record), to_roof))
    return rows + [Measured(record, None, None, None) for record in records if not is_timed(record)]


def _order(records: Sequence[TimedRecord]) -> tuple[int, str]:
    slug = architecture_slug(records[0].architecture)
    return {BASELINE_SLUG: 0, PROPOSED_SLUG: 1}.get(slug, 2), slug


def _place(record: TimedRecord) -> Place:
    measurement, environment = record.measurement, record.environment or Environment()
    parts = [environment.cpu or measurement.host]
    parts += [plural(environment.cores, "core")] if environment.cores is not None else []
    waiting, photograph = measurement.wait_policy, measurement.photograph
    return Place(measurement.host, measurement.threads, measurement.size, ", ".join(parts), waiting, photograph)


def latency_to_limit(record: TimedRecord) -> float | None:
    """A latency over the time that the network's multiply-adds would take at the rate of a large matrix product."""
    rate = (record.arithmetic_limit or {}).get(f"{record.measurement.precision}_gflops")
    if not is_number(rate) or not rate or not record.description.macs or record.latency_ms_median is None:
        return None
    width, height = record.measurement.size
    least_ms = 2 * record.description.macs * (width * height / _PHOTOGRAPH) / rate / 1e6
    return float(record.latency_ms_median / least_ms)


@lru_cache(maxsize=1)
def shown_at_one_place(results: Results) -> list[TimedRecord]:
    """The timings that the report shows, one for each network, of the place where most were taken."""
    places: dict[Place, list[TimedRecord]] = {}
    for record in results.timed:
        places.setdefault(_place(record), []).append(record)
    return max(places.values(), key=len, default=[])


def under_roofs(shown: Sequence[TimedRecord]) -> list[TimedRecord]:
    """The timings of a roofline: networks with convolutions to speak of; none where fewer than a few have a roof."""
    found = [one for one in shown if one.roof and operations_per_byte(one) >= _LEAST_PER_BYTE]
    return found if len(found) >= FEWEST else []


def operations_per_byte(record: TimedRecord) -> float:
    """How many operations the convolutions make for each byte that they have to move; two for a multiply-add."""
    rates = record.arithmetic_limit or {}
    assert record.roof is not None, "a roof has rates"
    gflops, copy = rates[f"{record.measurement.precision}_gflops"], rates["copy_gb_per_s"]
    return float(record.roof.arithmetic_ms * (gflops or 0) / record.roof.traffic_ms / (copy or 1))


# --- the paper's times ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def paper_times(results: Results) -> list[tuple[str, float, float]]:
    """The published networks that were timed here: slug, the paper's seconds and ours."""
    ours = {results.slugs[r.architecture_key]: latency_ms(r) / 1e3 for r in shown_at_one_place(results)}
    return [(slug, time_s, ours[slug]) for slug, time_s in published_networks()["time_s"].items() if slug in ours]


def agreement(times: Sequence[tuple[str, float, float]]) -> dict[str, float] | None:
    """How well two machines agree on which network is faster; None where there are too few.

    Args:
        times: of networks timed on both, as `paper_times` gives them.

    Returns:
        `networks`: how many; `kendall_tau` of their ranks, from -1 to 1 (the same order); `pearson`: the correlation of
        the times' logarithms.
    """
    if len(times) < FEWEST:
        return None
    _, theirs, ours = zip(*times, strict=True)
    pearson = float(np.corrcoef(np.log(theirs), np.log(ours))[0, 1])
    return {"networks": len(times), "kendall_tau": kendall_tau(theirs, ours), "pearson": pearson}


# --- what time is made of ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fitted:
    """A cost model of the timings that a report shows.

    Attributes:
        model: fitted on all of them.
        networks: how many these are.
        errors: by label, the error of each network's prediction by a model fitted without it (0.1: 10% too slow).
        family_errors: the same, fitted without all networks of that topology and width.
    """

    model: CostModel
    networks: int
    errors: Mapping[str, float]
    family_errors: Mapping[str, float]

    @property
    def worst(self) -> str:
        """The label of the network that is predicted worst."""
        return max(self.errors, key=lambda label: abs(self.errors[label]))

    @staticmethod
    def sizes(errors: Mapping[str, float]) -> dict[str, float]:
        """The absolute `median` and `largest` of errors; empty if there are none."""
        absolute = np.abs(list(errors.values()))
        return {"median": float(np.median(absolute)), "largest": float(absolute.max())} if len(absolute) else {}


def fitted(results: Results) -> Fitted | None:
    """The cost model of the timings shown; None if there are too few, or their records lack the layers."""
    sample = shown_at_one_place(results)
    sample = sample[:: -(-len(sample) // _MOST_FITTED) or 1]
    shown = [record for record in map(whole, sample) if record.description.layers]
    if len(shown) < FEWEST:
        return None
    descriptions = [record.description for record in shown]
    latencies_ms = [latency_ms(record) for record in shown]
    labels = [network_label(record.architecture) for record in shown]
    families = [(r.architecture["topology"], r.architecture.get("channels")) for r in shown]
    family_errors: dict[str, float] = {}
    if len(shown) - max(families.count(family) for family in families) >= FEWEST // 2:
        family_errors = dict(zip(labels, left_out_errors(descriptions, latencies_ms, families), strict=True))
    errors = dict(zip(labels, left_out_errors(descriptions, latencies_ms), strict=True))
    return Fitted(CostModel.fit(descriptions, latencies_ms), len(shown), errors, family_errors)


def paper_baseline(results: Results) -> dict[str, float] | None:
    """The paper's {3, 64, 4} as its other times predict it; None if too few published networks are described.

    Returns:
        `predicted_s`: by a cost model fitted on all other rows; `others`: how many these are; `median_error` of their
        own predictions, absolute and relative.
    """
    records: list[TimedRecord | TrainedRecord] = [*results.every_timing, *results.trained]
    tables = published_networks()["time_s"]
    slugs = set(tables.index)
    published = [(slug, record) for record in records if (slug := results.slugs[record.architecture_key]) in slugs]
    descriptions = ((slug, whole(record).description) for slug, record in published)
    described = {slug: description for slug, description in descriptions if description.layers}
    others = [slug for slug in tables.index if slug in described and slug != BASELINE_SLUG]
    if BASELINE_SLUG not in described or len(others) < len(tables) / 2:
        return None
    times_ms = [1e3 * float(tables[slug]) for slug in others]
    model = CostModel.fit([described[slug] for slug in others], times_ms)
    errors = [model.predict_ms(described[slug]) / ms - 1 for slug, ms in zip(others, times_ms, strict=True)]
    predicted_s = model.predict_ms(described[BASELINE_SLUG]) / 1e3
    return {"predicted_s": predicted_s, "others": len(others), "median_error": float(np.median(np.abs(errors)))}


# --- in words ---------------------------------------------------------------------------------------------------------


def shown_where(results: Results) -> dict[str, Any]:
    """Of the figure of times: their `place`, and whether it has the arithmetic `limit` or is a `roof`line."""
    shown = shown_at_one_place(results)
    limit, roof = any(latency_to_limit(record) for record in shown), bool(under_roofs(shown))
    return {"place": _place(shown[0]).text if shown else "", "limit": limit, "roof": roof}


def sentences(results: Results) -> list[str]:
    """The sentences on times: how they agree with the paper's, and how a cost model explains them."""
    times = paper_times(results)
    return paragraphs(
        "speed",
        {
            "whole": agreement(times),
            "without_baseline": agreement([row for row in times if row[0] != BASELINE_SLUG]),
            "outlier": paper_baseline(results),
            "printed_s": baseline_time_s(),
            "cost": fitted(results),
        },
    )
