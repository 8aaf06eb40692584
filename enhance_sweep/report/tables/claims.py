"""The paper's claims about its networks, and whether they hold for the networks of a folder of runs.

A claim is about a weighted sum of mean scores, computed image by image, or about a speed-up. Its verdict depends on
the 95% interval alone: `gains`, `does_not_pay` and `at_least` are the rules, which the note under the table prints.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from enhance_sweep import paper
from enhance_sweep.measures import Measure
from enhance_sweep.report.labels import interval_text, is_number, network_label, signed, signed_interval, speed_up_text
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.tables.columns import CLAIMS
from enhance_sweep.report.tables.model import Row, Table, shown_columns, to_csv
from enhance_sweep.report.words import phrase

#: The verdict first: on a phone the rest is a swipe away.
COLUMNS = tuple(sorted(shown_columns(CLAIMS), key=lambda column: column.kind != "verdict"))
HOLDS, FAILS, UNDECIDED, UNTESTED = "holds here", "fails here", "not decided here", "not tested here"
#: The measures that the paper's tables have.
_PAPERS = ("psnr_db", "ms_ssim")
_PRELU = ("strided-k4-s4-c32-b2-prelu", "strided-k4-s4-c32-b2")

#: Networks by slug, as a claim needs them: `topology`, `kernel_size`, `prelu`, `time` on any machine and the score;
#: ours with their `row` of `Results.variants`.
Networks = pd.DataFrame
#: The weight of each network's score, by slug; None where there are too few networks.
Weights = pd.Series | None
#: A verdict on the ends of an interval, with the paper's own figure and the margin below which a gain does not count.
Judge = Callable[[float, float, float, float], str]


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


def claims(results: Results) -> list[Claim]:
    """The paper's five claims, judged on these runs; empty if nothing is scored."""
    if results.scored.empty:
        return []
    facts: dict[str, Any] = {
        "time": "multiply-adds" if results.cost_kind == "macs" else "time",
        "prelu": network_label(paper.published_networks()["architecture"][_PRELU[0]]),
        "pick": network_label(paper.published_networks()["architecture"][paper.PROPOSED_SLUG]),
        "headline": _headline(),
        "quality": results.quality,
    }
    ours = _ours(results)
    judges = {"a": gains, "b": does_not_pay, "c": does_not_pay, "d": gains}
    judged = {letter: _judge(results, ours, letter, judge) for letter, judge in judges.items()}
    judged["e"] = _judge_speed(results)
    return [
        Claim(letter, phrase("claims", letter, facts), phrase("claims", f"{letter}_measured", facts), *found)
        for letter, found in judged.items()
    ]


def claims_shown(found: Sequence[Claim], results: Results) -> Table:
    """A row for each claim, with what is compared to test it."""
    rows = tuple(Row.of(COLUMNS, asdict(one), f"({one.letter}) {one.statement}", one.measured) for one in found)
    facts = {"cost_kind": results.cost_kind, "seeds": results.evidence.seed_deviation is not None}
    facts |= {"others": int(results.scored["published"].isna().sum())}
    facts |= {"quality": results.quality, "papers": _papers_score(results.quality)}
    note = phrase("notes", "claims", facts | {"headline": _headline()})
    return Table("The paper's claims", COLUMNS, rows, notes=(note,), words=True, first="Claim")


def claims_csv(found: Sequence[Claim]) -> str:
    """The claims for a spreadsheet."""
    return to_csv(CLAIMS, map(asdict, found))


# --- verdicts ---------------------------------------------------------------------------------------------------------


def gains(low: float, high: float, paper: float, margin: float) -> str:
    """Holds if there surely is a gain; else fails if one as large as the paper's, above 0, is ruled out."""
    return HOLDS if low > 0 else FAILS if high < paper else UNDECIDED


def does_not_pay(low: float, high: float, paper: float, margin: float) -> str:
    """Holds if a gain of the margin or more is ruled out; else fails if a gain is sure. The paper's does not matter."""
    return HOLDS if high < margin else FAILS if low > 0 else UNDECIDED


def at_least(low: float, high: float, paper: float) -> str:
    """Holds if the whole interval is at or above the paper's figure, fails if all of it is below."""
    return HOLDS if low >= paper else FAILS if high < paper else UNDECIDED


# --- what is compared -------------------------------------------------------------------------------------------------


def _weights(letter: str, networks: Networks) -> Weights:
    """What a claim compares, as weights of the networks' scores."""
    if letter == "c":
        return pd.Series([1.0, -1.0], index=_PRELU) if set(_PRELU) <= set(networks.index) else None
    strided = (networks["topology"] == "strided") & ~networks["prelu"].astype(bool)
    fit, some = _line(networks), networks[_plain(networks, 5) if letter == "b" else strided]
    if fit is None or (letter != "a" and some.empty):
        return None
    if letter == "a":
        return fit["slope"]
    own = pd.Series(1 / len(some), index=some.index)
    # The mean of these networks above the line, at the same time.
    return own.sub(fit["height"] + np.log2(some["time"]).mean() * fit["slope"], fill_value=0.0)


def _line(networks: Networks) -> pd.DataFrame | None:
    """The least-squares line through the plain 3x3 networks, MS-SSIM over the binary logarithm of time.

    `height` (at a time of 1) and `slope` as weights of the scores.
    """
    times = np.log2(networks.loc[_plain(networks, 3), "time"])
    if len(set(times)) < 2 or len(times) < 3:
        return None
    design = np.stack([np.ones(len(times)), times], axis=1)
    return pd.DataFrame(np.linalg.pinv(design).T, index=times.index, columns=["height", "slope"])


def _plain(networks: Networks, kernel_size: int) -> "pd.Series[bool]":
    return (networks["topology"] == "plain") & (networks["kernel_size"] == kernel_size)


def _judge(results: Results, ours: Networks, letter: str, judge: Judge) -> tuple[str, str, str]:
    """The paper's figure, ours and the verdict: weighted sums of scores, each with its machine's own times."""
    papers, weights = _papers(), _weights(letter, ours)
    published = _weights(letter, papers)
    assert published is not None, "the tables have all these networks"
    digits, score = results.quality.digits, _papers_score(results.quality)
    # Of a measure that the paper does not have, the least gain that counts stands for its own.
    theirs = float((published * papers[score]).sum()) if score else results.quality.margin
    theirs_text = signed(theirs, digits) if score else "not scored so"
    by_row = np.zeros(len(results.variants))
    if weights is not None:
        by_row[ours.loc[weights.index, "row"]] = weights
    found = results.evidence.quality.contrast(by_row) if by_row.any() else None
    if found is None:
        return theirs_text, "too few of these networks", UNTESTED
    ours_text = f"{signed(found.mean, digits)} ({signed_interval(found.low, found.high, digits)})"
    return theirs_text, ours_text, judge(found.low, found.high, theirs, results.quality.margin)


def _judge_speed(results: Results) -> tuple[str, str, str]:
    """The paper's headline, a claim about speed alone."""
    theirs = speed_up_text(paper.headline_speed_up())
    rows = results.variants[(results.variants["slug"] == paper.PROPOSED_SLUG) & results.variants["speed_up"].notna()]
    if rows.empty:
        return theirs, "not timed beside the baseline", UNTESTED
    row = rows.iloc[0]
    low, high, ours = row["speed_up_low"], row["speed_up_high"], speed_up_text(row["speed_up"])
    if not (is_number(low) and is_number(high)):
        return theirs, f"{ours}, no interval", UNDECIDED
    flagged = ", timing flagged" if row["timing_doubts"] else ""
    return theirs, f"{ours} ({interval_text(low, high)}){flagged}", at_least(low, high, _headline())


def _headline() -> float:
    """The speed-up that the paper claims, to the one digit that it prints."""
    return round(paper.headline_speed_up(), 1)


# --- networks ---------------------------------------------------------------------------------------------------------


def _ours(results: Results) -> Networks:
    """The published networks that are scored and timed here, under the most frequent training condition.

    Time is relative, or multiply-adds where none is timed.
    """
    shown = results.variants.reset_index(drop=True)
    shown = shown.assign(row=shown.index, time=shown["cost"])
    shown = shown[shown["published"].notna() & shown[results.quality.name].notna() & shown["cost"].notna()]
    shown = shown.sort_values("condition", kind="stable").drop_duplicates("slug").set_index("slug")
    return shown.loc[[results.evidence.quality.known(row) for row in shown["row"]]]


def _papers() -> Networks:
    """The networks of Tables 1 and 2 with the paper's figures, the baseline with the time that its headline implies."""
    table = paper.published_networks()
    networks = pd.DataFrame(list(table["architecture"]), index=table.index)
    time = table["time_s"].where(table.index != paper.BASELINE_SLUG, paper.implied_baseline_time_s())
    return networks.assign(time=time, **{name: table[name] for name in _PAPERS})


def _papers_score(quality: Measure) -> str | None:
    """The measure's column in the paper's tables; None if it has none."""
    return quality.name if quality.name in _PAPERS else None
