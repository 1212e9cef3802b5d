"""Settings that Celery must take as they are meant, and whose relations must hold."""

from __future__ import annotations

import subprocess
import sys

import pytest
from celery import Celery
from celery.app.defaults import NAMESPACES, flatten

from photoward.core.queue import QUEUE, celery_settings
from photoward.core.settings import Settings


def test_celery_knows_every_setting() -> None:
    known = {key for key, _ in flatten(NAMESPACES)}
    assert celery_settings(Settings()).keys() <= known


def test_a_hint_is_not_delivered_twice_while_it_is_worked_on() -> None:
    settings = celery_settings(Settings())
    transport = settings["broker_transport_options"]
    assert settings["task_time_limit"] > Settings().worker_batch_timeout_seconds, (
        "a batch has its own, before"
    )
    assert settings["task_time_limit"] < transport["visibility_timeout"]
    app = Celery(set_as_current=False)
    app.conf.update(settings)
    assert (app.conf.task_acks_late, app.conf.task_reject_on_worker_lost) == (True, True)
    assert app.conf.task_default_queue == QUEUE


@pytest.mark.parametrize("room", ["torch", "photoward.worker", "photoward.models"])
def test_the_sender_needs_no_worker(room: str) -> None:
    program = (
        "import sys; from photoward.core.queue import open_wake_up_sender\n"
        "from photoward.core.settings import Settings\n"
        "open_wake_up_sender(Settings(redis_url='redis://127.0.0.1:1/0')).send('x')\n"
        f"sys.exit({room!r} in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
