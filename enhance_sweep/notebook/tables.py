"""Answers as tables to read: a row per network or setting, headings with units, numbers with the digits that count."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from enhance_sweep.measures import MEASURES
from enhance_sweep.records.frame import settings_of
from enhance_sweep.report.labels import TIMES, decimals, is_number, network_label, signed, significant
from enhance_sweep.what_if import networks_of, spread_between_seeds
from enhance_sweep.what_if.networks import TRAINED_ALIKE, distinct

#: How a column is headed and its numbers written; a table shows the columns in this order.
_SHOWN: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "ms_ssim": ("MS-SSIM", lambda value: decimals(value, 4)),
    "psnr_db": ("PSNR, dB", lambda value: decimals(value, 2)),
    "seed_count": ("seeds", lambda value: decimals(value, 0)),
    "latency_ms_median": ("latency, ms", significant),
    "peak_rss_mib": ("peak memory, MiB", lambda value: decimals(value, 0)),
    "parameters": ("parameters", lambda value: decimals(value, 0)),
    "macs": ("multiply-adds, 10⁹", lambda value: significant(value / 1e9)),
}
_NAMES = {
    "kernel_size": "kernel",
    "strided_kernel_size": "strided kernel",
    "prelu": "PReLU",
    "latency_ms_median": "latency",
    "peak_rss_mib": "peak memory",
    "macs": "multiply-adds",
}
_YES_NO = {True: "with", False: "without"}


def first_existing(*folders: str | Path) -> Path:
    """The first of several folders that is there.

    Raises:
        FileNotFoundError: none is, with all their names.
    """
    for folder in map(Path, folders):
        if folder.is_dir():
            return folder
    names = ", ".join(str(Path(folder).resolve()) for folder in folders)
    raise FileNotFoundError(f"expected a folder of runs at one of {names}: run `make sweep`, or name yours")


def axis_name(axis: str) -> str:
    """An axis or a measure as a reader would say it: `kernel`, `PReLU`, `MS-SSIM`."""
    if axis in MEASURES:
        return MEASURES[axis].label
    return _NAMES.get(axis) or (_SHOWN[axis][0].partition(",")[0] if axis in _SHOWN else axis.replace("_", " "))


def value_name(value: Any) -> str:
    """The value of an axis: `16`, `strided`, `with` for True."""
    return _YES_NO[value] if isinstance(value, bool) else str(value)


def labels_of(networks: pd.DataFrame) -> list[str]:
    """The paper's short names, `{3, 64, 4}`, with the ways of training in which these networks differ.

    Two networks that only their architecture keys tell apart are called by those.
    """
    differ = [name for name in TRAINED_ALIKE if name in networks and len(distinct(networks[name])) > 1]
    settings, labels = settings_of(networks), []
    for row in networks.astype(object).to_dict("records"):
        shape = {name: row[name] for name in settings if _is_known(row[name])}
        ways = [f"{name.replace('_', ' ')} {row[name]}" for name in differ if not pd.isna(row[name])]
        labels.append(network_label(shape) + (f" [{', '.join(ways)}]" if ways else ""))
    twice = pd.Series(labels, dtype=object).duplicated(keep=False)
    keys = networks.get("architecture_key", labels)
    return [str(key) if again else label for label, key, again in zip(labels, keys, twice, strict=True)]


def networks_table(networks: pd.DataFrame, nothing: str = "no network answers this") -> pd.DataFrame:
    """Networks with their scores and costs, and units in the headings; what no network has is left out.

    Args:
        networks: what `networks_of` gave, or a choice of its rows.
        nothing: what to say where there is no row.
    """
    if networks.empty:
        return _only(nothing)
    networks = networks.assign(seed_count=networks["seed_count"].where(networks["seed_count"] > 0))
    columns = {
        heading: [_text(value, write) for value in networks[name].astype(object)]
        for name, (heading, write) in _SHOWN.items()
        if name in networks and networks[name].notna().any()
    }
    return _headed(pd.DataFrame(columns, index=labels_of(networks)), "network")


def summary_table(records: pd.DataFrame) -> pd.DataFrame:
    """What the records are of: networks, data, training, timing, and how far seeds of one network spread."""
    networks = networks_of(records)
    spread = spread_between_seeds(records).iloc[0]
    facts = {
        "networks": f"{networks['architecture_key'].nunique():,}",
        "trained and scored": f"{int((networks['seed_count'] > 0).sum()):,}",
        "timed": f"{int(networks['latency_ms_median'].notna().sum()):,}",
    }
    asked = {"data set": "dataset", "loss": "loss", "steps": "steps", "seeds": "seed", "timed on": "host"}
    asked |= {name: name for name in ("runtime", "precision", "layout", "threads", "allocator")}
    for name, column in asked.items():
        if column in records and records[column].notna().any():
            facts[name] = ", ".join(distinct(records[column]))
    if is_number(spread["standard_deviation"]):
        networks_text = f"{spread['networks']} networks with several"
        facts["MS-SSIM between seeds"] = f"standard deviation {spread['standard_deviation']:.4f} ({networks_text})"
    return pd.DataFrame({"in these records": facts}, dtype=object)


def pairs_table(pairs: pd.DataFrame, nothing: str = "no two networks differ in it alone") -> pd.DataFrame:
    """The pairs of `effect_of`, one a row: what both have, what changes, and what that does."""
    if pairs.empty:
        return _only(nothing)
    quality, cost = _measures(pairs)
    names = [str(name) for name in pairs.columns[: list(pairs.columns).index("axis")]]
    rows = []
    for row in pairs.astype(object).to_dict("records"):
        settings = {name: row[name] for name in names if _is_known(row[name])}
        shared = ", ".join(f"{axis_name(name)} {value_name(value)}" for name, value in settings.items())
        error = row[f"{quality}_standard_error"]
        difference = _text(row[f"{quality}_difference"], lambda value: signed(value, 4)) or "not scored"
        if is_number(error):
            difference += f" ± {decimals(error, 4)}"
        rows.append(
            {
                "both have": shared,
                "change": _change(row),
                f"{axis_name(quality)}, difference": difference,
                f"{axis_name(cost)}, ratio": _text(row[f"{cost}_ratio"], _factor) or "not timed",
            }
        )
    return _headed(pd.DataFrame(rows).set_index("both have"), "both have")


def effects_table(effects: pd.DataFrame) -> pd.DataFrame:
    """The summary of `effects_of`: medians over pairs, and in brackets the lowest and the highest.

    Columns of which nothing is known are left out. Where seeds tell how far chance goes, the note has the standard
    error of a single pair's difference.
    """
    quality, cost = _measures(effects)
    of_quality, of_cost = f"{quality}_difference", f"{cost}_ratio"
    rows = []
    for row in effects.astype(object).to_dict("records"):
        pairs, error = int(row["pairs"]), row[f"{quality}_standard_error"]
        notes = [row["note"], *([f"± {decimals(error, 4)} a pair"] if is_number(error) else [])]
        rows.append(
            {
                "change": _change(row),
                "pairs": str(max(pairs, int(row["cost_pairs"])) or ""),
                f"{axis_name(quality)}, difference": _ranged(row, of_quality, lambda value: signed(value, 4)),
                "better in": f"{row['better']} of {pairs}" if pairs else "",
                f"{axis_name(cost)}, ratio": _ranged(row, of_cost, _factor),
                "note": ", ".join(note for note in notes if note),
            }
        )
    table = pd.DataFrame(rows).set_index("change")
    return _headed(table.loc[:, (table != "").any()], "change")


def shares_table(shares: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The answers of `shares_of_variance` beside each other: percent of the variance of each measure.

    Args:
        shares: for each measure's heading what `shares_of_variance` gave, all of the same axes.
    """
    tables = {heading: table.set_index("axis") for heading, table in shares.items()}
    first = next(iter(tables.values()))
    rows = []
    for axis in first.index:
        values = (str(table.loc[axis, "values"]) for table in tables.values())
        row = {"axis": axis_name(axis), "values": next(filter(None, values), "")}
        for heading, table in tables.items():
            row[heading] = _text(table.loc[axis, "share"], lambda value: f"{value:.0%}")
            row[f"{heading}, by chance"] = _text(table.loc[axis, "share_by_chance"], lambda value: f"{value:.0%}")
        notes = {heading: str(table.loc[axis, "note"]) for heading, table in tables.items()}
        same = len(set(notes.values())) == 1
        row["note"] = next(iter(notes.values())) if same else _by_heading(notes)
        rows.append(row)
    return _headed(pd.DataFrame(rows).set_index("axis"), "axis")


# --- for a text -------------------------------------------------------------------------------------------------------


def as_markdown(table: pd.DataFrame) -> str:
    """A table of texts in GitHub's Markdown: the first column to the left, the others to the right."""
    heads = [str(table.columns.name or ""), *map(str, table.columns)]
    rows = [heads, ["---", *["---:"] * len(table.columns)]]
    rows += [[str(name), *map(str, row)] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)


def as_latex(table: pd.DataFrame) -> str:
    """A table of texts in LaTeX, with the rules of the package `booktabs`, ready for a `table` environment."""
    heads = [str(table.columns.name or ""), *map(str, table.columns)]
    rows = [[str(name), *map(str, row)] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in (heads, *rows)]
    begin, end = rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}", r"\end{tabular}"
    return "\n".join([begin, r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", end]) + "\n"


#: One table for all: a character that an escape brings in must not be escaped again.
_LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", TIMES: r"$\times$"}
    | {"\N{MINUS SIGN}": "$-$", "±": r"$\pm$", "→": r"$\to$", "⁹": r"$^9$"}
)


def _latex(text: str) -> str:
    return text.translate(_LATEX)


# --- cells ------------------------------------------------------------------------------------------------------------


def _only(nothing: str) -> pd.DataFrame:
    return _headed(pd.DataFrame({"answer": [nothing]}, index=["\N{EN DASH}"]), "network")


def _headed(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows' names headed in the line of the other headings; pandas shows an index's own name in a line below."""
    return table.rename_axis(index=None, columns=name)


def _text(value: Any, write: Callable[[float], str]) -> str:
    return write(float(value)) if not pd.isna(value) else ""


def _is_known(value: Any) -> bool:
    return isinstance(value, list | dict) or not pd.isna(value)


def _factor(value: float) -> str:
    return f"{significant(value)}{TIMES}"


def _by_heading(notes: Mapping[str, str]) -> str:
    return "; ".join(f"{heading}: {note}" for heading, note in notes.items() if note)


def _measures(table: pd.DataFrame) -> tuple[str, str]:
    """The quality and the cost that a table of effects is of."""
    quality = next(name for name in table if str(name).endswith("_difference"))
    cost = next(name for name in table if str(name).endswith("_ratio"))
    return str(quality).removesuffix("_difference"), str(cost).removesuffix("_ratio")


def _change(row: Mapping[Any, Any]) -> str:
    name = axis_name(str(row["axis"]))
    if pd.isna(row["from"]):
        return name
    return f"{name} {value_name(row['from'])} → {value_name(row['to'])}"


def _ranged(row: Mapping[Any, Any], name: str, write: Callable[[float], str]) -> str:
    """The median, and the lowest and the highest where they are others."""
    middle, low, high = (_text(row[f"{name}{end}"], write) for end in ("", "_lowest", "_highest"))
    return middle if low == high else f"{middle} ({low} to {high})"
