"""``/v1/keys``: a tenant's own API keys, made, listed, rotated and ended by one of scope admin."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

import structlog
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from photoward.api.http.body.reader import READING, json_body, require_json
from photoward.api.http.deps import AdminDep, KeyIdDep, Parts, PartsDep
from photoward.api.http.errors import documented
from photoward.api.http.routes.images import NO_STORE
from photoward.api.http.schemas.images import may_repeat
from photoward.core import api_keys
from photoward.core.api_keys import ALL, GRACE_HOURS, MAX_NAME, ApiKey, Minted, Scope
from photoward.core.errors import Denied

router = APIRouter(prefix="/v1/keys", tags=["keys"])

EXAMPLE_ID = "5c0f3a9e1b2d4c6f"
LONGEST_DAYS = 3650
REFUSALS = ("unauthenticated", "forbidden", "invalid_option", "unavailable")

log = structlog.get_logger("photoward.keys")


class Wanted(BaseModel):
    """A key that is to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]+$",
        description="Where it will be used.", examples=["upload plug-in"],
    )  # fmt: skip
    scopes: set[Literal[Scope.READ, Scope.WRITE, Scope.ADMIN]] = Field(
        default={Scope.READ, Scope.WRITE}, min_length=1, json_schema_extra=may_repeat
    )
    expires_in_days: int | None = Field(default=None, ge=1, le=LONGEST_DAYS, strict=True)


class Rotation(BaseModel):
    """How long the old key still opens."""

    model_config = ConfigDict(extra="forbid")

    grace_hours: int = Field(default=GRACE_HOURS, ge=0, le=24 * 30, strict=True)


class Key(BaseModel):
    """A key without its secret."""

    id: str = Field(examples=[EXAMPLE_ID])
    name: str = Field(examples=["upload plug-in"])
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Key:
        """Show a key."""
        return cls(
            id=key.id, name=key.name, scopes=sorted(key.scopes), created_at=key.created_at,
            expires_at=key.expires_at,
        )  # fmt: skip


class Fresh(Key):
    """A key that was just made."""

    key: str = Field(
        description="The key itself. It is shown here and never again.",
        examples=[f"pw_{EXAMPLE_ID}_{'A' * 43}"],
    )


class Keys(BaseModel):
    """All keys of a tenant, oldest first, expired ones too."""

    keys: list[Key]


@router.post(
    "", operation_id="createKey", summary="Make a key", status_code=201,
    responses=documented(*REFUSALS, *READING), openapi_extra=json_body(Wanted),
)  # fmt: skip
async def create_key(
    request: Request, parts: PartsDep, tenant: AdminDep, response: Response
) -> Fresh:  # fmt: skip
    """Its secret is in this answer only."""
    wanted = await require_json(request, Wanted)
    response.headers.update(NO_STORE)
    days = wanted.expires_in_days
    lifetime = None if days is None else timedelta(days=days)
    return await to_thread.run_sync(_made, parts, tenant, wanted.name, wanted.scopes, lifetime)


@router.get("", operation_id="listKeys", summary="List keys", responses=documented(*REFUSALS))
async def list_keys(parts: PartsDep, tenant: AdminDep, response: Response) -> Keys:
    """Names, scopes and times; no secrets."""
    response.headers.update(NO_STORE)
    found = await to_thread.run_sync(parts.ledger.keys, tenant)
    return Keys(keys=[Key.of(key) for key in found])


@router.post(
    "/{key_id}/rotate", operation_id="rotateKey", summary="Replace a key", status_code=201,
    responses=documented(*REFUSALS, *READING, "not_found"), openapi_extra=json_body(Rotation),
)  # fmt: skip
async def rotate_key(
    request: Request, parts: PartsDep, tenant: AdminDep, key_id: KeyIdDep, response: Response
) -> Fresh:
    """A new key of the same name and scopes; the old one opens for some hours more."""
    rotation = await require_json(request, Rotation)
    response.headers.update(NO_STORE)
    grace = timedelta(hours=rotation.grace_hours)
    return await to_thread.run_sync(_rotated, parts, tenant, key_id, grace)


@router.delete(
    "/{key_id}", operation_id="endKey", summary="End a key", status_code=204,
    responses=documented(*REFUSALS, "not_found"),
)  # fmt: skip
async def end_key(parts: PartsDep, tenant: AdminDep, key_id: KeyIdDep) -> None:
    """From now on it opens nothing."""
    await to_thread.run_sync(parts.ledger.end_key, tenant, key_id, timedelta(0))
    log.info("key_ended", tenant=tenant, ended=key_id)


def _made(
    parts: Parts, tenant: str, name: str, scopes: Collection[Scope], lifetime: timedelta | None
) -> Fresh:
    minted = api_keys.mint(parts.pepper)
    return _fresh(minted, parts.ledger.add_key(minted, tenant, name, scopes, lifetime))


def _rotated(parts: Parts, tenant: str, old_id: str, grace: timedelta) -> Fresh:
    for old in parts.ledger.keys(tenant):
        if old.id == old_id and not old.scopes <= ALL:
            raise Denied("forbidden", "Rotate a key with the scope operator on the command line.")
    minted = api_keys.mint(parts.pepper)
    return _fresh(minted, parts.ledger.rotate_key(tenant, old_id, minted, grace))


def _fresh(minted: Minted, key: ApiKey) -> Fresh:
    log.info("key_made", tenant=key.tenant, made=key.id, scopes=sorted(key.scopes))
    return Fresh(**Key.of(key).model_dump(), key=minted.text)
