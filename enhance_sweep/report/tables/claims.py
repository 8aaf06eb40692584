"""The paper's claims about its networks, and whether they hold for the networks of a folder of runs.

A claim is a weighted sum of mean MS-SSIMs, computed image by image, or a speed-up. It holds where the whole 95%
interval is on the paper's side, fails where the interval leaves the paper's side or rules out the paper's own figure,
and is not decided otherwise: an interval wider than the paper's effect decides nothing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from enhance_sweep.paper import (
    BASELINE_SLUG,
    PROPOSED_SLUG,
    headline_speed_up,
    implied_baseline_time_s,
    published_networks,
)
from enhance_sweep.report.labels import (
    interval_text,
    is_number,
    network_label,
    signed,
    signed_interval,
    speed_up_text,
)
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.tables.columns import CLAIMS
from enhance_sweep.report.tables.model import Row, Table, shown_columns, to_csv
from enhance_sweep.report.words import phrase
from enhance_sweep.stats.paired_scores import MARGIN, Difference

#: The verdict first: on a phone the rest is a swipe away.
COLUMNS = tuple(sorted(shown_columns(CLAIMS), key=lambda column: column.kind != "verdict"))
HOLDS, FAILS, UNDECIDED, UNTESTED = "holds here", "fails here", "not decided here", "not tested here"
_PRELU = ("strided-k4-s4-c32-b2-prelu", "strided-k4-s4-c32-b2")

#: The weight of each network, by slug.
Weights = Mapping[str, float]


@dataclass(frozen=True)
class Claim:
    """One of the paper's claims.

    Attributes:
        letter: a to e.
        statement: the claim.
        measured: what is compared to test it.
        paper: the paper's own figure of that.
        ours: our figure with its interval, or why there is none.
        verdict: one of `HOLDS`, `FAILS`, `UNDECIDED`, `UNTESTED`.
    """

    letter: str
    statement: str
    measured: str
    paper: str
    ours: str
    verdict: str


@dataclass(frozen=True)
class _Network:
    """A network as a claim needs it: its time, on any machine, and its MS-SSIM."""

    slug: str
    architecture: Mapping[str, Any]
    time: float
    ms_ssim: float


#: Of networks with their times, the weight of each one's MS-SSIM; None where there are too few.
Weighing = Callable[[Sequence[_Network]], Weights | None]
#: A verdict on a weighted sum, with the paper's own.
Judge = Callable[[Difference, float], str]


def claims(results: Results) -> list[Claim]:
    """The paper's five claims, judged on these runs; empty if nothing is scored."""
    if results.scored.empty:
        return []
    networks = (results, _ours(results), _papers())
    facts = {
        "time": "multiply-adds" if results.cost_kind == "macs" else "time",
        "prelu": network_label(published_networks()["architecture"][_PRELU[0]]),
        "pick": network_label(published_networks()["architecture"][PROPOSED_SLUG]),
        "headline": headline_speed_up(),
    }
    of_scores: dict[str, tuple[Weighing, Judge]] = {
        "a": (_slope, at_least_zero),
        "b": (lambda networks: _above_line(networks, [n for n in networks if _is_plain(n, 5)]), does_not_pay),
        "c": (_prelu, does_not_pay),
        "d": (lambda networks: _above_line(networks, [n for n in networks if _is_strided(n)]), at_least_zero),
    }
    judged = {letter: _judge(*networks, weigh, verdict) for letter, (weigh, verdict) in of_scores.items()}
    judged["e"] = _judge_speed(results)
    return [
        Claim(letter, phrase("claims", letter, facts), phrase("claims", f"{letter}_measured", facts), *found)
        for letter, found in judged.items()
    ]


def claims_shown(found: Sequence[Claim], results: Results) -> Table:
    """A row for each claim, with what is compared to test it."""
    rows = tuple(
        Row(f"({claim.letter}) {claim.statement}", claim.measured, tuple(one.cell(asdict(claim)) for one in COLUMNS))
        for claim in found
    )
    facts = {"cost_kind": results.cost_kind, "seeds": results.evidence.seed_deviation is not None}
    note = phrase("notes", "claims", facts)
    return Table("The paper's claims", COLUMNS, rows, notes=(note,), words=True, first="Claim")


def claims_csv(found: Sequence[Claim]) -> str:
    """The claims for a spreadsheet."""
    return to_csv(CLAIMS, map(asdict, found))


# --- verdicts ---------------------------------------------------------------------------------------------------------


def at_least_zero(found: Difference, paper: float) -> str:
    """Judge a gain: holds if it is surely there; fails if it surely is not, or is surely smaller than the paper's."""
    if found.low > 0:
        return HOLDS
    return FAILS if found.high < 0 or found.high < paper else UNDECIDED


def does_not_pay(found: Difference, paper: float) -> str:
    """Judge "does not pay": holds if a gain of the margin or more is ruled out, else fails if a gain is sure."""
    if found.high < MARGIN:
        return HOLDS
    return FAILS if found.low > 0 else UNDECIDED


# --- what is compared -------------------------------------------------------------------------------------------------


def _slope(networks: Sequence[_Network]) -> Weights | None:
    """The slope of MS-SSIM over the binary logarithm of time, as weights of the scores."""
    fit = _line(networks)
    return None if fit is None else dict(fit["slope"])


def _line(networks: Sequence[_Network]) -> pd.DataFrame | None:
    """The least-squares line through the plain 3x3 networks: `height` (at 1 s) and `slope` as weights of scores."""
    times = {network.slug: math.log2(network.time) for network in networks if _is_plain(network, 3)}
    if len(times) < 3 or len(set(times.values())) == 1:
        return None
    design = np.stack([np.ones(len(times)), list(times.values())], axis=1)
    return pd.DataFrame(np.linalg.pinv(design).T, index=list(times), columns=["height", "slope"])


def _above_line(networks: Sequence[_Network], some: Sequence[_Network]) -> Weights | None:
    """The mean of `some` above the line through the plain 3x3 networks at the same time."""
    fit = _line(networks)
    if fit is None or not some:
        return None
    own = pd.Series(1 / len(some), index=[network.slug for network in some])
    mean_time = sum(math.log2(network.time) for network in some) / len(some)
    return dict(own.sub(fit["height"] + mean_time * fit["slope"], fill_value=0.0))


def _prelu(networks: Sequence[_Network]) -> Weights | None:
    if not set(_PRELU) <= {network.slug for network in networks}:
        return None
    return {_PRELU[0]: 1.0, _PRELU[1]: -1.0}


def _is_plain(network: _Network, kernel_size: int) -> bool:
    architecture = network.architecture
    return bool(architecture["topology"] == "plain" and architecture["kernel_size"] == kernel_size)


def _is_strided(network: _Network) -> bool:
    return bool(network.architecture["topology"] == "strided" and not network.architecture["prelu"])


def _judge(
    results: Results, ours: Sequence[_Network], paper: Sequence[_Network], weigh: Weighing, verdict: Judge
) -> tuple[str, str, str]:
    """The paper's figure, ours and the verdict: weighted sums of MS-SSIMs, each with its machine's own times."""
    published = weigh(paper)
    assert published is not None
    theirs = sum(published[network.slug] * network.ms_ssim for network in paper if network.slug in published)
    by_row, rows = np.zeros(len(results.variants)), _rows(results)
    for slug, weight in (weigh(ours) or {}).items():
        by_row[rows[slug]] = weight
    found = results.evidence.scores["ms_ssim"].contrast(by_row) if by_row.any() else None
    if found is None:
        return signed(theirs, 4), "too few of these networks", UNTESTED
    ours_text = f"{signed(found.mean, 4)} ({signed_interval(found.low, found.high)})"
    return signed(theirs, 4), ours_text, verdict(found, theirs)


def _judge_speed(results: Results) -> tuple[str, str, str]:
    """The paper's headline, a claim about speed alone."""
    paper = speed_up_text(headline_speed_up())
    rows = results.variants[(results.variants["slug"] == PROPOSED_SLUG) & results.variants["speed_up"].notna()]
    if rows.empty:
        return paper, "not timed beside the baseline", UNTESTED
    row = rows.iloc[0]
    low, high, ours = row["speed_up_low"], row["speed_up_high"], speed_up_text(row["speed_up"])
    if not (is_number(low) and is_number(high)):
        return paper, f"{ours}, no interval", UNDECIDED
    # The paper's figure is given to one digit.
    verdict = HOLDS if low >= round(headline_speed_up(), 1) else FAILS if high < headline_speed_up() else UNDECIDED
    return paper, f"{ours} ({interval_text(low, high)})", verdict


# --- networks ---------------------------------------------------------------------------------------------------------


def _rows(results: Results) -> dict[str, int]:
    """The row of each published network that is scored and timed, under the most frequent training condition."""
    shown = results.variants.reset_index(drop=True)
    shown = shown[shown["published"].notna() & shown["ms_ssim"].notna() & shown["cost"].notna()]
    shown = shown.sort_values("condition", kind="stable").drop_duplicates("slug")
    return {str(slug): row for row, slug in zip(shown.index.to_list(), shown["slug"], strict=True)}


def _ours(results: Results) -> list[_Network]:
    """The published networks that are scored and timed here; time is relative, or multiply-adds where none is timed."""
    architectures, variants = published_networks()["architecture"], results.variants
    return [
        _Network(slug, architectures[slug], float(variants["cost"].iloc[row]), float(variants["ms_ssim"].iloc[row]))
        for slug, row in _rows(results).items()
        if results.evidence.scores["ms_ssim"].known(row)
    ]


def _papers() -> list[_Network]:
    """The networks of Tables 1 and 2 with the paper's figures, the baseline with the time that its headline implies."""
    rows = published_networks()[["slug", "architecture", "time_s", "ms_ssim"]].itertuples(index=False)
    networks = [_Network(*row) for row in rows]
    return [replace(one, time=implied_baseline_time_s()) if one.slug == BASELINE_SLUG else one for one in networks]
