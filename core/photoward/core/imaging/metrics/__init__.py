"""How much two images differ: PSNR, SSIM, FLIP, CIELAB colour difference, survival of noise."""
