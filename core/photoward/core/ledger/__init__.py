"""The truth about items, in SQLite or PostgreSQL; knows no queue and no bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.core.ledger.adapter import SqlLedger
from photoward.core.ledger.engine import make_engine, translated
from photoward.core.ledger.migrations import migrate

if TYPE_CHECKING:
    from photoward.core.ports import Ledger
    from photoward.core.settings import Settings

__all__ = ["open_ledger"]


def open_ledger(settings: Settings) -> Ledger:
    """The ledger that ``settings.database`` names, its tables brought up to date.

    Any number of processes may start together: one migrates, the others wait. Open it after a
    fork, not before. Raises Unavailable.
    """
    engine = make_engine(settings.database)
    with translated():
        migrate(engine)
    return SqlLedger(engine)
