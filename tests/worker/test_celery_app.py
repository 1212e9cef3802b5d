"""The task without a broker: what it does with the worker of its process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from photoward.core.errors import Unavailable
from photoward.core.queue import QUEUE, TASK
from photoward.worker import celery_app

if TYPE_CHECKING:
    from collections.abc import Iterator


class Claims:
    """A worker that finds so many items at each look, or breaks."""

    def __init__(self, *found: int | Exception, on_accelerator: bool = False) -> None:
        self.found: Iterator[int | Exception] = iter(found)
        self.on_accelerator = on_accelerator
        self.stopped = False

    def work_once(self) -> int:
        found = next(self.found)
        if isinstance(found, Exception):
            raise found
        return found

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


def run(monkeypatch: pytest.MonkeyPatch, worker: Claims) -> Any:  # noqa: ANN401  # Celery's
    monkeypatch.setitem(celery_app._process, "worker", worker)
    return celery_app.protect("id")


def test_the_task_is_what_senders_call_it() -> None:
    assert TASK in celery_app.app.tasks
    assert celery_app.app.conf.task_default_queue == QUEUE


def test_one_hint_works_off_all_that_is_queued(
    monkeypatch: pytest.MonkeyPatch, hinted: list[str]
) -> None:
    assert run(monkeypatch, Claims(32, 32, 5, 0)) == 69
    assert hinted == []


def test_a_hint_for_what_is_done_already_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, hinted: list[str]
) -> None:
    assert run(monkeypatch, Claims(0)) == 0
    assert hinted == []


def test_a_long_queue_is_handed_over(monkeypatch: pytest.MonkeyPatch, hinted: list[str]) -> None:
    monkeypatch.setattr(celery_app, "BUDGET_S", 0.0)
    assert run(monkeypatch, Claims(32, 32, 0)) == 32
    assert hinted == ["id"]


def test_what_is_away_ends_the_task_in_peace(
    monkeypatch: pytest.MonkeyPatch, hinted: list[str]
) -> None:
    assert run(monkeypatch, Claims(32, Unavailable("The store is away."))) == 32
    assert hinted == []


@pytest.mark.parametrize("error", [RuntimeError("torch"), KeyError("a bug")])
def test_a_bug_is_shown(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    with pytest.raises(type(error)):
        run(monkeypatch, Claims(error))


class Exited(BaseException):
    """Instead of the process's end."""


def test_a_broken_accelerator_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(status: int) -> None:
        assert status != 0
        raise Exited

    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(Exited):
        run(monkeypatch, Claims(RuntimeError("CUDA error"), on_accelerator=True))


def test_a_leaving_process_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Claims()
    monkeypatch.setitem(celery_app._process, "worker", worker)
    celery_app.stop_process()
    assert worker.stopped
    celery_app.stop_process()
