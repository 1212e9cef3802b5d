"""What the databases' connections promise beyond the ledger's contract."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
import traceback
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg.errors
import pytest
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, StatementError

from photoward.core.errors import Unavailable
from photoward.core.jobs import Priority
from photoward.core.ledger import Ledger, open_ledger
from photoward.core.ledger import engine as engine_module
from photoward.core.ledger.engine import make_engine, translated
from photoward.core.ledger.fair_queue import queue
from photoward.core.ledger.tables import items
from photoward.core.settings import Settings
from tests.support.samples import HOUR, added, claimed, result
from tests.support.servers import fresh_database, postgres_server, running, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from sqlalchemy import Select


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fresh" / "folder" / "ledger.sqlite"


@pytest.fixture
def ledger(file: Path) -> Iterator[Ledger]:
    opened = opened_at(f"sqlite:///{file}")
    yield opened
    opened.close()


def opened_at(url: str) -> Ledger:
    return open_ledger(Settings(database_url=SecretStr(url)))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:sesame@127.0.0.1:1/photoward",
        "postgresql://me:sesame@127.0.0.1:port/photoward",
        "mysql://me:sesame@127.0.0.1/photoward",
        "me:sesame",
        "",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:////dev/null/ledger.sqlite",
    ],
)
def test_an_impossible_database_is_unavailable_and_its_password_unsaid(url: str) -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        opened_at(url)
    assert time.monotonic() - started < 2
    assert "sesame" not in "".join(traceback.format_exception(caught.value))


def test_nothing_that_can_be_printed_holds_the_password() -> None:
    ledger = Ledger(make_engine("postgresql://me:sesame@127.0.0.1:1/photoward"))
    assert "sesame" not in f"{ledger!r} {ledger._engine!r} {ledger._engine.url}"


def test_an_error_of_our_own_does_not_tell_the_owners_words(ledger: Ledger) -> None:
    added(ledger)
    token, (item,) = claimed(ledger)
    unspeakable = result(item.id, label_used="my cat", measured={"what": object()})
    with pytest.raises(StatementError) as caught:
        ledger.items.complete(token, [unspeakable])
    assert "my cat" not in str(caught.value)
    assert ledger.items.get("alice", item.id) == item


def test_a_file_is_private_durable_and_checked(ledger: Ledger, file: Path) -> None:
    added(ledger)
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in file.parent.glob("*.sqlite*")} == {0o600}
    full = 2
    with ledger._engine.connect() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", full), ("foreign_keys", 1)):
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_who_leaves_takes_nothing_away_from_who_stays(ledger: Ledger, file: Path) -> None:
    """The last to close a database removes its log: only if it is the last."""
    with ledger._database.read_transaction(), ledger._database.read_transaction():
        """Two connections at once, the second made beside the first."""
    come_and_gone = (
        "from photoward.core.ledger import open_ledger\n"
        "from photoward.core.settings import Settings\n"
        f"ledger = open_ledger(Settings(database_url='sqlite:///{file}'))\n"
        "print(sum(ledger.items.count_by_state().values()))\n"
        "ledger.close()"
    )

    def seen_by_another() -> str:
        run = [sys.executable, "-c", come_and_gone]
        return subprocess.run(run, capture_output=True, text=True, check=True).stdout

    for number in range(3):
        assert seen_by_another() == f"{number}\n"
        added(ledger)
    assert seen_by_another() == "3\n"


def test_scrubbing_leaves_nothing_of_what_was_deleted(ledger: Ledger, file: Path) -> None:
    item = added(ledger, filename="unmistakable.png")
    ledger.items.delete(item.tenant, item.id)
    log = file.with_name(f"{file.name}-wal")
    assert b"unmistakable.png" in log.read_bytes()
    ledger.scrub()
    assert not log.read_bytes()
    assert b"unmistakable.png" not in file.read_bytes()
    assert ledger.items.get(item.tenant, added(ledger).id).source.filename != "unmistakable.png"


def test_a_file_that_is_no_database_is_unavailable(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(Unavailable):
        opened_at(f"sqlite:///{file}")


def test_readers_do_not_wait_for_the_writer_and_writers_not_for_ever(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_TIMEOUT_S", 0)
    with closing(opened_at(f"sqlite:///{file}")) as ledger:
        item = added(ledger)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert ledger.items.get("alice", item.id) == item
            with pytest.raises(Unavailable):
                added(ledger)
            other.execute("ROLLBACK")
        added(ledger)


def test_a_full_disk_says_so_and_loses_nothing(ledger: Ledger) -> None:
    item, pages = added(ledger), 40

    def limit(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401  # the driver's
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(ledger._engine, "checkout", limit)
    with pytest.raises(Unavailable) as caught:
        list(map(added, [ledger] * 500))
    assert caught.value.code == "storage_full"
    assert ledger.items.get("alice", item.id) == item
    pages = 100_000
    added(ledger)


def test_postgresql_says_in_its_own_way_that_the_disk_is_full() -> None:
    with pytest.raises(Unavailable) as caught, translated():
        raise DBAPIError("INSERT …", None, psycopg.errors.DiskFull("no space"))
    assert caught.value.code == "storage_full"
    assert "INSERT" not in "".join(traceback.format_exception(caught.value))


def test_a_database_that_was_away_is_used_again() -> None:
    with short_folder() as folder:
        server, maintenance = postgres_server(folder)
        with running(server), fresh_database(maintenance) as url, closing(opened_at(url)) as ledger:
            item = added(ledger)
            server.stop()
            for call in (
                ledger.check,
                ledger.items.expire_leases,
                lambda: ledger.items.get("alice", item.id),
            ):
                with pytest.raises(Unavailable):
                    call()
            server.start()
            assert ledger.items.claim(limit=1, max_megapixels=1, lease=HOUR)[0].id == item.id


def _written(query: Select[Any]) -> str:
    return str(query.compile(compile_kwargs={"literal_binds": True}))


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (_written(queue(Priority.INTERACTIVE, items.c.seq)), "queue"),
        (_written(queue(Priority.BULK, items.c.seq).where(items.c.group_key == "a")), "group"),
        (
            (
                "SELECT min(virtual_finish_time) FROM items "
                "WHERE items.state = 'queued' AND priority = 0"
            ),
            "queue",
        ),
        ("SELECT id FROM items WHERE lease_token = 'a' AND items.state = 'leased'", "leases"),
        ("SELECT state, count(*) FROM items WHERE deleted_at IS NULL GROUP BY state", "states"),
    ],
)
def test_no_query_of_the_engine_room_reads_the_whole_table(
    ledger: Ledger, query: str, index: str
) -> None:
    with ledger._engine.connect() as connection:
        (step,) = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")
    assert re.search(rf"INDEX items_{index}\b", step.detail)
