"""Traces of requests and of the stages of their photos, exported over OTLP.

OpenTelemetry's own variables configure them (``OTEL_EXPORTER_OTLP_ENDPOINT`` and others). Without
them its SDK is not imported and every call here does nothing. Spans hold ids, counts, codes and
routes; no file name, label, address or key.
"""

from __future__ import annotations

import importlib.util
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from photoward.core.jobs import Item
    from photoward.core.timings import StageTimings

_KINDS = ("_TRACES", "")
"""Parts of the variables' names: those for traces alone have precedence."""
PROTOCOL = "http/protobuf"

log = structlog.get_logger(__name__)


class RequestSpan(Protocol):
    """The span of a request."""

    def record_response(self, method: str, route: str, status: int) -> None:
        """Set the attributes of the response; status 0: the client got none."""


class JobGroupSpan(Protocol):
    """The span of a job group."""

    def record_image(self, item: Item, timings: StageTimings, code: str | None = None) -> None:
        """Add a finished image with its stages; ``code``: it failed."""


class Tracer(Protocol):
    """Records spans."""

    def request(self, headers: Mapping[str, str]) -> AbstractContextManager[RequestSpan]:
        """A span for the block; continues the caller's trace if ``traceparent`` names one."""

    def traceparent(self) -> str | None:
        """The current span as a W3C ``traceparent``; None: there is none."""

    def job_group(self, items: Sequence[Item]) -> AbstractContextManager[JobGroupSpan]:
        """A span for the block, linked to the requests that submitted the items."""

    def close(self) -> None:
        """Export what is left, within a few seconds."""


class NoOpTracer:
    """Records nothing."""

    @contextmanager
    def request(self, headers: Mapping[str, str]) -> Iterator[RequestSpan]:  # noqa: ARG002  # a no-op
        """See ``Tracer``."""
        yield self

    @contextmanager
    def job_group(self, items: Sequence[Item]) -> Iterator[JobGroupSpan]:  # noqa: ARG002  # a no-op
        """See ``Tracer``."""
        yield self

    def traceparent(self) -> None:
        """See ``Tracer``."""

    def record_response(self, method: str, route: str, status: int) -> None:
        """See ``RequestSpan``."""

    def record_image(self, item: Item, timings: StageTimings, code: str | None = None) -> None:
        """See ``JobGroupSpan``."""

    def close(self) -> None:
        """See ``Tracer``."""


NO_OP = NoOpTracer()


def configured() -> bool:
    """Whether the environment names an OTLP endpoint."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "").lower() == "none":
        return False
    return _variable("OTEL_EXPORTER_OTLP{}_ENDPOINT") is not None


def missing_requirement() -> str | None:
    """Why spans cannot be exported as configured; None: they can."""
    try:
        found = importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:  # of what it lies in
        found = None
    if found is None:
        return "OpenTelemetry is not installed: pip install 'photoward[otel]'."
    protocol = _variable("OTEL_EXPORTER_OTLP{}_PROTOCOL") or PROTOCOL
    if protocol != PROTOCOL:
        return f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}; only {PROTOCOL} is supported."
    return None


def open_tracer(part: str) -> Tracer:
    """The tracer of this process, named ``photoward-{part}``; open it after a fork."""
    if not configured():
        return NO_OP
    reason = missing_requirement()
    if reason is not None:
        log.warning("tracing_disabled", detail=reason)
        return NO_OP
    from photoward.core.tracing.otlp import OtlpTracer  # noqa: PLC0415  # belongs to an extra

    return OtlpTracer(part)


def _variable(variable: str) -> str | None:
    values = (os.environ.get(variable.format(kind)) for kind in _KINDS)
    return next(filter(None, values), None)
