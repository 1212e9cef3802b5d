"""Pictures and files to order, the same for the same arguments."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from photoward.core import rights
from photoward.core.imaging.sandbox.server import DecoderServer, load_codecs
from photoward.core.imaging.sniff import Limits, sniff

load_codecs()

MOST_PIXELS = 50e6

CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}


def image(mode: str = "RGB", size: tuple[int, int] = (40, 30), seed: int = 0) -> Image.Image:
    """Any samples; about a third of the pixels of a mode with opacity are wholly transparent."""
    random = np.random.default_rng(seed)
    if mode == "P":
        # Seven colours: more than that, and a GIF-like file would need no other example.
        few = Image.fromarray(random.integers(0, 7, size[::-1], dtype=np.uint8), "P")
        few.putpalette(random.integers(0, 256, 21, dtype=np.uint8).tobytes())
        return few
    if mode == "1":
        return Image.fromarray(
            random.integers(0, 2, size[::-1], dtype=np.uint8) * np.uint8(255)
        ).convert("1")
    samples = random.integers(0, 256, (size[1], size[0], CHANNELS[mode]), dtype=np.uint8)
    if mode == "CMYK":
        return Image.frombytes(mode, size, samples.tobytes())
    if CHANNELS[mode] % 2 == 0:
        samples[random.random(samples.shape[:2]) < 1 / 3, -1] = 0
    return Image.fromarray(samples[..., 0] if mode == "L" else samples)


def smooth(size: tuple[int, int] = (320, 200), mode: str = "RGB") -> Image.Image:
    """What a photo's low frequencies look like: lossy coders change little of it."""
    return image(mode, (5, 4)).resize(size, Image.Resampling.BICUBIC)


def file(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:  # noqa: ANN401  # Pillow's
    """The picture as a file."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def reopened(data: bytes | bytearray) -> Image.Image:
    """The file as Pillow sees it."""
    with Image.open(io.BytesIO(data)) as opened:
        opened.load()
        return opened


def noise(grid: int = 16, epsilon: int = 8, seed: int = 1) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Noise on a working grid, up to ±epsilon."""
    random = np.random.default_rng(seed)
    return random.integers(-epsilon, epsilon + 1, (grid, grid, 3)).astype(np.int16)


class Bench:
    """A child's server without the child: one picture through both requests."""

    def __init__(
        self,
        header: dict[str, Any],
        data: bytes,
        *,
        grid: int = 16,
        size: tuple[int, int] | None = None,
        box: tuple[float, float, float, float] | None = None,
    ) -> None:
        self.server = DecoderServer()
        self.grid = grid
        size = size or (header["width"], header["height"])
        options = {
            "header": header,
            "grid": grid,
            "size": list(size),
            "box": box,
            "most_pixels": MOST_PIXELS,
        }
        request = {"do": "open", "handle": 1, "drop": [], "with": options}
        self.opened, blobs = self.server.serve(request, [bytearray(data)])
        self.pixels = bytes(blobs[0]) if blobs else b""

    def finish(  # noqa: PLR0913, PLR0917  # what may be asked for
        self,
        steps: np.ndarray[Any, np.dtype[np.int16]],
        epsilon: float | None,
        output: str,
        mining: str = rights.NOTHING,
        metadata: tuple[str, ...] = (),
        quality: int | str | None = None,
        **stated: str,
    ) -> tuple[dict[str, Any], bytes]:
        """The answer and the finished file."""
        options = {
            "grid": self.grid,
            "epsilon": epsilon,
            "output": output,
            "mining": mining,
            "metadata": list(metadata),
            "stated": stated,
            "instance": "",
            "quality": quality,
        }
        request = {"do": "finish", "handle": 1, "drop": [], "with": options}
        answer, blobs = self.server.serve(request, [bytearray(steps.astype("<i2").tobytes())])
        return answer, bytes(blobs[0]) if blobs else b""


def bench(data: bytes, grid: int = 16) -> Bench:
    """The server with a file of any kind on it."""
    header = sniff(data, Limits(), complete=True)
    assert header is not None
    return Bench(asdict(header), data, grid=grid)
