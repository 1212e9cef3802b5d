"""The task without a broker: what it does with the worker of its process."""

from __future__ import annotations

import os

import pytest
from kombu.connection import Connection
from kombu.message import Message

from photoward.core.errors import Unavailable
from photoward.core.queue import QUEUE, TASK
from photoward.worker import celery_app


class Working:
    """A worker that ends as it is told to: queue empty, budget spent, or broken."""

    def __init__(self, end: bool | Exception, *, on_accelerator: bool = False) -> None:  # noqa: FBT001  # its meaning is in the class's sentence
        self.end = end
        self.on_accelerator = on_accelerator
        self.stopped = False

    def work(self, budget_s: float) -> bool:
        assert budget_s == celery_app.BUDGET_S
        if isinstance(self.end, Exception):
            raise self.end
        return self.end

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def hinted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    hints: list[str] = []

    class Hints:
        def hint(self, item_id: str) -> bool:
            hints.append(item_id)
            return True

    monkeypatch.setattr(celery_app, "open_hints", lambda _settings: Hints())
    return hints


def run(monkeypatch: pytest.MonkeyPatch, worker: Working) -> None:
    monkeypatch.setitem(celery_app._process, "worker", worker)
    celery_app.protect("id")


def test_the_task_is_what_senders_call_it() -> None:
    assert TASK in celery_app.app.tasks
    assert celery_app.app.conf.task_default_queue == QUEUE


@pytest.mark.parametrize(
    ("end", "hints"), [(False, []), (True, ["id"]), (Unavailable("The store is away."), [])],
    ids=["the queue is empty", "the budget is spent", "something is away"],
)  # fmt: skip
def test_only_who_leaves_work_behind_hands_over(
    monkeypatch: pytest.MonkeyPatch, hinted: list[str], end: bool | Exception, hints: list[str]  # noqa: FBT001  # see above
) -> None:  # fmt: skip
    run(monkeypatch, Working(end))
    assert hinted == hints


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
    worker = Working(end=False)
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
