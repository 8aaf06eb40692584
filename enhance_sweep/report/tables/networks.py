"""The tables of networks: the paper's two with ours beside, the frontier, all other variants; shown and as CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from enhance_sweep.paper import BASELINE_SLUG, PROPOSED_SLUG, published_table
from enhance_sweep.records.schema import ARCHITECTURE_COLUMNS, LearnedFrom
from enhance_sweep.report.labels import decimals, is_number, network_label
from enhance_sweep.report.results.color import color_tag_of
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.references import references
from enhance_sweep.report.results.variants import best_in_order, differing, in_order, plain_rows
from enhance_sweep.report.tables.columns import (
    PANEL_COLUMNS,
    REFERENCES,
    networks_columns,
    setting_column,
    why_not_timed,
)
from enhance_sweep.report.tables.model import (
    MOST_ROWS,
    NO_RECORD,
    Cell,
    Column,
    Facts,
    Row,
    Table,
    csv_names,
    csv_text,
    cut,
    shown_columns,
    to_csv,
)
from enhance_sweep.report.words import phrase
from enhance_sweep.stats.rank_agreement import FEWEST_RANKED, kendall_tau

AGREEMENT = "Rank agreement (Kendall's tau)"


# --- shown ------------------------------------------------------------------------------------------------------------


def published_shown(results: Results, table: int) -> Table:
    """Table 1 or 2 of the paper, every row of it, with ours beside."""
    columns = tuple(
        replace(column, title="ours") if column.title in ("median", "mean") else column
        for column in shown_columns(networks_columns(results.quality), f"table{table}", _hidden(results))
    )
    others = int(results.variants["published"].isna().sum())
    facts = _published_facts(results, table)
    kind = "plain networks {kernel, channels, blocks}" if table == 1 else "strided networks {kernel-strided, channels}"
    return Table(
        f"Table {table}: {kind}",
        columns,
        tuple(_row(columns, one) for one in facts),
        footer=_agreement(columns, facts),
        notes=tuple(filter(None, [conditions(results), phrase("notes", "papers_alone", {"others": others})])),
    )


def frontier_shown(results: Results) -> Table:
    """The networks on the frontier, fastest first."""
    return cut(_own_table("The frontier", results, results.frontier))


def others_shown(results: Results) -> Table:
    """Every variant that is not in the paper's tables; of too many the frontier's and the best."""
    others = results.variants[results.variants["published"].isna()]
    kept = best_in_order(others, MOST_ROWS, results.quality)
    return _own_table("Other variants", results, kept, left_out=len(others) - len(kept))


def references_shown(results: Results) -> Table:
    """Networks that were not trained here, on the same test images."""
    columns = shown_columns(REFERENCES)
    rows = tuple(Row.of(columns, vars(one), one.name) for one in references(results))
    return Table("Other networks on these test images", columns, rows, words=True)


def _own_table(title: str, results: Results, variants: pd.DataFrame, left_out: int = 0) -> Table:
    columns = shown_columns(networks_columns(results.quality), "others", _hidden(results))
    columns += tuple(map(setting_column, differing(variants, results.settings)))
    rows = tuple(_row(columns, facts) for facts in plain_rows(variants.assign(network=variants["label"])))
    return Table(title, columns, rows, left_out)


def _row(columns: Sequence[Column], facts: Facts) -> Row:
    tag = {BASELINE_SLUG: "baseline", PROPOSED_SLUG: "the paper's pick"}.get(facts["slug"], "")
    flagged = "timing flagged" if facts.get("timing_flags") else ""
    return Row.of(columns, facts, str(facts["network"]), tag, color_tag_of(facts), flagged)


def _hidden(results: Results) -> set[str]:
    """The columns that are empty, or the same for all networks."""
    variants, sure = results.variants, results.evidence.images > 0
    known = variants.notna().any()
    scored = len(results.scored) > 0
    shown = {
        ("speed_up_low",): known["speed_up_low"],
        ("roof_share",): known["roof_share"],
        ("paper_psnr_db", "psnr_db", "gain_psnr_db", "psnr_db_over_paper"): scored,
        ("paper_ms_ssim", "ms_ssim", "gain_ms_ssim", "ms_ssim_over_paper"): scored,
        ("ms_ssim_error",): scored and sure,
        ("vs_baseline", "vs_baseline_low", "vs_baseline_decision"): sure and known["vs_baseline"],
        ("frontier_probability",): sure and known["frontier_probability"],
        ("beats", "beaten_by"): sure and results.evidence.compared > 1,
        ("steps", "seeds"): bool(results.trained),
        ("condition",): len(results.training_conditions) > 1,
        ("timing",): len(results.timing_conditions) > 1,
    }
    return {key for keys, is_shown in shown.items() if not is_shown for key in keys}


def _agreement(columns: Sequence[Column], rows: Sequence[Facts]) -> Row | None:
    """The last row: how well our columns agree with the paper's order; None if that cannot be computed."""
    cells = []
    for column in columns:
        both = [(f[column.paper], f[column.key]) for f in rows if column.paper and is_number(f.get(column.key))]
        tau = kendall_tau(*zip(*both, strict=True)) if len(both) >= FEWEST_RANKED else None
        cells.append(Cell(decimals(tau, 2) if is_number(tau) else ""))
    return Row(AGREEMENT, "", tuple(cells)) if any(cell.text for cell in cells) else None


# --- what differs from the paper --------------------------------------------------------------------------------------

#: How the paper trained: pairs of its data set, generator steps (its pick's last), batch and crop.
_PAPERS = {"pairs": 160_000, "steps": 25_000, "longer": 40_000, "batch": 50, "crop": 100}
#: The rest of its recipe (conf/recipe/paper.yaml), as records name it.
_RECIPE = {
    "content": "vgg19",
    "learning_rate": 5e-4,
    "schedule": "constant",
    "start": "dped_code",
    "averaging": False,
    "augment": False,
    "precision": "fp32",
}
#: Settings that are on where they are not false or 0: turns and flips, and changes of color.
_AUGMENTATIONS = ("augment", "permute_channels", "channel_gains_ev", "saturation", "exposure_ev")


def conditions(results: Results) -> str:
    """How the runs differ from the paper's, for a line under its tables; empty if they do not."""
    # Published weights were not trained here.
    learned = [record.learned_from for record in results.trained if "weights" not in record.learned_from]
    pairs = _all_alike([record.data for record in results.trained if record.data], "train_pairs")
    batch, crop, steps = _all_alike(learned, "batch_size"), _all_alike(learned, "crop_size"), results.steps
    as_long = set(steps) <= {_PAPERS["steps"], _PAPERS["longer"]}
    timed = [(one.environment, one.measurement.threads) for one in results.timed]
    teachers = {str(one.teacher or "nobody") for one in learned}
    facts = {
        "paper": _PAPERS,
        "dataset": results.dataset if results.dataset != "dped-iphone" or pairs != _PAPERS["pairs"] else None,
        "pairs": pairs,
        "steps": steps if not (as_long and (batch, crop) == (_PAPERS["batch"], _PAPERS["crop"])) else [],
        "batch": batch,
        "crop": crop,
        "loss": results.loss if results.loss != "paper" else None,
        "recipe": _RECIPE,
        "other": _other_than_recipe(learned),
        "teachers": [] if teachers == {"nobody"} else sorted(teachers),
        "machines": sorted({(one.cpu or "unknown", threads) for one, threads in timed if one}),
    }
    return phrase("notes", "conditions", facts)


def _other_than_recipe(learned: Sequence[LearnedFrom]) -> dict[str, list[Any]]:
    """All values of each setting that is not the paper's everywhere, none of others; what records lack is left out."""
    values = {name: {one[name] for one in learned if one.get(name) is not None} for name in _RECIPE}
    values |= {
        "content": {one.content or "none" for one in learned},
        "start": {one.start for one in learned},
        "averaging": {one.averaging for one in learned},
        "augment": {any(one.get(name) for name in _AUGMENTATIONS) for one in learned if "augment" in one},
    }
    return {name: sorted(found) if found - {_RECIPE[name]} else [] for name, found in values.items()}


def _all_alike(mappings: Sequence[Mapping[str, Any]], name: str) -> Any:
    values = {str(one.get(name)): one.get(name) for one in mappings}
    return next(iter(values.values())) if len(values) == 1 else None


# --- rows and CSV -----------------------------------------------------------------------------------------------------


def _published_facts(results: Results, table: int) -> list[dict[str, Any]]:
    """Each row of the paper's table with our variant of it; once per training condition where there are several."""
    ours = plain_rows(results.variants[results.variants["published"] == table].sort_values("condition", kind="stable"))
    rows = []
    for paper in published_table(table).to_dict("records"):
        for variant in [one for one in ours if one["slug"] == paper["slug"]] or [{}]:
            facts = {**paper["architecture"], **variant, "slug": paper["slug"]}
            facts |= {f"paper_{name}": paper[name] for name in ("time_s", "speed_up", "psnr_db", "ms_ssim")}
            for name in ("psnr_db", "ms_ssim"):
                facts[f"{name}_over_paper"] = facts[name] - paper[name] if is_number(facts.get(name)) else None
            facts["timed"] = "completed" if facts.get("timing") else why_not_timed(facts)
            facts |= {"trained": facts.get("trained") or NO_RECORD, "network": network_label(paper["architecture"])}
            if not is_number(facts.get(results.quality.name)):
                facts |= {"below_untouched": None, "on_frontier": None}
            rows.append(facts)
    return rows


def published_csv(results: Results, table: int) -> str:
    """Table 1 or 2 for a spreadsheet: the paper's figures as `paper_...`, ours under the records' names."""
    return to_csv(networks_columns(results.quality), _published_facts(results, table), f"table{table}")


def variants_csv(results: Results) -> str:
    """Every variant, the published ones included, under the records' names; further settings behind the paper's."""
    # Column by column: row by row, thousands of networks took a tenth of the report's time.
    variants = in_order(results.variants)
    scored = variants[results.quality.name].notna()
    flags = (variants[name].fillna(False).astype(bool) for name in ("timed_elsewhere", "timing_failed"))
    why_not = [why_not_timed({"timed_elsewhere": e, "timing_failed": f}) for e, f in zip(*flags, strict=True)]
    table = variants.assign(
        network=variants["label"],
        published_table=variants["published"],
        trained=variants["trained"].fillna(NO_RECORD),
        timed=pd.Series(why_not, index=variants.index).where(variants["timing"].isna(), "completed"),
        **{name: variants[name].astype(object).where(scored, None) for name in ("below_untouched", "on_frontier")},
    )
    unknown = {name for name in (*PANEL_COLUMNS, "roof_share") if table[name].isna().all()}
    names = [name for name in csv_names(networks_columns(results.quality), "variants") if name not in unknown]
    after = names.index(ARCHITECTURE_COLUMNS[-1]) + 1
    names[after:after] = results.settings
    return csv_text(table.reindex(columns=names))
