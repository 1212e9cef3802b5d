"""Who sends a request: the API key gives the tenant, and a scope is required of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Annotated

import structlog
from anyio import to_thread
from fastapi import Depends, Request

from photoward.api.http.deps import Services, get_services
from photoward.core import api_keys, audit
from photoward.core.api_keys import DEFAULT_TENANT, ApiKey, Scope, UploadToken
from photoward.core.audit import Actor
from photoward.core.errors import Denied


@dataclass(frozen=True)
class Authentication:
    """A dependency that gives the tenant, by the API key alone.

    It sets the actor of the audit log, and ``key_id`` and ``token_id`` of the request's state: each
    None, or with what the client was authenticated.

    It raises Denied: ``unauthenticated`` without a valid key, ``forbidden`` if the key lacks the
    scope. It raises NotFound: the path names what another upload token has submitted.
    """

    scope: Scope | None
    """Required of the key; None: any key will do."""
    tokens: bool = False
    """Whether an upload token will do, for what was submitted with it."""

    async def __call__(self, request: Request) -> str:
        """The tenant."""
        services = await get_services(request)
        text = _key_in(request)
        request.state.key_id = request.state.token_id = None
        if text is None and not services.keys_required:
            return await _enter_anonymously(request, services, self.scope)
        _set_actor(audit.UNAUTHENTICATED, request)
        if (text or "").startswith(api_keys.TOKEN_PREFIX):
            return await _enter_with_token(request, services, text or "", allowed=self.tokens)
        key = await to_thread.run_sync(_find_key, services, text or "")
        _admit(key, request)
        request.state.key_id = key.id
        if self.scope is not None and self.scope not in key.scopes:
            await to_thread.run_sync(services.auth_failures.record, "forbidden", key.id)
            raise Denied("forbidden", f"It needs the scope {self.scope}.")
        api_keys.bind_tenant_salt(key.tenant, key.salt)
        return key.tenant


def _admit(key: ApiKey | UploadToken, request: Request) -> None:
    structlog.contextvars.bind_contextvars(key=key.id)
    _set_actor(key.id, request)


async def _enter_with_token(
    request: Request, services: Services, text: str, *, allowed: bool
) -> str:
    token = await to_thread.run_sync(_find_token, services, text)
    _admit(token, request)
    if not allowed:
        raise Denied("forbidden", "An upload token permits only to submit photos and to read them.")
    image, upload = (request.path_params.get(name) for name in ("image_id", "upload_id"))
    if image is not None or upload is not None:
        own = partial(services.ledger.upload_tokens.require_own, item_id=image, upload_id=upload)
        await to_thread.run_sync(own, token.id)
    request.state.token_id = token.id
    api_keys.bind_tenant_salt(token.tenant, token.salt)
    return token.tenant


async def _enter_anonymously(request: Request, services: Services, scope: Scope | None) -> str:
    _set_actor(audit.ANONYMOUS, request)
    if scope is not Scope.READ:
        salt = await to_thread.run_sync(services.ledger.tenants.salt, DEFAULT_TENANT)
        api_keys.bind_tenant_salt(DEFAULT_TENANT, salt)
    return DEFAULT_TENANT


async def _viewer(request: Request) -> str | None:
    """The tenant that asks; None: anybody, where no key is needed."""
    services = await get_services(request)
    open_to_all = services.keys_required and not services.settings.verify_require_key
    if _key_in(request) is None and open_to_all:
        request.state.key_id = request.state.token_id = None
        _set_actor(audit.UNAUTHENTICATED, request)
        return None
    return await Authentication(None)(request)


def _set_actor(name: str, request: Request) -> None:
    """The audit log names this actor for all that follows in this context."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    audit.set_actor(Actor(name, request_id, client_address(request)))


def client_address(request: Request) -> str | None:
    """Of the client, or of a proxy that is not in ``FORWARDED_ALLOW_IPS``."""
    try:
        return str(ip_address(request.client.host if request.client else ""))
    except ValueError:  # a socket's path, or whatever a proxy passes on
        return None


def _key_in(request: Request) -> str | None:
    """The key in the request, in whichever of the two headers."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.headers.get("x-api-key")


def _find_token(services: Services, text: str) -> UploadToken:
    token_id = api_keys.parse_id(text)
    token = services.ledger.upload_tokens.get_active(token_id) if token_id else None
    if token is None or not api_keys.matches(text, token, services.pepper):
        raise Denied("unauthenticated", "The upload token is not valid, or has expired.")
    return token


def _find_key(services: Services, text: str) -> ApiKey:
    key_id = api_keys.parse_id(text)
    key = services.ledger.api_keys.get_active(key_id) if key_id else None
    if key is None or not api_keys.matches(text, key, services.pepper):
        services.auth_failures.record("unauthenticated", key_id)
        raise Denied("unauthenticated", "The request has no valid API key.")
    return key


ReaderDep = Annotated[str, Depends(Authentication(Scope.READ))]
WriterDep = Annotated[str, Depends(Authentication(Scope.WRITE))]
UploaderDep = Annotated[str, Depends(Authentication(Scope.WRITE, tokens=True))]
OwnReaderDep = Annotated[str, Depends(Authentication(Scope.READ, tokens=True))]
WebhooksDep = Annotated[str, Depends(Authentication(Scope.WEBHOOKS))]
AdminDep = Annotated[str, Depends(Authentication(Scope.ADMIN))]
OperatorDep = Annotated[str, Depends(Authentication(Scope.OPERATOR))]
AnyKeyDep = Annotated[str, Depends(Authentication(None))]
ViewerDep = Annotated[str | None, Depends(_viewer)]
"""The tenant that sends the request, if its key has that scope; the second and third ones take an
upload token as well; the last one is None for strangers."""
