"""PSNR and MS-SSIM per image, as the DPED code and the 2018 challenge computed them."""

from enhance_sweep.metrics.ms_ssim import ms_ssim
from enhance_sweep.metrics.psnr import psnr

__all__ = ["ms_ssim", "psnr"]
