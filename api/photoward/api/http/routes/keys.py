"""``/v1/keys``: a tenant's API keys; each operation needs the scope admin."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import structlog
from anyio import to_thread
from fastapi import APIRouter, Request, Response

from photoward.api.http.auth import AdminDep, AnyKeyDep
from photoward.api.http.body.reader import BODY_REFUSALS, json_request_body, require_json
from photoward.api.http.deps import KeyIdDep, Services, ServicesDep
from photoward.api.http.errors import documented
from photoward.api.http.responses import NO_STORE
from photoward.api.http.schemas.keys import CreatedKey, CreateKey, CurrentKey, Key, Keys, RotateKey
from photoward.core import api_keys
from photoward.core.api_keys import TENANT_SCOPES, ApiKey, NewApiKey, Scope
from photoward.core.errors import Denied

router = APIRouter(prefix="/v1/keys", tags=["keys"])

REFUSALS = ("unauthenticated", "forbidden", "invalid_option", "unavailable")

log = structlog.get_logger("photoward.keys")


@router.post(
    "",
    operation_id="createKey",
    summary="Create a key",
    status_code=201,
    responses=documented(*REFUSALS, *BODY_REFUSALS),
    openapi_extra=json_request_body(CreateKey),
)
async def create_key(
    request: Request, services: ServicesDep, tenant: AdminDep, response: Response
) -> CreatedKey:
    """The key itself is in this response only."""
    key = await require_json(request, CreateKey)
    response.headers.update(NO_STORE)
    days = key.expires_in_days
    lifetime = None if days is None else timedelta(days=days)
    return await to_thread.run_sync(_create, services, tenant, key.name, key.scopes, lifetime)


@router.get("", operation_id="listKeys", summary="List keys", responses=documented(*REFUSALS))
async def list_keys(services: ServicesDep, tenant: AdminDep, response: Response) -> Keys:
    """Names, scopes and times; no secrets."""
    response.headers.update(NO_STORE)
    found = await to_thread.run_sync(services.ledger.api_keys.list_all, tenant)
    return Keys(keys=[Key.of(key) for key in found])


@router.get(
    "/self",
    operation_id="getOwnKey",
    summary="Get the key of this request",
    responses=documented("unauthenticated", "unavailable"),
)
async def get_own_key(
    request: Request, services: ServicesDep, tenant: AnyKeyDep, response: Response
) -> CurrentKey:
    """What the key permits, and until when; any key may ask."""
    response.headers.update(NO_STORE)
    key_id = request.state.key_id
    if key_id is None:
        return CurrentKey.anonymous(tenant)
    key = await to_thread.run_sync(services.ledger.api_keys.get_active, key_id)
    if key is None:  # it has expired since
        raise Denied("unauthenticated", "The request has no valid API key.")
    return CurrentKey(tenant=tenant, **Key.of(key).model_dump())


@router.post(
    "/{key_id}/rotate",
    operation_id="rotateKey",
    summary="Rotate a key",
    status_code=201,
    responses=documented(*REFUSALS, *BODY_REFUSALS, "not_found"),
    openapi_extra=json_request_body(RotateKey),
)
async def rotate_key(
    request: Request, services: ServicesDep, tenant: AdminDep, key_id: KeyIdDep, response: Response
) -> CreatedKey:
    """A new key with the same name and scopes; the old one is valid for `grace_hours` more."""
    rotation = await require_json(request, RotateKey)
    response.headers.update(NO_STORE)
    grace = timedelta(hours=rotation.grace_hours)
    return await to_thread.run_sync(_rotate, services, tenant, key_id, grace)


@router.delete(
    "/{key_id}",
    operation_id="revokeKey",
    summary="Revoke a key",
    status_code=204,
    responses=documented(*REFUSALS, "not_found"),
)
async def revoke_key(services: ServicesDep, tenant: AdminDep, key_id: KeyIdDep) -> None:
    """The key is invalid from now on."""
    await to_thread.run_sync(services.ledger.api_keys.revoke, tenant, key_id, timedelta(0))
    log.info("key_revoked", tenant=tenant, revoked=key_id)


def _create(
    services: Services,
    tenant: str,
    name: str,
    scopes: Collection[Scope],
    lifetime: timedelta | None,
) -> CreatedKey:
    minted = api_keys.generate(services.pepper)
    return _created(minted, services.ledger.api_keys.add(minted, tenant, name, scopes, lifetime))


def _rotate(services: Services, tenant: str, old_id: str, grace: timedelta) -> CreatedKey:
    for old in services.ledger.api_keys.list_all(tenant):
        if old.id == old_id and not old.scopes <= TENANT_SCOPES:
            raise Denied("forbidden", "Rotate a key with the scope operator on the command line.")
    minted = api_keys.generate(services.pepper)
    return _created(minted, services.ledger.api_keys.rotate(tenant, old_id, minted, grace))


def _created(minted: NewApiKey, key: ApiKey) -> CreatedKey:
    log.info("key_created", tenant=key.tenant, created=key.id, scopes=sorted(key.scopes))
    return CreatedKey(**Key.of(key).model_dump(), key=minted.text)
