"""The PIRM 2018 challenge's scores A, B and C (Ignatov et al. 2018, Track B)."""

from collections.abc import Mapping

#: What a dB of PSNR, an MS-SSIM and a speed-up count for in each score (the challenge's public code, Track B).
SCORES: Mapping[str, tuple[float, float, float]] = {
    "A": (4.0, 100.0, 2.0),
    "B": (1.0, 400.0, 2.0),
    "C": (2.0, 200.0, 2.9),
}
PSNR_BASELINE_DB, MS_SSIM_BASELINE = 21.0, 0.9
#: No more speed than this over SRCNN counts.
MOST_SPEED_UP = 4.0


def challenge_scores(psnr_db: float, ms_ssim: float, speed_up: float) -> dict[str, float]:
    """The challenge's scores A (for fidelity), B (for the look) and C (for the balance), by name.

    Args:
        psnr_db: mean over test images.
        ms_ssim: the same.
        speed_up: over SRCNN on the same machine; above 4 it counts as 4.
    """
    gains = (psnr_db - PSNR_BASELINE_DB, ms_ssim - MS_SSIM_BASELINE, min(speed_up, MOST_SPEED_UP))
    return {
        name: sum(weight * gain for weight, gain in zip(weights, gains, strict=True))
        for name, weights in SCORES.items()
    }
