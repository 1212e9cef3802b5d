"""The matrix file × promise: real photos of every kind through the service, each read again."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from PIL import Image, ImageOps, ImageSequence
from rich.console import Console
from rich.table import Table

from photoward.api.cli.client import Client, Refusal
from photoward.core.catalogue import DEFAULT_PRESET, PRESETS
from photoward.core.imaging.header import READ_ONLY
from photoward.core.imaging.sniff import INPUTS, Limits, sniff
from tests.core.imaging.pictures import reopened  # it teaches Pillow HEIC, too
from tests.support.stack import Stack, Upload, fresh_stack

BESIDE = Path(__file__).parents[3] / "shared"
FILES = Path(os.environ.get("PHOTOWARD_SHARED", BESIDE)) / "data" / "photos"

REFUSED = {
    "libavif__weld_16bit.png": "unsupported_bit_depth",
    "libavif__seine_hdr_rec2020.avif": "unsupported_bit_depth",
    "Pillow__ultrahdr.jpg": "truncated",
}
"""What the promise allows to refuse, and with which code."""

EPSILON, LEAST_PSNR_DB = PRESETS[DEFAULT_PRESET].epsilon, 27
REPEATED = 12
"""Each so many photos are sent twice."""
QUICK, QUICK_SHARE = "sem", 3
"""A method that takes less time; of so many photos one gets the default's noise."""

JPEG = b"\xff\xd8\xff"
PIXELS = {b"VP8 ", b"VP8L", b"ALPH", b"ANMF"}
TOLD = {b"VP8X", b"ANIM", b"ICCP", b"EXIF", b"XMP "}
"""A WebP's chunks; each of the latter may come once."""
EXIF = {0x013B, 0x8298, 0x011A, 0x011B, 0x0128}
"""Artist, copyright, density."""
TELLTALES = (
    "GPS", "SerialNumber", "MakerNote", "Thumbnail", "PreviewImage", "MPImage", "GainMap",
    "DepthMap",
)  # fmt: skip
"""Beginnings and ends of ExifTool's names for what must not be there."""


@dataclass(frozen=True)
class Pair:
    """A photo and what came back."""

    name: str
    data: bytes
    item: dict[str, Any]
    finished: bytes
    again: bytes | None
    """The same photo's output once more; None: it was sent once."""

    @cached_property
    def before(self) -> Image.Image:
        """As browsers display it: they follow EXIF's orientation, not XMP's as Pillow does."""
        image = _frames(self.data)[0]
        for name in ("xmp", "XML:com.adobe.xmp"):
            image.info.pop(name, None)
        return ImageOps.exif_transpose(image)

    @cached_property
    def after(self) -> Image.Image:
        return _frames(self.finished)[0]

    @property
    def said(self) -> str:
        return " ".join(self.item["measured"]["notes"])


Promise: TypeAlias = Callable[[Pair], bool | None]
"""Whether it is kept; None where there is nothing to keep."""


def _frames(data: bytes) -> list[Image.Image]:
    with Image.open(io.BytesIO(data)) as opened:
        if opened.format in ("GIF", "PNG", "WEBP"):
            return [frame.copy() for frame in ImageSequence.Iterator(opened)]
        opened.load()
        return [opened.copy()]


def _colours(image: Image.Image) -> np.ndarray[Any, Any]:
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return np.asarray(image if image.mode == "CMYK" else image.convert("RGB"), int)


def _opacity(image: Image.Image) -> np.ndarray[Any, Any] | None:
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        return np.asarray(image.convert("RGBA").getchannel("A"))
    return None


def size(pair: Pair) -> bool:
    return pair.before.size == pair.after.size and pair.after.getexif().get(0x0112, 1) == 1


def kind(pair: Pair) -> bool:
    header = sniff(pair.data, Limits(), complete=True)
    assert header is not None
    wanted = INPUTS[READ_ONLY.get(header.format, header.format)]
    return bool(pair.item["output"]["media_type"] == wanted)


def profile(pair: Pair) -> bool | None:
    own = pair.before.info.get("icc_profile")
    if not own:
        return None
    return pair.after.info.get("icc_profile") == own or "profile was left out" in pair.said


def opacity(pair: Pair) -> bool | None:
    own, now = _opacity(pair.before), _opacity(pair.after)
    if own is None:
        return None
    if now is None:
        return bool((own == 255).all())
    clear = own == 0
    same = (_colours(pair.before) == _colours(pair.after))[clear].all()
    return bool((own == now).all() and same)


def depth(pair: Pair) -> bool:
    return pair.after.mode in ("L", "LA", "RGB", "RGBA", "CMYK")


def colour(pair: Pair) -> bool | None:
    if pair.before.mode == "CMYK":
        return pair.after.mode == "CMYK"
    if pair.before.mode == "P":
        return "palette" in pair.said
    own = _colours(pair.before)
    if (own != own[..., :1]).any():
        return None
    now = _colours(pair.after)
    return bool(abs(now - now[..., :1]).max() <= 1)  # WebP rounds a neutral colour by a step


def motion(pair: Pair) -> bool | None:
    if len(_frames(pair.data)) == 1:
        return None

    def pace(data: bytes) -> tuple[int, Any]:
        opened = reopened(data)
        frames = ImageSequence.Iterator(opened)
        shown = sum(round(frame.info.get("duration") or 100) for frame in map(_loaded, frames))
        return shown, opened.info.get("loop")

    return pace(pair.data) == pace(pair.finished)


def _loaded(frame: Image.Image) -> Image.Image:
    frame.load()
    return frame


def rights(pair: Pair) -> bool:
    return b"DMI-PROHIBITED-AIMLTRAINING" in bytes(pair.after.info["xmp"])


def metadata(pair: Pair) -> bool:
    """Artist and copyright as they were; nothing that was not asked for."""
    block = pair.after.getexif()
    return set(block) <= EXIF and not block.get_ifd(0x8825) and not block.get_ifd(0x8769)


def owner(pair: Pair) -> bool | None:
    own, now = (
        {tag: str(one.getexif().get(tag, "")).strip("\0 ") for tag in (0x013B, 0x8298)}
        for one in (pair.before, pair.after)
    )
    return own == now if any(own.values()) else None


def single(pair: Pair) -> bool:
    """No second picture, and no byte after the end."""
    data = pair.finished
    if data.startswith(JPEG):
        return data.count(JPEG) == 1 and data.endswith(b"\xff\xd9") and b"MPF\0" not in data
    if data[:4] == b"RIFF":
        chunks = list(_chunks(data))
        told = [(name, body) for name, body in chunks if name not in PIXELS]
        whole = len(data) == int.from_bytes(data[4:8], "little") + 8
        once = len({name for name, _ in told}) == len(told)
        return whole and once and all(name in TOLD and JPEG not in body for name, body in told)
    ends = data.endswith(b"IEND\xaeB`\x82") or data[4:8] == b"ftyp"
    return ends and b"Exif\0\0\xff\xd8" not in data


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of each of a WebP's chunks: any three bytes may occur among pixels."""
    at = 12
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def exiftool(pair: Pair) -> bool | None:
    """What an independent reader finds."""
    if not shutil.which("exiftool"):
        return None
    told = subprocess.run(
        ["exiftool", "-j", "-a", "-G1", "-ee", "-"], input=pair.finished, capture_output=True,
        check=False,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(told.stdout)[0]
    names = [name.rpartition(":")[2] for name in found]
    strange = [name for name in names if name.startswith(TELLTALES) or name.endswith(TELLTALES)]
    return not strange and not [name for name in found if name.endswith(":Warning")]


def bound(pair: Pair) -> bool:
    own, now = _colours(pair.before), _colours(pair.after)
    change = abs(now - own)
    if not change.any():
        return False
    if pair.item["measured"]["linf"] <= EPSILON:
        return bool(change.max() <= EPSILON)
    return bool(10 * np.log10(255**2 / np.mean(change**2.0)) >= LEAST_PSNR_DB)


def repeated(pair: Pair) -> bool | None:
    return None if pair.again is None else pair.finished == pair.again


PROMISES: tuple[Promise, ...] = (
    size, kind, profile, opacity, depth, colour, motion, metadata, owner, rights, single, exiftool,
    bound, repeated,
)  # fmt: skip


@pytest.mark.skipif(not FILES.is_dir(), reason="the collection of photos is not here")
@pytest.mark.timeout(1200)
def test_every_photo_keeps_every_promise_or_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    paths = sorted(path for path in FILES.rglob("*") if path.is_file())
    uploads = [
        Upload(
            path.read_bytes(), "application/octet-stream", method=QUICK if n % QUICK_SHARE else None
        )
        for n, path in enumerate(paths)
    ]
    with fresh_stack() as service:
        answers = [_sent(service, upload) for upload in (*uploads, *uploads[::REPEATED])]
        ids = [one for one in answers if not isinstance(one, Refusal)]
        items = dict(zip(ids, service.ended(ids, 900), strict=True))
        files = {one: service.content(one) for one, item in items.items() if item["output"]}
    refused: dict[str, str] = {}
    pairs: list[Pair] = []
    second = dict(zip(paths[::REPEATED], answers[len(paths) :], strict=True))
    for path, upload, first in zip(paths, uploads, answers, strict=False):
        if isinstance(first, Refusal):
            refused[path.name] = first.problem["code"]
        elif first not in files:
            refused[path.name] = items[first]["error"]["code"]
        else:
            again = files[str(second[path])] if path in second else None
            pairs.append(Pair(path.name, upload.data, items[first], files[first], again))
    found = {pair.name: [promise(pair) for promise in PROMISES] for pair in pairs}
    with capsys.disabled():
        _show(found, refused)
    broken = [
        (name, promise.__name__) for name, kept_ones in found.items()
        for promise, is_kept in zip(PROMISES, kept_ones, strict=True) if is_kept is False
    ]  # fmt: skip
    assert not broken
    assert refused == REFUSED
    for promise, answers_of_it in zip(PROMISES, zip(*found.values(), strict=True), strict=True):
        assert promise is exiftool or any(answers_of_it), (
            f"{promise.__name__} was never put to test"
        )


def _sent(service: Stack, upload: Upload) -> str | Refusal:
    with Client(service.url) as client:
        try:
            sent = client.submit(
                upload.data, upload.media_type, method=upload.method, label="thing"
            )  # fmt: skip
            return str(sent["id"])
        except Refusal as refusal:
            return refusal


def _show(found: dict[str, list[bool | None]], refused: dict[str, str]) -> None:
    table = Table("file", *(promise.__name__ for promise in PROMISES), title="Promises")
    for name, kept_ones in found.items():
        table.add_row(name, *({True: "✓", False: "✗", None: ""}[one] for one in kept_ones))
    for name, code in refused.items():
        table.add_row(name, code)
    Console(width=240).print(table)
