"""PSNR and MS-SSIM per image, as the DPED code and the 2018 challenge computed them."""

from enhance_sweep.metrics.averages import MeanMSSSIM, MeanPSNR
from enhance_sweep.metrics.ms_ssim import ms_ssim
from enhance_sweep.metrics.psnr import psnr

__all__ = ["MeanMSSSIM", "MeanPSNR", "ms_ssim", "psnr"]
