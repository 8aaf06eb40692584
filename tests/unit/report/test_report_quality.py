"""A report that goes by another measure than MS-SSIM."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
import record_factory as make

from enhance_sweep.frontier import hypervolume, pareto_front
from enhance_sweep.records.store import RECORD_FILE, SCORES_FILE, trained_dir
from enhance_sweep.report import ReportError, gather
from enhance_sweep.report.figures.frontier import networks_figure
from enhance_sweep.report.figures.frontier_series import frontier_series
from enhance_sweep.report.figures.interactive import series_chart
from enhance_sweep.report.labels import TIMES
from enhance_sweep.report.page.page import render
from enhance_sweep.report.results.findings import findings, headline, tiles
from enhance_sweep.report.results.gather import Results

SMALL = make.plain(3, 16, 1)
#: MS-SSIM would take the small one, MDSI the paper's pick.
NETWORKS = {
    "plain": (make.BASELINE, 0.9200, 1000.0),
    "pick": (make.PROPOSED, 0.9150, 150.0),
    "small": (SMALL, 0.9300, 80.0),
}
MDSI = {"plain": 0.350, "pick": 0.340, "small": 0.380}
UNTOUCHED_MDSI = 0.370


def scored(folder: Path, missing: tuple[str, ...] = ()) -> Path:
    """The networks with MDSI beside MS-SSIM, also image by image; without it those of `missing`."""
    made = make.measured(*NETWORKS.values(), beside_ms=1000.0)
    runs = make.write(folder, made, make.SPREAD)
    trained = [one for one in made if one["kind"] == "trained"]
    for name, record in zip(NETWORKS, trained, strict=True):
        path = trained_dir(runs, record["key"]) / RECORD_FILE
        if name in missing:
            continue
        record["scores"] |= {"mdsi": MDSI[name]}
        record["untouched"] = record["untouched"] | {"mdsi": UNTOUCHED_MDSI}
        path.write_text(json.dumps(record))
        scores = trained_dir(runs, record["key"]) / SCORES_FILE
        table = pd.read_csv(scores)
        around = table["ms_ssim"] - table["ms_ssim"].mean()
        table.assign(mdsi=MDSI[name] - 0.2 * around, untouched_mdsi=UNTOUCHED_MDSI).to_csv(scores, index=False)
    return runs


@pytest.fixture
def by_mdsi(tmp_path: Path) -> Results:
    return gather(scored(tmp_path), quality="mdsi")


def test_less_is_better_on_the_frontier_in_the_tests_and_in_the_hypervolume(by_mdsi: Results) -> None:
    variants = by_mdsi.variants.set_index("label")
    pick, small = variants.loc["{3-4, 16}"], variants.loc["{3, 16, 1}"]
    assert pick["on_frontier"]
    assert not variants.loc["{3, 64, 4}", "on_frontier"]
    assert small["on_frontier"], "the fastest of all"
    assert small["below_untouched"]
    assert not pick["below_untouched"]
    assert pick["gain_mdsi"] == pytest.approx(0.03)
    assert pick["vs_baseline"] == pytest.approx(0.01), "an improvement is above 0"
    assert (pick["vs_baseline_decision"], small["vs_baseline_decision"]) == ("better", "worse")
    assert pick["beats_baseline"]
    volume = by_mdsi.evidence.hypervolume
    assert volume is not None
    # The small network is worse than the untouched input, so the pick alone spans it.
    assert volume.value == pytest.approx(0.03 * (1 - 0.15), rel=0.01)
    assert volume.low <= volume.value <= volume.high
    volume = by_mdsi.evidence.log_hypervolume
    assert volume is not None
    assert volume.value == pytest.approx(0.03 * math.log2(1 / 0.15), rel=0.01)
    assert volume.low <= volume.value <= volume.high


def test_the_measure_stands_in_words_tables_and_figures(by_mdsi: Results) -> None:
    assert headline(by_mdsi).startswith(f"{{3-4, 16}} is 6.67{TIMES} as fast as the baseline {{3, 64, 4}}")
    assert "0.001 worse in MDSI: the improvement on the same test images is +0.0100" in headline(by_mdsi)
    notes = {tile["title"]: tile["note"] for tile in tiles(by_mdsi)}
    assert notes["Best quality"].startswith("MDSI 0.3400")
    assert notes["Fastest that beats the baseline"].startswith("{3-4, 16}, MDSI improvement +0.0100")
    assert not any("MS-SSIM" in line for line in [headline(by_mdsi), *findings(by_mdsi), *notes.values()])
    series = frontier_series(by_mdsi)
    assert series is not None
    assert (series.y.title, series.y.is_reversed) == ("MDSI, less is better", True)
    assert sorted(point.y for point in series.points) == sorted(MDSI.values())
    low, high = series_chart(series)["layout"]["yaxis"]["range"]
    assert low > high
    assert all(panel.get_ylim()[0] > panel.get_ylim()[1] for panel in networks_figure(series).axes)
    files = render(by_mdsi, pictures=False)
    report = files["report.md"].decode()
    assert "Speed-up against MDSI" in report
    assert "| MDSI mean |" in report or "MDSI" in report.partition("The frontier")[2]
    variants = pd.read_csv(pd.io.common.BytesIO(files["variants.csv"]))
    assert variants.set_index("network")["mdsi"].to_dict() == pytest.approx(
        {"{3, 64, 4}": 0.35, "{3-4, 16}": 0.34, "{3, 16, 1}": 0.38}
    )


def test_where_less_is_better_worse_is_not_called_below(by_mdsi: Results, tmp_path: Path) -> None:
    said = " ".join([headline(by_mdsi), *findings(by_mdsi)])
    assert "1 of 3 networks scores worse than the untouched input (MDSI 0.3700)" in said
    tile = {tile["title"]: tile["value"] for tile in tiles(by_mdsi)}
    assert tile["Not worse than the untouched input"] == "2 of 3"
    report = render(by_mdsi, pictures=False)["report.md"].decode()
    assert "Hollow: worse than the untouched input." in report
    assert "MDSI: improvement vs. input" in report
    series = frontier_series(by_mdsi)
    assert series is not None
    legend = networks_figure(series).axes[0].get_legend_handles_labels()[1]
    assert "worse than the untouched input" in legend
    for name, record in zip(NETWORKS, by_mdsi.trained, strict=True):
        path = trained_dir(tmp_path, record.key) / RECORD_FILE
        changed = json.loads(path.read_text())
        changed["scores"]["mdsi"] = min(MDSI[name], UNTOUCHED_MDSI - 0.001)
        path.write_text(json.dumps(changed))
    better = gather(tmp_path, quality="mdsi")
    said = " ".join([headline(better), *findings(better)])
    assert "All 3 networks score no worse than the untouched input (MDSI 0.3700)" in said


def test_why_a_network_has_no_score_is_told(tmp_path: Path) -> None:
    runs = scored(tmp_path, missing=("small",))
    path = next(path for path in (runs / "trained").glob(f"*/{RECORD_FILE}") if "-k3-c16-b1-" in str(path))
    record = json.loads(path.read_text())

    def lines_with(scores: dict[str, object], quality: str) -> list[str]:
        path.write_text(json.dumps(record | {"scores": record["scores"] | scores}))
        lines = findings(gather(runs, quality=quality))
        return [line for line in lines if "trained network has no" in line]

    (line,) = lines_with({}, "mdsi")
    assert line.startswith("1 trained network has no MDSI yet and no place in the figure: run the sweep again with")
    (line,) = lines_with({"too_small_for": ["mdsi"]}, "mdsi")
    assert line.startswith("1 trained network has no MDSI (the test images are too small)")
    (line,) = lines_with({"ms_ssim": None}, "ms_ssim")
    assert line.startswith("1 trained network has no MS-SSIM (it is not a number)")


def test_trainings_without_scores_of_each_image_are_counted(tmp_path: Path) -> None:
    runs = scored(tmp_path)
    told = "is in no test and no interval: the scores of each image (scores.csv) are missing"
    assert not any(told in line for line in findings(gather(runs)))
    path = next((runs / "trained").glob(f"*k3-c16-b1*/{SCORES_FILE}"))
    path.write_bytes(path.read_bytes()[:300])
    for quality in ("ms_ssim", "mdsi"):
        assert any(line.startswith(f"1 training {told}") for line in findings(gather(runs, quality=quality)))


def test_the_papers_tables_stay_as_they_are(tmp_path: Path) -> None:
    runs = scored(tmp_path)
    usual, other = (render(gather(runs, quality=quality), pictures=False) for quality in ("ms_ssim", "mdsi"))
    for table in ("table1.csv", "table2.csv"):
        first, second = (pd.read_csv(pd.io.common.BytesIO(files[table])) for files in (usual, other))
        shared = [name for name in first if not name.startswith(("vs_baseline", "below", "on_frontier"))]
        assert list(first) == list(second)
        kept = [name for name in shared if name not in ("frontier_probability", "beats", "beaten_by")]
        pd.testing.assert_frame_equal(first[kept], second[kept])


def test_a_measure_that_only_some_networks_have_compares_those(tmp_path: Path) -> None:
    results = gather(scored(tmp_path, missing=("small",)), quality="mdsi")
    assert set(results.scored["label"]) == {"{3, 64, 4}", "{3-4, 16}"}
    assert results.evidence.comparisons == 1


def test_a_measure_that_no_network_has_is_refused(tmp_path: Path) -> None:
    runs = make.write(tmp_path, make.measured(*NETWORKS.values(), beside_ms=1000.0), make.SPREAD)
    with pytest.raises(
        ReportError, match=r"--quality haarpsi: no network .* stages=\[evaluate\], which trains nothing"
    ):
        gather(runs, quality="haarpsi")


def test_fronts_and_volumes_know_the_direction_of_a_measure() -> None:
    frame = pd.DataFrame({"latency_ms_median": [1.0, 2.0, 3.0], "validation_mdsi": [0.3, 0.2, 0.25]})
    assert list(pareto_front(frame, quality="validation_mdsi").index) == [0, 1]
    volume = hypervolume(frame, 4.0, 0.35, quality="validation_mdsi")
    assert volume == pytest.approx(0.05 * 3 + 0.1 * 2)
