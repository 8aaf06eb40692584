"""The report as a reader gets it: the page, the Markdown, the folder, the command."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import record_factory as make
from markdown_it import MarkdownIt

from enhance_sweep.report import ReportError, __main__, default_out, gather, write_report
from enhance_sweep.report.page import output
from enhance_sweep.report.page.page import PAGE, escape_markdown, render
from enhance_sweep.report.results import findings
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.tables import claims
from enhance_sweep.report.tables import networks as tables

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """A page's text, tables, ids, links and images; raises where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.words: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.spans: list[int] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1] += [""] * int(dict(attrs).get("colspan") or 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            self.scripts.append(data)
        if {"style", "title", "script"} & set(self.open):
            return
        self.words.append(data)
        cell = {"td", "th"} & set(self.open)
        if cell and self.open[-1] in ("td", "th", "button", "strong") and self.tables:
            self.tables[-1][-1][-1] += data

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script works on."""
        (text,) = (text for text in self.scripts if text.startswith('{"charts"'))
        data: dict[str, Any] = json.loads(text)
        return data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, name: str) -> list[str]:
        return [str(attributes[name]) for _, attributes in self.tags if name in attributes]


def page_of(results: Results) -> Page:
    """Without pictures: for tests of words."""
    return Page(render(results, pictures=False)[PAGE].decode())


#: A network of two convolutions, for pictures of it.
SAME = {"kind": "Conv2d", "kernel_size": 9, "stride": 1, "height": 720, "width": 1280, "parameters": 9, "macs": 10**9}
ENDS = (("head.0", 3, 16), ("output", 16, 3))
LAYERS = [{"name": name, "in_channels": before, "out_channels": after, **SAME} for name, before, after in ENDS]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, dict[str, bytes]]:
    """The report of every published variant and two others, one of them timed in two ways."""
    made = [record | {"description": record["description"] | {"layers": LAYERS}} for record in make.whole_records()]
    results = gather(make.write_with_curves(tmp_path_factory.mktemp("runs"), made))
    return results, render(results)


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_nests_and_stands_alone(whole: tuple[Results, dict[str, bytes]]) -> None:
    text = whole[1][PAGE].decode()
    parsed = Page(text)
    assert not any(tag in ("iframe", "object", "embed") for tag, _ in parsed.tags)
    loaded = parsed.attributes("src") + [a["href"] or "" for t, a in parsed.tags if t == "link"]
    assert all(place.startswith("data:") for place in loaded)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    ids = parsed.attributes("id")
    assert len(ids) == len(set(ids))
    links = [str(a["href"]) for tag, a in parsed.tags if tag == "a"]
    assert set(links) == set(whole[1]) - {PAGE}, "every file that is written, and no other place"


def test_the_page_has_the_markdowns_tables_cell_by_cell(whole: tuple[Results, dict[str, bytes]]) -> None:
    """Which `test_report_golden` compares with what is expected."""
    page = Page(whole[1][PAGE].decode())
    shown = Page(MarkdownIt("commonmark").enable("table").render(whole[1]["report.md"].decode()))
    assert len(page.tables) == len(shown.tables) == 11
    for on_page, in_markdown in zip(page.tables, shown.tables, strict=True):
        rows = on_page[-len(in_markdown) + 1 :]
        for row, other in zip(rows, in_markdown[1:], strict=True):
            assert other[0].startswith(row[0])
            # Neighbours that are missing for the same reason are one cell of the page.
            assert [ours for ours, theirs in zip(row[1:], other[1:], strict=True) if ours and ours != theirs] == []
    assert {str(a["src"]) for tag, a in shown.tags if tag == "img"} == {n for n in whole[1] if n.endswith(".png")}


def test_every_chart_of_the_page_is_there_to_be_drawn(whole: tuple[Results, dict[str, bytes]]) -> None:
    parsed = Page(whole[1][PAGE].decode())
    places = [a for _, a in parsed.tags if "data-chart" in a]
    assert {str(a["data-chart"]) for a in places} == set(parsed.data["charts"])
    assert len(places) == 7
    assert all(a["role"] == "figure" and len(str(a["aria-label"])) > 40 for a in places)


def test_every_network_of_the_tables_opens(whole: tuple[Results, dict[str, bytes]]) -> None:
    results, files = whole
    parsed = Page(files[PAGE].decode())
    networks = parsed.data["networks"]
    opened = {str(a["data-row"]) for tag, a in parsed.tags if tag == "button" and "data-row" in a}
    assert opened == set(networks) == {str(row) for row in results.variants.index}
    (network,) = (one for one in networks.values() if one["label"] == "{3-4, 16}")
    facts = dict(network["facts"])
    assert (facts["Speed-up"][:3], facts["Loss"]) == ("6.3", "fidelity")
    assert set(network["curves"]) == {"ms_ssim", "psnr_db", "loss"}
    assert len(network["rounds"]) == 9


def test_every_file_is_there_and_named_as_promised(whole: tuple[Results, dict[str, bytes]]) -> None:
    files = whole[1]
    drawn = ("figure1", "figure2", "figure2_intervals", "figure2_paper", "figure3", "architecture_1", "architecture_2")
    drawn += ("speed", "quality", "quality_psnr", "losses")
    tables = ("table1", "table2", "table3", "variants", "claims", "runtimes", "exports", "hypervolume")
    tables += ("families", "options", "changes")
    expected = {f"{name}.{suffix}" for name in drawn for suffix in ("png", "svg")} | {f"{name}.csv" for name in tables}
    assert set(files) == expected | {"report.md", PAGE}
    assert list(files)[-1] == PAGE
    assert all(files[name].startswith(b"\x89PNG") for name in files if name.endswith(".png"))
    assert all(b"<svg" in files[name] for name in files if name.endswith(".svg"))


def test_the_same_records_give_the_same_page(tmp_path: Path) -> None:
    runs = make.write(tmp_path, [make.trained(make.PROPOSED, 0.9)])
    assert render(gather(runs)) == render(gather(runs))


# --- what is said -----------------------------------------------------------------------------------------------------


def test_where_the_baseline_is_below_the_input_it_is_no_measure_of_good_enough(tmp_path: Path) -> None:
    below = ((make.BASELINE, 0.85, 1000.0), (make.plain(3, 16, 1), 0.855, 100.0))
    made = make.measured(*below, (make.PROPOSED, 0.87, 250.0))
    tiles = {tile["title"]: (tile["value"], tile["note"]) for tile in findings.tiles(make.results_of(tmp_path, *made))}
    value, note = tiles["Fastest that is not below the untouched input"]
    assert value == "4.00\N{MULTIPLICATION SIGN}"
    assert note == "{3-4, 16}, MS-SSIM +0.0087 against the untouched input"
    assert len(tiles) == 3


def said(results: Results) -> str:
    return " ".join([findings.headline(results), *findings.findings(results)])


LAPTOP: dict[str, Any] = {"measurement": {"host": "laptop"}}
SMALL = [make.plain(3, 16, blocks) for blocks in (1, 2)]
SCENARIOS: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "one variant": (
        make.measured((make.PROPOSED, 0.9233, 300.0)),
        ["The one network scores at or above", "the baseline {3, 64, 4} is not timed", "stages=[time]"],
    ),
    "all failed": (
        [make.failed(network, "the loss is NaN at step 7") for network in SMALL],
        ["No network has a score yet", "2 training runs failed"],
    ),
    "timed by the challenge's rules alone": (
        [make.challenge(make.SRCNN, 1.0), make.challenge(make.PROPOSED, 0.8)],
        ["2 networks timed by the challenge's rules alone (Table 3), none scored"],
    ),
    "half-finished": (
        [*make.measured((make.PROPOSED, 0.92, None), (make.BASELINE, None, 900.0)), make.running(make.BASELINE)],
        ["1 training run is unfinished", "No scored network is timed"],
    ),
    "trained but not timed": (
        make.measured((make.PROPOSED, 0.92, None), (make.BASELINE, 0.91, None)),
        ["Nothing is timed, so there are no speed-ups"],
    ),
    "timed but not trained": (
        make.measured((make.PROPOSED, None, 300.0), (make.BASELINE, None, 1500.0)),
        ["2 networks timed, none scored", "Of the paper's 24 networks, 0 have a score and 2 a speed here"],
    ),
    "the baseline on another host": (
        [*make.measured(*((network, 0.9, 300.0) for network in SMALL)), make.timed(make.BASELINE, 900.0, **LAPTOP)],
        ["the baseline {3, 64, 4} is not timed on the same host with the same measurement"],
    ),
    "scores that are no numbers": (
        [make.trained(make.PROPOSED, float("nan"), float("nan")), make.timed(make.PROPOSED, 300.0)],
        ["1 trained network has no MS-SSIM"],
    ),
    "without the untouched scores": (
        [make.trained(make.PROPOSED, 0.9, untouched=None)],
        ["the records do not hold the untouched input's own score"],
    ),
    "bare records": (
        [make.trained(make.PROPOSED, 0.9, environment={}, quality=[], data=None, train_wall_s=None)],
        ["The one network scores"],
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_state_of_the_runs_makes_a_sensible_page(tmp_path: Path, scenario: str) -> None:
    made, sentences = SCENARIOS[scenario]
    results = make.results_of(tmp_path, *made)
    parsed = page_of(results)
    for sentence in sentences:
        assert sentence in said(results)
        assert sentence in parsed.text
    assert sum(len(table) - 2 for table in parsed.tables if len(table) - 2 in (7, 17)) == 24
    no_words = r"\b(nan|None(?! of (our|those) networks)|NaT|<NA>|inf)\b"
    assert not re.search(no_words, parsed.text.replace("NaN at step", ""))


# --- escaping ---------------------------------------------------------------------------------------------------------

ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 1234567*8 }}"


def test_nothing_from_records_becomes_markup(tmp_path: Path) -> None:
    odd, where = {ATTACK: ATTACK}, {"dataset": ATTACK, "loss": ATTACK}
    environment = make.ENVIRONMENT | {"cpu": ATTACK, "git_commit": ATTACK, "versions": odd}
    architecture = {"topology": ATTACK, "kernel_size": 3, "channels": 4, **odd}
    made = [
        make.trained(architecture, 0.9, learned_from=odd, environment=environment, data=odd, **where),
        make.failed(make.BASELINE, ATTACK, **where),
        make.timed(make.BASELINE, 100.0, measurement={"host": ATTACK}),
    ]
    files = render(make.results_of(tmp_path, *made))
    parsed = Page(files[PAGE].decode())
    assert sum(tag == "script" for tag, _ in parsed.tags) == 3, "the page's own"
    assert not any("onerror" in attributes or tag == "img" for tag, attributes in parsed.tags)
    assert ATTACK in parsed.text
    assert ATTACK in json.dumps(parsed.data["networks"], ensure_ascii=False).replace('\\"', '"')
    hover = str(parsed.data["charts"]["figure2"]["data"][-1]["hovertext"])
    assert "&lt;script&gt;" in hover
    assert "<script" not in hover, "plotly.js takes some tags for markup"
    assert "9876536" not in parsed.text, "no template in a template"
    assert "<script" not in files["figure2.svg"].decode()
    shown = Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(files["report.md"].decode()))
    assert not any(tag == "script" or "onerror" in attributes for tag, attributes in shown.tags)
    assert "<script>alert(1)</script>" in shown.text


@pytest.mark.parametrize(
    "text", ["a|b", "*x*", "_y_", "[l](http://z)", "`c`", "<b>", "&amp;", "# h", "1 ~~2~~ $3$", "a\nb"]
)
def test_markdown_shows_what_was_meant(text: str) -> None:
    table = f"| {escape_markdown(text)} | x |\n| - | - |\n"
    shown = Page(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(table))
    assert shown.tables[0][0][0].strip() == " ".join(text.split())


#: What is said where: of what a reader can do, and of what only the drawn figures have.
ON_PAGE, IN_PICTURE = ("Choose a point", "Zoom out", "Thick:"), ("upper axis", "Dotted: one ratio of ours")


def test_what_the_page_and_the_markdown_say_of_a_figure_is_true_there(whole: tuple[Results, dict[str, bytes]]) -> None:
    page, markdown = Page(whole[1][PAGE].decode()).text, whole[1]["report.md"].decode()
    places = {words: (words in page, words in markdown) for words in (*ON_PAGE, *IN_PICTURE)}
    assert places == dict.fromkeys(ON_PAGE, (True, False)) | dict.fromkeys(IN_PICTURE, (False, True))


def pair_of(ours: float, **changes: Any) -> list[dict[str, Any]]:
    return [make.trained(make.BASELINE, 0.92), make.trained(make.PROPOSED, ours, **changes)]


TIMES_MS = [(make.BASELINE, None, 10_080.0), (make.PROPOSED, None, 1600.0)]
CAREFUL = make.measured(*TIMES_MS, beside_ms=10_080.0)


def test_what_was_trained_otherwise_is_marked_wherever_it_is_named(tmp_path: Path) -> None:
    made = [*pair_of(0.93, steps=2400), make.trained(SMALL[0], 0.91), *CAREFUL]
    results = make.results_of(tmp_path, *made, spread=make.SPREAD)
    assert findings.headline(results).startswith("{3-4, 16} (trained as B) is 6.30")
    assert "the baseline {3, 64, 4} (trained as A) and" in findings.headline(results)
    assert findings.tiles(results)[0]["value"] == "{3-4, 16} (trained as B)"
    assert "The fastest is {3-4, 16} (trained as B)" in said(results)


def test_without_intervals_of_speed_nothing_is_said_to_beat_nothing(tmp_path: Path) -> None:
    results = make.results_of(tmp_path, *pair_of(0.93), *make.measured(*TIMES_MS), spread=make.SPREAD)
    assert "Whether any network beats the baseline" in said(results)
    assert "is not tested here" in said(results)
    assert "No network beats" not in said(results)


def test_claims_say_what_their_intervals_cover(tmp_path: Path) -> None:
    made = [*pair_of(0.92), *CAREFUL]
    assert "not of seeds" in page_of(make.results_of(tmp_path / "once", *made, spread=make.SPREAD)).text
    made.append(make.trained(make.PROPOSED, 0.921, seed=1))
    several = make.results_of(tmp_path / "several", *made, spread=make.SPREAD)
    assert "images and of seeds." in page_of(several).text
    assert "Of several seeds, the first." in page_of(several).text
    untimed = make.results_of(tmp_path / "untimed", *pair_of(0.92), spread=make.SPREAD)
    assert "logarithm of multiply-adds" in page_of(untimed).text
    assert all("time" not in claim.measured for claim in claims.claims(untimed))


# --- the folder -------------------------------------------------------------------------------------------------------


def small(tmp_path: Path) -> Path:
    return make.write(tmp_path / "runs", [make.trained(make.PROPOSED, 0.9, quality=[])])


def test_an_older_report_is_replaced_and_what_others_put_there_stays(tmp_path: Path) -> None:
    out = tmp_path / "reports" / "mine"
    out.mkdir(parents=True)
    write_report(make.results_of(tmp_path / "older", make.trained(make.PROPOSED, 0.9)), out)
    assert (out / "quality.png").exists()
    (out / "notes.txt").write_text("old")
    assert write_report(gather(small(tmp_path)), out) == out / PAGE
    assert (out / "notes.txt").read_text() == "old"
    assert not (out / "quality.png").exists(), "of an older report: this one has no curves"
    assert (out / PAGE).read_text().startswith("<!DOCTYPE html>")
    assert [path.name for path in out.parent.iterdir()] == ["mine"], "nothing left beside it"


def test_files_of_other_origin_are_never_deleted(tmp_path: Path) -> None:
    out = tmp_path / "pictures"
    out.mkdir()
    mine = ("photograph_beach.webp", "losses.png", "speed.svg", "claims.csv")
    for name in mine:
        (out / name).write_text("mine")
    for _ in range(2):
        write_report(gather(small(tmp_path)), out, pictures=False)
        assert [name for name in mine if (out / name).exists()] == list(mine)
        assert (out / mine[0]).read_text() == "mine"


def test_a_page_of_other_origin_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "site"
    out.mkdir()
    (out / PAGE).write_text("<h1>My homepage</h1>")
    with pytest.raises(ReportError, match=r"site/index\.html is not a report of this tool.*--out"):
        write_report(gather(small(tmp_path)), out)
    assert [path.name for path in out.iterdir()] == [PAGE]
    assert (out / PAGE).read_text() == "<h1>My homepage</h1>"


def test_a_report_that_cannot_be_made_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    results = gather(small(tmp_path))
    write_report(results, out, pictures=False)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr(tables, "variants_csv", Mock(side_effect=RuntimeError("half-way")))
    with pytest.raises(RuntimeError, match="half-way"):
        write_report(results, out, pictures=False)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("mine")
    for out in (in_the_way, in_the_way / "below"):
        with pytest.raises(ReportError, match=r"cannot write a report at .*file.*--out"):
            output.write_files(out, {PAGE: b"x"})
    assert in_the_way.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("made", "folder"),
    [
        ([make.trained(make.PROPOSED, dataset="photos")], "photos"),
        ([make.trained(make.PROPOSED, dataset="../../etc/passwd")], "_.._etc_passwd"),
        ([make.trained(make.PROPOSED, dataset="...")], "report"),
        ([make.trained(make.PROPOSED, dataset="a b")], "a_b"),
        ([make.timed(make.PROPOSED, 9.0)], "timing"),
        ([make.trained(make.PROPOSED, loss=loss, dataset="photos") for loss in ("paper", "fidelity")], "photos-paper"),
    ],
)
def test_the_default_folder_is_named_after_the_data_and_stays_in_reports(
    tmp_path: Path, made: list[dict[str, Any]], folder: str
) -> None:
    results = gather(make.write(tmp_path, made), loss="paper" if len(made) > 1 else None)
    assert default_out(results) == Path("reports") / folder


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_writes_a_report_and_says_where_without_torch(tmp_path: Path) -> None:
    small(tmp_path)
    code = (
        "import sys; from enhance_sweep.report.__main__ import main; rc = main([]); "
        "print([m for m in sys.modules if m.split('.')[0] in ('torch', 'pytorch_lightning', 'hydra')]); sys.exit(rc)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("The one network scores at or above the untouched input")
    assert lines[-2] == "reports/dped-iphone/index.html"
    assert lines[-1] == "[]"
    assert (tmp_path / lines[-2]).is_file()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--runs", "nowhere"], "no folder of runs at nowhere"),
        (["--runs", "."], "holds no records yet"),
        (["--data", "other"], "--data other: these runs hold dped-iphone (1)"),
        (["--loss", "other"], "--loss other: these runs hold fidelity (1)"),
    ],
)
def test_where_there_is_no_report_there_is_a_message(
    tmp_path: Path, arguments: list[str], complaint: str, monkeypatch: Any, capsys: Any
) -> None:
    small(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert __main__.main(arguments) == 1
    out, err = capsys.readouterr()
    assert complaint in err
    assert not out
    assert not (tmp_path / "reports").exists()
