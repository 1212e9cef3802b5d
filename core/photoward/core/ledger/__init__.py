"""The truth about items, in SQLite or PostgreSQL; knows no queue and no bucket."""

from __future__ import annotations

from photoward.core.ledger.ledger import Ledger, open_ledger, require_keys

__all__ = ["Ledger", "open_ledger", "require_keys"]
