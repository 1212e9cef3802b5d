"""What every sender of wake-ups promises, with a broker and without."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import redis

from photoward.core.errors import Unavailable
from photoward.core.jobs import new_id
from photoward.core.queue import QUEUE, TASK, open_wake_up_sender
from photoward.core.settings import Settings
from tests.support.servers import Server, redis_server, running, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from photoward.core.queue import WakeUpSender

PATIENCE_S = 1.0


@pytest.fixture
def broker() -> Iterator[Server]:
    """A broker of this test's own, to be ill-treated."""
    with short_folder() as folder, running(redis_server(folder)) as server:
        yield server


def wake_ups_to(broker: Server) -> WakeUpSender:
    return open_wake_up_sender(Settings(data_dir=broker.log.parent, redis_url=None))


def sent(broker: Server) -> list[dict[str, Any]]:
    """All messages in the queue, oldest first."""
    socket_path = str(broker.log.parent / "redis.sock")
    with closing(redis.Redis(unix_socket_path=socket_path)) as client:
        return [json.loads(message) for message in reversed(client.lrange(QUEUE, 0, -1))]


def test_a_hint_names_the_task_and_carries_the_id_only(broker: Server) -> None:
    item_id = new_id()
    assert wake_ups_to(broker).send(item_id)
    (message,) = sent(broker)
    assert message["headers"]["task"] == TASK
    assert message["content-type"] == "application/json"
    args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
    assert (args, kwargs) == ([item_id], {})


def test_many_threads_may_hint(broker: Server) -> None:
    wake_ups, ids = wake_ups_to(broker), [new_id() for _ in range(200)]
    with ThreadPoolExecutor(40) as pool:
        assert all(pool.map(wake_ups.send, ids))
    assert len(sent(broker)) == len(ids)
    wake_ups.check()


def test_a_killed_broker_is_told_fast_and_comes_back(broker: Server) -> None:
    wake_ups = wake_ups_to(broker)
    assert wake_ups.send(new_id())
    broker.kill()
    _nobody_hears(wake_ups)
    broker.start()
    assert wake_ups.send(new_id())
    wake_ups.check()
    assert len(sent(broker)) == 2  # the first was kept over the crash


def test_a_frozen_broker_holds_nobody(broker: Server) -> None:
    wake_ups = wake_ups_to(broker)
    assert wake_ups.send(new_id())
    assert broker.process is not None
    os.kill(broker.process.pid, signal.SIGSTOP)
    try:
        _nobody_hears(wake_ups)
        with ThreadPoolExecutor(40) as pool:
            started = time.monotonic()
            assert not any(pool.map(wake_ups.send, [new_id() for _ in range(40)]))
        assert time.monotonic() - started < 40 * PATIENCE_S / 4  # side by side, not in turn
    finally:
        os.kill(broker.process.pid, signal.SIGCONT)
    assert wake_ups.send(new_id())


@pytest.mark.parametrize("url", ["redis://:sesame@127.0.0.1:1/0", "nonsense://:sesame@x/0"])
def test_without_a_broker_nobody_hears_and_no_secret_is_said(url: str) -> None:
    error = _nobody_hears(open_wake_up_sender(Settings(redis_url=url)))
    assert "sesame" not in f"{error} {error.__cause__}"


def test_a_peer_that_says_nothing_holds_nobody() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        _nobody_hears(open_wake_up_sender(Settings(redis_url=f"redis://127.0.0.1:{port}/0")))


def _nobody_hears(wake_ups: WakeUpSender) -> Unavailable:
    for _ in range(2):
        started = time.monotonic()
        assert wake_ups.send(new_id()) is False
        assert time.monotonic() - started < PATIENCE_S
    with pytest.raises(Unavailable) as caught:
        wake_ups.check()
    return caught.value
