"""Spans by OpenTelemetry's SDK, sent over OTLP/HTTP; imported only when it is configured.

A photo's span belongs to the trace of its request; a batch has many parents, so it is a trace of
its own that is linked to theirs. The provider is not OpenTelemetry's global one: nothing else in
the process shall begin to tell, above all not queries, which hold labels.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.trace import Span, Tracer

    from photoward.core.jobs import Item
    from photoward.core.timings import StageTimings

CLOSE_S = 2.0
"""How long a process that leaves waits for its last spans to be taken."""

WORK = {"messaging.system": "photoward", "messaging.operation.type": "process"}
"""As OpenTelemetry's conventions for messaging name it."""

_FIRST_FAULT = 500
_W3C = TraceContextTextMapPropagator()


class OtlpTracer:
    """See ``Tracer``."""

    def __init__(self, part: str) -> None:
        usual = Resource.create(
            {"service.name": f"photoward-{part}", "service.version": version("photoward")}
        )
        own = usual.merge(OTELResourceDetector().detect())  # what the environment says goes before
        self._provider = TracerProvider(resource=own, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("photoward", version("photoward"))

    @contextmanager
    def request(self, headers: Mapping[str, str]) -> Iterator[_RequestSpan]:
        """See ``Tracer``."""
        caller = propagate.extract(headers, Context())
        span = self._tracer.start_span("request", caller, SpanKind.SERVER)
        with _running(span):
            yield _RequestSpan(span)

    def traceparent(self) -> str | None:
        """See ``Tracer``."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get("traceparent")

    @contextmanager
    def job_group(self, items: Sequence[Item]) -> Iterator[_JobGroupSpan]:
        """See ``Tracer``."""
        requests = dict.fromkeys(item.traceparent for item in items)  # many may be of one archive
        parents = [trace.get_current_span(_of(request)).get_span_context() for request in requests]
        links = [Link(parent) for parent in parents if parent.is_valid]
        attributes = WORK | {"messaging.batch.message_count": len(items)}
        span = self._tracer.start_span(
            "process batch", Context(), SpanKind.CONSUMER, attributes, links
        )
        with _running(span):
            yield _JobGroupSpan(self._tracer, span)

    def close(self) -> None:
        """See ``Tracer``. The SDK waits half a minute for a receiver that is away."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_S)


class _RequestSpan:
    def __init__(self, span: Span) -> None:
        self._span = span

    def record_response(self, method: str, route: str, status: int) -> None:
        self._span.update_name(f"{method} {route}")
        self._span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
            }
        )
        if not status or status >= _FIRST_FAULT:
            self._span.set_status(Status(StatusCode.ERROR))


class _JobGroupSpan:
    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span
        self._began = time.time_ns()

    def record_image(self, item: Item, timings: StageTimings, code: str | None = None) -> None:
        """The photo's span, and one a stage: only now is it known how it went."""
        batch = self._span.get_span_context()
        parent = (
            _of(item.traceparent) if item.traceparent else trace.set_span_in_context(self._span)
        )
        photo = self._tracer.start_span(
            "process photo", parent, SpanKind.CONSUMER, WORK | {"messaging.message.id": item.id},
            [Link(batch)], self._began,
        )  # fmt: skip
        inside = trace.set_span_in_context(photo)
        for timing in timings:
            began, ended = (int(at * 1e9) for at in (timing.ended - timing.seconds, timing.ended))
            self._tracer.start_span(timing.stage, inside, start_time=began).end(ended)
        if code is not None:
            photo.set_attribute("error.type", code)
            photo.set_status(Status(StatusCode.ERROR))
        photo.end()


@contextmanager
def _running(span: Span) -> Iterator[None]:
    """Until the block ends; of what is raised only the kind is told: sentences may hold names."""
    told = f"{span.get_span_context().trace_id:032x}"
    with (
        structlog.contextvars.bound_contextvars(trace_id=told),
        trace.use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ),
    ):
        try:
            yield
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise


def _of(request: str | None) -> Context:
    """Where a kept request's own spans belong; an empty context if it was traced by nobody."""
    return _W3C.extract({"traceparent": request or ""}, Context())
