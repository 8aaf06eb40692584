"""Gather what a report shows from a folder of runs: one data set and loss, seeds pooled, speed-ups computed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pandas as pd

from enhance_sweep.measures import MEASURES, Measure
from enhance_sweep.records import store
from enhance_sweep.records.frame import further_settings
from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.records.schema import SCORE_COLUMNS, ChallengeRecord, ExportRecord, TimedRecord, TrainedRecord
from enhance_sweep.records.store import RecordError, challenge_records, export_records, timed_records, trained_records
from enhance_sweep.report.labels import network_label
from enhance_sweep.report.results.color import color_faults
from enhance_sweep.report.results.evidence import Evidence, pool_scores, weigh
from enhance_sweep.report.results.select import (
    Condition,
    ReportError,
    Timings,
    code_of,
    one_code,
    one_data_set,
    one_loss,
)
from enhance_sweep.report.results.variants import usual, variants_of, with_frontier
from enhance_sweep.stats.speed_up import RESAMPLES, Ratio, speed_ups

#: Intervals of more timings than this rest on fewer resamples, so that a report of thousands takes seconds.
_MANY_TIMINGS, _RESAMPLES_OF_MANY = 1000, 200

_Kind = TypeVar("_Kind", bound=TrainedRecord | TimedRecord)


@dataclass(frozen=True)
class Problem:
    """A variant that failed to train or to be timed."""

    label: str
    what: str
    reason: str


@dataclass(frozen=True, eq=False)  # compared by identity, so it can be a key
class Results:
    """Everything that the report shows.

    `variants` has a row per network and training condition (its seeds averaged), and a row per network that was timed
    and not trained. Columns, beside those of `load_records`:

    - `slug`, `label`; `published`: 1 or 2, the paper's table, or missing;
    - `trained`: completed, unfinished, failed or missing; `seeds`; `condition`: the mark of how it was trained;
    - `timing`: the mark of how it was timed; `timed_elsewhere`: on another host than most, whose latencies are left
      out; `timing_failed`; `timing_flags`: why not to trust it, in words; `timing_doubts`: those for which it is no
      headline;
    - `speed_up`; where the baseline was called in the same rounds, `paired_speed_up` and its 95% interval
      `speed_up_low`, `speed_up_high`;
    - how sure the figures are: `ms_ssim_error`, `psnr_db_error`, `vs_baseline`, `vs_baseline_low`, `vs_baseline_high`,
      `vs_baseline_decision`, `beats_baseline`, `frontier_probability`, `beats`, `beaten_by` (see
      `enhance_sweep.report.results.evidence`);
    - `gain_psnr_db`, `gain_ms_ssim`: above the untouched input; `below_untouched`;
    - `color_fault`: what is wrong with its outputs' color, in words (see `enhance_sweep.report.results.color`);
    - `cost`: small is fast, in the unit that `cost_kind` names; `on_frontier`;
    - `record`: the index in `trained` of its first seed.

    `settings` names its columns that are settings of topologies beyond `ARCHITECTURE_COLUMNS`; a network whose topology
    lacks one has no value there.

    `quality` is the measure that the frontier, its tests and the headline go by. Differences of scores (`gain_...`,
    `vs_baseline...`) are improvements: above 0 is better, also where less is better.

    `slugs` has the short names of all architectures that were trained or timed, by key. `row_of` has for each record of
    `trained` the row in which its scores are pooled, None for one without.
    """

    runs: Path
    dataset: str | None
    fingerprint: str | None
    loss: str | None
    quality: Measure
    one_of_several_losses: bool
    variants: pd.DataFrame
    settings: list[str]
    cost_kind: str
    evidence: Evidence
    slugs: Mapping[str, str] = field(repr=False)
    trained: list[TrainedRecord] = field(repr=False)
    row_of: list[int | None] = field(repr=False)
    timed: list[TimedRecord] = field(repr=False)
    every_timing: list[TimedRecord] = field(repr=False)
    challenges: list[ChallengeRecord] = field(repr=False)
    exports: list[ExportRecord] = field(repr=False)
    training_conditions: list[Condition]
    timing_conditions: list[Condition]
    problems: list[Problem]
    unfinished: list[str]
    other_measurements: list[str]

    @cached_property
    def scored(self) -> pd.DataFrame:
        """The networks that have a score of `quality`."""
        return self.variants[self.variants[self.quality.name].notna()]

    @cached_property
    def frontier(self) -> pd.DataFrame:
        """The networks that no other beats, fastest first."""
        return self.variants[self.variants["on_frontier"]].sort_values(["cost", self.quality.name], kind="stable")

    @cached_property
    def untouched(self) -> dict[str, float | None]:
        """The scores of the untouched input, as most rows have them."""
        return {name: usual(self.variants[f"untouched_{name}"]) for name in SCORE_COLUMNS}

    @cached_property
    def measures(self) -> list[Measure]:
        """The measures that any network has a score of."""
        return [measure for name, measure in MEASURES.items() if self.variants[name].notna().any()]

    @cached_property
    def codes(self) -> Counter[str]:
        """How many networks each version of the code has trained."""
        return Counter(code_of(record) for record in self.trained)

    def trainings(self, row: int) -> list[TrainedRecord]:
        """The records whose scores a row averages, by seed."""
        return sorted(self._pooled.get(row, []), key=lambda record: str(record.learned_from.seed))

    @cached_property
    def _pooled(self) -> dict[int, list[TrainedRecord]]:
        pooled: dict[int, list[TrainedRecord]] = {}
        for record, row in zip(self.trained, self.row_of, strict=True):
            if row is not None:
                pooled.setdefault(row, []).append(record)
        return pooled

    @property
    def steps(self) -> list[int]:
        """The different numbers of generator steps of the trained networks, most frequent first."""
        return [int(steps) for steps in self.variants["steps"].dropna().value_counts().index]


def gather(
    runs: str | Path,
    data: str | None = None,
    loss: str | None = None,
    code: str | None = None,
    quality: str = "ms_ssim",
) -> Results:
    """Read a folder of runs and compute what its report shows.

    Args:
        runs: the folder that `python -m enhance_sweep` wrote.
        data: the data set to report, `NAME` or `NAME@FINGERPRINT`, where the folder holds several.
        loss: the loss preset to report, where the folder holds several.
        code: the version of the code that trained, where there were several: its digest, or `all` to mix them.
        quality: the measure that frontier, tests and headline go by, by its name in `enhance_sweep.measures`.

    Raises:
        ReportError: there is nothing to report, or several data sets, losses or versions and no choice between them;
            or networks are scored, and none by this measure.
    """
    runs = Path(runs)
    if not runs.is_dir():
        raise ReportError(
            f"no folder of runs at {runs}: run `python -m enhance_sweep` first, or name the folder with --runs"
        )
    try:
        trained = list(trained_records(runs, for_report=True))
        timed = list(timed_records(runs, for_report=True))
        challenges, exports = list(challenge_records(runs)), list(export_records(runs))
    except RecordError as error:
        raise ReportError(str(error)) from error
    if not trained and not timed and not challenges:
        raise ReportError(f"{runs} holds no records yet: run `python -m enhance_sweep` first")
    of_data = one_data_set(trained, data)
    chosen = one_code(one_loss(of_data, loss), code)
    learned_from = chosen[0].learned_from if chosen else None
    architectures = {record.architecture_key: record.architecture for record in (*chosen, *timed)}
    slugs = {key: architecture_slug(architecture) for key, architecture in architectures.items()}
    timings = Timings.choose(timed, {record.architecture_key for record in chosen}, slugs)
    ratios = _speed_ups(timings.chosen)
    measure = MEASURES[quality]
    variants, conditions, row_of = variants_of(chosen, timings, ratios, slugs, measure)
    if variants[quality].isna().all() and variants["ms_ssim"].notna().any():
        raise ReportError(
            f"--quality {quality}: no network in {runs} has this score: run the sweep again with stages=[evaluate], "
            "which trains nothing"
        )
    variants, cost_kind = with_frontier(variants.assign(color_fault=color_faults(variants, chosen)), measure)
    completed = [record.key for record in chosen if record.status == "completed"]
    scores = pool_scores(store.image_scores(runs, completed, list(MEASURES)), chosen, row_of, len(variants))
    variants, evidence = weigh(variants, scores, ratios, cost_kind == "speed_up", measure)
    return Results(
        runs=runs,
        dataset=learned_from.dataset if learned_from else None,
        fingerprint=learned_from.data_fingerprint if learned_from else None,
        loss=learned_from.loss if learned_from else None,
        quality=measure,
        one_of_several_losses=len({record.learned_from.loss for record in of_data}) > 1,
        variants=variants,
        settings=[name for name in further_settings(architectures.values()) if _is_used(variants, name)],
        cost_kind=cost_kind,
        evidence=evidence,
        slugs=slugs,
        trained=chosen,
        row_of=row_of,
        timed=timings.chosen,
        every_timing=timed,
        challenges=challenges,
        exports=exports,
        training_conditions=conditions,
        timing_conditions=timings.conditions,
        problems=_problems(chosen, timings),
        unfinished=[_trained_label(record) for record in chosen if record.status == "running"],
        other_measurements=timings.others,
    )


def _is_used(variants: pd.DataFrame, setting: str) -> bool:
    """Whether a network of the table has it: timings that the report does not choose may be of other topologies."""
    return setting in variants and bool(variants[setting].notna().any())


def whole(record: _Kind) -> _Kind:
    """One of the records of `Results` with what few are asked for: layers, joins and pictures.

    Raises:
        ReportError: its file can no longer be read, or is damaged there.
    """
    try:
        return store.whole(record)
    except RecordError as error:
        raise ReportError(str(error)) from error


def _speed_ups(timed: Sequence[TimedRecord]) -> dict[str, Ratio]:
    """The speed-up of each timing that had the baseline beside it, by `architecture_key`."""
    resamples = RESAMPLES if len(timed) <= _MANY_TIMINGS else _RESAMPLES_OF_MANY
    found = speed_ups([record.samples for record in timed], resamples)
    return {record.architecture_key: ratio for record, ratio in zip(timed, found, strict=True) if ratio is not None}


def _trained_label(record: TrainedRecord) -> str:
    return f"{network_label(record.architecture)} (seed {record.learned_from.seed})"


def _problems(trained: Iterable[TrainedRecord], timings: Timings) -> list[Problem]:
    failed = [(_trained_label(record), "training", record.reason) for record in trained if record.status == "failed"]
    failed += [(network_label(record.architecture), "timing", record.reason) for record in timings.failed]
    return [Problem(label, what, reason or "no reason was written down") for label, what, reason in failed]
