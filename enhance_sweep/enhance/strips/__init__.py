"""A network on a photograph of any size, strip by strip: the whole image's result in bounded memory.

Tiles that know nothing of each other would differ: instance norms, gates and global colors take statistics from the
whole image. So the network is evaluated pass by pass (docs/decisions/enhance-photographs.md):

- `tracing.py`: the network as a graph, and what each of its nodes gives: an image, or few numbers about a whole one.
- `parts.py`: which parts are known. `operators.py`: what each of them does with rows.
- `moments.py`: statistics of whole images, gathered strip by strip.
- `run.py`: which results are kept, and one photograph's way through them.
"""

from enhance_sweep.enhance.strips.run import ByStrips
from enhance_sweep.enhance.strips.tracing import NotByStripsError

__all__ = ["ByStrips", "NotByStripsError"]
