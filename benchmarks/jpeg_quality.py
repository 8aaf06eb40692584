"""What JPEG costs an enhanced photograph: size and PSNR for qualities and color resolutions.

python benchmarks/jpeg_quality.py RESULT.png...     # results of the command on PNG photographs
"""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image


def main() -> None:
    results = [Image.open(Path(name)).convert("RGB") for name in sys.argv[1:]]
    print(f"{'quality':>7} {'colors':>7} {'bits a pixel':>13} {'PSNR dB':>8}   (means of {len(results)} photographs)")
    for quality in (85, 90, 95, 98):
        for colors, subsampling in (("4:2:0", 2), ("4:4:4", 0)):
            bits, psnrs_db = [], []
            for image in results:
                file = io.BytesIO()
                image.save(file, "JPEG", quality=quality, subsampling=subsampling)
                bits.append(8 * file.tell() / (image.width * image.height))
                error = np.asarray(Image.open(file)).astype(float) - np.asarray(image)
                psnrs_db.append(10 * np.log10(255**2 / np.square(error).mean()))
            print(f"{quality:7} {colors:>7} {np.mean(bits):13.2f} {np.mean(psnrs_db):8.2f}")


if __name__ == "__main__":
    main()
