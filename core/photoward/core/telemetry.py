"""Log lines and Prometheus metrics.

Defines the metrics' names and the form of a log line. No label, file name or secret may appear in
either: a log line names items by id.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import structlog
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    start_http_server,
)

from photoward.core import metric_files
from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from prometheus_client.registry import Collector
    from structlog.typing import EventDict, Processor, WrappedLogger

    from photoward.core.timings import StageTimings

metric_files.install()

_DURATION_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

HTTP_REQUESTS = Counter(
    "photoward_http_requests", "HTTP requests answered.", ["method", "route", "status"]
)
HTTP_REQUEST_DURATION = Histogram(
    "photoward_http_request_duration_seconds",
    "Time from a request's header to its answer's last byte.",
    ["method", "route"],
    buckets=_DURATION_BUCKETS,
)
STAGE_DURATION = Histogram(
    "photoward_stage_duration_seconds",
    "Time of one stage of one photo.",
    ["stage"],
    buckets=_DURATION_BUCKETS,
)
JOB_GROUP_ITEMS = Histogram(
    "photoward_job_group_items",
    "Items processed together.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
)
# Of several workers the one that learned last sets the value of a group key.
JOB_GROUP_LIMIT = Gauge(
    "photoward_job_group_limit",
    "Most items of the next job group.",
    ["group_key"],
    multiprocess_mode="mostrecent",
)
JOB_GROUP_ITEM_SECONDS = Gauge(
    "photoward_job_group_item_seconds",
    "Estimated time of one more item in a job group.",
    ["group_key"],
    multiprocess_mode="mostrecent",
)
JOB_GROUP_FIXED_SECONDS = Gauge(
    "photoward_job_group_fixed_seconds",
    "Estimated time of a job group besides its items.",
    ["group_key"],
    multiprocess_mode="mostrecent",
)
ITEMS_FINISHED = Counter(
    "photoward_items_finished", "Items that reached a final state.", ["state", "code"]
)
FETCHES = Counter(
    "photoward_fetches",
    "Attempts to fetch a photo: fetched, or the reason why not.",
    ["source", "outcome"],
)
GATEWAY_FILES = Counter(
    "photoward_gateway_files",
    "Files that the gateway had not served before: protected, passed, refused, unavailable.",
    ["outcome"],
)
PROCESSED_MEGAPIXELS = Counter("photoward_processed_megapixels", "Megapixels protected.")
SURROGATE_LOADS = Counter("photoward_surrogate_loads", "Surrogates read into memory.")
SURROGATE_EVICTIONS = Counter(
    "photoward_surrogate_evictions", "Surrogates removed from memory to make room."
)

WITHHELD = frozenset(
    {
        "api_key",
        "authorization",
        "broker",
        "database",
        "database_url",
        "file_name",
        "filename",
        "label",
        "label_used",
        "master_secret",
        "password",
        "redis_url",
        "secret",
        "token",
    }
)
"""Keys whose values never appear in a log line."""


def observe(timings: StageTimings) -> None:
    """Record the stages of a photo in ``STAGE_DURATION``."""
    for timing in timings:
        STAGE_DURATION.labels(timing.stage).observe(timing.seconds)


def serve_metrics(host: str, port: int, *more: Collector) -> None:
    """Serve this process's metrics and those of ``more`` over HTTP, in a thread.

    Raises:
        Unavailable: the address cannot be listened on.
    """
    registry = CollectorRegistry()
    for collector in (REGISTRY, *more):
        registry.register(collector)
    try:
        start_http_server(port, host, registry)
    except OSError as error:
        raise Unavailable(f"No metrics on {host}, port {port}: {error.strerror}.") from error


def configure_logging(*, json: bool) -> None:
    """Send every log line of the process to stderr in one form.

    Args:
        json: one JSON object a line (for a collector) instead of coloured text (for a person).

    Lines of the standard library's loggers (uvicorn, Celery) take the same form. Calling it
    again replaces what it set up before.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        withhold,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    # Neither form of a traceback shows variables: they may hold what is withheld.
    ending: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if json
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)


def withhold(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Blank the values of ``WITHHELD`` keys."""
    for key in WITHHELD & event.keys():
        event[key] = "[withheld]"
    return event
