"""Processes die at each of ten named points on a photo's way; the photo arrives all the same."""

from __future__ import annotations

import json
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from photoward.core.failpoints import ANSWER_LOST, POINTS
from photoward.core.settings import Settings
from tests.support.audit import audit
from tests.support.faults import HASTY, free_of_cost, known_ids, rows, states, swept, until
from tests.support.findings import note
from tests.support.receiver import counting
from tests.support.scale import scaled
from tests.support.servers import fresh_database
from tests.support.stack import fresh_stack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.stack import Stack

MESSAGE_S = 90
"""A message that a crash interrupted is tried again after a minute."""


def test_a_crash_at_each_named_point(tmp_path: Path) -> None:
    rounds, survived = scaled(1, 5), 0
    for _ in range(rounds):
        with (
            counting() as (url, told),
            fresh_stack(
                PHOTOWARD_FAILPOINTS=str(tmp_path), PHOTOWARD_WEBHOOK_ALLOW_PRIVATE="1", **HASTY
            ) as service,
        ):
            settings = Settings(data_dir=service.folder)
            subscribe(service, url)
            ids = [crash_at(tmp_path, point, service) for point in reversed(POINTS)]
            everyone = known_ids(settings)
            assert states(service.ended(everyone, 60)) == {"succeeded"}
            assert set(ids) <= set(everyone)
            until(lambda told=told, of=everyone: told.keys() == set(of), MESSAGE_S)  # type: ignore[misc]  # bound default
            until(lambda of=settings: delivered(of), MESSAGE_S)  # type: ignore[misc]  # bound default
            survived += len(ids)
            swept(settings, len(everyone))
            audit(service, settings, everyone)
    note(
        f"a crash at each of {len(POINTS)} points, ×{rounds}", f"{rounds * len(POINTS)} survived",
        f"{survived} survived, every message delivered", "a short lease",
    )  # fmt: skip
    assert survived == rounds * len(POINTS)


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_a_commit_whose_answer_is_lost(
    tmp_path: Path, database: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = scaled(3, 20)
    with ExitStack() as beneath:
        if database == "PostgreSQL":
            url = beneath.enter_context(fresh_database(request.getfixturevalue("postgres_url")))
            monkeypatch.setenv("PHOTOWARD_DATABASE_URL", url)
        service = beneath.enter_context(
            fresh_stack(PHOTOWARD_FAILPOINTS=str(tmp_path), **HASTY)
        )  # fmt: skip
        settings = Settings(data_dir=service.folder)
        answers = [answers_around_a_loss(tmp_path, service, n) for n in range(rounds)]
        everyone = known_ids(settings)
        assert len(everyone) == rounds, "each photo is one item, once"
        assert states(service.ended(everyone, 60)) == {"succeeded"}
        swept(settings, len(everyone))
        audit(service, settings, everyone)
    note(
        f"a commit whose answer is lost, {database}, ×{rounds}", "503, then 202 and done",
        f"answers {sorted(set(answers))}, {rounds} done", "a short lease",
    )  # fmt: skip
    assert set(answers) == {(503, 202)}


def answers_around_a_loss(folder: Path, service: Stack, number: int) -> tuple[int, ...]:
    """The statuses of an upload whose first answer is lost, and of the same once more."""
    (folder / ANSWER_LOST).touch()
    (one,) = free_of_cost(1)
    headers = {"Content-Type": one.media_type, "Idempotency-Key": f"photo {number}"}
    options = {"method": one.method, "label": one.label}
    return tuple(
        httpx.post(
            f"{service.url}/v1/images", params=options, content=one.data, headers=headers
        ).status_code
        for _ in range(2)
    )


def subscribe(service: Stack, url: str) -> None:
    """Have every photo's end told."""
    wanted = json.dumps({"url": url, "events": ["image.succeeded", "image.failed"]}).encode()
    request = urllib.request.Request(  # noqa: S310  # the service's own address
        f"{service.url}/v1/webhooks", wanted, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310  # the same
        assert answer.status == 201


def crash_at(folder: Path, point: str, service: Stack) -> str:
    """Arm a point, send a photo, see that somebody died; the photo's id."""
    service.part("api"), service.pool_process()  # the last crash is made good
    before = {process.pid for process in service.supervisor.children(recursive=True)}
    (folder / point).touch()
    (item_id,) = service.upload(free_of_cost(1), patient=True)
    until(lambda: not (folder / point).exists(), 60, f"nobody came to {point}")
    until(lambda: bool(before - {one.pid for one in service.supervisor.children(recursive=True)}))
    assert states(service.ended([item_id], 60)) == {"succeeded"}
    return item_id


def delivered(settings: Settings) -> bool:
    """Whether the outbox is empty."""
    return {row["state"] for row in rows(settings, "webhook_deliveries")} == {"delivered"}
