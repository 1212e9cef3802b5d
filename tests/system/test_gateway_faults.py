"""The gateway and the service die in front of the public, who sees protected files or none."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import numpy as np

from photoward.core.failpoints import GATEWAY_POINTS
from tests.support.beside import beside
from tests.support.faults import HASTY, free_of_cost
from tests.support.findings import note
from tests.support.scale import scaled
from tests.support.servers import Server, free_ports, running
from tests.support.stack import fresh_stack

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.stack import Stack

THREADS = 8
FIRST = 50
MEGAPIXELS = 32 * 32 / 1e6
"""Of each photo."""
OPTIONS = "method=cuda&label=cat"


@contextmanager
def gateway(folder: Path, service: Stack, **environment: str) -> Iterator[tuple[Server, str]]:
    """The command on ``folder/in`` and ``folder/out``; it can be started again."""
    (port,) = free_ports(1)
    command = [
        sys.executable, "-m", "photoward.api.cli", "gateway", (folder / "in").as_uri(),
        (folder / "out").as_uri(), "--url", service.url, "--port", str(port),
        "--options", OPTIONS,
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    env = {"PHOTOWARD_GATEWAY_RECHECK_SECONDS": "0", **environment}
    server = Server(command, folder / "gateway.log", lambda: answers(url), env=env)
    with running(server):
        yield server, url


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", timeout=5).is_success
    except httpx.HTTPError:
        return False


def served(url: str, name: str) -> httpx.Response:
    """The photo, for somebody who comes back while the answer is 503."""
    until = time.monotonic() + 120
    last = ""
    while True:
        try:
            answer = httpx.get(f"{url}/{name}", timeout=60)
            if answer.status_code == httpx.codes.OK:
                return answer
            assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
            last = answer.text
        except httpx.TransportError as error:
            last = repr(error)
        assert time.monotonic() < until, (name, last)
        time.sleep(0.2)


def photos(folder: Path, count: int) -> dict[str, bytes]:
    """Photos in the inbox, by name."""
    (folder / "in").mkdir()
    made = {f"{at}.png": one.data for at, one in enumerate(free_of_cost(count))}
    for name, data in made.items():
        (folder / "in" / name).write_bytes(data)
    return made


def test_a_gateway_that_dies_at_each_step_serves_the_photo_when_it_is_back(
    tmp_path: Path,
) -> None:
    rounds, survived = scaled(1, 5), 0
    points = GATEWAY_POINTS * rounds
    made = photos(tmp_path, len(points))
    armed = tmp_path / "armed"
    armed.mkdir()
    with (
        fresh_stack(**HASTY) as service,
        gateway(tmp_path, service, PHOTOWARD_FAILPOINTS=str(armed)) as (server, url),
    ):
        for point, (name, original) in zip(points, made.items(), strict=True):
            (armed / point).touch()
            try:
                first = httpx.get(f"{url}/{name}", timeout=60)
                assert first.status_code != httpx.codes.OK
            except httpx.TransportError:
                pass
            assert not (armed / point).exists(), point
            assert server.process is not None
            assert server.process.wait(10) == os.EX_SOFTWARE
            server.start()
            answer = served(url, name)
            assert answer.content != original
            tag = hashlib.sha256(answer.content).hexdigest()
            assert answer.headers["ETag"] == f'"{tag}"'
            survived += 1
        stored = [one for one in (tmp_path / "out").rglob("*") if one.is_file()]
        assert len(stored) == len(points), "one file each"
    note(
        f"a crash at each of {len(GATEWAY_POINTS)} steps of the gateway, ×{rounds}",
        f"{len(points)} survived", f"{survived} survived, each served protected",
    )  # fmt: skip


def test_fifty_first_requests(tmp_path: Path) -> None:
    ((name, original),) = photos(tmp_path, 1).items()
    with fresh_stack() as service, gateway(tmp_path, service) as (_, url):

        def ask(_: int) -> tuple[float, httpx.Response]:
            started = time.perf_counter()
            answer = httpx.get(f"{url}/{name}", timeout=60)
            return time.perf_counter() - started, answer

        with ThreadPoolExecutor(FIRST) as threads:
            found = list(threads.map(ask, range(FIRST)))
        jobs = round(httpx.get(f"{service.url}/v1/usage").json()["megapixels"] / MEGAPIXELS)
    seconds = [took for took, _ in found]
    p95 = float(np.percentile(seconds, 95))
    note(
        f"{FIRST} first requests for one photo at once", "one job",
        f"p95 {p95:.2f} s, {jobs} job", "a folder, method cuda",
    )  # fmt: skip
    assert {answer.status_code for _, answer in found} == {httpx.codes.OK}
    assert len({answer.content for _, answer in found}) == 1
    assert found[0][1].content != original
    assert jobs == 1


def test_a_service_that_dies_under_load_lets_no_original_out(tmp_path: Path) -> None:
    requests, count = scaled(400, 10_000), scaled(24, 400)
    made = photos(tmp_path, count)
    originals = {hashlib.sha256(data).hexdigest() for data in made.values()}
    seen: Counter[int | str] = Counter()
    leaked: list[str] = []
    names = list(made)
    kills = 0

    with (
        fresh_stack(**HASTY) as service,
        gateway(tmp_path, service, PHOTOWARD_GATEWAY_DEADLINE_SECONDS="5") as (server, url),
        httpx.Client(timeout=60) as client,
    ):

        def ask(number: int) -> None:
            # New photos come all the time, and each is asked for again.
            name = names[int(number * count / requests) if number % 2 else number % count]
            while True:
                try:
                    answer = client.get(f"{url}/{name}")
                    break
                except httpx.TransportError:
                    seen["no answer"] += 1
                    time.sleep(0.2)
            seen[answer.status_code] += 1
            if answer.status_code != httpx.codes.OK:
                time.sleep(0.2)  # who is told to come back does not do so at once
                return
            digest = hashlib.sha256(answer.content).hexdigest()
            if digest in originals or answer.headers["ETag"] != f'"{digest}"':
                leaked.append(name)

        def kill(over: threading.Event) -> None:
            nonlocal kills
            while not over.wait(scaled(2, 8)):
                part = ("api", "worker", "queue", "gateway")[kills % 4]
                if part == "gateway":
                    server.kill()
                    server.start()
                else:
                    service.kill(service.part(part))
                kills += 1

        with beside(kill), ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(ask, range(requests)))
        server.kill()  # a gateway ends with the thread that started it
        server.start()
        for name in names:
            served(url, name)
    note(
        f"{requests} requests for {count} photos; service and gateway killed {kills} times",
        "0 unprotected",
        f"{len(leaked)} unprotected; {dict(sorted(seen.items(), key=str))}",
    )
    assert not leaked
    assert seen[200] > requests / 10
    assert set(seen) <= {200, 503, "no answer"}
    assert kills
