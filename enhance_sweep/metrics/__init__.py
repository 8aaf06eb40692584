"""PSNR and MS-SSIM per image, as the 2018 challenge computed them."""
