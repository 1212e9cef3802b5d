"""What protected files are recognised by: their ids, digests and perceptual hashes.

A hash is kept in four bands of 16 bits, each with an index. Two hashes that differ in at most
``RADIUS`` bits have a band that differs in at most two, so the rows with such bands hold all that
are near (multi-index hashing).
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, union_all, update

from photoward.core.ledger.database import Section
from photoward.core.ledger.engine import now
from photoward.core.ledger.queries import chunks, inserting
from photoward.core.ledger.tables import items, outputs, proof_hashes, proofs
from photoward.core.proofs import Proof, Similar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy import ColumnElement, Connection, Row

    from photoward.core.proofs import NewProof

RADIUS = 10
"""Bits of 64 by which the hash of a copy may differ."""

BANDS, BAND_BITS = 4, 16
_FLIPPED = 2
_MASKS = tuple(
    sum(1 << bit for bit in bits)
    for count in range(_FLIPPED + 1)
    for bits in combinations(range(BAND_BITS), count)
)
if RADIUS >= BANDS * (_FLIPPED + 1):
    raise AssertionError

_COLUMNS = tuple(proof_hashes.c[f"band_{band}"] for band in range(BANDS))


class Proofs(Section):
    """The proofs of all tenants; who is told whose they are is the caller's to decide."""

    def find_by_digest(self, sha256: str) -> list[Proof]:
        """Those of a file, oldest first: several tenants may have the same."""
        return self._found(proofs.c.sha256 == sha256)

    def find_by_mark(self, mark: str) -> list[Proof]:
        """Those of the id in a file's XMP, oldest first."""
        return self._found(proofs.c.mark == mark)

    def find_by_item(self, tenant: str, item_id: str) -> list[Proof]:
        """Those of an image's files, the largest first."""
        own = select(outputs.c.sha256).where(
            outputs.c.tenant == tenant, outputs.c.item_id == item_id
        )
        found = self._found(proofs.c.tenant == tenant, proofs.c.sha256.in_(own))
        return sorted(found, key=lambda one: -one.width * one.height)

    def find_similar(self, found: int, limit: int) -> list[Similar]:
        """Up to ``limit`` files whose hash differs in at most ``RADIUS`` bits, the nearest first.

        Args:
            found: 64-bit hash of a picture.
            limit: most files.
        """
        near = union_all(
            *(
                select(proof_hashes).where(
                    column.in_([band ^ mask for mask in _MASKS])  # 137 of 65 536
                )
                for column, band in zip(_COLUMNS, _bands(found), strict=True)
            )
        )
        nearest: dict[int, tuple[int, int]] = {}
        with self._database.read_transaction() as connection:
            for seq, box, *bands in connection.execute(near):
                distance = (found ^ _joined(bands)).bit_count()
                if distance <= RADIUS:
                    nearest[seq] = min(nearest.get(seq, (distance, box)), (distance, box))
            chosen = dict(sorted(nearest.items(), key=lambda one: (one[1], -one[0]))[:limit])
            rows = _with_items(connection, proofs.c.seq.in_(chosen))
        similar = [Similar(_proof(row), chosen[row.seq][1], chosen[row.seq][0]) for row in rows]
        return sorted(similar, key=lambda one: (one.distance, one.box != 0))

    def _found(self, *conditions: ColumnElement[bool]) -> list[Proof]:
        with self._database.read_transaction() as connection:
            return [_proof(row) for row in _with_items(connection, *conditions)]


_ITEM = (
    select(outputs.c.item_id)
    .join(items, items.c.id == outputs.c.item_id)
    .where(
        outputs.c.tenant == proofs.c.tenant,
        outputs.c.sha256 == proofs.c.sha256,
        items.c.deleted_at.is_(None),
    )
    .order_by(outputs.c.item_id)
    .limit(1)
    .scalar_subquery()
)


def _with_items(connection: Connection, *conditions: ColumnElement[bool]) -> list[Row[Any]]:
    query = select(proofs, _ITEM.label("item_id")).where(*conditions)
    return list(connection.execute(query.order_by(proofs.c.protected_at, proofs.c.seq)))


def _proof(row: Row[Any]) -> Proof:
    return Proof(
        row.tenant, row.sha256, row.mark, row.protected_at, row.width, row.height, row.facts,
        row.sketch, row.item_id,
    )  # fmt: skip


def record_proofs(connection: Connection, made: Mapping[str, Collection[NewProof]]) -> None:
    """Keep the proofs of finished items, which this transaction has locked, by id.

    Of a file that was made before, the date of then stays.
    """
    new = [(item_id, one) for item_id, theirs in made.items() for one in theirs]
    if not new:
        return
    of_items = select(items.c.id, items.c.tenant).where(items.c.id.in_({one for one, _ in new}))
    owners = {row.id: row.tenant for row in connection.execute(of_items)}
    moment = now(connection)
    for item_id, one in sorted(new, key=lambda pair: pair[1].sha256):  # all lock in this order
        statement = inserting(connection, proofs).values(
            sha256=one.sha256,
            tenant=owners[item_id],
            mark=one.fingerprint.mark,
            protected_at=moment,
            width=one.width,
            height=one.height,
            facts=one.facts,
            sketch=one.fingerprint.sketch,
        )
        again = statement.on_conflict_do_update(
            index_elements=[proofs.c.sha256, proofs.c.tenant],
            set_={"sketch": statement.excluded.sketch},
        )
        seq = connection.execute(again.returning(proofs.c.seq)).scalar_one()
        rows = [
            {"proof": seq, "box": box, **_columns(bits)}
            for box, bits in enumerate(one.fingerprint.hashes)
        ]
        if rows:
            kept = inserting(connection, proof_hashes).on_conflict_do_nothing()
            connection.execute(kept, rows)


def forget_sketches(connection: Connection, item_ids: Collection[str]) -> None:
    """Delete the noise of these items' files, unless another item has the same file.

    Called before ``outputs.forget_outputs``.
    """
    for ids in chunks(list(item_ids)):
        theirs = select(outputs.c.sha256).where(outputs.c.item_id.in_(ids))
        others = select(outputs.c.item_id).where(
            outputs.c.tenant == proofs.c.tenant,
            outputs.c.sha256 == proofs.c.sha256,
            outputs.c.item_id.not_in(ids),
        )
        mine = select(outputs.c.item_id).where(
            outputs.c.tenant == proofs.c.tenant,
            outputs.c.sha256 == proofs.c.sha256,
            outputs.c.item_id.in_(ids),
        )
        unused = proofs.c.sha256.in_(theirs), mine.exists(), ~others.exists()
        connection.execute(update(proofs).where(*unused).values(sketch=None))


def erase_proofs(connection: Connection, tenant: str) -> None:
    """Delete all that is known of a tenant's files."""
    theirs = select(proofs.c.seq).where(proofs.c.tenant == tenant)
    connection.execute(delete(proof_hashes).where(proof_hashes.c.proof.in_(theirs)))
    connection.execute(delete(proofs).where(proofs.c.tenant == tenant))


def _bands(bits: int) -> tuple[int, ...]:
    return tuple(bits >> BAND_BITS * band & (1 << BAND_BITS) - 1 for band in range(BANDS))


def _joined(bands: Iterable[int]) -> int:
    return sum(value << BAND_BITS * band for band, value in enumerate(bands))


def _columns(bits: int) -> dict[str, int]:
    return {f"band_{band}": value for band, value in enumerate(_bands(bits))}
