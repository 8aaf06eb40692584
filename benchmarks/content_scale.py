"""How large the content loss of the untouched input is: what `content.scale` makes 1.

    python benchmarks/content_scale.py data=dped data.root=FOLDER

Takes the overrides of `python -m enhance_sweep`. Prints the unscaled loss on the training pairs, and for each term of
loss=paper its weighted gradient's size there, so that one sees which term leads.
"""

import sys

import numpy as np
import torch

from enhance_sweep.config import build, compose_settings
from enhance_sweep.data.batches import to_unit
from enhance_sweep.losses import ContentLoss
from enhance_sweep.sweep.plan import plan_variant
from enhance_sweep.system.environment import prepare_process


def main() -> None:
    settings = compose_settings(["loss=paper", "trainer.crop_size=100", *sys.argv[1:]])
    pairs = plan_variant(settings).pairs
    assert pairs is not None
    rows = np.linspace(0, len(pairs.train) - 1, min(len(pairs.train), 100)).astype(int)
    input, target = (
        to_unit(torch.from_numpy(np.array(pixels[rows])).permute(0, 3, 1, 2))
        for pixels in (pairs.train.input, pairs.train.target)
    )
    torch.manual_seed(0)
    objective = build(settings.loss, "loss")
    for name, term in objective.terms.items():
        enhanced = input.clone().requires_grad_()
        value = term(enhanced, target)
        if isinstance(term, ContentLoss):
            unscaled = float(value.detach()) / term.scale
            print(f"content, unscaled, of {len(rows)} untouched {pairs.dataset} pairs: {unscaled:.2f}")
        (gradient,) = torch.autograd.grad(objective.weights[name] * value, enhanced)
        print(f"{name:16} value {float(value.detach()):10.4f}, weighted gradient's norm {float(gradient.norm()):10.4f}")


if __name__ == "__main__":
    prepare_process()
    main()
