"""Liveness, readiness and metrics, for operators."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from photoward.api.http.auth import OperatorDep
from photoward.api.http.deps import Services, ServicesDep
from photoward.api.http.errors import documented, problem_response
from photoward.api.http.schemas.health import Liveness, Readiness
from photoward.api.http.schemas.problems import Problem
from photoward.core.errors import Unavailable
from photoward.core.jobs import State
from photoward.core.ledger import Ledger

router = APIRouter(tags=["operations"])

CHECK_TIMEOUT_S = 5.0
"""A component that does not answer within this time is down."""

COMPONENTS = ("ledger", "store", "broker", "worker")
MAX_CHECKS = 2
"""Of each component at a time: while it does not answer, further checks take no threads."""

MAX_MISSED_HEARTBEATS = 4
"""Reconciler rounds without a heartbeat, after which no worker is assumed to run."""


@router.get("/livez", operation_id="live", summary="Check liveness", responses=documented())
async def live() -> Liveness:
    """The process answers; nothing else is checked."""
    return Liveness()


@router.get(
    "/readyz",
    operation_id="ready",
    summary="Check readiness",
    response_model=Readiness,
    responses=documented("unavailable"),
)
async def ready(services: ServicesDep) -> Readiness | Response:
    """Check the ledger, the store, the broker and the workers; 503 if ledger or store is down.

    `worker` is up if one sent a heartbeat within the last two minutes.
    """
    checks: tuple[Callable[[], object], ...] = (
        services.ledger.check,
        services.store.check,
        services.wake_ups.check,
        partial(_require_worker, services),
    )
    named = zip(COMPONENTS, checks, strict=True)
    answers = await asyncio.gather(
        *(_answers(check, services.health_checks[name]) for name, check in named)
    )
    up = dict(zip(COMPONENTS, answers, strict=True))
    if up["ledger"] and up["store"]:
        status: Literal["ready", "degraded"] = "ready" if all(up.values()) else "degraded"
        return Readiness(
            status=status, components={name: _word(is_up) for name, is_up in up.items()}
        )
    away = ", ".join(name for name, is_up in up.items() if not is_up)
    return problem_response(Problem.of("unavailable", f"Unavailable: {away}."))


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Get Prometheus metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {}}, "description": "In Prometheus' text format."},
        **documented("unauthenticated", "forbidden"),
    },
)
async def metrics(services: ServicesDep, _: OperatorDep) -> Response:
    """Metrics of all processes that share `PROMETHEUS_MULTIPROC_DIR`, and the queue's depth.

    They cover all tenants; if keys are required, the key needs the scope operator.
    """
    return Response(
        await to_thread.run_sync(_scrape, services.ledger), media_type=CONTENT_TYPE_LATEST
    )


class QueueCollector(Collector):
    """Images by state and the queue's depth, queried from the ledger at each scrape."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterable[Metric]:
        """Images by state, and the queue by priority; without the ledger only that it is down."""
        up = GaugeMetricFamily("photoward_ledger_up", "Whether the ledger answers.")
        items = GaugeMetricFamily("photoward_items", "Items by state.", labels=["state"])
        queued, megapixels = (
            GaugeMetricFamily(
                f"photoward_queued_{what}",
                f"{what.capitalize()} in the queue, by priority.",
                labels=["priority"],
            )
            for what in ("items", "megapixels")
        )
        try:
            depth, waiting = self._ledger.items.count_by_state(), self._ledger.items.queued_work()
        except Unavailable:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        for state in State:
            items.add_metric([state], depth.get(state, 0))
        for priority, found in waiting.items():
            queued.add_metric([priority.name.lower()], found.items)
            megapixels.add_metric([priority.name.lower()], found.megapixels)
        return [up, items, queued, megapixels]


def _scrape(ledger: Ledger) -> bytes:
    scraped = CollectorRegistry()
    scraped.register(QueueCollector(ledger))
    counted = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]  # ships no types
    return generate_latest(counted) + generate_latest(scraped)


def _require_worker(services: Services) -> None:
    silence = services.ledger.workers.since_heartbeat()
    if (
        silence is None
        or silence.total_seconds()
        > MAX_MISSED_HEARTBEATS * services.settings.worker_reconcile_interval_seconds
    ):
        raise Unavailable("No worker has sent a heartbeat.")


async def _answers(check: Callable[[], object], limiter: CapacityLimiter) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await to_thread.run_sync(check, abandon_on_cancel=True, limiter=limiter)
    except (Unavailable, TimeoutError):
        return False
    return True


def _word(is_up: bool) -> Literal["up", "down"]:  # noqa: FBT001  # one adjective, one argument
    return "up" if is_up else "down"
