"""What a sweep would do, how fast its networks are and how long it takes, before anything is computed."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pandas as pd

from enhance_sweep.records.schema import Description, Measurement
from enhance_sweep.records.store import timed_records, trained_records
from enhance_sweep.stats.cost_model import CostModel
from enhance_sweep.sweep.plan import Plan
from enhance_sweep.sweep.work import Work, loss_work, teaching_work, work_of, work_of_record
from enhance_sweep.system.clock import duration
from enhance_sweep.system.environment import describe_environment

#: Until something has been timed: two Xeon cores, eager, fp32, tuned allocator (fitted to reports/timing's records, and
#: to small networks of the other families).
_FIRST_MODEL = CostModel(ms_per_gmac=6.4, ms_per_gib=57.0, ms_per_layer=0.3, ms_per_moved_gib=170.0)
_FEWEST_FOR_A_MODEL = 3
#: Seconds that a timing process takes beside its calls.
PROCESS_S = 4.0
#: Seconds a training takes beside arithmetic: data, pictures.
OVERHEAD_S = 12.0
#: Until something has been trained: seconds of a training step and of each of its pixels (norms, terms without layers),
#: and multiply-adds a second, of roughly two server cores. After that their proportions alone matter: with them, small
#: networks and cheap losses tell how long large and dear ones take.
_STEP_S = 2e-3
_PIXEL_S = 1e-6
_FIRST_RATE = 1e11


@dataclass(frozen=True)
class Past:
    """What has been measured on this host.

    Attributes:
        trained: what was trained, and the seconds it took.
        timed_ms: latencies by measured key.
        model: fitted to them; None where there are too few.
    """

    trained: Sequence[tuple[Work, float]]
    timed_ms: Mapping[str, float]
    model: CostModel | None

    @classmethod
    def of(cls, runs_dir: Path, measurement: Mapping[str, Any]) -> "Past":
        """From the records in a folder: trainings on this host, timings under this measurement."""
        timed: dict[str, list[float]] = {}
        descriptions: dict[str, Description] = {}
        here = msgspec.convert(measurement, Measurement)
        for record in timed_records(runs_dir):
            if record.latency_ms_median is not None and record.status == "completed" and record.measurement == here:
                timed.setdefault(record.key, []).append(record.latency_ms_median)
                descriptions[record.key] = record.description
        latencies = {key: median(times) for key, times in timed.items()}
        known = {key: description for key, description in descriptions.items() if description.layers}
        model = None
        if len(known) >= _FEWEST_FOR_A_MODEL:
            model = CostModel.fit(list(known.values()), [latencies[key] for key in known])
        host = describe_environment()["host"]
        trained = [
            (work, record.train_wall_s + OVERHEAD_S)
            for record in trained_records(runs_dir)
            if record.train_wall_s and record.environment.host == host and (work := work_of_record(record)) is not None
        ]
        return cls(trained, latencies, model)

    def latency_ms(self, plan: Plan) -> tuple[float, str]:
        """A network's latency, and whether it is measured, predicted by the cost model, or a first guess."""
        measured = self.timed_ms.get(plan.measured_key)
        if measured is not None:
            return measured, "measured"
        model, source = (self.model, "predicted") if self.model else (_FIRST_MODEL, "first guess")
        timing = plan.settings.timing
        pixels = timing.width * timing.height
        described = plan.description.height * plan.description.width
        return model.predict_ms(plan.description) * pixels / described, source

    def seconds(self, plans: Sequence[Plan]) -> float:
        """How long the stages that are due take, one variant after the other."""
        training = remaining_s([*map(work_of, plans), teaching_work(plans)], self.trained)
        return training + sum(self._timing_s(plan) for plan in plans)

    def _timing_s(self, plan: Plan) -> float:
        if not plan.needs_timing():
            return 0.0
        timing = plan.settings.timing
        # A paired run goes on until its interval is narrow or its budget is spent.
        return max(self.calls_s(plan), timing.budget_s) if timing.paired else self.calls_s(plan)

    def calls_s(self, plan: Plan) -> float:
        """How long all calls of a timing take, with the start of its processes, but without a baseline beside it."""
        timing = plan.settings.timing
        calls = timing.processes * (1 + timing.warm_up_calls + timing.samples)
        return calls * self.latency_ms(plan)[0] / 1e3 + timing.processes * PROCESS_S

    def steps_s(self, plan: Plan) -> float:
        """How long all steps of a whole training take, without what it takes beside them."""
        return remaining_s([work_of(plan)], self.trained) - OVERHEAD_S


def remaining_s(work: Sequence[Work], past: Sequence[tuple[Work, float]]) -> float:
    """Seconds that `work` takes, in proportion to what the `past` took, as (work, seconds).

    Trainings with one loss foretell those with another within a factor of about 1.5. Without a past it is a guess, good
    to a factor of a few.
    """
    work = [one for one in work if one.macs > 0]
    guessed_s, overhead_s = sum(map(_guess_s, work)), OVERHEAD_S * len(work)
    if not past:
        return guessed_s + overhead_s
    took_s = sum(max(seconds - OVERHEAD_S, 0.0) for _, seconds in past)
    return took_s / sum(_guess_s(done) for done, _ in past) * guessed_s + overhead_s


def _guess_s(work: Work) -> float:
    return work.steps * _STEP_S + work.pixels * _PIXEL_S + work.macs / _FIRST_RATE + 1e-9


def past_of(plans: Sequence[Plan]) -> Past:
    """What has been measured on this host, in these plans' folder and in their way."""
    return Past.of(plans[0].runs_dir, plans[0].measurement)


def announcement(plans: Sequence[Plan], past: Past) -> str:
    """One line: how much there is to do, and how long it takes."""
    train, timed = sum(plan.needs_training() for plan in plans), sum(plan.needs_timing() for plan in plans)
    steps = " or ".join(str(steps) for steps in sorted({plan.max_steps for plan in plans}))
    said = f"{len(plans)} variants: {train} to train for {steps} steps, {timed} to time, the rest is done."
    if train or timed:
        guess = "" if past.trained or not train else ", a first guess"
        said += f" About {duration(past.seconds(plans))} in all{guess}."
    return said


def show(plans: Sequence[Plan]) -> None:
    """Print a row for each variant, then how long all take."""
    past = past_of(plans)
    rows = []
    for plan in plans:
        latency_ms, source = past.latency_ms(plan)
        rows.append(
            {
                "variant": plan.name,
                "seed": plan.settings.seed,
                "parameters": f"{plan.description.parameters:,}",
                "MACs, G": f"{plan.description.macs / 1e9:,.1f}",
                "latency, ms": f"{latency_ms:,.0f}",
                "is": source,
                "steps": f"{plan.max_steps:,}",
                "to do": ", ".join(plan.due()) or "nothing",
                "about": duration(past.seconds([plan])),
            }
        )
    print(pd.DataFrame(rows).to_string(index=False))
    timing, runtime = plans[0].settings.timing, plans[0].settings.runtime["name"]
    print(
        f"\nLatency: {timing.width}x{timing.height}, {runtime}, {timing.precision}, on this host."
        + ("" if past.model else " Too few were timed here to predict others: a first guess is for two Xeon cores.")
    )
    if shown := teaching_work(plans).pixels:
        print(f"Teachers have {shown / 1e6:,.1f} megapixels to enhance first: each row counts that, the sum once.")
    print(announcement(plans, past), file=sys.stdout)
    uncounted = {plan.settings.loss["name"] for plan in plans if plan.needs_training() and not _is_counted(plan)}
    if uncounted:
        print(
            f"Loss {', '.join(sorted(uncounted))}: its networks cannot be counted without computing them: times are "
            "those of training without them."
        )


def _is_counted(plan: Plan) -> bool:
    return loss_work(plan.settings.loss, plan.settings.trainer.crop_size) is not None
