"""Who may ask for what: API keys, their scopes, what of a key is kept, and when somebody came in.

A key is ``pw_`` + its id + ``_`` + 32 random bytes. It is shown once; kept is an HMAC under a key
of the installation, so that neither a stolen ledger nor a list of digests opens a door.

Who came in before a tenant was erased writes nothing of it any more: each write compares the
tenant's salt with the one of then, which travels with the context, as who acts does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

SECRET_BYTES = 32
MAX_NAME = 128
GRACE_HOURS = 24
"""How long an old key still opens after a rotation, if nothing else is said."""

DEFAULT_TENANT = "default"
"""Whose everything is where no keys are needed."""

_FORM = re.compile(r"pw_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


class Scope(StrEnum):
    """What a key may be used for."""

    READ = "read"
    """Ask how photos stand, and fetch them."""
    WRITE = "write"
    """Hand photos in, and delete them."""
    ADMIN = "admin"
    """Make and end the tenant's keys; read its audit log."""
    OPERATOR = "operator"
    """Read what tells of all tenants: the installation's metrics. Given on the command line alone,
    as whoever could give it to themselves would have it."""


ALL = frozenset(Scope) - {Scope.OPERATOR}
"""What a tenant may do with its own."""
USUAL = frozenset({Scope.READ, Scope.WRITE})
"""What a key may that nobody says anything else of."""


@dataclass(frozen=True)
class ApiKey:
    """A key as it is kept."""

    id: str
    tenant: str
    name: str
    """For people: where it is used."""
    scopes: frozenset[Scope]
    digest: bytes
    created_at: datetime
    expires_at: datetime | None
    """None: never. A key that was revoked has expired."""
    salt: bytes = field(default=b"", repr=False, compare=False)
    """The tenant's, when the key was asked for to let somebody in; an erasure replaces it."""


@dataclass(frozen=True)
class Minted:
    """A fresh key."""

    text: str
    """What its owner sends; never kept."""
    id: str
    digest: bytes


_entered: ContextVar[Mapping[str, bytes]] = ContextVar("entered", default=MappingProxyType({}))


def enter(tenant: str, salt: bytes) -> None:
    """From here on in this context somebody writes who came in when the tenant had that salt."""
    _entered.set({**_entered.get(), tenant: salt})


@contextmanager
def entered(salts: Mapping[str, bytes]) -> Iterator[None]:
    """The same for several tenants, until the end of the block."""
    before = _entered.set({**_entered.get(), **salts})
    try:
        yield
    finally:
        _entered.reset(before)


def salt_at_entrance(tenant: str) -> bytes | None:
    """What the tenant's salt was then; None: who writes did not come in for that tenant."""
    return _entered.get().get(tenant)


def mint(pepper: bytes) -> Minted:
    """A key that nobody can guess."""
    key_id = secrets.token_hex(8)
    secret = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).rstrip(b"=").decode()
    return Minted(f"pw_{key_id}_{secret}", key_id, _digest(pepper, secret))


def id_of(text: str) -> str | None:
    """The id in what somebody sent, if it has a key's form."""
    found = _FORM.fullmatch(text)
    return found[1] if found else None


def fits(text: str, key: ApiKey, pepper: bytes) -> bool:
    """Whether what somebody sent is that key; takes as long either way."""
    found = _FORM.fullmatch(text)
    return found is not None and hmac.compare_digest(_digest(pepper, found[2]), key.digest)


def _digest(pepper: bytes, secret: str) -> bytes:
    return hmac.digest(pepper, secret.encode(), hashlib.sha256)
