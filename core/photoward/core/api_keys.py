"""API keys and their scopes.

A key is ``pw_`` + its id + ``_`` + 32 random bytes. It is shown once; the ledger stores an HMAC of
it under a key of the installation, so that a stolen ledger lets nobody in.

A request that was authenticated before its tenant was erased can write nothing of that tenant any
more: its context holds the tenant's salt of then, and each write compares it with the present one.
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
ROTATION_GRACE_HOURS = 24
"""Default time for which an old key stays valid after a rotation."""

DEFAULT_TENANT = "default"
"""The tenant of all requests where no keys are required."""

_FORM = re.compile(r"(?:pw|pwu)_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
TOKEN_PREFIX = "pwu_"  # noqa: S105  # no secret
"""Begins upload tokens, where a key has ``pw_``."""


class Scope(StrEnum):
    """What a key permits."""

    READ = "read"
    """Read the state of images, and download them."""
    WRITE = "write"
    """Submit and delete images."""
    WEBHOOKS = "webhooks"
    """Create and delete webhooks, and read their deliveries."""
    ADMIN = "admin"
    """Create and revoke the tenant's keys; read its audit log."""
    OPERATOR = "operator"
    """Read what concerns all tenants: metrics, queue, tenants, their audit log. Only the command
    line can grant it."""


TENANT_SCOPES = frozenset(Scope) - {Scope.OPERATOR}
"""Scopes that a tenant may grant."""
DEFAULT_SCOPES = frozenset({Scope.READ, Scope.WRITE})
"""Scopes of a key for which none are named."""


@dataclass(frozen=True)
class ApiKey:
    """A key as the ledger stores it."""

    id: str
    tenant: str
    name: str
    """For people, such as the place where it is used."""
    scopes: frozenset[Scope]
    digest: bytes
    created_at: datetime
    expires_at: datetime | None
    """None: never. A revoked key has expired."""
    salt: bytes = field(default=b"", repr=False, compare=False)
    """The tenant's, if the key was read to authenticate a request; an erasure replaces it."""


@dataclass(frozen=True)
class UploadToken:
    """What a page in a browser submits photos with, in place of a key; the ledger stores it."""

    id: str
    tenant: str
    digest: bytes
    expires_at: datetime
    max_images: int
    max_bytes: int
    """Of all images together."""
    salt: bytes = field(default=b"", repr=False, compare=False)
    """As an ``ApiKey`` has it."""


@dataclass(frozen=True)
class NewApiKey:
    """A generated key or upload token."""

    text: str
    """What its owner sends; never stored."""
    id: str
    digest: bytes


_salts: ContextVar[Mapping[str, bytes]] = ContextVar("salts", default=MappingProxyType({}))


def bind_tenant_salt(tenant: str, salt: bytes) -> None:
    """Note that this context was authenticated for a tenant while it had that salt."""
    _salts.set({**_salts.get(), tenant: salt})


@contextmanager
def bound_tenant_salts(salts: Mapping[str, bytes]) -> Iterator[None]:
    """The same for several tenants, within the block."""
    before = _salts.set({**_salts.get(), **salts})
    try:
        yield
    finally:
        _salts.reset(before)


def bound_tenant_salt(tenant: str) -> bytes | None:
    """The tenant's salt of then; None: this context was not authenticated for that tenant."""
    return _salts.get().get(tenant)


def generate(pepper: bytes) -> NewApiKey:
    """A new random key."""
    return _generate(pepper, "pw_")


def generate_token(pepper: bytes) -> NewApiKey:
    """A new random upload token."""
    return _generate(pepper, TOKEN_PREFIX)


def _generate(pepper: bytes, prefix: str) -> NewApiKey:
    key_id = secrets.token_hex(8)
    secret = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).rstrip(b"=").decode()
    return NewApiKey(f"{prefix}{key_id}_{secret}", key_id, _digest(pepper, secret))


def parse_id(text: str) -> str | None:
    """The id within a key's or token's text; None: it has not their form."""
    found = _FORM.fullmatch(text)
    return found[1] if found else None


def matches(text: str, key: ApiKey | UploadToken, pepper: bytes) -> bool:
    """Whether the text is that key or token, in constant time."""
    found = _FORM.fullmatch(text)
    return found is not None and hmac.compare_digest(_digest(pepper, found[2]), key.digest)


def _digest(pepper: bytes, secret: str) -> bytes:
    return hmac.digest(pepper, secret.encode(), hashlib.sha256)
