"""Processes die while they fetch what a manifest names; each photo arrives once all the same."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx

from photoward.core.failpoints import FETCH_POINTS
from photoward.core.settings import Settings
from tests.support.audit import audit
from tests.support.faults import HASTY, free_of_cost, known_ids, rows, states, swept, until
from tests.support.findings import note
from tests.support.scale import scaled
from tests.support.stack import fresh_stack
from tests.support.web import Site, site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.stack import Stack

WEB = {
    "PHOTOWARD_FETCH_ALLOW_URLS": "1",
    "PHOTOWARD_FETCH_ALLOW_PRIVATE": "1",
    "PHOTOWARD_FETCH_TIMEOUT_SECONDS": "2",
    **HASTY,
}


def filled(web: Site, count: int) -> list[str]:
    """URLs of pictures that cost nothing, and of a file that is none."""
    photos = {f"/{n}.png": one.data for n, one in enumerate(free_of_cost(count))}
    web.files |= {**photos, "/bad.png": b"no picture"}
    return [f"{web.url}{path}" for path in web.files]


def named(service: Stack, urls: list[str]) -> tuple[str, list[str]]:
    """A batch of a manifest; its address and its items."""
    options = {"method": "cuda", "label": "cat"}
    with httpx.Client(base_url=service.url, timeout=30) as client:
        batch = client.post("/v1/batches", json={"options": options}).raise_for_status().json()
        place = str(batch["links"]["self"])
        body = "\n".join(json.dumps({"url": url}) for url in urls)
        answer = client.post(
            f"{place}/manifest", content=body, headers={"Content-Type": "application/x-ndjson"}
        ).raise_for_status()
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert told[-1] == {"accepted": len(urls), "refused": 0}
    return place, [one["id"] for one in told[:-1]]


def stands(service: Stack, place: str) -> dict[str, Any]:
    """How a batch stands, as soon as somebody answers."""
    while True:
        try:
            found: dict[str, Any] = httpx.get(f"{service.url}{place}").raise_for_status().json()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return found


def ended(service: Stack, place: str, within_s: float) -> dict[str, int]:
    """A batch's counts at its end."""

    def over() -> bool:
        batch = stands(service, place)
        return bool(batch["ended"] == batch["total"])

    until(over, within_s, "the batch does not end")
    counts: dict[str, int] = stands(service, place)["counts"]
    return counts


def test_a_crash_at_each_point_of_an_arrival(tmp_path: Path) -> None:
    rounds, survived = scaled(1, 5), 0
    with site() as web, fresh_stack(PHOTOWARD_FAILPOINTS=str(tmp_path), **WEB) as service:
        settings = Settings(data_dir=service.folder)
        urls, everyone = filled(web, 3), list[str]()
        for point in FETCH_POINTS * rounds:
            before = service.part("api").pid
            (tmp_path / point).touch()
            place, ids = named(service, urls)
            until(lambda at=tmp_path / point: not at.exists(), 30, point)  # type: ignore[misc]  # bound default
            until(lambda pid=before: service.part("api").pid != pid, 60)  # type: ignore[misc]  # bound default
            assert ended(service, place, 60) == {"succeeded": 3, "failed": 1}, point
            everyone += ids
            survived += 1
        assert sorted(known_ids(settings)) == sorted(everyone), "one item a line"
        assert rows(settings, "fetches") == []
        swept(settings, 3 * survived)
        audit(service, settings, everyone, hostile=True)
    note(
        f"a crash at each of {len(FETCH_POINTS)} points while photos are fetched, ×{rounds}",
        f"{len(FETCH_POINTS) * rounds} survived", f"{survived} survived, one item a line",
        "a short lease",
    )  # fmt: skip


def test_faces_that_are_killed_while_they_fetch() -> None:
    count, kills = scaled(200, 2000), scaled(4, 20)
    with site() as web, fresh_stack(**WEB) as service:
        settings = Settings(data_dir=service.folder)
        urls = filled(web, count)
        place, ids = named(service, urls)
        for number in range(kills):
            # The site sees when: in the middle of fetching.
            until(lambda n=number: len(web.asked) > n * count // kills, 60)  # type: ignore[misc]  # bound default
            service.kill(service.part("api"))
        assert ended(service, place, 120) == {"succeeded": count, "failed": 1}
        assert states(service.ended(ids, 60)) == {"succeeded", "failed"}
        swept(settings, count)
        audit(service, settings, ids, hostile=True)
        extra = sum(web.asked.values()) - count - 1
    note(
        f"{count} photos fetched, the API killed {kills} times", "0 lost, none twice",
        f"0 lost, none twice; {extra} fetched again", "a short lease",
    )  # fmt: skip
