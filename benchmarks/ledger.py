"""``python -m benchmarks ledger``: how many items a second ledger and broker carry.

1, 2, 4, 8 processes hand in, work off and hint, each with nothing else to do: the noise costs
nothing here. Where more of them no longer bring more, what they share is the limit.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from kombu.connection import Connection
from pydantic import SecretStr
from rich.table import Table

from benchmarks.parallel import run_parallel
from benchmarks.results import write
from photoward.api.cli.bench.output import Out, console
from photoward.api.cli.service.process import ProgramProcess
from photoward.api.cli.service.programs import program_stages
from photoward.core.errors import BadInput, Unavailable
from photoward.core.jobs import Options, Output, Result, Source, new_id
from photoward.core.ledger import open_ledger
from photoward.core.queue import QUEUE, celery_settings, open_wake_up_sender
from photoward.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.parallel import Cost
    from photoward.core.jobs import Item
    from photoward.core.ledger import Ledger

LEASE = timedelta(minutes=10)
TENANT = "bench"
SERVER_S = 30.0
SQLITE = "sqlite"

Row = dict[str, Any]


def ledger(  # noqa: PLR0913  # one parameter an option
    *,
    database: Annotated[
        list[str] | None,
        typer.Option(help="Empty ones: postgresql+psycopg://… (PGPASSWORD); sqlite: a new file."),
    ] = None,
    redis: Annotated[
        str | None, typer.Option(help="URL of the broker.", show_default="a private server")
    ] = None,
    items: Annotated[int, typer.Option(min=100, help="Items of each measurement.")] = 4000,
    workers: Annotated[
        str, typer.Option(help="Numbers of processes, separated by commas.")
    ] = "1,2,4,8",
    claim: Annotated[int, typer.Option(min=1, help="Items of a claim.")] = 32,
    work_ms: Annotated[
        float, typer.Option(min=0, help="Milliseconds that the processing of an item takes.")
    ] = 0,
    rounds: Annotated[int, typer.Option(min=1, help="Repetitions, of which the best counts.")] = 1,
    out: Out = None,
) -> None:
    """Measure how many items a second several processes submit, read, process and announce."""
    try:
        counts = [int(part) for part in workers.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1:
        raise BadInput("invalid_option", "--workers takes numbers with commas.")

    def measured(one: Callable[[int], Row]) -> list[Row]:
        return [_best(n, [one(n) for _ in range(rounds)]) for n in counts]

    found: dict[str, list[Row]] = {}
    for url in database or [SQLITE]:
        with _fresh(url) as settings:
            kind = settings.database.partition(":")[0].partition("+")[0]
            found[kind] = measured(partial(_ledger, settings, items, claim, work_ms))
        _show(f"{kind}, {claim} a claim, {work_ms:g} ms an item", found[kind])
    with tempfile.TemporaryDirectory(prefix="photoward-bench-") as folder:
        settings = Settings(data_dir=Path(folder), redis_url=redis)
        with _broker(settings):
            hints = measured(partial(_hints, settings, items))
    _show("hints", hints)
    write(
        out,
        {
            "items": items,
            "claim": claim,
            "work_ms": work_ms,
            "rounds": rounds,
            "ledgers": found,
            "hints": hints,
        },
    )


@contextmanager
def _fresh(url: str) -> Iterator[Settings]:
    """Settings of a ledger in which there is nothing."""
    with tempfile.TemporaryDirectory(prefix="photoward-bench-") as folder:
        secret = None if url == SQLITE else SecretStr(url)
        settings = Settings(data_dir=Path(folder), database_url=secret)
        with closing(open_ledger(settings)) as opened:
            if opened.items.count_by_state():
                raise BadInput("invalid_option", "There are items in that database already.")
        yield settings


def _show(title: str, found: list[Row]) -> None:
    names = list(found[0])[1:]
    table = Table("processes", *(f"{name}/s" for name in names), title=title)
    for row in found:
        table.add_row(str(row["workers"]), *(f"{row[name]['per_s']:.0f}" for name in names))
    console.print(table)


def _best(workers: int, rounds: list[Row]) -> Row:
    """Of each figure the best: what else ran on the machine can only have made it worse."""
    return {"workers": workers} | {
        name: {
            "per_s": max(one[name]["per_s"] for one in rounds),
            "processor_ms": min(one[name]["processor_ms"] for one in rounds),
        }
        for name in rounds[0]
    }


def _ledger(settings: Settings, items: int, claim: int, work_ms: float, workers: int) -> Row:
    each = items // workers
    found = {
        name: _rate(each * workers, run_parallel(workers, prepare, settings, *given))
        for name, prepare, given in (
            ("accepted", _handing_in, (each,)),
            ("asked", _asking, (each,)),
            ("done", _working, (claim, work_ms / 1000)),
        )
    }
    with closing(open_ledger(settings)) as opened:
        if opened.items.next_queued_id() is not None:
            raise Unavailable("Something is queued still.")
        for number in range(workers):
            opened.tenants.erase(f"{TENANT}-{number}")
    return found


def _hints(settings: Settings, items: int, workers: int) -> Row:
    each = items // workers
    return {
        name: _rate(each * workers, run_parallel(workers, prepare, settings, each))
        for name, prepare in (("sent", _hinting), ("heard", _hearing))
    }


def _rate(count: int, effort: Cost) -> dict[str, float]:
    return {
        "per_s": count / effort.wall_s,
        "processor_ms": 1000 * effort.processor_s / count,
    }


def _handing_in(settings: Settings, count: int) -> Callable[[int], None]:
    opened = open_ledger(settings)

    def hand_in(number: int) -> None:
        for _ in range(count):
            _one_more(opened, number)

    return hand_in


def _asking(settings: Settings, count: int) -> Callable[[int], None]:
    opened = open_ledger(settings)

    def ask(number: int) -> None:
        item = _one_more(opened, number)
        for _ in range(count):
            opened.items.get(item.tenant, item.id)

    return ask


def _working(settings: Settings, limit: int, seconds: float) -> Callable[[int], None]:
    opened = open_ledger(settings)
    output = Output("cd" * 32, 3000, "image/png")

    def work(_number: int) -> None:
        while found := opened.items.claim(limit=limit, max_megapixels=50, lease=LEASE):
            time.sleep(seconds * len(found))
            results = [Result(item.id, output, "my cat", "given", {"linf": 8}) for item in found]
            opened.items.complete(str(found[0].lease_token), results)

    return work


def _one_more(opened: Ledger, number: int) -> Item:
    """Handed in by a tenant of the process's own: those of one tenant wait for each other."""
    options = Options("sem", "prototype", "small", 8.0, "strong", "my cat", None)
    source = Source("ab" * 32, 3000, "image/png", 32, 32, "a.png")
    return opened.items.add(new_id(), f"{TENANT}-{number}", options, source, "sem/32")


def _hinting(settings: Settings, count: int) -> Callable[[int], None]:
    hints = open_wake_up_sender(settings)
    hints.check()

    def hint(_number: int) -> None:
        if not all([hints.send(new_id()) for _ in range(count)]):  # noqa: C419  # each counts
            raise Unavailable("The broker was not told of everything.")

    return hint


def _hearing(settings: Settings, count: int) -> Callable[[int], None]:
    """One message after the other, as a worker takes them."""
    options = celery_settings(settings)["broker_transport_options"]
    queue = Connection(settings.broker, transport_options=options).SimpleQueue(QUEUE)
    queue.consumer.qos(prefetch_count=1)

    def hear(_number: int) -> None:
        for _ in range(count):
            queue.get(timeout=SERVER_S).ack()

    return hear


@contextmanager
def _broker(settings: Settings) -> Iterator[None]:
    """The private server, unless there is another."""
    log = settings.data_dir / "queue.log"
    children = [
        ProgramProcess(program, os.environ, log, SERVER_S)
        for program in program_stages(settings, 1)[0]
    ]
    try:
        for child in children:
            child.start()
            until = time.monotonic() + SERVER_S
            while child.program.ready and not child.program.ready():
                if child.ended() is not None or time.monotonic() > until:
                    raise Unavailable(f"No queue server.\n{child.log_tail()}")
                time.sleep(0.05)
        yield
    finally:
        for child in children:
            child.kill()
            while child.running():
                time.sleep(0.01)
