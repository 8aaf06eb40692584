"""The margins of `enhance_sweep.measures`: what the published baseline gains over its untouched input, as Markdown.

    ENHANCE_SWEEP_SHARED=FOLDER python benchmarks/margins.py

FOLDER holds the DPED sample and `reference/golden`. MS-SSIM's margin is a share of that network's gain on the 100 test
patches; the other margins are the same share of its gain in their scores. As a check, `slope` is the change that goes
with MS-SSIM's margin over networks: a line through the scores of the input and of the outputs of four published
networks on the first 8 patches.
"""

import os
from pathlib import Path

import numpy as np
import torch
from enhance_sweep.enhance.loading import load_weights
from torch import Tensor

from enhance_sweep.data.batches import to_unit
from enhance_sweep.data.dped import Dped
from enhance_sweep.data.packing import default_cache_dir
from enhance_sweep.measures import MEASURES
from enhance_sweep.metrics import METRICS
from enhance_sweep.system.environment import prepare_process, usable_cores

BASELINE = ["model=plain", "model.channels=64", "model.blocks=4"]
BATCH = 10


@torch.inference_mode()
def main() -> None:
    torch.set_num_threads(usable_cores())
    shared = Path(os.environ["ENHANCE_SWEEP_SHARED"])
    golden = shared / "reference" / "golden"
    test = Dped(str(shared / "dped-sample")).load(default_cache_dir()).test
    order = np.argsort([int(Path(name).stem) for name in test.names])
    input, target = (
        to_unit(torch.from_numpy(np.array(pixels)[order]).permute(0, 3, 1, 2)) for pixels in (test.input, test.target)
    )
    baseline = load_weights(golden / "dped_resnet_64x4.npz", BASELINE)
    enhanced = torch.cat([baseline(part) for part in input.split(BATCH)])
    untouched, published = means(input, target), means(enhanced, target)
    few, first = [means(input[:8], target[:8])], target[:8]
    for name in ("outputs_test8.npz", "ppcn_outputs_test8.npz"):
        with np.load(golden / name) as outputs:
            few += [means(torch.from_numpy(outputs[key]).permute(0, 3, 1, 2), first) for key in outputs]
    share = MEASURES["ms_ssim"].margin / (published["ms_ssim"] - untouched["ms_ssim"])
    print(f"MS-SSIM's margin is {share:.2%} of the gain\n")
    print("| score | untouched | published 64x4 | gain | the same share | slope | margin |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, measure in MEASURES.items():
        gain = published[name] - untouched[name]
        slope = np.polyfit([scores["ms_ssim"] for scores in few], [scores[name] for scores in few], 1)[0]
        print(
            f"| {measure.label} | {untouched[name]:.{measure.digits}f} | {published[name]:.{measure.digits}f} "
            f"| {gain:+.{measure.digits}f} | {abs(share * gain):.2g} "
            f"| {abs(slope * MEASURES['ms_ssim'].margin):.2g} | {measure.margin:g} |"
        )


def means(enhanced: Tensor, target: Tensor) -> dict[str, float]:
    """Mean scores, by the protocol: MS-SSIM of outputs as they are, all others of clipped ones."""
    found = {}
    for name, metric in METRICS.items():
        scores = metric(enhanced if name == "ms_ssim" else enhanced.clamp(0, 1), target)
        found[name] = float(scores[scores.isfinite()].mean())
    return found


if __name__ == "__main__":
    prepare_process()
    main()
