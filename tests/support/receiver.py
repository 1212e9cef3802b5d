"""A webhook's receiver on loopback that counts what comes."""

from __future__ import annotations

import http.server
import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.sites import serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def counting() -> Iterator[tuple[str, Counter[str]]]:
    """Its URL, and how often each photo's end has been told."""
    told: Counter[str] = Counter()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told[json.loads(body)["data"]["id"]] += 1
            self.send_response(204)
            self.end_headers()

    with serving(Receiver) as url:
        yield f"{url}/hook", told
