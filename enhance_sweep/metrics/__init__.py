"""Metrics, image by image: what `enhance_sweep.measures` describes, and chroma.

PSNR and MS-SSIM are computed as the DPED code and the 2018 challenge computed them, the others as in their papers.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from torch import Tensor

from enhance_sweep.metrics.chroma import chroma
from enhance_sweep.metrics.ciede2000 import ciede2000
from enhance_sweep.metrics.dss import dss
from enhance_sweep.metrics.gmsd import gmsd
from enhance_sweep.metrics.haarpsi import haarpsi
from enhance_sweep.metrics.mdsi import mdsi
from enhance_sweep.metrics.ms_ssim import ms_ssim
from enhance_sweep.metrics.psnr import psnr
from enhance_sweep.metrics.vsi import vsi

#: The function of each measure, by the measure's name and in the order of `MEASURES`: (N, 3, H, W) twice to (N,).
METRICS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {
        "ms_ssim": ms_ssim,
        "psnr_db": psnr,
        "ciede2000": ciede2000,
        "haarpsi": haarpsi,
        "mdsi": mdsi,
        "dss": dss,
        "vsi": vsi,
        "gmsd": gmsd,
    }
)

__all__ = ["METRICS", "chroma", "ciede2000", "dss", "gmsd", "haarpsi", "mdsi", "ms_ssim", "psnr", "scores_of", "vsi"]


def scores_of(enhanced: Tensor, target: Tensor, measures: Iterable[str]) -> dict[str, Tensor]:
    """Scores of a network's outputs as they are reported: MS-SSIM of unclipped outputs, all others of clipped ones.

    Args:
        enhanced: (N, 3, H, W), as a network gives it.
        target: the same shape, in [0, 1].
        measures: names of `MEASURES`.

    Returns:
        (N,) by measure.
    """
    clipped = enhanced.clamp(0, 1)
    return {name: METRICS[name](enhanced if name == "ms_ssim" else clipped, target) for name in measures}
