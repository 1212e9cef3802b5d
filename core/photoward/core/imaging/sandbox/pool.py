"""Imaging for the rest of the world: open a picture, finish it with noise, forget it.

Full-size pixels live in child processes; what crosses over are files and working grids. A picture
that brings its child down fails alone: others that the child held are opened anew, unnoticed.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from photoward.core import rights
from photoward.core.errors import PhotowardError
from photoward.core.imaging import fingerprint
from photoward.core.imaging.sandbox.child_process import ChildProcess
from photoward.core.imaging.sandbox.process import DecoderProcess, HeldImage
from photoward.core.imaging.sniff import Limits, sniff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from photoward.core.settings import Settings

MOST_CHILDREN = 4
_FIGURES = (
    "linf",
    "encoder_linf",
    "p99_9",
    "psnr_db",
    "ssim",
    "survival",
    "survival_hosted",
    "visibility",
)
_SEEN = ("flip", "flat_delta_e", "low_chroma", "low_luma")
_WORST = ("flip", "delta_e", "chroma", "luma")
_SIDES = ("256", "224", "128", "64")
_STEPS = ("enlarge", "encode", "verify")


@dataclass(frozen=True, eq=False)
class Opened:
    """A decoded picture, waiting for its noise."""

    width: int
    """Displayed pixels."""
    height: int
    digest: bytes
    """SHA-256 over mode, size and oriented pixels, opacity included."""
    pixels: NDArray[np.uint8]
    """RGB ``[G, G, 3]``: the whole picture squeezed to the working grid, exactly its pixels when it
    is of that size; transparent parts over middle grey, grey as three equal channels."""
    grey: bool
    """Hardly a pixel has a hue: the mean of the noise's channels will be added to all of them."""
    notes: list[str]
    """What could not stay as it was, in sentences."""
    seconds: float
    """Time spent on decoding."""
    held: HeldImage
    """The pool's own."""
    decoder: DecoderProcess
    """The pool's own."""


@dataclass(frozen=True)
class Finished:
    """A protected file."""

    data: bytes
    media_type: str
    measured: dict[str, Any]
    """JSON-able: ``linf`` and ``p99_9`` (8-bit steps), ``encoder_linf`` (what writing the file
    alone changed of a sample, at most), ``psnr_db`` (None: nothing changed),
    ``ssim``, ``survival`` (None: the noise was flat),
    ``survival_hosted`` (after a host's shrinking and JPEG), ``survival_at`` (shrunk to a shorter
    side of so many pixels), ``visibility`` and ``seen`` (as in ``visibility.Seen``), ``epsilon``
    (None: no bound was asked for)."""
    seconds: dict[str, float]
    """What each step took, in their order."""
    before: NDArray[np.uint8]
    """The original on a grid of ``fingerprint.SIDE``, as ``Opened.pixels``."""
    after: NDArray[np.uint8]
    """The protected picture, the same."""
    data_mining: str = rights.NOTHING
    """What it says about being trained on: what was asked for, or the original's stricter word."""


class ImagingPool:
    """Child processes that decode and encode; usable from many threads, closed by ``with``.

    Args:
        children: how many at most; 0: one a core, at most four. Each starts when first needed.
        memory_mib: address space of each.
        cpu_s: processor time for one request: what needs more is refused.
        limits: the largest picture that is opened.
        timeout_s: time for one request by the clock: what takes longer is no fault of a picture.
    """

    @classmethod
    def of(
        cls,
        settings: Settings,
        children: int,
        *,
        limits: Limits | None = None,
        timeout_s: float | None = None,
    ) -> Self:
        """A pool with an installation's limits, but for those that are given."""
        return cls(
            children,
            settings.imaging_memory_bytes >> 20,
            settings.imaging_cpu_seconds,
            limits or Limits(settings.imaging_max_megapixels, settings.imaging_max_side_pixels),
            timeout_s=settings.imaging_timeout_seconds if timeout_s is None else timeout_s,
        )

    def __init__(
        self,
        children: int,
        memory_mib: int,
        cpu_s: float,
        limits: Limits | None = None,
        *,
        timeout_s: float = 300.0,
    ) -> None:
        self._limits = limits or Limits()
        self._timeout_s = timeout_s
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        # The kernel ends a child with the thread that started it: this one lives as long as they.
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix="imaging")
        make = functools.partial(ChildProcess, memory_mib, cpu_s)
        count = children or min(os.cpu_count() or 1, MOST_CHILDREN)
        self._decoders = [
            DecoderProcess(lambda: self._spawner.submit(make).result(), timeout_s)
            for _ in range(count)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_all()

    def open(
        self,
        data: bytes,
        *,
        grid: int,
        size: tuple[int, int] | None = None,
        box: tuple[float, float, float, float] | None = None,
    ) -> Opened:
        """Decode a picture and show it on a square grid of side ``grid``.

        Args:
            data: the whole file.
            grid: side of the working grid.
            size: width and height in which it is to leave; None: its own.
            box: left, top, right and bottom of what is shown of it, in pixels; None: all.

        Raises:
            BadInput: it is refused, corrupt or truncated, or ``too_costly``.
            PhotowardError: ``timed_out`` or ``internal_error``: it may go well another time.
            Unavailable: no child can be started.
        """
        header = sniff(data, self._limits, complete=True)
        if header is None:  # never of a complete file
            raise PhotowardError("internal_error", "The header is undecided.")
        size = size or (header.width, header.height)
        most = self._limits.max_megapixels * 1e6
        held = HeldImage(next(self._numbers), data, header, grid, size, box, most)
        decoder = self._choose(held)
        try:
            answer, blobs = decoder.open(held)
        except BaseException:
            self._leave(decoder, held)
            raise
        held.digest = str(answer["digest"])
        held.finished = max(size[0] * size[1], min(int(answer["pixels"]), int(most)))
        pixels = _on_grid(blobs, 0, grid)
        return Opened(
            *size,
            bytes.fromhex(held.digest),
            pixels,
            bool(answer["grey"]),
            list(map(str, answer["notes"])),
            self._spent(answer, ("decode_s",))["decode_s"],
            held,
            decoder,
        )

    def finish(  # noqa: PLR0913  # one keyword for each thing that may be asked for
        self,
        opened: Opened,
        noise: NDArray[np.int16],
        *,
        epsilon: float | None,
        output_format: str | None = None,
        data_mining: str = rights.DEFAULT,
        metadata: Sequence[str] = (),
        stated: Mapping[str, str] | None = None,
        instance: str = "",
        quality: int | str | None = None,
    ) -> Finished:
        """Add noise, encode, decode again, verify, measure.

        Args:
            opened: from ``open``; it stays open.
            noise: ``[G, G, 3]`` in 8-bit steps, of any G; enlarged by bicubic curves, clipped
                to ±epsilon.
            epsilon: bound in 8-bit steps; its whole part counts. None: what noise can hold, 127.
            output_format: ``jpeg``, ``png``, ``webp``, ``avif``; None: the input's own.
            data_mining: one of ``rights.CHOICES``, for the file to say.
            metadata: what else of the original's EXIF to keep: of ``metadata.GROUPS``.
            stated: what fills the gaps of what the original says of rights: of
                ``rights.STATEMENTS``.
            instance: the file's instance id in XMP; empty: none.
            quality: of a lossy file, 1 to 100; ``same``: that of the input, of a JPEG made of one;
                None: one at which nearly all noise survives.

        Raises:
            BadInput: ``unsupported_output``, ``too_costly``, or ``corrupt``.
            PhotowardError: ``postcondition``, ``timed_out`` or ``internal_error``.
            Unavailable: no child can be started.
        """
        held = opened.held
        output = output_format or held.header.output
        steps = np.ascontiguousarray(noise, dtype="<i2").tobytes()
        # No format is less frugal with pixels; the metadata are not more than came.
        most = 6 * held.finished + len(held.data) + (4 << 20)
        answer, blobs = opened.decoder.finish(
            held,
            [steps],
            most,
            grid=len(noise),
            epsilon=epsilon,
            output=output,
            mining=data_mining,
            metadata=list(metadata),
            stated=dict(stated or {}),
            instance=instance,
            quality=quality,
        )
        data = bytes(blobs[0])
        media_type = f"image/{output}"
        self._check(data, media_type, opened)
        measured = _figures(answer["measured"]) | {"epsilon": epsilon}
        return Finished(
            data,
            media_type,
            measured,
            self._spent(answer["seconds"], _STEPS),
            _on_grid(blobs, 1, fingerprint.SIDE),
            _on_grid(blobs, 2, fingerprint.SIDE),
            rights.said(str(answer.get("term"))),
        )

    def close(self, opened: Opened) -> None:
        """Forget a picture; twice does no harm."""
        if opened.held.data:
            opened.held.data = b""
            self._leave(opened.decoder, opened.held)

    def close_all(self) -> None:
        """End all children; the pool cannot be used any more."""
        for decoder in self._decoders:
            decoder.close()
        self._spawner.shutdown()

    def pids(self) -> list[int]:
        """Of the children that run."""
        return [decoder.pid for decoder in self._decoders if decoder.pid]

    def _choose(self, held: HeldImage) -> DecoderProcess:
        with self._lock:
            decoder = min(self._decoders, key=lambda one: one.load)
            decoder.load += held.pixels
        return decoder

    def _leave(self, decoder: DecoderProcess, held: HeldImage) -> None:
        decoder.drop(held)
        with self._lock:
            decoder.load -= held.pixels

    def _spent(self, answer: dict[str, Any], names: tuple[str, ...]) -> dict[str, float]:
        """Seconds, which are never more than a child is given."""
        told = _numbers(answer, names)
        return {name: min(max(told[name] or 0.0, 0.0), self._timeout_s) for name in names}

    def _check(self, data: bytes, media_type: str, opened: Opened) -> None:
        """The child is not trusted: what it calls a picture of some size must look like it."""
        header = sniff(data, self._limits, complete=True)
        wanted = (media_type, opened.width, opened.height)
        if header is None or (header.media_type, header.width, header.height) != wanted:
            raise PhotowardError("postcondition", "The finished file is not what was asked for.")


def _on_grid(blobs: Sequence[bytes | bytearray], number: int, side: int) -> NDArray[np.uint8]:
    """A picture that a child shows; the child is not trusted to send one."""
    try:
        return np.frombuffer(blobs[number], dtype=np.uint8).reshape(side, side, 3)
    except (IndexError, ValueError) as error:
        raise PhotowardError("postcondition", "A picture is not what was asked for.") from error


def _figures(told: dict[str, Any]) -> dict[str, Any]:
    """What was measured, of a known shape whatever a child says."""
    at, seen = told.get("survival_at") or {}, told.get("seen") or {}
    return {
        **_numbers(told, _FIGURES),
        "survival_at": _numbers(at, tuple(side for side in _SIDES if side in at)),
        "seen": {**_numbers(seen, _SEEN), "worst": _numbers(seen.get("worst") or {}, _WORST)},
    }


def _numbers(answer: dict[str, Any], names: tuple[str, ...]) -> dict[str, float | None]:
    """Finite numbers or None, whatever a child says."""
    figures = {}
    for name in names:
        value = answer.get(name)
        known = isinstance(value, int | float) and math.isfinite(value)
        figures[name] = value if known else None
    return figures
