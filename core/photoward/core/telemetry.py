"""What may be known about the running service: log lines and Prometheus metrics.

Owns the metrics' names and the form of a log line. Knows nothing of who counts or logs, and lets
no label, file name or secret through: an event names items by id.
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

    from photoward.core.timings import Laps

metric_files.install()

HTTP_REQUESTS = Counter(
    "photoward_http_requests", "Requests answered.", ["method", "route", "status"]
)
HTTP_SECONDS = Histogram(
    "photoward_http_seconds", "From a request's header to its answer's last byte.",
    ["method", "route"], buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)  # fmt: skip
STAGE_SECONDS = Histogram(
    "photoward_stage_seconds", "Time of one stage of one photo.", ["stage"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)  # fmt: skip
BATCH_ITEMS = Histogram(
    "photoward_batch_items", "Items protected together.", buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
# Of several workers the one that learned last speaks for its kind.
BATCH_LIMIT = Gauge(
    "photoward_batch_limit", "Items that the next batch of a kind may have.", ["kind"],
    multiprocess_mode="mostrecent",
)  # fmt: skip
BATCH_ITEM_SECONDS = Gauge(
    "photoward_batch_item_seconds", "What one item more in a batch takes, as learned.", ["kind"],
    multiprocess_mode="mostrecent",
)  # fmt: skip
BATCH_FIXED_SECONDS = Gauge(
    "photoward_batch_fixed_seconds", "What a batch takes besides its items, as learned.", ["kind"],
    multiprocess_mode="mostrecent",
)  # fmt: skip
ITEMS_ENDED = Counter("photoward_items_ended", "Items that reached an end.", ["state", "code"])
ARRIVALS = Counter(
    "photoward_arrivals", "Tries to fetch a photo that ended: fetched, or why not.",
    ["source", "outcome"],
)  # fmt: skip
MEGAPIXELS = Counter("photoward_megapixels", "Megapixels protected.")
SURROGATE_LOADS = Counter("photoward_surrogate_loads", "Surrogates read into memory.")
SURROGATE_EVICTIONS = Counter("photoward_surrogate_evictions", "Surrogates dropped for room.")

WITHHELD = frozenset({
    "api_key", "authorization", "broker", "database", "database_url", "file_name", "filename",
    "label", "label_used", "master_secret", "password", "redis_url", "secret", "token",
})  # fmt: skip
"""Keys whose values never reach a log line."""


def observe(laps: Laps) -> None:
    """Count the stages of a photo."""
    for lap in laps:
        STAGE_SECONDS.labels(lap.stage).observe(lap.seconds)


def serve_metrics(host: str, port: int, *more: Collector) -> None:
    """Tell whoever asks this process's metrics, and what ``more`` collects; in a thread.

    Raises:
        Unavailable: nothing can listen there.
    """
    told = CollectorRegistry()
    for one in (REGISTRY, *more):
        told.register(one)
    try:
        start_http_server(port, host, told)
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
