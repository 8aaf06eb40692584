"""Records as runs would write them, made without training, with figures taken from the paper's tables."""

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from enhance_sweep.paper import published_networks
from enhance_sweep.records import store
from enhance_sweep.records.keys import architecture_key, learned_key, measured_key
from enhance_sweep.report import Results, gather

Record = dict[str, Any]
ENVIRONMENT = {
    "host": "bench-1",
    "cpu": "Intel(R) Xeon(R) Processor @ 2.70GHz",
    "cores": 2,
    "system": "Linux-6.8.0-x86_64-with-glibc2.36",
    "python": "3.11.9",
    "enhance_sweep": "0.1.0",
    "versions": {"torch": "2.13.0", "numpy": "2.4.6"},
    "allocator": "tuned",
    "git_commit": "0123456789ab",
}
MEASUREMENT = {
    "runtime": "eager",
    "precision": "fp32",
    "layout": "channels_last",
    "size": [1280, 720],
    "threads": 2,
    "allocator": "tuned",
    "host": "bench-1",
}
LEARNED = {
    **{"loss_terms": {"l1": 1.0, "mse": 5.0, "ms_ssim": 0.5}, "content": None, "batch_size": 16, "crop_size": 100},
    **{"precision": "bf16", "learning_rate": 0.002, "augmentation": "flips_and_turns", "schedule": "one_cycle"},
}
#: By how much the networks' scores of one image differ, beside what is common to all.
SPREAD = 0.003
UNTOUCHED = {"psnr_db": 17.64, "ms_ssim": 0.8613, "images": 100, "identical_pairs": 1}


def plain(kernel_size: int, channels: int, blocks: int, prelu: bool = False) -> Record:
    sizes = {"kernel_size": kernel_size, "channels": channels, "blocks": blocks}
    return {"topology": "plain", **sizes, "prelu": prelu}


def strided(kernel_size: int, strided_kernel_size: int, channels: int, blocks: int = 2) -> Record:
    sizes = {"kernel_size": kernel_size, "strided_kernel_size": strided_kernel_size, "channels": channels}
    return {"topology": "strided", **sizes, "blocks": blocks, "prelu": False}


BASELINE = plain(3, 64, 4)
PROPOSED = strided(3, 4, 16)
SRCNN: Record = {"topology": "srcnn"}


def macs_of(architecture: Record) -> int:
    """Roughly the multiply-adds at 1280x720: the right order is all that a picture needs."""
    if "kernel_size" not in architecture:
        return 69_152 * 1280 * 720
    k, c, b = architecture["kernel_size"], architecture["channels"], architecture.get("blocks", 2)
    per_pixel = 2 * 243 * c + (2 * b + 2) * k * k * c * c
    if architecture["topology"] == "strided":
        s = architecture["strided_kernel_size"]
        per_pixel = 2 * 243 * c + 2 * k * k * c * c + 4 * s * s * 2 * c * c // 4 + 4 * k * k * c * c
    return int(per_pixel * 1280 * 720)


def description(architecture: Record) -> Record:
    macs = macs_of(architecture)
    return {"parameters": macs // 921_600 + 7, "macs": macs, "height": 720, "width": 1280, "layers": []}


def _record(kind: str, architecture: Record, day: int, own: Record) -> Record:
    """What records of all kinds say, and their own."""
    return {
        "schema": 1,
        "kind": kind,
        "status": "completed",
        "reason": None,
        "architecture": architecture,
        "architecture_key": architecture_key(architecture),
        "description": description(architecture),
        "started_at": f"2026-01-0{day}T09:56:00Z",
        "finished_at": f"2026-01-0{day}T10:0{day - 1}:00Z",
        "environment": ENVIRONMENT,
    } | own


def trained(
    architecture: Record,
    ms_ssim: float | None = 0.92,
    psnr_db: float | None = 22.0,
    *,
    seed: int = 0,
    steps: int = 1200,
    dataset: str = "dped-iphone",
    fingerprint: str = "4f1d2c3b5a697887",
    loss: str = "fidelity",
    learned_from: Record | None = None,
    **changes: Any,
) -> Record:
    learned = {"dataset": dataset, "data_fingerprint": fingerprint, "loss": loss, "seed": seed, **LEARNED}
    learned |= learned_from or {}
    end = ms_ssim if ms_ssim is not None and math.isfinite(ms_ssim) else 0.9
    quality = [
        {
            "step": round(steps * part),
            "psnr_db": (psnr_db or 22.0) - 4.0 * math.exp(-5 * part) + 0.03,
            "ms_ssim": end - (end - 0.80) * math.exp(-6 * part) * (1 - part),
        }
        for part in (0.0625, 0.125, 0.25, 0.5, 1.0)
    ]
    own = {
        "key": learned_key(architecture, learned | {"steps": steps}),
        "learned_from": learned,
        "steps": steps,
        "scores": {"psnr_db": psnr_db, "ms_ssim": ms_ssim, "images": 100, "identical_pairs": 0},
        "untouched": UNTOUCHED,
        "quality": quality,
        "train_wall_s": 240.0,
        "data": {"pairs": 200, "test_pairs": 100, "source": "DPED, iphone"},
    }
    return _record("trained", architecture, 1, own | changes)


#: How much color targets have, and the untouched input's share of it.
TARGET_CHROMA, UNTOUCHED_RATIO = 0.047, 0.69
#: For each further measure its value at an MS-SSIM of 0.92, and by how much a thousandth more changes it.
PANEL = {
    **{"ciede2000": (8.2, -0.08), "haarpsi": (0.736, 0.0007), "mdsi": (0.355, -0.0007), "dss": (0.823, 0.0016)},
    **{"vsi": (0.957, 0.0002), "gmsd": (0.093, -0.0004)},
}


def with_panel(
    record: Record, chroma_ratio: float = 0.98, target_chroma: float = TARGET_CHROMA, **own: float
) -> Record:
    """A trained record with the scores of all measures, which follow its MS-SSIM unless they are given."""

    def of(ms_ssim: float) -> Record:
        return {name: middle + slope * (ms_ssim - 0.92) * 1000 for name, (middle, slope) in PANEL.items()}

    def color(ratio: float) -> Record:
        return {"chroma": ratio * target_chroma, "target_chroma": target_chroma}

    scores = record["scores"] | of(record["scores"]["ms_ssim"]) | color(chroma_ratio) | own
    untouched = record["untouched"] | of(record["untouched"]["ms_ssim"]) | color(UNTOUCHED_RATIO)
    return record | {"scores": scores, "untouched": untouched}


def failed(architecture: Record, reason: str, **changes: Any) -> Record:
    return trained(architecture, status="failed", reason=reason, scores=None, untouched=None, quality=[], **changes)


def running(architecture: Record, **changes: Any) -> Record:
    return trained(architecture, status="running", scores=None, untouched=None, finished_at=None, **changes)


def timed(
    architecture: Record, latency_ms: float | None, *, measurement: Record | None = None, **changes: Any
) -> Record:
    how = MEASUREMENT | (measurement or {})
    channels = architecture.get("channels")
    memory_mib = 300.0 + (channels if isinstance(channels, int) else 64) * 14.1
    times = {"latency_ms_median": 1.0, "latency_ms_iqr": 0.012, "cpu_s_median": 0.00197, "first_call_ms": 1.6}
    own = {
        "key": measured_key(architecture, how),
        "measurement": how,
        "peak_rss_mib": memory_mib,
        "peak_rss_delta_mib": memory_mib - 260.0,
        "samples": {"rounds_ms": [latency_ms] * 3},
        **{name: None if latency_ms is None else latency_ms * factor for name, factor in times.items()},
    }
    return _record("timed", architecture, 2, own | changes)


def paired(architecture: Record, latency_ms: float, baseline_ms: float, **changes: Any) -> Record:
    """Timed carefully: three processes with three rounds each, all ratios within 1% of the same."""
    beside_ms = [baseline_ms * (1 + 0.005 * (i - 1)) for i in range(3)]
    rounds = [{"latency_ms": latency_ms, "baseline_latency_ms": ms} for ms in beside_ms]
    process = {"rounds": rounds, "repeated_rounds": [], "loaded": {"preparing_ms": {}}}
    own = {
        "samples": {"processes": [process] * 3},
        "baseline": architecture_key(BASELINE),
        "baseline_check": {"median": 1.001, "low": 0.99, "high": 1.01, "processes": 3, "rounds": 9},
        "arithmetic_limit": {"fp32_gflops": 200.0, "bf16_gflops": 400.0},
        "flags": [],
        "stopped": "interval within 2%",
    }
    return timed(architecture, latency_ms, **own | changes)


def challenge(architecture: Record, seconds: float, *, measurement: Record | None = None, **changes: Any) -> Record:
    """Timed by the challenge's rules: two slow calls, and two that count, 4% apart."""
    how = MEASUREMENT | {"allocator": "stock"} | (measurement or {})
    latencies_s = (2 * seconds, 1.5 * seconds, 0.98 * seconds, 1.02 * seconds)
    calls = [{"latency_ms": 1e3 * s, "photograph": f"{i}.png"} for i, s in enumerate(latencies_s)]
    own = {"measurement": how, "latency_s_mean": seconds, "memory_gib_mean": 1.5, "samples": calls}
    own["environment"] = ENVIRONMENT | {"allocator": how["allocator"]}
    return _record("challenge", architecture, 3, own | changes)


def exported(
    made: Record, format: str, precision: str, times_faster: float | None, change: float, **changes: Any
) -> Record:
    """A trained network as a file: so many times as fast as in eager, its MS-SSIM changed by so much."""
    ms_ssim = made["scores"]["ms_ssim"]
    rounds = [
        {"latency_ms": 100.0, "baseline_latency_ms": 100.0 * (times_faster or 1) * (1 + 0.01 * (i - 1))}
        for i in range(3)
    ]
    intervals = {
        "ms_ssim": {"mean": ms_ssim + change, "low": ms_ssim + change - 0.01, "high": ms_ssim + change + 0.01},
        "ms_ssim_over_eager": {"mean": change, "low": change - 0.001, "high": change + 0.001},
    }
    own = {
        "key": made["key"],
        "description": {name: made["description"][name] for name in ("parameters", "macs")},
        "format": format,
        "precision": precision,
        "file": "model.onnx",
        "bytes": 123_456,
        "check": {"max_abs_error": 0.01, "psnr_db": 43.2, "sizes": [[640, 427]]},
        "scores": {"on": "the test pairs", "of_test_pairs": True, "images": 100, "ms_ssim": ms_ssim + change}
        | {"psnr_db": 20.0, "intervals": intervals},
        "measurement": MEASUREMENT | {"runtime": format, "precision": precision},
        "latency_ms_median": None if times_faster is None else 100.0,
        "eager_latency_ms_median": None if times_faster is None else 100.0 * times_faster,
        "peak_rss_mib": 400.0,
        "flags": [],
        "samples": None if times_faster is None else {"processes": [{"rounds": rounds}] * 3},
    }
    return _record("export", made["architecture"], 4, own | changes)


def write_scores(runs: Path, record: Record, spread: float) -> None:
    """Scores of 100 single images whose mean is the record's, as evaluation leaves them beside it.

    All networks have the same hard images; by `spread` they differ otherwise.
    """
    means, images = record["scores"], np.arange(100)
    hard = 0.04 * np.sin(images * 1.7)
    own = spread * np.random.default_rng(zlib.crc32(record["key"].encode())).normal(size=100)
    ms_ssim = means["ms_ssim"] + (hard - hard.mean()) + (own - own.mean())
    psnr_db = means["psnr_db"] + 40 * ((hard - hard.mean()) + (own - own.mean()))
    lines = ["name,psnr_db,ms_ssim,untouched_psnr_db,untouched_ms_ssim"]
    lines += [f'"{i}.jpg",{psnr_db[i]:.6f},{ms_ssim[i]:.6f},17.640000,0.861300' for i in images]
    for number, (name, (_, slope)) in enumerate(PANEL.items() if "vsi" in means else ()):
        random = np.random.default_rng([number, zlib.crc32(record["key"].encode())])
        noise = 0.7 * own + 0.7 * spread * random.normal(size=100)
        each = means[name] + 1000 * slope * ((hard - hard.mean()) + (noise - noise.mean()))
        lines = [f"{line},{one}" for line, one in zip(lines, [name, *(f"{value:.6f}" for value in each)], strict=True)]
    path = store.trained_dir(runs, record["key"]) / store.SCORES_FILE
    path.write_text("\n".join(lines) + "\n")


def measured(
    *networks: tuple[Record, float | None, float | None], beside_ms: float | None = None, psnr_db: float = 22.0
) -> list[Record]:
    """Networks, their MS-SSIM and their latencies; None: not trained, not timed. `beside_ms`: the baseline's times."""
    made = []
    for architecture, ms_ssim, latency_ms in networks:
        if ms_ssim is not None:
            made.append(trained(architecture, ms_ssim, psnr_db))
        if latency_ms is not None:
            one = timed(architecture, latency_ms) if beside_ms is None else paired(architecture, latency_ms, beside_ms)
            made.append(one)
    return made


def paper_records(careful: bool = False, **changes: Any) -> list[Record]:
    """Every published variant, trained to the paper's scores and timed in a fifth of its times.

    `careful`: with the baseline beside each.
    """
    made = []
    for row in published_networks().to_dict("records"):
        architecture = dict(row["architecture"])
        made.append(trained(architecture, row["ms_ssim"], row["psnr_db"], **changes))
        # The baseline in the time that the paper's headline implies, all others in their own.
        time_s = 50.4 if architecture == BASELINE else row["time_s"]
        latency_ms = time_s * 200.0
        made.append(paired(architecture, latency_ms, 50.4 * 200) if careful else timed(architecture, latency_ms))
    return made


def whole_records() -> Iterator[Record]:
    """Everything a report may show: the paper's networks and others, seeds, exports, runtimes, the challenge."""
    made = paper_records(careful=True)
    yield from made
    yield trained(PROPOSED, 0.9241, 22.4, seed=1)
    yield trained(BASELINE, 0.9229, 22.7, seed=1)
    yield from measured((plain(3, 24, 2), 0.9171, 2300.0), (plain(3, 8, 1), 0.85, 800.0), psnr_db=17.0)
    fast = {"runtime": "openvino", "precision": "bf16"}
    yield paired(PROPOSED, 400.0, 2500.0, measurement=fast, flags=["2 of 5 rounds were disturbed"])
    yield timed(PROPOSED, None, measurement={"precision": "int8"}, status="failed", reason="no int8", peak_rss_mib=None)
    yield exported(made[0], "onnx", "int8", 1.5, -0.002)
    yield exported(made[0], "litert", "fp32", None, 0.0, check=None)
    yield challenge(SRCNN, 2.1)
    yield challenge(PROPOSED, 0.8)
    yield challenge(BASELINE, 10.0, measurement={"threads": 1})
    yield challenge(plain(3, 48, 2), 1.6, measurement={"allocator": "tuned"})


def panel_records() -> Iterator[Record]:
    """Networks with the scores of all measures, not all of one order; one turns gray, and one adds color."""
    for number, row in enumerate(published_networks().to_dict("records")[::3]):
        architecture = dict(row["architecture"])
        made = trained(architecture, row["ms_ssim"], row["psnr_db"])
        yield with_panel(made, 0.86 + 0.02 * number, haarpsi=0.73 + 0.002 * (number * 3 % 8))
        yield paired(architecture, row["time_s"] * 200.0, 5031.0)
    fast, vivid = plain(3, 8, 1), plain(3, 24, 2)
    yield with_panel(trained(fast, 0.9235, 22.4), 0.31, ciede2000=13.5, vsi=0.94)
    yield with_panel(trained(vivid, 0.9150, 22.1), 1.4)
    yield from measured((fast, None, 300.0), (vivid, None, 900.0), beside_ms=5031.0)


def grid_records() -> list[Record]:
    """The twelve networks of the demonstration, a short budget, so that some stay below the untouched input."""
    made = []
    for channels in (16, 32, 64):
        for blocks in (1, 2, 3, 4):
            architecture = plain(3, channels, blocks)
            score = 0.838 + 0.016 * math.log2(channels / 16) + 0.0035 * blocks - (0.013 if blocks == 3 else 0)
            made.append(trained(architecture, score, 17.0 + 90 * (score - 0.838), steps=75, dataset="photos"))
            made.append(timed(architecture, macs_of(architecture) / 1.0e8))
    return made


def _write_export(runs: Path, record: Record) -> None:
    folder = store.exports_dir(runs) / record["key"] / f"{record['format']}-{record['precision']}"
    folder.mkdir(parents=True)
    store.write_json(folder / store.EXPORT_FILE, record)


def write(runs: Path, made: list[Record], spread: float | None = None) -> Path:
    """A folder of runs with these records; with `spread` scores of single images beside the trained ones."""
    writers = {"trained": store.write_trained, "timed": store.write_timed, "challenge": store.write_challenge}
    for record in made:
        writers.get(record["kind"], _write_export)(runs, record)
        if spread is not None and record["kind"] == "trained" and record["scores"]:
            write_scores(runs, record, spread)
    return runs


def results_of(runs: Path, *made: Record, spread: float | None = None) -> Results:
    """What the report gathers from these records."""
    return gather(write(runs, list(made), spread))


def write_with_curves(runs: Path, made: list[Record]) -> Path:
    """A folder of runs with these records, the scores of single images and the losses of 120 noted steps."""
    write(runs, made, spread=SPREAD)
    losses = "".join(f"{step},{100 / step}\n" for step in range(10, 1210, 10))
    for record in made:
        if record["kind"] == "trained":
            (store.trained_dir(runs, record["key"]) / "losses.csv").write_text("step,total\n" + losses)
    return runs


def _further(topology: str, random: np.random.Generator) -> Record:
    """A network of one of the families beyond the paper's, its settings drawn."""

    def one_of(*values: Any) -> Any:
        return values[int(random.integers(len(values)))]

    norm, gate = one_of("instance", "none"), one_of("none", "none", "channel")
    body = {"kernel_size": 3, "channels": one_of(8, 12, 16, 24), "blocks": one_of(1, 2, 3)}
    options = {"norm": norm, "gate": gate, "global_color": one_of(True, False)}
    own: dict[str, Record] = {
        "shuffled": {"factor": one_of(2, 3, 4), **body, **options, "prelu": False},
        "coefficients": {"factor": one_of(4, 8, 16), **body, **options, "detail": one_of(True, False), "prelu": False},
        "separable": body
        | {"kernel_size": one_of(5, 7), "block": one_of("row_column", "full", "depthwise")}
        | {"dilation": one_of(1, 2), "fuse": one_of(True, False), "contrast": 1.0, "norm": norm, "gate": gate},
        "unet": {"channels": one_of(8, 16, 24), "depth": one_of(2, 3), "kernel_size": 3, "norm": "none"}
        | {"skip": one_of("multiply", "add"), "global_vector": one_of(True, False), "gate": gate},
        "tone": {"curve_terms": one_of(2, 3, 4, 6, 8), "hidden": one_of(8, 16, 24, 32)},
    }
    return {"topology": topology, **own[topology]}


#: How fast a middling network of each family is, over the baseline, and what its MS-SSIM comes to.
_FAMILIES = {
    "shuffled": (45.0, 0.9290),
    "coefficients": (70.0, 0.9275),
    "separable": (14.0, 0.9310),
    "unet": (24.0, 0.9295),
    "tone": (230.0, 0.9080),
}


def family_records(networks: int = 100) -> list[Record]:
    """The paper's 24 networks and those of five further families: speed-ups of 1 to 300, three seeds of some."""
    random = np.random.default_rng(18)
    made = paper_records(careful=True)
    seen: set[str] = set()
    while len(seen) < networks - 24:
        topology = list(_FAMILIES)[len(seen) % len(_FAMILIES)]
        speed_up, ms_ssim = _FAMILIES[topology]
        architecture = _further(topology, random)
        if architecture_key(architecture) in seen:
            continue
        seen.add(architecture_key(architecture))
        size = architecture.get("channels", 16) * architecture.get("blocks", 2) / 32
        speed_up *= size**-0.6 * random.lognormal(0, 0.12)
        ms_ssim += 0.0025 * math.log2(size) + random.normal(0, 0.0012)
        ms_ssim += 0.003 * bool(architecture.get("global_color")) - 0.002 * (architecture.get("norm") == "none")
        baseline_ms = 50.4 * 200
        made.append(paired(architecture, baseline_ms / speed_up, baseline_ms))
        seeds = 3 if random.random() < 0.2 else 1
        for seed in range(seeds):
            own = ms_ssim + (random.normal(0, 0.0009) if seeds > 1 else 0.0)
            made.append(trained(architecture, own, 22.0 + 120 * (own - 0.92), seed=seed))
    return made
