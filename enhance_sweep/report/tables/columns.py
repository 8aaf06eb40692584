"""The columns of every table, each described once: the page, Markdown and CSV are made from these lists.

The lists stand in the order of the CSV files. A page has the columns of one group together.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from enhance_sweep.measures import MEASURES, Measure
from enhance_sweep.paper.challenge import SCORES
from enhance_sweep.records.schema import TRAINED_COLUMNS
from enhance_sweep.report.labels import (
    decimals,
    interval_text,
    is_number,
    signed,
    signed_interval,
    significant,
    significant_ms,
    speed_up_text,
    thousands,
)
from enhance_sweep.report.results.words import plain_text
from enhance_sweep.report.tables.model import NO_RECORD, Column, Facts

_TO_INPUT, _NOT_COMPARED, _SRCNN_NOT_TIMED, _ELSEWHERE = "vs. input", "—", "SRCNN not timed", "timed on another host"
#: The tables that a column is for.
_PAPERS, _OURS = ("table1", "table2"), ("frontier", "others")
_VARIANTS = ("variants",)

Writer = Callable[..., str | None]
Reason = Callable[[Facts], str]

# --- how figures are written ------------------------------------------------------------------------------------------


def _fixed(digits: int) -> Writer:
    return lambda value: decimals(value, digits)


def _difference(digits: int) -> Writer:
    return lambda value: signed(value, digits)


def _memory(total: float, added: float | None) -> str:
    return decimals(total, 0) + (f" ({signed(added, 0)})" if added is not None else "")


# --- why a cell is empty ----------------------------------------------------------------------------------------------


def why_not_trained(facts: Facts) -> str:
    """Why a network has no score."""
    known = {"completed": "not a number", "unfinished": "unfinished", "failed": "failed"}
    return known.get(str(facts.get("trained")), NO_RECORD)


def why_not_timed(facts: Facts) -> str:
    """Why a network has no latency."""
    if facts.get("timed_elsewhere"):
        return _ELSEWHERE
    return "timing failed" if facts.get("timing_failed") else NO_RECORD


def _why_no_speed_up(facts: Facts) -> str:
    return "baseline not timed" if facts.get("timing") else why_not_timed(facts)


def _why_no_interval(facts: Facts) -> str:
    return "not paired" if is_number(facts.get("speed_up")) else _why_no_speed_up(facts)


def _why_no_error(measure: str) -> Reason:
    return lambda facts: "no scores per image" if is_number(facts.get(measure)) else why_not_trained(facts)


def _why_no_gain(measure: str) -> Reason:
    return lambda facts: "input not scored" if is_number(facts.get(measure)) else why_not_trained(facts)


def why_no_challenge_score(facts: Facts) -> str:
    """Why a network has no score of the challenge's."""
    both = is_number(facts.get("psnr_db")) and is_number(facts.get("ms_ssim"))
    return _SRCNN_NOT_TIMED if both else why_not_trained(facts)


def _not_timed_or(otherwise: str) -> Reason:
    return lambda facts: "not timed" if facts.get("status") == "failed" else otherwise


# --- the lists --------------------------------------------------------------------------------------------------------


def _in_csv_alone(*keys: str, csv: tuple[str, ...] = ()) -> tuple[Column, ...]:
    return tuple(Column(key, csv=csv) for key in keys)


def _ends(
    of: str,
    group: str,
    text: Writer,
    missing: str | Reason = NO_RECORD,
    page: tuple[str, ...] = (),
    title: str = "95%",
) -> tuple[Column, Column]:
    """The ends of the interval of a figure: one column where it is shown, two in CSV."""

    def both(low: float, high: float | None) -> str | None:
        return None if high is None else text(low, high)

    low, high = f"{of}_low", f"{of}_high"
    return Column(low, group, title, both, missing, of=(low, high), page=page), Column(high)


def _of_paper(key: str, group: str, text: Writer) -> Column:
    return Column(key, group, "paper", text, page=_PAPERS, csv=_PAPERS, kind="paper")


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _whole_training(steps: float, trained: str) -> str | None:
    return thousands(steps) if trained == "completed" else None


_LATENCY, _SPEED_UP, _PSNR, _MS_SSIM, _MEMORY = "Latency, ms", "Speed-up", "PSNR, dB", "MS-SSIM", "Memory, MiB"
#: What stands before and behind a measure's name in its columns: mean, half the interval, gain over the input.
_OF_A_MEASURE = (("", ""), ("", "_error"), ("gain_", ""))

#: Of the measures that older code did not compute; variants.csv has those of them that are known.
PANEL_COLUMNS = (
    *(f"{of}{name}{error}" for name in MEASURES if name not in TRAINED_COLUMNS for of, error in _OF_A_MEASURE),
    "chroma_ratio",
)


def against_baseline(quality: Measure) -> tuple[Column, ...]:
    """How much better than the baseline networks are, by the measure that a report goes by."""
    group, digits = f"{quality.label}{quality.improvement}, vs. baseline", quality.digits

    def both(low: float, high: float) -> str:
        return signed_interval(low, high, digits)

    return (
        Column("vs_baseline", group, "mean", _difference(digits), _NOT_COMPARED, page=_OURS),
        *_ends("vs_baseline", group, both, _NOT_COMPARED, page=_OURS, title="95%, Holm"),
        Column("vs_baseline_decision", group, "decision", missing=_NOT_COMPARED, page=_OURS),
    )


def of_quality(quality: Measure) -> tuple[Column, ...]:
    """The score that a report goes by, in its own tables; none where they have it anyway."""
    if quality.name in ("psnr_db", "ms_ssim"):
        return ()
    name, group, digits = quality.name, quality.title, quality.digits
    to_input = _TO_INPUT if quality.higher_is_better else f"improvement {_TO_INPUT}"
    columns = (
        Column(name, group, "mean", _fixed(digits), why_not_trained),
        Column(f"{name}_error", group, "±", _fixed(digits), _why_no_error(name)),
        Column(f"gain_{name}", group, to_input, _difference(digits), _why_no_gain(name), kind="gain"),
    )
    return tuple(replace(column, page=_OURS, csv=_VARIANTS) for column in columns)


_BEFORE_QUALITY: tuple[Column, ...] = (
    *_in_csv_alone("network", "topology", "kernel_size", "strided_kernel_size", "channels", "blocks", "prelu"),
    Column("parameters", "Parameters", text=thousands),
    Column("macs", "MACs, G", text=lambda macs: significant(macs / 1e9)),
    *_in_csv_alone("published_table", csv=("variants",)),
    _of_paper("paper_time_s", _LATENCY, lambda time_s: decimals(1000 * time_s, 0)),
    _of_paper("paper_speed_up", _SPEED_UP, speed_up_text),
    _of_paper("paper_psnr_db", _PSNR, _fixed(2)),
    _of_paper("paper_ms_ssim", _MS_SSIM, _fixed(4)),
    *_in_csv_alone("trained", "timed"),
    Column("latency_ms_median", _LATENCY, "median", significant_ms, why_not_timed, paper="paper_time_s"),
    Column("latency_ms_iqr", _LATENCY, "IQR", significant_ms, why_not_timed),
    Column("speed_up", _SPEED_UP, "median", speed_up_text, _why_no_speed_up, paper="paper_speed_up"),
    *_ends("speed_up", _SPEED_UP, interval_text, _why_no_interval),
    Column("roof_share", "Of its roof", "", _percent, why_not_timed, page=_OURS, csv=_VARIANTS),
    *_in_csv_alone("cpu_s_median"),
    Column("peak_rss_mib", _MEMORY, "", _memory, why_not_timed, of=("peak_rss_mib", "peak_rss_delta_mib")),
    *_in_csv_alone("peak_rss_delta_mib"),
    Column("psnr_db", _PSNR, "mean", _fixed(2), why_not_trained, paper="paper_psnr_db"),
    Column("gain_psnr_db", _PSNR, _TO_INPUT, _difference(2), _why_no_gain("psnr_db"), page=_OURS, kind="gain"),
    Column("ms_ssim", _MS_SSIM, "mean", _fixed(4), why_not_trained, paper="paper_ms_ssim"),
    Column("ms_ssim_error", _MS_SSIM, "±", _fixed(4), _why_no_error("ms_ssim")),
    Column("gain_ms_ssim", _MS_SSIM, _TO_INPUT, _difference(4), _why_no_gain("ms_ssim"), page=_OURS, kind="gain"),
    *_in_csv_alone("below_untouched", "on_frontier"),
)

_AFTER_QUALITY: tuple[Column, ...] = (
    Column("frontier_probability", "On frontier", "", _fixed(2), _NOT_COMPARED, page=_OURS),
    Column("beats", "Networks", "beats", thousands, _NOT_COMPARED, page=_OURS),
    Column("beaten_by", "Networks", "beaten by", thousands, _NOT_COMPARED, page=_OURS),
    *_in_csv_alone("timing_flags"),
    Column("steps", "Steps", "", _whole_training, why_not_trained, of=("steps", "trained")),
    Column("seeds", "Seed", text=lambda seeds: ", ".join(seeds.split())),
    Column("condition", "Trained as"),
    Column("timing", "Timed as"),
    *_in_csv_alone("runtime", "precision", "threads", "allocator", "host"),
    Column("psnr_db_over_paper", _PSNR, "difference", _difference(2), why_not_trained, page=_PAPERS, csv=_PAPERS),
    Column("ms_ssim_over_paper", _MS_SSIM, "difference", _difference(4), why_not_trained, page=_PAPERS, csv=_PAPERS),
)


@cache
def networks_columns(quality: Measure) -> tuple[Column, ...]:
    """The columns of tables of networks, in a report that goes by a measure."""
    own = of_quality(quality)
    others = [name for name in PANEL_COLUMNS if name not in {column.key for column in own}]
    in_csv = _in_csv_alone(*others, "key", csv=_VARIANTS)
    return (*_BEFORE_QUALITY, *own, *against_baseline(quality), *_AFTER_QUALITY, *in_csv)


def setting_column(name: str) -> Column:
    """A further setting of a topology."""
    return Column(name, name.replace("_", " ").capitalize(), text=plain_text, missing=_NOT_COMPARED)


CHALLENGE: tuple[Column, ...] = (
    *_in_csv_alone("entry", "of", "architecture"),
    Column("psnr_db", _PSNR, "", _fixed(2), why_not_trained),
    Column("ms_ssim", _MS_SSIM, "", _fixed(4), why_not_trained),
    Column("mos", "MOS", "", _fixed(4), "not rated"),
    Column("cpu_ms", "CPU, ms", "", _fixed(0), _ELSEWHERE),
    Column("speed_up_over_srcnn", "Over SRCNN", "", speed_up_text, _SRCNN_NOT_TIMED),
    Column("gpu_ms", "GPU, ms", "", _fixed(0), "not timed"),
    Column("memory_gb", "Memory, GB", "", _fixed(1), _ELSEWHERE),
    *(Column(f"score_{one.lower()}", "Score", one, _fixed(2), why_no_challenge_score) for one in SCORES),
    *_in_csv_alone("no_score_because", "runtime", "precision", "layout", "threads", "allocator", "host"),
    *_in_csv_alone("steps", "seeds", "condition"),
)

RUNTIMES: tuple[Column, ...] = (
    *_in_csv_alone("network", "architecture", "host", "threads", "size"),
    Column("runtime", "Runtime", missing=""),
    Column("precision", "Precision", missing=""),
    Column("layout", "Layout", text=lambda layout: layout.replace("_", " "), missing=""),
    Column("allocator", "Allocator", missing=""),
    Column("lowered", "Network", text=lambda lowered: "lowered" if lowered else "as written", missing=""),
    Column("latency_ms_median", _LATENCY, "median", significant_ms, _not_timed_or(NO_RECORD)),
    Column("latency_ms_iqr", _LATENCY, "IQR", significant_ms, _not_timed_or(NO_RECORD)),
    *_in_csv_alone("cpu_s_median", "first_call_ms"),
    Column("speed_up", _SPEED_UP, "median", speed_up_text, _not_timed_or(NO_RECORD)),
    *_ends("speed_up", _SPEED_UP, interval_text, _not_timed_or(NO_RECORD)),
    Column("speed_up_over_itself_eager", "Of itself", "", speed_up_text, _not_timed_or(NO_RECORD)),
    Column("times_the_arithmetic_limit", "Times the limit", "", speed_up_text, _not_timed_or(NO_RECORD)),
    Column("times_the_roof", "Times the roof", "", speed_up_text, _not_timed_or("no rates")),
    Column("peak_rss_mib", _MEMORY, "", _fixed(0), _not_timed_or(NO_RECORD)),
    *_in_csv_alone("peak_rss_delta_mib"),
    Column("preparing_s", "Prepared, s", "", lambda s: significant(s) if s else None, _not_timed_or("nothing")),
    *_in_csv_alone("status", "reason", "stopped", "flags"),
)

_EAGER, _OF_FILE, _GAIN = "against eager", "of the file", "ms_ssim_against_eager"

EXPORTS: tuple[Column, ...] = (
    *_in_csv_alone("network", "architecture", "key"),
    Column("format", "Format"),
    Column("precision", "Precision"),
    Column("bytes", "Size, KiB", text=lambda size: decimals(size / 1024, 0)),
    *_in_csv_alone("scored_on"),
    Column("ms_ssim", _MS_SSIM, _OF_FILE, _fixed(4)),
    Column("psnr_db", _PSNR, "", _fixed(2)),
    Column(_GAIN, _MS_SSIM, _EAGER, _difference(4)),
    *_ends(_GAIN, _MS_SSIM, signed_interval),
    Column("close_psnr_db", "Close, dB", "", _fixed(1), missing="the same"),
    *_in_csv_alone("largest_difference", "host", "threads"),
    Column("latency_ms_median", _LATENCY, _OF_FILE, significant_ms),
    Column("eager_latency_ms_median", _LATENCY, "of eager", significant_ms),
    *_in_csv_alone("peak_rss_mib"),
    Column("speed_against_eager", "Speed", _EAGER, speed_up_text),
    *_ends("speed_against_eager", "Speed", interval_text),
    *_in_csv_alone("on_frontier", "perhaps_on_frontier", "flags"),
)

CLAIMS: tuple[Column, ...] = (
    *_in_csv_alone("letter", "statement", "measured"),
    Column("paper", "Paper"),
    Column("ours", "Here (95% interval)"),
    Column("verdict", "Verdict", kind="verdict"),
)

REFERENCES: tuple[Column, ...] = (
    Column("ms_ssim", _MS_SSIM, "", _fixed(4)),
    Column("psnr_db", _PSNR, "", _fixed(2)),
    Column("source", "Source"),
)
