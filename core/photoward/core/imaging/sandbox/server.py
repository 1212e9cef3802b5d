"""A process that may crash, hang or be taken over by a file without harm to anyone else.

It confines itself before it reads the first byte (``confinement``: no file, network, program or
other process), serves one pool over its standard input (a socket) and holds opened pictures by
number. Its environment holds no secret; it ends with its parent.
"""

from __future__ import annotations

import codecs
import contextlib
import importlib
import itertools
import resource
import signal
import socket
import sys
import time
import traceback
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import AvifImagePlugin, Image, PngImagePlugin

from photoward.core.errors import PhotowardError
from photoward.core.imaging import fingerprint, noise
from photoward.core.imaging.codec import animation, decode, encode, icc_profile
from photoward.core.imaging.metrics import measure, visibility
from photoward.core.imaging.sandbox import confinement, protocol
from photoward.core.imaging.sniff import HEIC_IS_READ, Header, Limits, sniff
from photoward.core.lifeline import die_with

if TYPE_CHECKING:
    from collections.abc import Callable

    Blobs = list[bytes | memoryview]

CROWDED = 16_000_000
"""Pixels of other pictures in memory from which on a decoder's or encoder's failure may be
their fault: not all codecs say that it is memory they lack."""

ENCODINGS = (
    "ascii",
    "cp1252",
    "latin-1",
    "mac-roman",
    "shift_jis",
    "utf-16",
    "utf-16-be",
    "utf-16-le",
    "utf-32",
    "utf-8",
)
"""In which files may hold words."""

_ANY = Limits(max_megapixels=float("inf"), max_side=sys.maxsize)


def load_codecs() -> None:
    """All of them now: once confined, nothing more can be loaded."""
    Image.init()
    PngImagePlugin.MAX_TEXT_CHUNK = icc_profile.LARGEST  # a profile is one, too
    for name in ENCODINGS:
        codecs.lookup(name)
    if HEIC_IS_READ:
        pillow_heif = importlib.import_module("pillow_heif")
        pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False)
    rehearse()
    Image.MAX_IMAGE_PIXELS = None  # the header was checked against our own limits
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a child is one core's worth, and makes no threads


def rehearse() -> None:
    """Measure a small picture: libraries load parts of themselves when they are first used."""
    before = Image.effect_noise((64, 64), 60).convert("RGB")
    layer = noise.Enlarged(np.ones((4, 4, 3), np.int16), epsilon=1, size=(64, 64), grey=False)
    after = noise.add(before, layer)
    measure.Comparison([(before, after)], layer, [after]).report()
    measure.shrunk(before, after, layer)
    visibility.seen(before, after).report()


def confine(memory_mib: int, parent: int) -> None:
    """Give up what decoding does not need, for good."""
    die_with(parent)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # the machine's memory ends: better here than the worker
            Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_mib << 20,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    confinement.enclose()


def renew_cpu(seconds: float) -> None:
    """Allow so many more seconds of processor time; beyond them the kernel ends the process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    spent = usage.ru_utime + usage.ru_stime
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent + seconds) + 2, hard))


class DecoderServer:
    """The opened pictures and what can be done with them."""

    def __init__(self) -> None:
        self.pictures: dict[int, decode.Picture] = {}

    def serve(
        self, request: dict[str, Any], blobs: list[bytearray]
    ) -> tuple[dict[str, Any], Blobs]:
        """Answer one request; refusals are answers too."""
        for handle in request["drop"]:
            self.pictures.pop(handle, None)
        does: Callable[..., tuple[dict[str, Any], Blobs]] = getattr(self, request["do"])
        try:
            return does(request["handle"], *blobs, **request["with"])
        except MemoryError:
            return _error(protocol.OUT_OF_MEMORY, "The picture needs too much memory.")
        except PhotowardError as error:
            if error.code != "postcondition" and self._crowded(request["handle"]):
                return _error(protocol.OUT_OF_MEMORY, error.detail)
            return _error(error.code, error.detail, error.field)
        except Exception as error:  # noqa: BLE001  # ours: a decoder's have become BadInput
            return _error("internal_error", _where(error))

    def open(  # noqa: PLR0913  # what a request may say
        self,
        handle: int,
        data: bytearray,
        *,
        header: dict[str, Any],
        grid: int,
        size: list[int],
        box: list[float] | None,
        most_pixels: float,
    ) -> tuple[dict[str, Any], Blobs]:
        """Decode a file, crop and shrink it if need be, and keep it under ``handle``."""
        start = time.perf_counter()
        shown = None if box is None else (box[0], box[1], box[2], box[3])
        whole = decode.decode(data, Header(**header), most_pixels)
        opened = whole.shrunk((size[0], size[1]), shown)
        pixels = opened.on_grid(grid)
        self.pictures[handle] = opened
        answer = {
            "digest": opened.digest().hex(),
            "grey": opened.grey,
            "notes": opened.notes,
            "pixels": opened.pixels,
            "decode_s": time.perf_counter() - start,
        }
        return answer, [pixels.tobytes()]

    def finish(  # noqa: PLR0913  # what a request may say
        self,
        handle: int,
        steps: bytearray,
        *,
        grid: int,
        epsilon: float | None,
        output: str,
        mining: str,
        metadata: list[str],
        stated: dict[str, str],
        instance: str,
        quality: int | str | None,
    ) -> tuple[dict[str, Any], Blobs]:
        """Add noise, encode, decode again, compare."""
        opened = self.pictures[handle]
        encode.check(opened, output)
        clock = [time.perf_counter()]
        levels = np.frombuffer(steps, dtype="<i2").reshape(grid, grid, 3)
        layer = noise.Enlarged(
            levels,
            epsilon=epsilon,
            size=opened.image.size,
            grey=opened.grey,
            inks=opened.image.mode == "CMYK",
        )
        changed = [noise.add(frame, layer) for frame in opened.frames]
        clock.append(time.perf_counter())
        words = encode.Statements(mining, metadata, stated, instance)
        data = encode.encode(changed, opened, output, words, quality)
        clock.append(time.perf_counter())
        finished, measured = verify(data, opened, changed, layer, output)
        clock.append(time.perf_counter())
        spent = [after - before for before, after in itertools.pairwise(clock)]
        seconds = dict(zip(("enlarge", "encode", "verify"), spent, strict=True))
        term = opened.metadata.rights.term(mining)
        return {"measured": measured, "seconds": seconds, "term": term}, [
            data,
            *(one.on_grid(fingerprint.SIDE).tobytes() for one in (opened, finished)),
        ]

    def close(self, handle: int) -> tuple[dict[str, Any], Blobs]:
        """Forget a picture."""
        self.pictures.pop(handle, None)
        return {}, []

    def _crowded(self, handle: int) -> bool:
        others = (held.pixels for number, held in self.pictures.items() if number != handle)
        return sum(others) > CROWDED


def verify(
    data: bytes,
    opened: decode.Picture,
    wanted: list[Image.Image],
    layer: noise.Enlarged,
    output: str,
) -> tuple[decode.Picture, dict[str, Any]]:
    """Decode the finished bytes and compare them with the original, and with what was wanted.

    Returns the finished picture, and what was measured.

    Raises:
        PhotowardError: ``postcondition``.
    """
    header = sniff(data, _ANY, complete=True)
    if header is None or (header.width, header.height) != opened.image.size:
        raise PhotowardError("postcondition", "The finished file has another size.")
    finished = decode.decode(data, header)
    if opened.motion and finished.motion and _time(opened.motion) != _time(finished.motion):
        raise PhotowardError("postcondition", "The finished file moves at another pace.")
    pairs = list(opened.beside(finished))
    comparison = measure.Comparison(pairs, layer, wanted)
    if not comparison.same_alpha:
        raise PhotowardError("postcondition", "The finished file has another opacity.")
    if encode.is_lossless(opened, output) and comparison.linf > layer.bound:
        raise PhotowardError(
            "postcondition", f"A sample changed by {comparison.linf}, {layer.bound} are allowed."
        )
    seen = visibility.seen(*pairs[0])
    measured = {**comparison.report(), **measure.shrunk(*pairs[0], layer), **seen.report()}
    return finished, measured


def _time(moves: animation.Animation) -> tuple[int, int]:
    """How long it is, in milliseconds, and how often it plays."""
    return sum(moves.durations), moves.plays


def _error(code: str, detail: str, field: str | None = None) -> tuple[dict[str, Any], Blobs]:
    return {"error": code, "detail": detail, "field": field}, []


def _where(error: Exception) -> str:
    """An exception's kind and place; not its words, which may be the picture's."""
    frame, line = deque(traceback.walk_tb(error.__traceback__), 1)[0]
    return f"{type(error).__name__} in {Path(frame.f_code.co_filename).name}, line {line}"


def main(memory_mib: int, cpu_s: float, max_blob: int, parent: int) -> None:
    """Serve until the pool closes the socket."""
    with socket.socket(fileno=0) as pool:
        load_codecs()
        confine(memory_mib, parent)
        protocol.send(pool, {"ready": True})
        server = DecoderServer()
        while True:
            try:
                request, blobs = protocol.receive(pool, max_blob)
            except EOFError:
                return
            renew_cpu(cpu_s)
            protocol.send(pool, *server.serve(request, blobs))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
