"""What an upload is: bytes that a tenant brings in before it says what to do with them.

They come in parts, each an object of its own. Nothing here knows where those are kept.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

LIFETIME = timedelta(days=1)
"""How long an upload is kept, used or not: who was cut off goes on the same day or begins anew."""

MAX_PARTS = 1000
"""Of one upload: a photo in parts smaller than a packet would cost more than it is worth."""

DIRECT = "direct"
"""The part that comes past the service, into the store itself: nobody knows of it until it is used.
"""


@dataclass(frozen=True)
class Upload:
    """One row of the ledger."""

    id: str
    tenant: str
    length: int
    """Bytes that were announced."""
    arrived: int
    """Bytes that came, from the first on."""
    parts: tuple[str, ...]
    """Names of the parts that hold them, in order."""
    metadata: str
    """As tus writes it: ``filename ZmlsZQ==,…``; empty once it is used."""
    item: str | None
    """What it became."""
    expires_at: datetime

    @property
    def complete(self) -> bool:
        """Whether all bytes came in parts."""
        return self.arrived == self.length


def new_part(start: int) -> str:
    """A name that no other part has, even one of the same bytes."""
    return f"{start}-{secrets.token_hex(8)}"
