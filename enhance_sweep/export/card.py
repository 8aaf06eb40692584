"""The model card: describes an exported network to people who have the file without its run.

Markdown with YAML in front, as Hugging Face's hub reads it (huggingface.co/docs/hub/model-cards).
"""

from typing import Any

import yaml

from enhance_sweep.export.formats import INPUT, OUTPUT, Format
from enhance_sweep.records.keys import architecture_slug
from enhance_sweep.records.schema import ExportRecord, MeanInterval, Sides, TrainedRecord
from enhance_sweep.stats.speed_up import speed_up

#: The scores in the card: names and digits, by their names in records.
_MEASURES = {"ms_ssim": ("MS-SSIM", 4), "psnr_db": ("PSNR, dB", 2)}

_LOWERED = " Its layers are rearranged for speed (lowered), with the same results to 1e-4 in fp32."


def model_card(export: ExportRecord, trained: TrainedRecord, kind: Format, timed: str | None) -> str:
    """The card of one export.

    Args:
        export: its record, as `export.json` has it.
        trained: the record of the training.
        kind: its format.
        timed: a sentence on the network's own timing in eager fp32; None where it was not timed.
    """
    learned = trained.learned_from
    slug = architecture_slug(trained.architecture)
    metadata = {
        "license": "unknown",
        "pipeline_tag": "image-to-image",
        "library_name": kind.name,
        "tags": ["image-enhancement", "enhance-sweep", trained.architecture["topology"], export.precision],
        "datasets": [part["dataset"] for part in _parts(trained).values()] or [learned["dataset"]],
        "metrics": ["psnr", "ms-ssim"],
    }
    parts = [
        f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---",
        f"# {slug}, {kind.name} {export.precision}",
        f"A network that makes a phone's photographs look like a better camera's. `{export.file}`, "
        f"{export.bytes / 1024:,.0f} KiB in all; {trained.description.parameters:,} parameters, "
        f"{trained.description.macs / 1e9:.1f} billion multiply-adds for 1280x720. "
        f"In {export.precision}: {kind.meaning[export.precision]}.{_LOWERED if export.lowered else ''}",
        _use(export, kind),
        _training(trained),
        _scores(export),
        _speed(export, timed),
        _limits(export, trained),
        _origin(export, trained),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _use(export: ExportRecord, kind: Format) -> str:
    sizes = "any height and width"
    if export.sides:
        sizes = f"height and width {_sides(export.sides)}"
    return f"""## Use

Input (`{INPUT}` where the format knows names): float32 (N, 3, H, W), RGB in [0, 1], sRGB as a JPEG file has it; \
{sizes}; {"N = 1" if export.sides else "any N"}.
Output (`{OUTPUT}`): float32 of the same shape, slightly beyond [0, 1]: clip it.

```python
import numpy as np
from PIL import Image

photo = np.asarray(Image.open("photo.jpg").convert("RGB"), np.float32).transpose(2, 0, 1)[None] / 255
photo = np.ascontiguousarray(photo)
{kind.usage(str(export.file), export.precision)}
pixels = (np.asarray(enhanced)[0].clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)
Image.fromarray(pixels).save("enhanced.jpg", quality=95)
```

Meant for enhancing photographs of the kind that it was trained on, and for research on small networks. Not meant as
evidence of what was in front of the camera: it changes colors, contrast and detail."""


def _sides(sides: Sides) -> str:
    """`multiples of 4, from 8 to 4096`; where any number of pixels will do, without the multiples."""
    multiples = f"multiples of {sides.multiple}, " if sides.multiple > 1 else ""
    return f"{multiples}from {sides.smallest} to {sides.largest}"


def _parts(trained: TrainedRecord) -> dict[str, Any]:
    """The data sets that a mix is joined from, by name; none where it learned from one."""
    return dict((trained.data or {}).get("parts", {}))


def _training(trained: TrainedRecord) -> str:
    learned, data = trained.learned_from, trained.data or {}
    pairs = f", {data['train_pairs']:,} pairs" if "train_pairs" in data else ""
    source = f" ({data['source']})" if "source" in data else ""
    if parts := _parts(trained):
        shares = (f"{part['dataset']} {part['share']:.0%} of the crops" for part in parts.values())
        source = f" ({', '.join(shares)})"
    return f"""## Training

- Data: {learned["dataset"]}{source}{pairs}; fingerprint `{learned["data_fingerprint"]}`
- Loss: {learned["loss"]}; {trained.steps:,} steps of {learned["batch_size"]} crops of \
{learned["crop_size"]}x{learned["crop_size"]}; learning rate {learned["learning_rate"]}, {learned["schedule"]}; \
{learned["precision"]}; seed {learned["seed"]}
- Architecture: {", ".join(f"{name} {value}" for name, value in trained.architecture.items())}"""


def _scores(export: ExportRecord) -> str:
    scores, check, intervals = export.scores, export.check, export.scores.intervals or {}
    assert check is not None
    lines = [
        "## Scores",
        "",
        f"Of {scores.images} photographs: {scores.on}. Means with 95% intervals over photographs; the difference "
        "to the network in eager fp32 is paired.",
        "",
        "| | this file | eager fp32 | difference |",
        "| :-- | --: | --: | --: |",
    ]
    for measure, (name, digits) in _MEASURES.items():
        cells = [
            _interval(intervals[key], digits, signed)
            for key, signed in ((measure, False), (f"eager_{measure}", False), (f"{measure}_over_eager", True))
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    sizes = ", ".join(f"{width}x{height}" for width, height in check.sizes)
    close = "the same" if check.psnr_db is None else f"{check.psnr_db:.1f} dB"
    lines += [
        "",
        f"Against eager fp32 on whole photographs ({sizes}): {close} at worst, largest difference of a value "
        f"{check.max_abs_error:.2g}.",
    ]
    return "\n".join(lines)


def _interval(value: MeanInterval, digits: int, signed: bool) -> str:
    if value.mean is None:
        return "none"
    sign = "+" if signed else ""
    text = f"{value.mean:{sign}.{digits}f}"
    if value.low is None:
        return text
    return f"{text} ({value.low:{sign}.{digits}f} to {value.high:{sign}.{digits}f})"


def _speed(export: ExportRecord, timed: str | None) -> str:
    ratio = speed_up(export.samples)
    if ratio is None:
        return "## Speed\n\nNot measured." + (f" {timed}" if timed else "")
    assert export.environment is not None
    measured, cpu = export.measurement, export.environment.cpu
    width, height = measured.size
    text = f"""## Speed

{export.latency_ms_median:.0f} ms for one photograph of {width}x{height} on {measured.threads} threads of {cpu} \
(host {measured.host}, allocator {measured.allocator}, wait policy {measured.wait_policy}): {ratio.median:.2f} times \
as fast as eager fp32 beside it (95% interval {ratio.low:.2f} to {ratio.high:.2f}; {ratio.rounds} rounds in \
{ratio.processes} processes). Peak memory {export.peak_rss_mib:.0f} MiB. A phone's times are its own."""
    if export.flags:
        text += f"\n\nNot on a quiet machine: {'; '.join(export.flags)}. Trust the ratio more than the time."
    return text + (f"\n\n{timed}" if timed else "")


def _limits(export: ExportRecord, trained: TrainedRecord) -> str:
    lines = [
        "## Limits",
        "",
        f"- Scores are of {trained.learned_from.dataset} alone; other cameras and other scenes may look worse.",
        "- Instance norm uses statistics of the whole photograph: a crop gets different colors from the whole.",
        "- Skin, text and flat surfaces were not examined separately.",
    ]
    if export.sides:
        lines.append(f"- Sides {_sides(export.sides)} pixels.")
        lines.append("- Tested on a desktop processor only, not on a phone.")
    if export.precision == "int8":
        lines.append("- Ranges were calibrated on training patches: features beyond them are clipped.")
    return "\n".join(lines)


def _origin(export: ExportRecord, trained: TrainedRecord) -> str:
    assert export.environment is not None
    made = ", ".join(f"{name} {value}" for name, value in export.versions.items() if value)
    return f"""## Origin

Run `{export.key}`, finished {trained.finished_at or "at an unknown time"}; exported \
{export.finished_at} by enhance_sweep {export.environment.enhance_sweep} with {made}. All figures and raw \
samples are in `export.json` beside this card. Architecture after de Stoutz et al. 2018, *Fast Perceptual Image \
Enhancement*, and Ignatov et al. 2017, *DSLR-Quality Photos on Mobile Devices with Deep Convolutional Networks*."""
