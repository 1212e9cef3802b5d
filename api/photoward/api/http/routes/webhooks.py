"""``/v1/webhooks``: a tenant's webhooks, and the deliveries to them."""

from __future__ import annotations

import re
import secrets
from typing import Annotated

import structlog
from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from photoward.api.http.auth import WebhooksDep
from photoward.api.http.body.reader import BODY_REFUSALS, json_request_body, require_json
from photoward.api.http.deps import Services, ServicesDep, WebhookIdDep, base_url
from photoward.api.http.errors import documented
from photoward.api.http.pagination import AfterDep, NewestFirstQuery, next_cursor
from photoward.api.http.responses import NO_STORE
from photoward.api.http.schemas.webhooks import (
    CreatedWebhook,
    CreateWebhook,
    Delivery,
    DeliveryPage,
    Webhook,
    Webhooks,
)
from photoward.core import webhooks
from photoward.core.errors import BadInput, NotFound
from photoward.core.key_derivation import webhook_secret
from photoward.core.safe_http import BlockedUrl, check_url

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

PAGE_SIZE = 100
REFUSALS = ("unauthenticated", "forbidden", "invalid_option", "unavailable")

_MESSAGE = re.compile(r"msg_[0-9a-f]{24}")

log = structlog.get_logger("photoward.webhooks")


@router.post(
    "",
    operation_id="createWebhook",
    summary="Create a webhook",
    status_code=201,
    responses=documented(*REFUSALS, *BODY_REFUSALS),
    openapi_extra=json_request_body(CreateWebhook),
)
async def create_webhook(
    request: Request, services: ServicesDep, tenant: WebhooksDep, response: Response
) -> CreatedWebhook:
    """Events are sent from now on, signed with the secret in this response."""
    wanted = await require_json(request, CreateWebhook)
    try:
        check_url(wanted.url, private=services.settings.webhook_allow_private)
    except BlockedUrl as blocked:
        raise BadInput("invalid_option", f"url: {blocked}.", field="url") from None
    response.headers.update(NO_STORE)
    hook = await to_thread.run_sync(
        services.ledger.webhooks.add,
        secrets.token_hex(8),
        tenant,
        wanted.url,
        wanted.events,
        base_url(request, services),
    )
    log.info("webhook_created", tenant=tenant, webhook=hook.id)
    return _created(services, hook)


@router.get(
    "", operation_id="listWebhooks", summary="List webhooks", responses=documented(*REFUSALS)
)
async def list_webhooks(services: ServicesDep, tenant: WebhooksDep, response: Response) -> Webhooks:
    """All webhooks, without their secrets."""
    response.headers.update(NO_STORE)
    found = await to_thread.run_sync(services.ledger.webhooks.list_all, tenant)
    return Webhooks(webhooks=[Webhook.of(hook) for hook in found])


@router.get(
    "/callbacks",
    operation_id="getCallbacks",
    summary="Get the secret of callbacks",
    responses=documented(*REFUSALS),
)
async def get_callbacks(
    services: ServicesDep, tenant: WebhooksDep, response: Response
) -> CreatedWebhook:
    """The webhook that stands for all `callback_url`: its secret signs them.

    Its deliveries are listed, its secret is rotated like any other's. If it is deleted, callbacks
    of photos that have not ended are not sent.
    """
    response.headers.update(NO_STORE)
    hook = await to_thread.run_sync(services.ledger.webhooks.of_callbacks, tenant)
    return _created(services, hook)


@router.post(
    "/{webhook_id}/test",
    operation_id="testWebhook",
    summary="Send a test message",
    status_code=202,
    responses=documented(*REFUSALS, "not_found", "webhook_disabled", "no_url"),
)
async def test_webhook(
    services: ServicesDep, tenant: WebhooksDep, webhook_id: WebhookIdDep
) -> Delivery:
    """A message of the event `webhook.test`; its delivery shows what the receiver answered."""
    sent = await to_thread.run_sync(services.ledger.webhooks.add_test, tenant, webhook_id)
    return Delivery.of(sent, services.settings.http_public_url)


@router.post(
    "/{webhook_id}/rotate",
    operation_id="rotateWebhook",
    summary="Rotate a webhook's secret",
    responses=documented(*REFUSALS, "not_found"),
)
async def rotate_webhook(
    services: ServicesDep, tenant: WebhooksDep, webhook_id: WebhookIdDep, response: Response
) -> CreatedWebhook:
    """For a day messages are signed with both secrets; a disabled webhook is enabled again."""
    response.headers.update(NO_STORE)
    hook = await to_thread.run_sync(
        services.ledger.webhooks.rotate_secret, tenant, webhook_id, webhooks.ROTATION_GRACE
    )
    return _created(services, hook)


@router.delete(
    "/{webhook_id}",
    operation_id="deleteWebhook",
    summary="Delete a webhook",
    status_code=204,
    responses=documented(*REFUSALS, "not_found"),
)
async def delete_webhook(
    services: ServicesDep, tenant: WebhooksDep, webhook_id: WebhookIdDep
) -> None:
    """Its deliveries are deleted with it, the pending ones too."""
    await to_thread.run_sync(services.ledger.webhooks.delete, tenant, webhook_id)


@router.get(
    "/{webhook_id}/deliveries",
    operation_id="listDeliveries",
    summary="List deliveries",
    responses=documented(*REFUSALS, "not_found"),
)
async def list_deliveries(  # noqa: PLR0913  # what may be asked for
    *,
    services: ServicesDep,
    tenant: WebhooksDep,
    webhook_id: WebhookIdDep,
    after: AfterDep,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=500)] = PAGE_SIZE,
    newest_first: NewestFirstQuery = False,
) -> DeliveryPage:
    """Deliveries of the last thirty days and pending ones, oldest first."""
    response.headers.update(NO_STORE)
    found = await to_thread.run_sync(
        lambda: services.ledger.webhooks.list_deliveries(
            tenant, webhook_id, after=after, limit=limit, newest_first=newest_first
        )
    )
    return DeliveryPage(
        items=[Delivery.of(one, services.settings.http_public_url) for one in found],
        next=next_cursor([one.seq for one in found], limit),
    )


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    operation_id="replayDelivery",
    summary="Replay a delivery",
    status_code=202,
    responses=documented(*REFUSALS, "not_found"),
)
async def replay_delivery(
    services: ServicesDep, tenant: WebhooksDep, webhook_id: WebhookIdDep, delivery_id: str
) -> Delivery:
    """It has the same `webhook-id`, by which the receiver recognises it."""
    if not _MESSAGE.fullmatch(delivery_id):
        raise NotFound
    again = await to_thread.run_sync(
        services.ledger.webhooks.replay, tenant, webhook_id, delivery_id
    )
    return Delivery.of(again, services.settings.http_public_url)


def _created(services: Services, hook: webhooks.Webhook) -> CreatedWebhook:
    secret = webhook_secret(services.master, hook.id, hook.secret_version)
    return CreatedWebhook(**Webhook.of(hook).model_dump(), secret=secret)
