"""An OTLP receiver on loopback that keeps the spans it is told."""

from __future__ import annotations

import http.server
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.sites import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Told:
    """A span and which service told it."""

    service: str
    span: Span

    @property
    def trace(self) -> str:
        """The id of its trace."""
        return self.span.trace_id.hex()

    def says(self, name: str) -> str:
        """One of its attributes that are texts; empty if it has none of that name."""
        return "".join(one.value.string_value for one in self.span.attributes if one.key == name)


@dataclass
class Collector:
    """What has come in."""

    url: str
    spans: list[Told] = field(default_factory=list)
    raw: bytes = b""

    def take(self, body: bytes) -> None:
        """One export."""
        self.raw += body
        for own in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {one.key: one.value.string_value for one in own.resource.attributes}
            for scope in own.scope_spans:
                self.spans += [Told(names["service.name"], span) for span in scope.spans]

    def until(self, enough: Callable[[list[Told]], object], within_s: float = 10) -> list[Told]:
        """Everything, as soon as that is enough."""
        deadline = time.monotonic() + within_s
        while not enough(self.spans):
            assert time.monotonic() < deadline, sorted(one.span.name for one in self.spans)
            time.sleep(0.02)
        return list(self.spans)


@contextmanager
def collecting() -> Iterator[Collector]:
    """A receiver on a free port."""

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

    with serving(Receiver) as url:
        collector = Collector(url)
        yield collector
