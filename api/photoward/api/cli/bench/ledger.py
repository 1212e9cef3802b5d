"""``photoward bench ledger``: how many items a second the ledger hands to 1, 2, 4, 8 workers.

Each worker is a process that claims, waits as long as the noise would take, and stores; the noise
itself costs nothing here. Where more workers no longer bring more, the ledger is the limit.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr
from rich.table import Table

from photoward.api.cli.bench.record import Out, console, write
from photoward.core.errors import BadInput
from photoward.core.jobs import Options, Output, Result, Source, new_id
from photoward.core.ledger import open_ledger
from photoward.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from photoward.core.ports import Ledger

LEASE = timedelta(minutes=10)
TENANT = "bench"


def ledger(  # noqa: PLR0913  # one option each
    *,
    database: Annotated[
        str | None,
        typer.Option(help="An empty one: postgresql+psycopg://…; default: SQLite in a new folder."),
    ] = None,
    items: Annotated[int, typer.Option(min=100)] = 4000,
    workers: Annotated[str, typer.Option(help="How many, with commas.")] = "1,2,4,8",
    claim: Annotated[int, typer.Option(min=1, help="Items a claim.")] = 32,
    work_ms: Annotated[float, typer.Option(min=0, help="What the noise of one item takes.")] = 0,
    out: Out = None,
) -> None:
    """Items a second, accepted one by one and then worked on by several processes."""
    try:
        counts = [int(part) for part in workers.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1:
        raise BadInput("invalid_option", "--workers takes numbers with commas.")
    with tempfile.TemporaryDirectory(prefix="photoward-bench-") as folder:
        secret = None if database is None else SecretStr(database)
        settings = Settings(data_dir=Path(folder), database_url=secret)
        opened = open_ledger(settings)
        try:
            if opened.depth():
                raise BadInput("invalid_option", "There are items in that database already.")
            found = [_measured(settings, opened, count, items, claim, work_ms) for count in counts]
            opened.erase(TENANT)
        finally:
            opened.close()
    kind = settings.database.partition(":")[0].partition("+")[0]
    table = Table("workers", "accepted/s", "done/s", title=f"{kind}, {work_ms:g} ms an item")
    for row in found:
        table.add_row(*(f"{row[name]:.0f}" for name in ("workers", "accepted_per_s", "done_per_s")))
    console.print(table)
    write(out, {"database": kind, "claim": claim, "work_ms": work_ms, "items": items,
                "rows": found})  # fmt: skip


def _measured(  # noqa: PLR0913, PLR0917  # what is measured
    settings: Settings, opened: Ledger, workers: int, items: int, claim: int, work_ms: float
) -> dict[str, Any]:
    accepted = _seconds(lambda: _add(opened, items))
    context = multiprocessing.get_context("spawn")
    ready, go = context.Barrier(workers + 1), context.Event()
    processes = [
        context.Process(target=_work, args=(settings, claim, work_ms / 1000, ready, go))
        for _ in range(workers)
    ]
    for process in processes:
        process.start()
    ready.wait(60)

    def run() -> None:
        go.set()
        for process in processes:
            process.join()

    done = _seconds(run)
    if any(process.exitcode for process in processes) or opened.oldest_queued() is not None:
        raise BadInput("invalid_option", "A worker failed; see above.")
    return {"workers": workers, "accepted_per_s": items / accepted, "done_per_s": items / done}


def _seconds(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _add(opened: Ledger, count: int) -> None:
    options = Options("sem", "prototype", "small", 8.0, "strong", "my cat", None)
    source = Source("ab" * 32, 3000, "image/png", 32, 32, "a.png")
    for _ in range(count):
        opened.add(new_id(), TENANT, options, source, "sem/32")


def _work(settings: Settings, limit: int, seconds: float, ready: Any, go: Any) -> None:  # noqa: ANN401
    opened = open_ledger(settings)
    ready.wait(60)
    go.wait(60)
    output = Output("cd" * 32, 3000, "image/png")
    while found := opened.claim(limit=limit, max_megapixels=50, lease=LEASE):
        time.sleep(seconds * len(found))
        results = [Result(item.id, output, "my cat", "given", {"linf": 8}) for item in found]
        opened.store(str(found[0].lease), results)
    opened.close()
