"""The audit log's vocabulary: actions, entries, and the actor of the current context.

The actor is a context variable, like a request's id in log lines, so that every call of the ledger
knows it. Entries contain no secret, label, file name or webhook URL.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

SUCCESS = "success"
"""The outcome of an action that was done; of a refused one it is the problem's code."""


class AuditAction(StrEnum):
    """What is recorded: resource and verb."""

    KEY_CREATE = "key.create"
    KEY_ROTATE = "key.rotate"
    KEY_REVOKE = "key.revoke"
    TENANT_SET_QUOTA = "tenant.set_quota"
    TENANT_SET_WEIGHT = "tenant.set_weight"
    TENANT_ERASE = "tenant.erase"
    WEBHOOK_CREATE = "webhook.create"
    WEBHOOK_ROTATE = "webhook.rotate"
    WEBHOOK_DELETE = "webhook.delete"
    IMAGE_DELETE = "image.delete"
    BATCH_CANCEL = "batch.cancel"
    ACCESS_DENY = "access.deny"


@dataclass(frozen=True)
class Actor:
    """Who acts."""

    name: str
    """The id of an API key, or one of the names below."""
    request: str | None = None
    """The request's id."""
    address: str | None = None
    """The client's address, as far as the server trusts it."""


OPERATOR = Actor("operator")
"""Someone on the command line."""
UNKNOWN = Actor("unknown")
"""No actor was set. It is not ``OPERATOR``, so that an omission blames nobody."""
ANONYMOUS = "anonymous"
"""A client of a service that requires no key."""
UNAUTHENTICATED = "unauthenticated"
"""A client without a valid key."""

_actor: ContextVar[Actor] = ContextVar("actor", default=UNKNOWN)


def set_actor(actor: Actor) -> None:
    """Set the actor of this context."""
    _actor.set(actor)


def current_actor() -> Actor:
    """The actor of this context."""
    return _actor.get()


@dataclass(frozen=True)
class AuditEntry:
    """One entry of the audit log."""

    seq: int
    """Position in the log."""
    at: datetime
    tenant: str | None
    """Owner of the resource; None: a refused key that belongs to no tenant."""
    action: AuditAction
    resource_id: str | None
    detail: str | None
    """The new value: scopes, a number, the id of a successor."""
    outcome: str
    """``success``, or the code of the refusal."""
    actor: Actor
