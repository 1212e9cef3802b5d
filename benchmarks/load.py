"""``python -m benchmarks load``: a running service under a constant rate of requests.

Requests start when they are due, whether earlier ones are answered or not, and their time counts
from then: a service that falls behind cannot slow the asking down.
"""

from __future__ import annotations

import asyncio
import io
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import aiohttp
import typer
from PIL import Image
from rich.table import Table

from benchmarks.results import write
from photoward.api.cli.bench.output import Out, console
from photoward.api.cli.client import IDLE_S, address, credentials
from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TIMEOUT_S = 30.0
PHOTOS = 8
SIDE = 590
"""Pixels of a square of noise, whose PNG is as long as its 1.04 million samples."""

CONNECTIONS = 100
"""At a time; who has to wait for one, waits, and the time counts."""

KNOWN = 1000
"""Of so many of the last uploads the state is asked."""

SHARES = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99, "max_s": 1.0}


@dataclass
class Stream:
    """The requests of one kind."""

    per_s: float
    took_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    """How much later than due they were started: what this program could not do in time."""
    codes: Counter[str] = field(default_factory=Counter)

    def told(self) -> dict[str, Any]:
        """What is written into the result; times are those of all answers, refusals too."""
        found = sorted(self.took_s) or [0.0]
        late = sorted(self.late_s) or [0.0]
        return {
            "asked_per_s": self.per_s,
            "sent": len(self.late_s),
            **{name: _share(found, share) for name, share in SHARES.items()},
            "started_late_p99_s": _share(late, 0.99),
            "codes": dict(sorted(self.codes.items())),
        }


def load(  # noqa: PLR0913  # one parameter an option
    url: Annotated[str, typer.Option(help="URL of the service.")],
    *,
    reads: Annotated[
        float, typer.Option(min=0, help="Reads of an image's state per second.")
    ] = 200,
    uploads: Annotated[float, typer.Option(min=0, help="Uploads of 1 MB per second.")] = 20,
    seconds: Annotated[float, typer.Option(min=1, help="Duration in seconds.")] = 300,
    method: Annotated[str, typer.Option(help="Method of the uploads.")] = "cuda",
    out: Out = None,
) -> None:
    """Send reads and uploads at a constant rate; report percentiles and refusals.

    The method cuda makes no pass through a network, so that it is the service that is measured.
    Sends the API key in PHOTOWARD_API_KEY.
    """
    streams = {"reads": Stream(reads), "uploads": Stream(uploads)}
    result = asyncio.run(_run(url, streams, seconds, method))
    table = Table("", "sent", "p50", "p95", "p99", "max", "answers", title=f"{seconds:g} s")
    for name, stream in streams.items():
        told = stream.told()
        codes = ", ".join(f"{count} × {code}" for code, count in told["codes"].items())
        times = (f"{told[share] * 1e3:.0f} ms" for share in SHARES)
        table.add_row(name, str(told["sent"]), *times, codes)
    console.print(table)
    write(out, result)


async def _run(url: str, streams: dict[str, Stream], seconds: float, method: str) -> dict[str, Any]:
    photos = [_photo(seed) for seed in range(PHOTOS)]
    async with aiohttp.ClientSession(
        f"{address(url)}/",
        headers=credentials(url),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S),
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=IDLE_S),
    ) as client:
        known: list[str] = []

        async def upload() -> int:
            async with client.post(
                "v1/images",
                params={"method": method, "label": "bench"},
                data=random.choice(photos),  # noqa: S311  # no secret
                headers={"Content-Type": "image/png"},
            ) as answer:
                said = await answer.json(content_type=None)
            if answer.ok:
                known.append(said["id"])
                del known[:-KNOWN]
            elif not known:
                raise Unavailable(f"The first upload was refused: {answer.status} {said}")
            return answer.status

        async def read() -> int:
            async with client.get(f"v1/images/{random.choice(known)}") as answer:  # noqa: S311  # no secret
                await answer.read()
            return answer.status

        await upload()
        await asyncio.gather(
            _stream(streams["reads"], read, seconds), _stream(streams["uploads"], upload, seconds)
        )
    told = {name: stream.told() for name, stream in streams.items()}
    return {"seconds": seconds, "method": method, "upload_bytes": len(photos[0]), **told}


async def _stream(stream: Stream, ask: Callable[[], Awaitable[int]], seconds: float) -> None:
    """Start a request whenever one is due, then wait for all answers."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(stream.per_s * seconds)):
            due = began + number / stream.per_s
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            stream.late_s.append(time.perf_counter() - due)
            tasks.create_task(_timed(stream, ask, due))


async def _timed(stream: Stream, ask: Callable[[], Awaitable[int]], due: float) -> None:
    try:
        code = str(await ask())
    except (aiohttp.ClientError, TimeoutError) as error:
        code = type(error).__name__
    stream.took_s.append(time.perf_counter() - due)
    stream.codes[code] += 1


def _photo(seed: int) -> bytes:
    pixels = random.Random(seed).randbytes(SIDE * SIDE * 3)  # noqa: S311  # to be the same again
    file = io.BytesIO()
    Image.frombytes("RGB", (SIDE, SIDE), pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
