"""A site on loopback that hands files out, and counts how often."""

from __future__ import annotations

import http.server
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.sites import serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Site:
    """What there is, by path, and who came."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    """What a path answers first, one after the other; afterwards what it has, or 404."""
    location: str = ""
    """Where redirects lead."""
    asked: Counter[str] = field(default_factory=Counter)
    hold: threading.Event = field(default_factory=threading.Event)
    """While it is not set, what is at ``/held/…`` begins and does not end."""


@contextmanager
def site(**files: bytes) -> Iterator[Site]:
    """The site; files are named without their dots (``a_png``)."""
    made = Site(files={f"/{name.replace('_', '.')}": data for name, data in files.items()})
    made.hold.set()

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked[self.path] += 1
            waiting = made.statuses.get(self.path)
            body = made.files.get(self.path, b"")
            status = waiting.pop(0) if waiting else 200 if self.path in made.files else 404
            self.send_response(status)
            if made.location:
                self.send_header("Location", made.location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            half = len(body) // 2
            self.wfile.write(body[:half])
            if self.path.startswith("/held/"):
                made.hold.wait(30)
            self.wfile.write(body[half:])

    with serving(Page) as made.url:
        try:
            yield made
        finally:
            made.hold.set()
