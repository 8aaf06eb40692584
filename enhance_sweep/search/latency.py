"""The latency of each network, known before any training: measured, or predicted from measured ones."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from enhance_sweep.paper.baseline import BASELINE
from enhance_sweep.records.keys import architecture_key, architecture_of, measured_key
from enhance_sweep.records.schema import TimedRecord
from enhance_sweep.records.store import timed_records
from enhance_sweep.stats.cost_model import Predictor
from enhance_sweep.stats.speed_up import speed_up

#: A cost model fitted on fewer networks is too uncertain.
FEWEST_TIMED = 8


class Latencies(Protocol):
    """The latencies that one search compares."""

    def measured_ms(self, architecture: Mapping[str, Any]) -> float | None:
        """A network's latency as it was measured; None where it was not."""
        ...

    def predictor(self) -> Predictor | None:
        """A cost model fitted on all networks that were timed; None where they are too few."""
        ...

    def refresh(self) -> None:
        """Look for new timings."""
        ...


class OneHost:
    """The latencies of networks under one measurement, on one host: two hosts' latencies are never compared.

    Args:
        runs_dir: the folder of runs.
        measurement: from `enhance_sweep.timing.recording.measurement_of`.
    """

    def __init__(self, runs_dir: Path, measurement: Mapping[str, Any]) -> None:
        self.runs_dir = runs_dir
        self.measurement = dict(measurement)

    def measured_ms(self, architecture: Mapping[str, Any]) -> float | None:
        """The newest measured median, a paired timing before a quick one; None where there is none."""
        key = measured_key(architecture, self.measurement)
        timed = [record for record in timed_records(self.runs_dir, key) if record.status == "completed"]
        timed.sort(key=lambda record: bool(record.baseline))
        return timed[-1].latency_ms_median if timed else None

    def predictor(self) -> Predictor | None:
        """A cost model fitted on all networks timed under this measurement; None where they are too few."""
        newest = {
            record.architecture_key: (record, float(record.latency_ms_median or 0))
            for record in timed_records(self.runs_dir)
            if record.status == "completed" and record.measurement.as_json() == self.measurement
        }
        return _fitted(newest)

    def refresh(self) -> None:
        """Nothing: records are read whenever they are asked for."""

    def adopt_host(self, architectures: Iterable[Mapping[str, Any]]) -> None:
        """Switch to the host on which most of these networks were timed: jobs may run on another host than the search.

        Nothing changes where none was timed, or as many on this host.
        """
        keys = {architecture_key(architecture) for architecture in architectures}
        others = _elsewhere(self.measurement)
        found: dict[str, list[dict[str, Any]]] = {self.measurement["host"]: []}
        for record in timed_records(self.runs_dir):
            known = record.measurement.as_json()
            if _elsewhere(known) == others and record.status == "completed" and record.architecture_key in keys:
                found.setdefault(known["host"], []).append(known)
        host = max(found, key=lambda name: len(found[name]))
        if found[host]:
            self.measurement = dict(found[host][-1])


class AnyHost:
    """Latencies from timings of any host: how much faster a network is than the baseline on the host that timed it.

    A paired timing has the baseline in its own rounds; a quick one is compared with the baseline's own timing on the
    same host. A network's first timing counts, a paired one before a quick one, so that all processes of a search
    compare the same numbers. Speed-ups are shown as latencies of the host that began the search: its baseline's
    latency over the speed-up.

    Args:
        runs_dir: the folder of runs.
        measurement: how speed is measured, on any host.
        reference_ms: the baseline's latency on the host that began the search; None until it is known.
    """

    def __init__(self, runs_dir: Path, measurement: Mapping[str, Any], reference_ms: float | None = None) -> None:
        self.runs_dir = runs_dir
        self.measurement = dict(measurement)
        self.reference_ms = reference_ms
        self._baselines_ms: dict[str, float] = {}
        self._timed: dict[str, tuple[TimedRecord, float]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read all timings anew."""
        how = _elsewhere(self.measurement)
        records = [
            record
            for record in timed_records(self.runs_dir)
            if record.status == "completed" and _elsewhere(record.measurement.as_json()) == how
        ]
        records.sort(key=lambda record: (record.baseline is None, record.finished_at or ""))
        baseline = architecture_key(architecture_of(BASELINE))
        self._baselines_ms = {}
        for record in records:
            if record.architecture_key == baseline:
                self._baselines_ms.setdefault(record.measurement.host, float(record.latency_ms_median or 0))
        self._timed = {}
        for record in records:
            if record.architecture_key not in self._timed and (ratio := self._speed_up(record)) is not None:
                self._timed[record.architecture_key] = (record, ratio)

    def _speed_up(self, record: TimedRecord) -> float | None:
        paired = speed_up(record.samples, resamples=1)
        if paired is not None:
            return paired.median
        baseline_ms = self._baselines_ms.get(record.measurement.host)
        return None if baseline_ms is None else baseline_ms / float(record.latency_ms_median or 0)

    def host_baseline_ms(self) -> float | None:
        """The baseline's latency on this host, else on the first host that has one; None where none was timed."""
        own = self._baselines_ms.get(self.measurement["host"])
        return own if own is not None else next(iter(self._baselines_ms.values()), None)

    def speed_up_of(self, architecture: Mapping[str, Any]) -> float | None:
        """How much faster than the baseline a network was; None where it was not timed beside or after a baseline."""
        known = self._timed.get(architecture_key(architecture))
        return None if known is None else known[1]

    def measured_ms(self, architecture: Mapping[str, Any]) -> float | None:
        """The latency on the host that began the search; None where it is not known."""
        ratio = self.speed_up_of(architecture)
        return None if ratio is None or self.reference_ms is None else self.reference_ms / ratio

    def predictor(self) -> Predictor | None:
        """A cost model of the host that began the search; None where too few were timed."""
        if self.reference_ms is None:
            return None
        return _fitted({key: (known, self.reference_ms / ratio) for key, (known, ratio) in self._timed.items()})


def _fitted(timed: Mapping[str, tuple[TimedRecord, float]]) -> Predictor | None:
    """A cost model, without networks whose layers are not known; None where the others are too few."""
    known = [(record, latency_ms) for record, latency_ms in timed.values() if record.description.layers]
    if len(known) < FEWEST_TIMED:
        return None
    records, latencies_ms = zip(*known, strict=True)
    families = [record.architecture["topology"] for record in records]
    return Predictor.fit([record.description for record in records], latencies_ms, families)


def _elsewhere(measurement: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same on every host; the number of threads depends on the host's cores."""
    return {name: value for name, value in measurement.items() if name not in ("host", "threads")}
