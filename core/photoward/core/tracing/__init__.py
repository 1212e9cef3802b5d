"""Traces: a request and the stages of its photos, told to the receiver that the environment names.

``OTEL_EXPORTER_OTLP_ENDPOINT`` and OpenTelemetry's other variables say where and how. Without them
its SDK is not imported and every call here does nothing. Spans hold ids, counts, codes and routes;
no file name, label, address or key.
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
"""What stands in the variables' names: what is said of traces alone goes first."""
PROTOCOL = "http/protobuf"

log = structlog.get_logger(__name__)


class Asked(Protocol):
    """A request that is being answered."""

    def answered(self, method: str, route: str, status: int) -> None:
        """How; status 0: not at all."""


class Batch(Protocol):
    """A batch that is being worked off."""

    def ended(self, item: Item, timings: StageTimings, code: str | None = None) -> None:
        """A photo of it has, after these stages; ``code``: it failed."""


class Tracer(Protocol):
    """Whom a process tells what it does."""

    def request(self, headers: Mapping[str, str]) -> AbstractContextManager[Asked]:
        """While the block runs; goes on with the caller's trace if ``traceparent`` names one."""

    def here(self) -> str | None:
        """The request that is being answered, as a W3C ``traceparent``."""

    def batch(self, items: Sequence[Item]) -> AbstractContextManager[Batch]:
        """While the block runs; linked to the requests that the items came with."""

    def close(self) -> None:
        """Tell what has not been told yet, within a few seconds."""


class Silent:
    """Tells nobody."""

    @contextmanager
    def request(self, headers: Mapping[str, str]) -> Iterator[Asked]:  # noqa: ARG002  # nobody
        """See ``Tracer``."""
        yield self

    @contextmanager
    def batch(self, items: Sequence[Item]) -> Iterator[Batch]:  # noqa: ARG002  # nobody
        """See ``Tracer``."""
        yield self

    def here(self) -> None:
        """See ``Tracer``."""

    def answered(self, method: str, route: str, status: int) -> None:
        """See ``Asked``."""

    def ended(self, item: Item, timings: StageTimings, code: str | None = None) -> None:
        """See ``Batch``."""

    def close(self) -> None:
        """See ``Tracer``."""


SILENT = Silent()


def wanted() -> bool:
    """Whether the environment names a receiver."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "").lower() == "none":
        return False
    return _said("OTEL_EXPORTER_OTLP{}_ENDPOINT") is not None


def obstacle() -> str | None:
    """Why what the environment wants cannot be; None: it can."""
    try:
        found = importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:  # of what it lies in
        found = None
    if found is None:
        return "OpenTelemetry is not installed: pip install 'photoward[otel]'."
    protocol = _said("OTEL_EXPORTER_OTLP{}_PROTOCOL") or PROTOCOL
    if protocol != PROTOCOL:
        return f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}; only {PROTOCOL} is spoken here."
    return None


def open_tracer(part: str) -> Tracer:
    """The tracer of this process, which is the service's ``part``; open it after a fork."""
    if not wanted():
        return SILENT
    reason = obstacle()
    if reason is not None:
        log.warning("tracing_off", detail=reason)
        return SILENT
    from photoward.core.tracing.otlp import OtlpTracer  # noqa: PLC0415  # belongs to an extra

    return OtlpTracer(part)


def _said(variable: str) -> str | None:
    values = (os.environ.get(variable.format(kind)) for kind in _KINDS)
    return next(filter(None, values), None)
