"""The tables: their columns, why a cell is empty, how many rows there are; figures against others' arithmetic.

What the tables hold as a whole is compared in `test_report_golden`.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
import record_factory as make

from enhance_sweep.config import compose_settings
from enhance_sweep.measures import MEASURES
from enhance_sweep.report import labels
from enhance_sweep.report.tables import columns
from enhance_sweep.report.tables import networks as tables
from enhance_sweep.report.tables.model import MOST_ROWS, Cell, Column, Row, Table, csv_names, shown_columns


def rows_of(text: str) -> dict[str, dict[str, str]]:
    return {row["network"]: row for row in csv.DictReader(io.StringIO(text))}


# --- columns ----------------------------------------------------------------------------------------------------------

LISTS = [
    columns.networks_columns(MEASURES["ms_ssim"]),
    columns.CHALLENGE,
    columns.RUNTIMES,
    columns.EXPORTS,
    columns.CLAIMS,
]


@pytest.mark.parametrize("listed", LISTS, ids=["networks", "challenge", "runtimes", "exports", "claims"])
def test_a_column_is_listed_once_and_what_a_page_shows_is_in_the_csv(listed: Sequence[Column]) -> None:
    keys = [column.key for column in listed]
    assert len(keys) == len(set(keys))
    for column in listed:
        assert set(column.of) <= set(keys)
        assert column.paper in {"", *keys}
    for table, file in (("table1", "table1"), ("table2", "table2"), ("others", "variants")):
        shown = [column.key for column in shown_columns(listed, table)]
        assert set(shown) <= set(csv_names(listed, file))


def test_columns_of_one_group_stand_together_and_share_a_reason() -> None:
    listed = [Column("a", "One", "x"), Column("b", "Two", "y"), Column("c", "One", "z"), Column("d")]
    shown = shown_columns(listed)
    assert [column.key for column in shown] == ["a", "c", "b"]
    missing = Cell("no record", missing=True)
    table = Table("", shown, (Row("n", "", (missing, missing, missing)),))
    assert table.groups == [("One", ("x", "z")), ("Two", ("",))]
    spans = [(span, kinds) for _, span, kinds in table.spans(table.rows[0])]
    assert spans == [(2, "start missing"), (1, "start missing")]


@pytest.mark.parametrize(
    ("value", "text"), [(2.0, "2.0"), (float("nan"), None), (float("inf"), None), (None, None), ("x", "x")]
)
def test_what_is_no_number_is_missing(value: float | str | None, text: str | None) -> None:
    assert Column("a", "A", missing="why").cell({"a": value}) == (Cell("why", True) if text is None else Cell(text))


# --- networks ---------------------------------------------------------------------------------------------------------


def test_a_gain_over_an_input_without_a_score_says_so(tmp_path: Path) -> None:
    results = make.results_of(tmp_path, make.trained(make.PROPOSED, 0.9, untouched=None))
    (row,) = tables.frontier_shown(results).rows
    assert [cell.text for cell in row.cells].count("input not scored") == 2


#: What records say of a training by the paper's recipe.
RECIPE = {
    "batch_size": 50,
    "crop_size": 100,
    "content": "vgg19",
    "learning_rate": 5e-4,
    "schedule": "constant",
    "augment": False,
    "precision": "fp32",
}


def test_the_report_and_the_recipe_say_the_same_of_the_paper() -> None:
    settings, pick = (compose_settings([f"recipe={name}"]) for name in ("paper", "paper_pick"))
    recipe = vars(settings.trainer) | {"content": settings.content["name"]}
    assert {name: recipe[name] for name in tables._RECIPE} == tables._RECIPE
    sizes = {"steps": recipe["max_steps"], "batch": recipe["batch_size"], "crop": recipe["crop_size"]}
    assert {"pairs": 160_000, **sizes, "longer": pick.trainer.max_steps} == tables._PAPERS


def conditions(folder: Path, **learned: object) -> str:
    """The line of a report on the paper's pick, trained by its recipe but for `learned`."""
    made = make.trained(
        make.PROPOSED, 0.92, loss="paper", steps=40_000, learned_from=RECIPE | learned, data={"train_pairs": 160_000}
    )
    return tables.conditions(make.results_of(folder, made))


def test_only_what_differs_from_the_paper_is_called_different(tmp_path: Path) -> None:
    assert conditions(tmp_path / "alike") == ""
    assert conditions(tmp_path / "named", start="dped_code", averaging=False) == ""
    line = tables.conditions(make.results_of(tmp_path / "other", make.trained(make.PROPOSED, 0.92)))
    for name in ("data: dped-iphone, the paper", "steps: 1,200 of 16 crops of 100x100, the paper", "loss: fidelity"):
        assert name in line


@pytest.mark.parametrize(
    ("learned", "said"),
    [
        ({"content": "efficientnet_lite0"}, "content network: efficientnet_lite0, the paper: VGG-19"),
        ({"content": None}, "content network: none, the paper: VGG-19"),
        ({"learning_rate": 2e-3}, "learning rate: 0.002, the paper: 0.0005"),
        ({"schedule": "one_cycle"}, "schedule: one_cycle, the paper: constant"),
        ({"start": "identity"}, "initial weights: identity, the paper: dped_code"),
        ({"averaging": True}, "averaged weights: yes, the paper: no"),
        ({"augment": True}, "augmentation: yes, the paper: no"),
        ({"saturation": 0.3, "exposure_ev": 0.0}, "augmentation: yes, the paper: no"),
        ({"precision": "bf16"}, "precision: bf16, the paper: fp32"),
    ],
)
def test_each_setting_that_is_not_the_papers_is_named_alone(
    tmp_path: Path, learned: dict[str, object], said: str
) -> None:
    assert conditions(tmp_path, **learned) == f"Different from the paper: {said}."


def test_what_differs_in_some_networks_only_is_named_with_all_its_values(tmp_path: Path) -> None:
    changes = ({}, {"augment": True, "precision": "bf16"})
    made = [
        make.trained(
            architecture, 0.92, loss="paper", steps=25_000, learned_from=RECIPE | one, data={"train_pairs": 160_000}
        )
        for architecture, one in zip((make.PROPOSED, make.BASELINE), changes, strict=True)
    ]
    line = tables.conditions(make.results_of(tmp_path, *made))
    assert (
        line == "Different from the paper: augmentation: some, the paper: no; precision: bf16, fp32, the paper: fp32."
    )


def test_very_many_variants_are_cut_on_the_page_and_whole_in_the_csv(tmp_path: Path) -> None:
    made = [make.trained(make.plain(3, c, b), 0.8 + c * 1e-3 + b * 1e-4) for c in range(201, 261) for b in range(1, 6)]
    results = make.results_of(tmp_path, *made)
    shown = tables.others_shown(results)
    assert len(shown.rows) == MOST_ROWS
    assert shown.left_out == 300 - MOST_ROWS
    assert len(rows_of(tables.variants_csv(results))) == 300
    best = max(made, key=lambda record: record["scores"]["ms_ssim"])
    assert labels.network_label(best["architecture"]) in {row.name for row in shown.rows}
