"""Tables to read: every figure is there, rounded and with its unit, and a gap says why it is one."""

from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from enhance_sweep import notebook as show
from enhance_sweep import what_if
from enhance_sweep.report.labels import MINUS, TIMES


def test_networks_have_their_figures_with_units(photos: pd.DataFrame) -> None:
    table = show.networks_table(what_if.networks_of(photos))
    row = photos.set_index(["channels", "blocks"]).loc[(64, 4)]
    figures = ["PSNR, dB", "seeds", "peak memory, MiB"]
    assert list(table.columns) == [
        "MS-SSIM",
        *figures[:2],
        "latency, ms",
        figures[2],
        "parameters",
        "multiply-adds, 10⁹",
    ]
    shown = table.loc["{3, 64, 4}"].drop(figures).tolist()
    assert shown == [f"{row['ms_ssim']:.4f}", f"{row['latency_ms_median']:,.0f}", "401,475", "368"]


def test_what_no_network_has_is_left_out(timing: pd.DataFrame) -> None:
    table = show.networks_table(what_if.networks_of(timing))
    assert not {"MS-SSIM", "PSNR, dB", "seeds"} & set(table.columns)
    assert "{4-4, 32} PReLU" in table.index
    assert len(table) == 24


def test_an_empty_answer_is_a_sentence(photos: pd.DataFrame) -> None:
    table = show.networks_table(what_if.best_within(photos, max_latency_ms=1), "none is that fast")
    assert table["answer"].tolist() == ["none is that fast"]
    pairs = show.pairs_table(what_if.effect_of(photos, "prelu"), "none has PReLU")
    assert pairs["answer"].tolist() == ["none has PReLU"]


def test_networks_trained_in_several_ways_are_told_apart(photos: pd.DataFrame) -> None:
    longer = photos.assign(steps=600, key=photos["key"] + "-longer")
    labels = show.networks_table(what_if.networks_of(pd.concat([photos, longer]))).index
    assert {"{3, 16, 1} [steps 300]", "{3, 16, 1} [steps 600]"} < set(labels)
    assert len(set(labels)) == 24


def test_effects_show_median_and_range_and_why_nothing_was_compared(photos: pd.DataFrame) -> None:
    effects = what_if.effects_of(photos)
    table = show.effects_table(effects)
    row = effects[effects["from"] == 32].iloc[0]
    shown = table.loc["channels 32 → 64"]
    assert shown["pairs"] == "4"
    wider = photos.groupby(["channels", "blocks"])["ms_ssim"].mean()
    better = sum(wider[64, blocks] > wider[32, blocks] for blocks in range(1, 5))
    assert shown["better in"] == f"{better} of 4"
    ends = [f"{row[f'ms_ssim_difference{end}']:+.4f}".replace("-", MINUS) for end in ("", "_lowest", "_highest")]
    assert shown["MS-SSIM, difference"] == f"{ends[0]} ({ends[1]} to {ends[2]})"
    assert shown["latency, ratio"].startswith(f"{row['latency_ms_median_ratio']:.2f}{TIMES} (")
    assert table.loc["PReLU", "note"] == "not compared: False in all networks"


def test_a_pair_shows_what_both_have_and_what_is_missing(timing: pd.DataFrame) -> None:
    table = show.pairs_table(what_if.effect_of(timing, "prelu"))
    assert table.index.tolist() == ["topology strided, kernel 4, strided kernel 4, channels 32, blocks 2"]
    row = table.iloc[0]
    assert (row["change"], row["MS-SSIM, difference"]) == ("PReLU without → with", "not scored")
    assert row["latency, ratio"].endswith(TIMES)


def test_shares_stand_beside_each_other_and_notes_say_of_what(photos: pd.DataFrame, timing: pd.DataFrame) -> None:
    def shares_of(records: pd.DataFrame) -> dict[str, pd.DataFrame]:
        measures = {"MS-SSIM": "ms_ssim", "log latency": "latency_ms_median"}
        return {name: what_if.shares_of_variance(records, of=of) for name, of in measures.items()}

    shares = shares_of(photos)
    table = show.shares_table(shares)
    of_blocks = shares["MS-SSIM"].set_index("axis").loc["blocks"]
    assert table.loc["blocks", "MS-SSIM"] == f"{of_blocks['share']:.0%}"
    assert table.loc["blocks", "MS-SSIM, by chance"] == f"{of_blocks['share_by_chance']:.0%}"
    assert table.loc["topology", "MS-SSIM"] == ""
    assert table.loc["topology", "note"] == "not known: plain in all networks"
    unscored = show.shares_table(shares_of(timing))
    assert unscored.loc["channels", "note"] == "MS-SSIM: not known: no network has a value of ms_ssim"
    assert unscored.loc["channels", "values"] == "16, 32, 64, 128"


def test_the_summary_says_what_the_records_are_of(photos: pd.DataFrame, timing: pd.DataFrame) -> None:
    facts = show.summary_table(photos)["in these records"]
    assert (facts["networks"], facts["trained and scored"], facts["timed"]) == ("12", "12", "12")
    assert (facts["data set"], facts["loss"], facts["steps"]) == ("photos", "fidelity", "300")
    assert show.summary_table(timing)["in these records"]["trained and scored"] == "0"
    seeds = pd.concat([photos, photos.assign(seed=1, key=photos["key"] + "-1", ms_ssim=photos["ms_ssim"] + 0.02)])
    spread = show.summary_table(seeds)["in these records"]["MS-SSIM between seeds"]
    assert spread == "standard deviation 0.0141 (12 networks with several)"


def test_markdown_is_read_as_the_table(photos: pd.DataFrame) -> None:
    table = show.networks_table(what_if.networks_of(photos))
    tokens = MarkdownIt("commonmark").enable("table").parse(show.as_markdown(table))
    cells = [token.content for token in tokens if token.type == "inline"]
    assert cells == ["network", *table.columns, *table.reset_index().to_numpy().ravel()]
    assert sum(token.type == "tr_open" for token in tokens) == 13


def test_latex_escapes_what_latex_would_read() -> None:
    table = pd.DataFrame({"MS-SSIM, 50% & more_": [f"{MINUS}0.0016 ± 0.0039"]}, index=["{3, 16} → ^~\\"])
    table.columns.name = "network"
    first, _, names, _, row, *_, last = show.as_latex(table).splitlines()
    assert (first, last) == (r"\begin{tabular}{lr}", r"\end{tabular}")
    assert names == r"network & MS-SSIM, 50\% \& more\_ \\"
    assert row == r"\{3, 16\} $\to$ \textasciicircum{}\textasciitilde{}\textbackslash{} & $-$0.0016 $\pm$ 0.0039 \\"


def test_latex_of_the_answers_holds_nothing_but_ascii(photos: pd.DataFrame) -> None:
    for table in (show.effects_table(what_if.effects_of(photos)), show.networks_table(what_if.networks_of(photos))):
        show.as_latex(table).encode("ascii")


def test_export_writes_all_digits_and_tables_to_read(photos: pd.DataFrame, tmp_path: Path) -> None:
    networks = what_if.networks_of(photos)
    frames, tables = {"networks": networks}, {"networks": show.networks_table(networks)}
    files = show.export(tmp_path / "new", frames, tables)
    assert [file.name for file in files] == ["networks.csv", "networks.md", "networks.tex"]
    read = pd.read_csv(tmp_path / "new" / "networks.csv")
    assert read["ms_ssim"].tolist() == networks["ms_ssim"].tolist()
    assert (tmp_path / "new" / "networks.md").read_text().count("\n") == 14
    assert (tmp_path / "new" / "networks.tex").read_text().count(r"\\") == 13


def test_the_first_folder_that_is_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    assert show.first_existing(tmp_path / "a", tmp_path / "b", tmp_path) == tmp_path / "b"
    with pytest.raises(FileNotFoundError, match=r"expected a folder of runs at one of .*/a, .*/c"):
        show.first_existing(tmp_path / "a", tmp_path / "c")
