"""Processes die while a photo is brought in and while it is used: it becomes one photo, once."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import httpx

from photoward.core.failpoints import UPLOAD_POINTS
from photoward.core.settings import Settings
from tests.support.audit import audit
from tests.support.faults import HASTY, free_of_cost, known_ids, rows, states, swept, until
from tests.support.findings import note
from tests.support.scale import scaled
from tests.support.stack import fresh_stack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.stack import Stack

TUS = {"Tus-Resumable": "1.0.0"}
PART = TUS | {"Content-Type": "application/offset+octet-stream"}
POINTS = (*UPLOAD_POINTS, "original-stored", "row-committed")


def test_a_crash_at_each_point_of_an_upload(tmp_path: Path) -> None:
    rounds, survived = scaled(1, 5), 0
    with fresh_stack(PHOTOWARD_FAILPOINTS=str(tmp_path), **HASTY) as service:
        settings = Settings(data_dir=service.folder)
        for _ in range(rounds):
            photos = [one.data for one in free_of_cost(len(POINTS))]
            ids = [
                crash_at(tmp_path, point, service, photo)
                for point, photo in zip(POINTS, photos, strict=True)
            ]
            assert len(set(ids)) == len(POINTS)
            survived += len(ids)
        everyone = known_ids(settings)
        assert len(everyone) == survived, "no upload became two photos"
        assert states(service.ended(everyone, 60)) == {"succeeded"}
        assert {row["item_id"] for row in rows(settings, "uploads")} == set(everyone)
        swept(settings, len(everyone))
        audit(service, settings, everyone)
    note(
        f"a crash at each of {len(POINTS)} points of an upload, ×{rounds}",
        f"{rounds * len(POINTS)} survived", f"{survived} survived, each one photo",
        "a short lease",
    )  # fmt: skip


def crash_at(folder: Path, point: str, service: Stack, photo: bytes) -> str:
    """Arm a point, bring a photo in and use it, patiently; the photo's id."""
    process = service.part("api")
    (folder / point).touch()
    with httpx.Client(base_url=service.url, timeout=30) as client:
        begun = ask(client, "POST", "/v1/uploads", headers={**TUS, "Upload-Length": len(photo)})
        place = begun.headers["Location"]
        while (at := standing(client, place)) < len(photo):
            headers = {**PART, "Upload-Offset": at}
            ask(client, "PATCH", place, headers=headers, content=photo[at : at + len(photo) // 2])
        named = {"upload": place.rpartition("/")[2], "label": "cat", "method": "cuda"}
        item = ask(client, "POST", "/v1/images", json=named).json()
    until(lambda: not process.is_running(), 60, f"nobody came to {point}")
    assert item["source"]["sha256"] == hashlib.sha256(photo).hexdigest()
    return str(item["id"])


def standing(client: httpx.Client, place: str) -> int:
    """Where to go on."""
    return int(ask(client, "HEAD", place, headers=TUS).headers["Upload-Offset"])


def ask(client: httpx.Client, method: str, url: str, **more: Any) -> httpx.Response:  # noqa: ANN401  # for httpx
    """As a client does that goes on when the service comes back; a part is not sent blindly."""
    headers = {name: str(value) for name, value in more.pop("headers", {}).items()}
    until_s = time.monotonic() + 60
    while True:
        try:
            answer = client.request(method, url, headers=headers, **more)
        except httpx.TransportError:
            assert time.monotonic() < until_s
            time.sleep(0.1)
            continue
        if method != "PATCH" or answer.status_code != httpx.codes.CONFLICT:
            answer.raise_for_status()
        return answer
