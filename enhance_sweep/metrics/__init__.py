"""Metrics, image by image: PSNR and MS-SSIM as the DPED code and the 2018 challenge computed them, and chroma."""

from enhance_sweep.metrics.chroma import chroma
from enhance_sweep.metrics.ms_ssim import ms_ssim
from enhance_sweep.metrics.psnr import psnr

__all__ = ["chroma", "ms_ssim", "psnr"]
