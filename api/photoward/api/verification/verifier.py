"""Compares a file with all that was protected here.

By its bytes, by the id in its XMP, and by the look of its picture; the last two are confirmed with
the protected file, as long as that is kept. Decoding is done in a confined child. Knows no HTTP.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from photoward.core.errors import NotFound
from photoward.core.object_keys import output_keys
from photoward.core.output_marks import find_mark
from photoward.core.proofs import Similar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from photoward.core.imaging.fingerprint import Thumbnail
    from photoward.core.imaging.sandbox.pool import ImagingPool
    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger
    from photoward.core.proofs import Proof
    from photoward.core.settings import Settings
    from photoward.core.storage import ObjectStore

MAX_CANDIDATES = 5
"""Protected files that one file is compared with."""
SURE = 4
"""Bits of a hash that may differ where nothing is left to confirm it with. None of 1 200
foreign photos was that near to one of 200 protected ones."""
LEAST_NOISE = 0.3
"""Share of the noise below which a file counts as one without it: originals show less than 0.1."""
LEAST_EDIT = 0.02
"""Share of a picture that counts as edited: shrinking by half stays below."""


class Verdict(StrEnum):
    """What a file is."""

    EXACT = "exact"
    """A protected file, byte for byte."""
    COPY = "copy"
    """A protected file that was saved again, shrunk or cropped."""
    EDITED = "edited"
    """The same, with parts that were changed."""
    NOISE_MISSING = "noise_missing"
    """The picture of a protected file without its noise: the original, or cleaned."""
    LOOKS_ALIKE = "looks_alike"
    """The picture of a protected file; whether it has its noise cannot be told."""
    PICTURE_DIFFERS = "picture_differs"
    """It has the id of a protected file, and another picture."""
    UNKNOWN = "unknown"
    """Nothing of it is known here."""


@dataclass(frozen=True)
class Match:
    """How like a protected file it is."""

    distance: int
    """Bits of 64 in which the perceptual hashes differ."""
    cropped: bool
    edited_share: float | None
    """Share of the picture that was changed. None: it cannot be told."""
    noise_share: float | None
    """How much of the noise is left, 0 to 1. None: it cannot be told."""


@dataclass(frozen=True)
class Finding:
    """What was found out about a file."""

    verdict: Verdict
    mark: str | None = None
    """The id in its XMP."""
    mark_known: bool = False
    match: Match | None = None
    proof: Proof | None = None
    """Of the protected file."""


class Verifier:
    """Finds out what files are; usable from several threads, closed once.

    The child that decodes starts with the first file.

    Args:
        ledger: knows the protected files.
        store: has those that are kept.
        settings: give the limits.
    """

    def __init__(self, ledger: Ledger, store: ObjectStore, settings: Settings) -> None:
        self._ledger = ledger
        self._store = store
        self._settings = settings
        self._lock = threading.Lock()
        self._pool: ImagingPool | None = None

    def close(self) -> None:
        """End the child."""
        if self._pool is not None:
            self._pool.close_all()

    def find_by_mark(self, mark: str) -> Proof:
        """The oldest protection with that id. Raises NotFound."""
        for proof in self._ledger.proofs.find_by_mark(mark):
            return proof
        raise NotFound("No file with this id was protected here.")

    def verify(self, data: bytes, tenant: str | None = None) -> Finding:
        """What a file is.

        Args:
            data: the whole file, whose header was checked.
            tenant: who asks; of several equal files their own is named.

        Raises:
            BadInput: it cannot be decoded.
            PhotowardError: as ``ImagingPool.open``.
            Unavailable: the ledger, the store or the child is away.
        """
        mark = find_mark(data)
        known = self._ledger.proofs.find_by_mark(mark) if mark else []
        same = self._ledger.proofs.find_by_digest(hashlib.sha256(data).hexdigest())
        if same:
            match = Match(0, cropped=False, edited_share=0.0, noise_share=1.0)
            own = _own_first(same, tenant)[0]
            return Finding(Verdict.EXACT, mark, bool(known), match, own)
        thumb = self._look_at(data)
        for candidate in self._candidates(thumb, known, tenant):
            found = self._compare(thumb, candidate, named=candidate.proof in known)
            if found is not None:
                return Finding(found[0], mark, bool(known), found[1], candidate.proof)
        if known:
            return Finding(Verdict.PICTURE_DIFFERS, mark, mark_known=True, proof=known[0])
        return Finding(Verdict.UNKNOWN, mark)

    def _candidates(
        self, thumb: Thumbnail, known: Sequence[Proof], tenant: str | None
    ) -> list[Similar]:
        """What it may be a copy of: what its id names first, then what looks most like it."""
        from photoward.core.imaging import fingerprint  # noqa: PLC0415  # as in _opened

        hashes = fingerprint.hashes(thumb)
        similar = (
            self._ledger.proofs.find_similar(hashes[fingerprint.WHOLE], MAX_CANDIDATES)
            if hashes
            else []
        )
        similar.sort(key=lambda one: (one.proof not in known, one.proof.tenant != tenant))
        near = [one.proof for one in similar]
        named = [
            Similar(one, fingerprint.WHOLE, fingerprint.HASH_BITS)
            for one in known
            if one not in near
        ]
        return [*similar, *named][:MAX_CANDIDATES]

    def _compare(
        self, thumb: Thumbnail, candidate: Similar, *, named: bool
    ) -> tuple[Verdict, Match] | None:
        """What it is beside a protected file; None: another picture.

        Args:
            thumb: the file's.
            candidate: the protected file.
            named: whether the file has its id.
        """
        from photoward.core.imaging import fingerprint  # noqa: PLC0415  # as in _opened

        cropped = candidate.box != fingerprint.WHOLE
        protected = self._kept(candidate.proof)
        if protected is None:
            if candidate.distance > SURE:
                return None
            verdict = Verdict.COPY if named else Verdict.LOOKS_ALIKE
            return verdict, Match(candidate.distance, cropped, None, None)
        sketch = candidate.proof.sketch
        found = fingerprint.compare(thumb, self._look_at(protected), candidate.box, sketch)
        if not found.shows_the_same:
            return None
        edited = None if cropped else found.edited_share
        match = Match(candidate.distance, cropped, edited, found.noise_share)
        if found.noise_share is None:
            return Verdict.LOOKS_ALIKE, match
        if found.noise_share < LEAST_NOISE:
            return Verdict.NOISE_MISSING, match
        return (Verdict.EDITED if (edited or 0) > LEAST_EDIT else Verdict.COPY), match

    def _kept(self, proof: Proof) -> bytes | None:
        """The protected file; None: it was deleted."""
        if proof.item_id is None:
            return None
        try:
            item = self._ledger.items.get(proof.tenant, proof.item_id)
            return self._store.get(_key(item, proof))
        except NotFound:
            return None

    def _look_at(self, data: bytes) -> Thumbnail:
        from photoward.core.imaging import fingerprint  # noqa: PLC0415  # as in _opened

        pool = self._opened()
        opened = pool.open(data, grid=fingerprint.SIDE)
        pool.close(opened)
        return fingerprint.thumbnail(opened.pixels)

    def _opened(self) -> ImagingPool:
        # numpy takes longer to load than all else: the service is up before.
        from photoward.core.imaging.sandbox.pool import ImagingPool  # noqa: PLC0415

        with self._lock:
            if self._pool is None:
                self._pool = ImagingPool.of(self._settings, 1)
            return self._pool


def _own_first(proofs: Iterable[Proof], tenant: str | None) -> list[Proof]:
    return sorted(proofs, key=lambda one: one.tenant != tenant)


def _key(item: Item, proof: Proof) -> str:
    """Where a file of an item lies. Raises NotFound."""
    files = item.output.files if item.output else ()
    for key, file in zip(output_keys(item).values(), files, strict=False):
        if file.sha256 == proof.sha256:
            return key
    raise NotFound
