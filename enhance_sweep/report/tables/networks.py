"""The tables: the paper's two with ours beside, the frontier, all other variants; as cells for a page and as CSV."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from enhance_sweep.paper import BASELINE_SLUG, PROPOSED_SLUG, published_table
from enhance_sweep.report.labels import (
    decimals,
    interval_text,
    is_number,
    network_label,
    signed,
    significant,
    speed_up_text,
)
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.variants import in_order
from enhance_sweep.stats.rank_agreement import kendall_tau

NO_RECORD, NOT_COMPARED = "no record", "—"
PAPER, TO_INPUT, INTERVAL, ERROR, DIFFERENCE = "paper", "vs. input", "95%", "±", "difference"
AGREEMENT = "Rank agreement (Kendall's tau)"
#: A page with more rows than this is slow to open; the CSV has them all.
MOST_ROWS = 200


@dataclass(frozen=True)
class Cell:
    """A cell's text; `missing` where it says why there is no figure."""

    text: str
    missing: bool = False


@dataclass(frozen=True)
class Group:
    """Neighbouring columns under one heading; a heading of one column stands alone."""

    title: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A network's row: its name, what is special about it, its cells; the row of the variants that it opens."""

    name: str
    tag: str
    cells: tuple[Cell, ...]
    below: bool = False
    opens: int | None = None


@dataclass(frozen=True)
class Table:
    """A table as it is shown."""

    title: str
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    left_out: int = 0
    footer: Row | None = None
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        """How many columns there are beside the names."""
        return sum(len(group.columns) for group in self.groups)

    def spans(self, row: Row) -> list[tuple[Cell, int, str]]:
        """A row's cells with the columns that each takes and its style classes.

        Neighbours of one group that are missing for the same reason are one cell: said once, and read faster.
        """
        spans: list[tuple[Cell, int, str]] = []
        cells = iter(row.cells)
        for group in self.groups:
            for index, column in enumerate(group.columns):
                cell = next(cells)
                if index and cell.missing and spans[-1][0] == cell:
                    spans[-1] = (cell, spans[-1][1] + 1, spans[-1][2])
                    continue
                kinds = {
                    "start": index == 0,
                    "missing": cell.missing,
                    "gain": column == TO_INPUT,
                    "paper": column == PAPER,
                }
                spans.append((cell, 1, " ".join(kind for kind, holds in kinds.items() if holds)))
        return spans


# --- shown ------------------------------------------------------------------------------------------------------------


def published_shown(results: Results, table: int) -> Table:
    """Table 1 or 2 of the paper, every row of it, with ours beside."""
    columns = _columns(results, beside_paper=True)
    rows, pairs = [], []
    for slug, paper, variant in _published_rows(results, table):
        cells = _own_cells(variant) | {
            "paper_latency": Cell(decimals(1000 * paper["time_s"], 0)),
            "paper_speed_up": Cell(speed_up_text(paper["speed_up"])),
            "paper_psnr": Cell(decimals(paper["psnr_db"], 2)),
            "paper_ms_ssim": Cell(decimals(paper["ms_ssim"], 4)),
            "psnr_difference": _difference(variant, "psnr_db", paper["psnr_db"], 2),
            "ms_ssim_difference": _difference(variant, "ms_ssim", paper["ms_ssim"], 4),
        }
        shown = (*_chosen(cells, columns), *_condition_cells(results, variant))
        name, opens = network_label(paper["architecture"]), variant["row"] if variant else None
        rows.append(Row(name, _tag(slug, variant), shown, _is_below(variant), opens))
        pairs.append((paper, variant or {}))
    kind = "plain networks {kernel, channels, blocks}" if table == 1 else "strided networks {kernel-strided, channels}"
    groups = (*(group for group, _ in columns), *_condition_groups(results))
    footer = _agreement(pairs, columns, len(_condition_groups(results)))
    return Table(f"Table {table}: {kind}", groups, tuple(rows), footer=footer, notes=tuple(conditions(results)))


#: The columns of ours whose order can be compared with the paper's, and how both are called.
_COMPARED = {
    "latency": ("latency_ms_median", "time_s"),
    "speed_up": ("speed_up", "speed_up"),
    "psnr": ("psnr_db", "psnr_db"),
    "ms_ssim": ("ms_ssim", "ms_ssim"),
}


def _agreement(
    pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]],
    columns: Sequence[tuple[Group, tuple[str, ...]]],
    more: int,
) -> Row | None:
    """A last row: whether our column has the networks in the order of the paper's; None where nothing can be said."""
    cells = []
    for name in (name for _, names in columns for name in names):
        ours, theirs = _COMPARED.get(name, ("", ""))
        both = [(paper[theirs], variant[ours]) for paper, variant in pairs if is_number(variant.get(ours))]
        tau = kendall_tau(*zip(*both, strict=True)) if len(both) >= FEWEST_RANKED else None
        cells.append(Cell(decimals(tau, 2) if is_number(tau) else ""))
    if not any(cell.text for cell in cells):
        return None
    return Row(AGREEMENT, "", (*cells, *[Cell("")] * more))


#: A rank agreement of fewer networks than this says nothing.
FEWEST_RANKED = 4


def _difference(variant: dict[str, Any] | None, name: str, paper: float, digits: int) -> Cell:
    value = (variant or {}).get(name)
    return Cell(signed(value - paper, digits)) if is_number(value) else Cell(_why_not_trained(variant or {}), True)


#: How the paper trained: pairs of its data set, generator steps (its pick's last), batch and crop.
_PAPERS_PAIRS, _PAPERS_STEPS, _PAPERS_BATCH = 160_000, (25_000, 40_000), (50, 100)


def conditions(results: Results) -> list[str]:
    """In what the runs differ from the paper's, for a line under its tables; from the records."""
    said = []
    learned = [record["learned_from"] for record in results.trained]
    pairs = {(record.get("data") or {}).get("train_pairs") for record in results.trained if record.get("data")}
    known = [count for count in pairs if isinstance(count, int)] if len(pairs) == 1 else []
    if results.dataset and (results.dataset != "dped-iphone" or known != [_PAPERS_PAIRS]):
        of = f" ({known[0]:,} training pairs)" if known else ""
        said.append(f"data: {results.dataset}{of}, the paper: DPED iphone ({_PAPERS_PAIRS:,})")
    steps = results.steps
    batches = _all_alike(learned, "batch_size"), _all_alike(learned, "crop_size")
    if steps and not (set(steps) <= set(_PAPERS_STEPS) and batches == _PAPERS_BATCH):
        budget = f"{steps[0]:,}" if len(steps) == 1 else f"{min(steps):,} to {max(steps):,}"
        if None not in batches:
            budget += f" of {batches[0]} crops of {batches[1]}x{batches[1]}"
        usual, longer = _PAPERS_STEPS
        batch, crop = _PAPERS_BATCH
        papers = f"{usual:,} of {batch} patches of {crop}x{crop} (Table 2's pick: {longer:,})"
        said.append(f"steps: {budget}, the paper: {papers}")
    content = {str(one.get("content") or "none") for one in learned}
    if results.loss and (results.loss != "paper" or content != {"vgg19"}):
        said.append(f"loss: {results.loss}, content network: {', '.join(sorted(content))}; the paper: its own, VGG-19")
    machines = {
        f"{environment.get('cpu') or 'unknown'}, {record['measurement']['threads']} threads"
        for record in results.timed
        if (environment := record.get("environment") or {})
    }
    if machines:
        said.append(f"machine: {'; '.join(sorted(machines))}; the paper's is not named")
    return [f"Different from the paper: {'; '.join(said)}."] if said else []


def _all_alike(mappings: Sequence[Mapping[str, Any]], name: str) -> Any:
    values = {str(one.get(name)): one.get(name) for one in mappings}
    return next(iter(values.values())) if len(values) == 1 else None


def others_shown(results: Results) -> Table:
    """Every variant that is not in the paper's tables."""
    others = in_order(results.variants[results.variants["published"].isna()])
    kept = others
    if len(others) > MOST_ROWS:
        best = others.sort_values(["on_frontier", "ms_ssim"], ascending=False, kind="stable").head(MOST_ROWS)
        kept = in_order(best)
    return _own_table("Other variants", results, kept, left_out=len(others) - len(kept))


def frontier_shown(results: Results) -> Table:
    """The networks on the frontier, fastest first."""
    front = results.frontier
    return _own_table("The frontier", results, front.head(MOST_ROWS), left_out=max(0, len(front) - MOST_ROWS))


def _own_table(title: str, results: Results, variants: pd.DataFrame, left_out: int) -> Table:
    columns = _columns(results, beside_paper=False)
    rows = []
    for variant in _dicts(variants):
        cells = (*_chosen(_own_cells(variant), columns), *_condition_cells(results, variant))
        tag = _tag(variant["slug"], variant)
        rows.append(Row(str(variant["label"]), tag, cells, _is_below(variant), variant["row"]))
    groups = (*(group for group, _ in columns), *_condition_groups(results))
    return Table(title, groups, tuple(rows), left_out)


def _columns(results: Results, beside_paper: bool) -> list[tuple[Group, tuple[str, ...]]]:
    """The columns of a table, and which cells they show. Intervals and scores only where any network has some."""
    paper, ours, mean = ((PAPER,), "ours", "ours") if beside_paper else ((), "median", "mean")
    has_intervals = bool(results.variants["speed_up_low"].notna().any())
    interval = (INTERVAL,) if has_intervals else ()
    speed_up = (*paper, ours, *interval) if paper or interval else ("",)

    def of_paper(name: str) -> tuple[str, ...]:
        return (f"paper_{name}",) if beside_paper else ()

    columns: list[tuple[Group, tuple[str, ...]]] = [
        (Group("Parameters", ("",)), ("parameters",)),
        (Group("MACs, G", ("",)), ("macs",)),
        (Group("Latency, ms", (*paper, ours, "IQR")), (*of_paper("latency"), "latency", "iqr")),
        (Group("Speed-up", speed_up), (*of_paper("speed_up"), "speed_up", *(["interval"] if interval else []))),
    ]
    if len(results.scored):
        sure = results.evidence.images > 0
        last, of_last = (DIFFERENCE, "difference") if beside_paper else (TO_INPUT, "gain")
        error, of_error = ((ERROR,), ("ms_ssim_error",)) if sure else ((), ())
        columns += [
            (Group("PSNR, dB", (*paper, mean, last)), (*of_paper("psnr"), "psnr", f"psnr_{of_last}")),
            (
                Group("MS-SSIM", (*paper, mean, *error, last)),
                (*of_paper("ms_ssim"), "ms_ssim", *of_error, f"ms_ssim_{of_last}"),
            ),
        ]
        if sure and not beside_paper:
            if results.variants["vs_baseline"].notna().any():
                columns.append((Group("MS-SSIM, vs. baseline", ("mean", INTERVAL)), ("vs_baseline", "vs_interval")))
            if results.variants["frontier_probability"].notna().any():
                columns.append((Group("On frontier", ("",)), ("probability",)))
            if results.evidence.compared > 1:
                columns.append((Group("Networks", ("beats", "beaten by")), ("beats", "beaten_by")))
    return [*columns, (Group("Memory, MiB", ("",)), ("memory",))]


def _chosen(cells: dict[str, Cell], columns: Sequence[tuple[Group, tuple[str, ...]]]) -> tuple[Cell, ...]:
    return tuple(cells[name] for _, names in columns for name in names)


def _tag(slug: str, variant: dict[str, Any] | None) -> str:
    """What is special about a network, and whether its timing should not be believed."""
    tags = [{BASELINE_SLUG: "baseline", PROPOSED_SLUG: "the paper's pick"}.get(slug, "")]
    tags += ["timing flagged"] if variant and variant["timing_flags"] else []
    return ", ".join(tag for tag in tags if tag)


def _own_cells(variant: dict[str, Any] | None) -> dict[str, Cell]:
    """What the records say of a network, cell by cell, or why they do not."""
    variant = variant or {}
    trained, timed = _why_not_trained(variant), _why_not_timed(variant)
    no_ratio = "baseline not timed" if variant.get("timing") else timed
    memory = _cell(variant, "peak_rss_mib", lambda value: decimals(value, 0), timed)
    added = _cell(variant, "peak_rss_delta_mib", lambda value: signed(value, 0), timed)
    if not memory.missing and not added.missing:
        memory = Cell(f"{memory.text} ({added.text})")
    return {
        "parameters": _cell(variant, "parameters", lambda value: f"{int(value):,}", NO_RECORD),
        "macs": _cell(variant, "macs", lambda value: significant(value / 1e9), NO_RECORD),
        "latency": _cell(variant, "latency_ms_median", significant_ms, timed),
        "iqr": _cell(variant, "latency_ms_iqr", significant_ms, timed),
        "speed_up": _cell(variant, "speed_up", speed_up_text, no_ratio),
        "interval": _interval(variant, no_ratio),
        "psnr": _cell(variant, "psnr_db", lambda value: decimals(value, 2), trained),
        "psnr_gain": _cell(variant, "gain_psnr_db", lambda value: signed(value, 2), _why_no_gain(variant, "psnr_db")),
        "ms_ssim": _cell(variant, "ms_ssim", lambda value: decimals(value, 4), trained),
        "ms_ssim_gain": _cell(
            variant, "gain_ms_ssim", lambda value: signed(value, 4), _why_no_gain(variant, "ms_ssim")
        ),
        "memory": memory,
        "ms_ssim_error": _cell(variant, "ms_ssim_error", lambda value: decimals(value, 4), _why_no_error(variant)),
        "vs_baseline": _cell(variant, "vs_baseline", lambda value: signed(value, 4), NOT_COMPARED),
        "vs_interval": _versus(variant),
        "probability": _cell(variant, "frontier_probability", lambda value: decimals(value, 2), NOT_COMPARED),
        "beats": _cell(variant, "beats", lambda value: f"{int(value):,}", NOT_COMPARED),
        "beaten_by": _cell(variant, "beaten_by", lambda value: f"{int(value):,}", NOT_COMPARED),
    }


def _versus(variant: dict[str, Any]) -> Cell:
    low, high = variant.get("vs_baseline_low"), variant.get("vs_baseline_high")
    if low is None or high is None:
        return Cell(NOT_COMPARED, missing=True)
    return Cell(f"{signed(low, 4)} to {signed(high, 4)}")


def _interval(variant: dict[str, Any], otherwise: str) -> Cell:
    low, high = variant.get("speed_up_low"), variant.get("speed_up_high")
    if low is not None and high is not None:
        return Cell(interval_text(low, high))
    return Cell("not paired" if is_number(variant.get("speed_up")) else otherwise, missing=True)


def significant_ms(value: float) -> str:
    """A time in ms: whole above 100, three digits below."""
    return decimals(value, 0) if value >= 100 else significant(value)


def _cell(variant: dict[str, Any], name: str, text: Callable[[float], str], otherwise: str) -> Cell:
    value = variant.get(name)
    return Cell(text(float(value))) if value is not None and is_number(value) else Cell(otherwise, missing=True)


def _why_not_trained(variant: dict[str, Any]) -> str:
    if not variant:
        return NO_RECORD
    trained = variant.get("trained")
    return {"completed": "not a number", "unfinished": "unfinished", "failed": "failed"}.get(str(trained), NO_RECORD)


def _why_no_error(variant: dict[str, Any]) -> str:
    return "no scores per image" if is_number(variant.get("ms_ssim")) else _why_not_trained(variant)


def _why_no_gain(variant: dict[str, Any], measure: str) -> str:
    return "input not scored" if is_number(variant.get(measure)) else _why_not_trained(variant)


def _why_not_timed(variant: dict[str, Any]) -> str:
    if variant.get("timed_elsewhere"):
        return "timed on another host"
    return "timing failed" if variant.get("timing_failed") else NO_RECORD


def _is_below(variant: dict[str, Any] | None) -> bool:
    return bool(variant and variant["below_untouched"])


def _condition_groups(results: Results) -> list[Group]:
    """Columns for marks, where there are several conditions to tell apart, and for steps and seeds."""
    groups = [Group("Steps", ("",)), Group("Seed", ("",))] if results.trained else []
    groups += [Group("Trained as", ("",))] if len(results.training_conditions) > 1 else []
    groups += [Group("Timed as", ("",))] if len(results.timing_conditions) > 1 else []
    return groups


def _condition_cells(results: Results, variant: dict[str, Any] | None) -> list[Cell]:
    variant = variant or {}
    nothing = Cell(NO_RECORD, missing=True)
    seeds = variant.get("seeds")
    completed = variant if variant.get("trained") == "completed" else {}
    cells = [
        _cell(completed, "steps", lambda value: f"{int(value):,}", _why_not_trained(variant)),
        Cell(", ".join(seeds.split())) if isinstance(seeds, str) else nothing,
    ]
    cells = cells if results.trained else []
    for name, conditions in (("condition", results.training_conditions), ("timing", results.timing_conditions)):
        if len(conditions) > 1:
            mark = variant.get(name)
            cells.append(Cell(mark) if isinstance(mark, str) else nothing)
    return cells


def _published_rows(results: Results, table: int) -> list[tuple[str, dict[str, Any], dict[str, Any] | None]]:
    """Each row of the paper's table with our variant of it; once per training condition where there are several."""
    of_slug: dict[str, list[dict[str, Any]]] = {}
    ours = results.variants[results.variants["published"] == table].sort_values("condition", kind="stable")
    for variant in _dicts(ours):
        of_slug.setdefault(str(variant["slug"]), []).append(variant)
    rows: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = []
    for paper in _dicts(published_table(table)):
        rows += [(paper["slug"], paper, variant) for variant in of_slug.get(paper["slug"], [None])]
    return rows


def _dicts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows with missing values as None and numbers as Python's; `row` is their place among the variants."""
    plain = frame.astype(object).where(frame.notna(), None).assign(row=frame.index)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


# --- CSV --------------------------------------------------------------------------------------------------------------

_SHAPE = ("topology", "kernel_size", "strided_kernel_size", "channels", "blocks", "prelu", "parameters", "macs")
_SPEED_UP = ("speed_up", "speed_up_low", "speed_up_high")
_TIMED = ("latency_ms_median", "latency_ms_iqr", *_SPEED_UP, "cpu_s_median", "peak_rss_mib", "peak_rss_delta_mib")
_SCORED = ("psnr_db", "gain_psnr_db", "ms_ssim", "ms_ssim_error", "gain_ms_ssim", "below_untouched", "on_frontier")
_COMPARISONS = ("vs_baseline", "vs_baseline_low", "vs_baseline_high", "frontier_probability", "beats", "beaten_by")
_CONDITIONS = (
    "timing_flags",
    "steps",
    "seeds",
    "condition",
    "timing",
    "runtime",
    "precision",
    "threads",
    "allocator",
    "host",
)


def published_csv(results: Results, table: int) -> str:
    """Table 1 or 2 for a spreadsheet: the paper's figures as `paper_...`, ours under the records' names."""
    rows = []
    for _, paper, variant in _published_rows(results, table):
        architecture = paper["architecture"]
        ours = variant or {}
        row = {name: ours.get(name, architecture.get(name)) for name in _SHAPE}
        row |= {f"paper_{name}": paper[name] for name in ("time_s", "speed_up", "psnr_db", "ms_ssim")}
        row |= {"trained": ours.get("trained") or NO_RECORD}
        row |= {"timed": "completed" if ours.get("timing") else _why_not_timed(ours)}
        scored = is_number(ours.get("ms_ssim"))
        row |= {name: ours.get(name) for name in (*_TIMED, *_SCORED, *_COMPARISONS, *_CONDITIONS)}
        row |= {} if scored else {"below_untouched": None, "on_frontier": None}
        for name in ("psnr_db", "ms_ssim"):
            row[f"{name}_over_paper"] = ours[name] - paper[name] if is_number(ours.get(name)) else None
        rows.append({"network": network_label(architecture), **row})
    return _csv(rows, ["network", *_SHAPE, "paper_time_s", "paper_speed_up", "paper_psnr_db", "paper_ms_ssim"])


def variants_csv(results: Results) -> str:
    """Every variant, the published ones included, under the records' names."""
    variants = in_order(results.variants)
    timed = variants["timing"].notna()
    # Column by column: row by row, thousands of networks took a tenth of the report's time.
    why_not = [_why_not_timed({"timed_elsewhere": e, "timing_failed": f}) for e, f in _pairs_of_flags(variants)]
    table = pd.DataFrame({"network": variants["label"]})
    for name in (*_SHAPE, *_TIMED, *_SCORED, *_COMPARISONS, *_CONDITIONS, "key"):
        table[name] = variants.get(name)
    table["published_table"] = variants["published"]
    table["trained"] = variants["trained"].fillna(NO_RECORD)
    table["timed"] = pd.Series(why_not, index=variants.index).where(~timed, "completed")
    for name in ("below_untouched", "on_frontier"):
        table[name] = table[name].astype(object).where(variants["ms_ssim"].notna(), None)
    names = ["network", *_SHAPE, "published_table", "trained", "timed"]
    names += [*_TIMED, *_SCORED, *_COMPARISONS, *_CONDITIONS, "key"]
    return table[names].to_csv(index=False, lineterminator="\n")


def _pairs_of_flags(variants: pd.DataFrame) -> list[tuple[bool, bool]]:
    columns = (variants[name].fillna(False).astype(bool) for name in ("timed_elsewhere", "timing_failed"))
    return list(zip(*columns, strict=True))


def _csv(rows: Sequence[dict[str, Any]], first: Sequence[str]) -> str:
    names = list(
        dict.fromkeys(
            [*first, "trained", "timed", *_TIMED, *_SCORED, *_COMPARISONS, *_CONDITIONS, *(rows[0] if rows else [])]
        )
    )
    return pd.DataFrame(rows, columns=names, dtype=object).to_csv(index=False, lineterminator="\n")
