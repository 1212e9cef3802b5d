"""What is kept of a protected file so that it, and copies of it, can be recognised later.

Nothing of it is the picture: an id, digests, 64-bit hashes, how it was protected, and, as long as
the image is kept, a coarse copy of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

FACTS = ("visibility", "psnr_db", "ssim", "survival", "survival_hosted")
"""Of what was measured of a file, what a proof keeps."""


@dataclass(frozen=True)
class Fingerprint:
    """How a protected picture is recognised."""

    mark: str
    """The id in its XMP, 32 hexadecimal digits (``output_marks``)."""
    hashes: tuple[int, ...]
    """64 bits for each of ``imaging.fingerprint.BOXES``; empty: the picture is too even."""
    sketch: bytes
    """Of the noise, as ``imaging.fingerprint.noise_sketch`` makes it."""


@dataclass(frozen=True)
class NewProof:
    """What a worker reports of one protected file."""

    sha256: str
    width: int
    """Pixels."""
    height: int
    fingerprint: Fingerprint
    facts: dict[str, Any]
    """How it was protected: options, and ``FACTS``."""


@dataclass(frozen=True)
class Proof:
    """One protected file, as the ledger knows it."""

    tenant: str
    sha256: str
    mark: str
    protected_at: datetime
    """When the first of equal files was made."""
    width: int
    height: int
    facts: dict[str, Any]
    sketch: bytes | None
    """None: its image was deleted."""
    item_id: str | None
    """An image that it is a file of; None: it was deleted."""


@dataclass(frozen=True)
class Similar:
    """A protected file whose hash is near that of another."""

    proof: Proof
    box: int
    """Index of the one of ``imaging.fingerprint.BOXES`` that the other shows."""
    distance: int = field(default=0)
    """Bits of 64 that differ."""
