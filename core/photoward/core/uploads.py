"""Uploads: bytes that a tenant sends before it says what to do with them.

An upload consists of parts, each an object of its own in the store.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

LIFETIME = timedelta(days=1)
"""How long an upload is kept, used or not; a client that was cut off can resume it until then."""

MAX_PARTS = 1000
"""Parts of one upload: smaller parts would cost more than they are worth."""

DIRECT = "direct"
"""Name of the part that the client writes into the store itself, past the service: the ledger does
not know of it before it is used."""


@dataclass(frozen=True)
class Upload:
    """One upload."""

    id: str
    tenant: str
    length: int
    """Announced size, bytes."""
    received: int
    """Bytes received, from the first on."""
    parts: tuple[str, ...]
    """Names of the parts that hold them, in order."""
    metadata: str
    """As tus encodes it: ``filename ZmlsZQ==,…``; empty once the upload is used."""
    item_id: str | None
    """The item that was made of it."""
    expires_at: datetime

    @property
    def complete(self) -> bool:
        """Whether all bytes were received in parts."""
        return self.received == self.length


def new_part(start: int) -> str:
    """A unique name for the part that begins at byte ``start``."""
    return f"{start}-{secrets.token_hex(8)}"
