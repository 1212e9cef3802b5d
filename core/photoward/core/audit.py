"""Who did what to whom: the deeds that are kept, and who acts in this context.

Who acts travels with the context, as a request's id does in log lines: so no call of the ledger
can forget to say it. Nothing here is a secret, a label, a file name or an address of a webhook.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

DONE = "done"
"""The outcome of what was done; of what was refused it is the problem's code."""


class Deed(StrEnum):
    """What is kept."""

    KEY_MADE = "key.made"
    KEY_ROTATED = "key.rotated"
    KEY_ENDED = "key.ended"
    QUOTA_SET = "quota.set"
    WEIGHT_SET = "weight.set"
    TENANT_ERASED = "tenant.erased"
    WEBHOOK_MADE = "webhook.made"
    WEBHOOK_ROTATED = "webhook.rotated"
    WEBHOOK_REMOVED = "webhook.removed"
    IMAGE_DELETED = "image.deleted"
    BATCH_CANCELLED = "batch.cancelled"
    ACCESS_REFUSED = "access.refused"


@dataclass(frozen=True)
class Actor:
    """Who acts."""

    name: str
    """The id of a key, or one of the names below."""
    request: str | None = None
    """The request's id."""
    address: str | None = None
    """Where it came from, as far as the server believes it."""


OPERATOR = Actor("operator")
"""On the command line."""
UNKNOWN = Actor("unknown")
"""Where nobody has said who acts: no deed is laid at the operator's door by an oversight."""
ANYONE = "anyone"
"""Where no key is needed."""
STRANGER = "stranger"
"""Who has no good key."""

_acting: ContextVar[Actor] = ContextVar("acting", default=UNKNOWN)


def act_as(actor: Actor) -> None:
    """From here on in this context."""
    _acting.set(actor)


def acting() -> Actor:
    """Who acts here."""
    return _acting.get()


@dataclass(frozen=True)
class Entry:
    """A deed as it is kept."""

    seq: int
    """Its place."""
    at: datetime
    tenant: str | None
    """Whose thing it was; None: a refused key that is nobody's."""
    deed: Deed
    thing: str | None
    """The id of what it was done to."""
    detail: str | None
    """What it was set to: scopes, a number, the id of a successor."""
    outcome: str
    actor: Actor
