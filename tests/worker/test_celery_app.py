"""The task without a broker: what it does with the worker of its process."""

from __future__ import annotations

import os

import pytest
from kombu.connection import Connection
from kombu.message import Message

from photoward.core.errors import Unavailable
from photoward.core.queue import QUEUE, TASK
from photoward.core.settings import Settings
from photoward.worker import celery_app


class Working:
    """A worker that ends as it is told to: well, or broken."""

    def __init__(self, end: Exception | None = None, *, on_accelerator: bool = False) -> None:
        self.end = end
        self.on_accelerator = on_accelerator
        self.stopped = False

    def work(self, budget_s: float) -> None:
        assert budget_s == celery_app.BUDGET_S
        if self.end is not None:
            raise self.end

    def stop(self) -> None:
        self.stopped = True


def run(monkeypatch: pytest.MonkeyPatch, worker: Working) -> None:
    monkeypatch.setitem(celery_app._process, "worker", worker)
    celery_app.protect("id")


def test_the_task_is_what_senders_call_it() -> None:
    celery_app.configure(Settings())
    assert TASK in celery_app.app.tasks
    assert celery_app.app.conf.task_default_queue == QUEUE


@pytest.mark.parametrize("end", [None, Unavailable("The store is away.")])
def test_what_is_away_is_no_fault_of_the_task(
    monkeypatch: pytest.MonkeyPatch, end: Exception | None
) -> None:
    run(monkeypatch, Working(end))


@pytest.mark.parametrize("error", [RuntimeError("torch"), KeyError("a bug")])
def test_a_bug_is_shown(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    with pytest.raises(type(error)):
        run(monkeypatch, Working(error))


class Exited(BaseException):
    """Instead of the process's end."""


def test_a_broken_accelerator_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(status: int) -> None:
        assert status != 0
        raise Exited

    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(Exited):
        run(monkeypatch, Working(RuntimeError("CUDA error"), on_accelerator=True))


def test_a_leaving_process_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Working()
    monkeypatch.setitem(celery_app._process, "worker", worker)
    celery_app.stop_process()
    assert worker.stopped
    celery_app.stop_process()


def test_a_hint_that_the_broker_does_not_hear_of_frees_its_place() -> None:
    """Otherwise a worker with one place would never ask for another."""
    channel = Connection("memory://").channel()
    channel.basic_qos(0, 1, apply_global=False)
    message = Message(channel=channel, delivery_tag="tag")
    channel.qos.append(message, "tag")
    assert not channel.qos.can_consume()
    hint = celery_app.Hint.__new__(celery_app.Hint)
    hint._message, hint.acknowledged = message, False
    hint._on_ack, hint._connection_errors = lambda *_: None, ()  # as when it is only logged
    hint.acknowledge()
    assert channel.qos.can_consume()
