"""What rules for the end of warm-up say of timings that are on record, and whether their flags tell anything.

    python benchmarks/warm_up.py reports/timing/records reports/timing/repeatability/{quiet-1,quiet-2,busy}

Every rule reads the calls of each process's warm-up, the cold one first. Records do not say which calls of a warm-up
were disturbed, so all of them count, except where the first was. Last come the processes that their own run called
warm, and the others: how the first timed round compares with those after it, which would be slow in a cold process.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from enhance_sweep.records.schema import Process
from enhance_sweep.records.store import timed_records
from enhance_sweep.timing.protocol import is_warm
from enhance_sweep.timing.statistics import agree

Rule = Callable[[Sequence[float]], bool]


def within(tolerance: float, calls: int) -> Rule:
    """The last calls agree."""
    return lambda ms: len(ms) >= calls and agree(ms[-calls:], tolerance)


def no_faster(tolerance: float) -> Rule:
    """The last two calls are not faster than the fastest before them; slower they may be."""
    return lambda ms: len(ms) > 2 and min(ms[-2:]) >= min(ms[:-2]) * (1 - tolerance)


RULES: dict[str, Rule] = {
    **{f"the last 3 calls within {share:.0%}": within(share, 3) for share in (0.05, 0.08, 0.1, 0.15)},
    **{f"the last 2 calls within {share:.0%}": within(share, 2) for share in (0.05, 0.1)},
    "the last 2 no faster by 5%": no_faster(0.05),
    "the last 2 neither faster nor slower by 5% (taken)": is_warm,
}


def main(folders: Sequence[str]) -> None:
    """Print the rules' verdicts on each folder's eager fp32 timings."""
    for folder in folders:
        timings = [
            one.samples.processes
            for one in timed_records(Path(folder))
            if one.samples and one.measurement.runtime == "eager" and one.measurement.precision == "fp32"
            if one.measurement.layout == "channels_last" and one.measurement.allocator == "tuned"
        ]
        print(f"{folder}: {len(timings)} timings, {sum(map(len, timings))} processes")
        _print("as recorded", [[process.warm is False for process in one] for one in timings])
        for name, rule in RULES.items():
            _print(name, [[not _ever(rule, _calls(process)) for process in one] for one in timings])
        for warm in (True, False):
            rounds = [
                [one.latency_ms for one in process.rounds]
                for processes in timings
                for process in processes
                if process.warm is warm and len(process.rounds) > 1
            ]
            if rounds:
                ratio = np.median([ms[0] / np.median(ms[1:]) for ms in rounds])
                print(f"  {'warm' if warm else 'cold'} as recorded: the first round took {ratio:.3f} of the later ones")


def _calls(process: Process) -> list[float]:
    first = process.first_call
    disturbed = first is None or (first.conditions is not None and first.conditions.disturbed_by)
    return [*([] if disturbed or first is None else [first.latency_ms]), *process.warm_up_ms]


def _ever(rule: Rule, calls: Sequence[float]) -> bool:
    return any(rule(calls[:count]) for count in range(1, len(calls) + 1))


def _print(name: str, cold: Sequence[Sequence[bool]]) -> None:
    print(f"  {name:52} flags {sum(map(any, cold)):2} timings, {sum(map(sum, cold)):2} processes")


if __name__ == "__main__":
    main(sys.argv[1:])
