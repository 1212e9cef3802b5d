"""Feeds broken pictures to the sniffer and to a child's desk, without the child: ``make fuzz``.

What is not an answer there, refusals included, ends the run with the file that did it.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["photoward.core.imaging", "PIL"]):
    from photoward.core import rights
    from photoward.core.errors import PROBLEMS, BadInput
    from photoward.core.imaging.sandbox.protocol import OUT_OF_MEMORY
    from photoward.core.imaging.sniff import Limits, sniff
    from tests.core.imaging.pictures import Bench, file, image, noise, smooth

LIMITS = Limits(max_megapixels=0.1)
"""Small pictures are as good as large ones, and quicker."""

STEPS = noise(4)


def one(data: bytes) -> None:
    """A file's whole way."""
    try:
        for part in (data[: len(data) // 2], data[:64]):
            sniff(part, LIMITS, complete=False)
        header = sniff(data, LIMITS, complete=True)
    except BadInput as refusal:
        if refusal.code not in PROBLEMS:
            raise
        return
    assert header is not None
    bench = Bench(asdict(header), data, grid=4)
    if "error" in bench.opened:
        assert bench.opened["error"] in {*PROBLEMS, OUT_OF_MEMORY} - {"internal_error"}
        return
    groups = ("date", "camera", "position")
    answer, finished = bench.finish(STEPS, 8, header.output, rights.DEFAULT, groups)
    assert answer.get("error") != "internal_error"
    if "error" not in answer:
        after = sniff(finished, LIMITS, complete=True)
        assert after is not None
        assert (after.width, after.height) == (header.width, header.height)


def seeds(folder: Path) -> None:
    """A picture of each kind, to be broken."""
    frames = [image("P", (16, 12), seed) for seed in range(3)]
    made = {
        "rgb.png": file(image(size=(16, 12))),
        "alpha.png": file(image("RGBA", (16, 12))),
        "bits.png": file(image("1", (16, 12))),
        "colours.gif": file(frames[0], "GIF"),
        "photo.jpg": file(smooth((32, 24)), "JPEG", dpi=(72, 72), comment=b"a"),
        "grey.jpg": file(smooth((32, 24), "L"), "JPEG", progressive=True),
        "inks.jpg": file(smooth((32, 24), "CMYK"), "JPEG"),
        "photo.webp": file(smooth((32, 24)), "WEBP"),
        "lossless.webp": file(smooth((32, 24)), "WEBP", lossless=True, exif=b"Exif\0\0II*\0" * 3),
        "photo.avif": file(smooth((32, 24)), "AVIF"),
        "photo.heic": file(smooth((32, 24)), "HEIF"),
        "page.tif": file(image(size=(16, 12)), "TIFF", compression="tiff_lzw"),
    }
    for kind in ("PNG", "GIF", "WEBP"):
        made[f"moving.{kind.lower()}"] = file(
            frames[0].convert("RGB") if kind != "GIF" else frames[0],
            kind,
            save_all=True,
            append_images=frames[1:],
            duration=20,
        )
    for name, data in made.items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as corpus:
        seeds(Path(corpus))
        atheris.Setup([*sys.argv, "-rss_limit_mb=4096", "-timeout=30", corpus], one)
        atheris.Fuzz()
