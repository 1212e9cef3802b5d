"""The supervisor over real processes that note their starts and ends in a file."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import psutil
import pytest

from photoward.api.cli.service import log_files, supervisor
from photoward.api.cli.service.process import Program
from photoward.api.cli.service.supervisor import Supervisor
from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

STAND_IN = """
import os, signal, subprocess, sys, time
name, diary, life_s, leave_s = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
def note(what):
    with open(diary, "a") as file:
        file.write(f"{what} {name} {os.getpid()} {time.monotonic()}\\n")
def leave(*_):
    time.sleep(leave_s)
    note("left")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
note("began")
time.sleep(life_s)
sys.exit(3)
"""


class Diary:
    """What the stand-ins noted."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[list[str]]:
        return (
            [line.split() for line in self.path.read_text().splitlines()]
            if self.path.exists()
            else []
        )

    def events(self) -> list[str]:
        return [" ".join(line[:2]) for line in self.lines()]

    def times(self, event: str) -> list[float]:
        return [float(line[3]) for line in self.lines() if " ".join(line[:2]) == event]

    def pids(self) -> list[int]:
        return [int(line[2]) for line in self.lines()]

    def has(self, event: str) -> bool:
        return event in self.events()


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    return Diary(tmp_path / "diary")


@pytest.fixture
def stand_in(diary: Diary) -> Callable[..., Program]:
    def make(
        name: str,
        *,
        life_s: float = 60,
        leave_s: float = 0,
        grace_s: float = 5,
        waits: bool = False,
    ) -> Program:
        command = [
            sys.executable,
            "-S",
            "-c",
            STAND_IN,
            name,
            str(diary.path),
            str(life_s),
            str(leave_s),
        ]
        return Program(
            name, command, (lambda: diary.has(f"began {name}")) if waits else None, grace_s=grace_s
        )

    return make


def supervise(
    stages: Sequence[Sequence[Program]],
    until: Callable[[], bool] = lambda: True,
    *,
    logs: Path | None = None,
    signals: int = 1,
) -> list[str]:
    """Run until the condition holds, then send this process the signals; what was told."""
    told: list[str] = []

    class Watched(Supervisor):
        def _mend(self) -> None:
            super()._mend()
            if until() or time.monotonic() > deadline:
                for _ in range(signals):
                    os.kill(os.getpid(), signal.SIGTERM)

    deadline = time.monotonic() + 20
    Watched(stages, environment=os.environ, tell=told.append, logs=logs, backoff_s=(0.2, 0.8)).run(
        lambda: told.append("ready")
    )
    assert time.monotonic() < deadline
    return told


def test_a_stage_starts_when_those_before_it_are_ready_and_stops_before_them(
    diary: Diary, stand_in: Callable[..., Program]
) -> None:
    stages = [
        [stand_in("queue", waits=True)],
        [stand_in("worker", waits=True, leave_s=0.3)],
        [stand_in("api", waits=True)],
    ]
    assert supervise(stages) == ["ready"]
    assert diary.events() == [
        "began queue",
        "began worker",
        "began api",
        "left api",
        "left worker",
        "left queue",
    ]


def test_programs_of_one_stage_leave_together(
    diary: Diary, stand_in: Callable[..., Program]
) -> None:
    stages = [[stand_in(f"worker-{n}", waits=True, leave_s=0.6) for n in range(3)]]
    supervise(stages)
    ends = [time_ for n in range(3) for time_ in diary.times(f"left worker-{n}")]
    assert len(ends) == 3
    assert max(ends) - min(ends) < 0.5


def test_an_unexpected_end_is_mended_ever_more_patiently(
    diary: Diary, stand_in: Callable[..., Program]
) -> None:
    told = supervise([[stand_in("worker", life_s=0.05)]], lambda: len(diary.lines()) >= 5)
    assert [line.rsplit(" again in ")[-1] for line in told[1:5]] == [
        "0.2 s.",
        "0.4 s.",
        "0.8 s.",
        "0.8 s.",
    ]
    starts = diary.times("began worker")
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert all(gap >= least for gap, least in zip(gaps, (0.2, 0.4, 0.8, 0.8), strict=False))


def test_a_program_has_what_is_its_own_of_the_environment(tmp_path: Path) -> None:
    script = f"import os; open({str(tmp_path / 'seen')!r}, 'w').write(os.environ['OWN'])"
    program = Program("a", [sys.executable, "-c", script], environment={"OWN": "mine"})
    supervise([[program]], (tmp_path / "seen").exists)
    wait_for(lambda: (tmp_path / "seen").read_text() == "mine")


def test_a_log_begins_anew_before_it_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "MAX_BYTES", 10_000)
    script = "import time; print('x' * 20_000, flush=True); time.sleep(60)"
    program = Program("api", [sys.executable, "-S", "-c", script])
    supervise([[program]], (tmp_path / "api.log.1").exists, logs=tmp_path)
    kept = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert kept == {"api.log": 0, "api.log.1": 20_001}


def test_who_writes_a_log_goes_on_at_its_new_beginning(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with log.open("ab") as writer:
        for number in range(1000):
            writer.write(f"{number:039}\n".encode())
            writer.flush()
            log_files.truncate_long(log, 9_999)
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert set(kept) == {"api.log", "api.log.1", "api.log.2", "api.log.3"}
    assert all(len(text) <= 10_000 for text in kept.values())
    lines = "".join(kept[name] for name in sorted(kept, reverse=True)).splitlines()
    assert lines == [f"{number:039}" for number in range(250, 1000)]


def test_where_there_is_no_room_for_an_old_log_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "api.log").write_bytes(bytes(100))
    (tmp_path / "api.log.1").write_text("older")
    monkeypatch.setattr(shutil, "copyfileobj", full)
    log_files.truncate_long(tmp_path / "api.log", 99)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "api.log": "",
        "api.log.1": "older",
    }


def test_the_others_go_on_when_one_ends(diary: Diary, stand_in: Callable[..., Program]) -> None:
    stages = [[stand_in("queue", waits=True)], [stand_in("worker", life_s=0.05)]]
    supervise(stages, lambda: len(diary.times("began worker")) >= 2)
    assert len(diary.times("began queue")) == 1


def test_who_does_not_leave_in_time_is_killed_with_its_group(
    diary: Diary, stand_in: Callable[..., Program]
) -> None:
    began = time.monotonic()
    supervise([[stand_in("stubborn", waits=True, leave_s=60, grace_s=0.5)]])
    assert 0.5 <= time.monotonic() - began < 10
    assert diary.events() == ["began stubborn"]
    assert not any(map(psutil.pid_exists, diary.pids()))


def test_what_a_program_leaves_behind_is_swept(diary: Diary) -> None:
    script = (
        "import subprocess, sys, time;"
        f"left = subprocess.Popen(['sleep', '60']); open({str(diary.path)!r}, 'w').write("
        "f'began left {left.pid} 0\\n'); time.sleep(60)"
    )
    supervise([[Program("worker", [sys.executable, "-c", script])]], diary.path.exists)
    wait_for(lambda: not any(map(alive, diary.pids())))


def test_a_second_signal_does_not_wait(diary: Diary, stand_in: Callable[..., Program]) -> None:
    began = time.monotonic()
    supervise([[stand_in("slow", waits=True, leave_s=60, grace_s=60)]], signals=2)
    assert time.monotonic() - began < 10
    assert not any(map(psutil.pid_exists, diary.pids()))


def test_what_ends_before_it_was_ready_is_said_with_its_log_tail(
    tmp_path: Path, diary: Diary, stand_in: Callable[..., Program]
) -> None:
    broken = Program(
        "api", [sys.executable, "-c", "raise SystemExit('no such table')"], ready=lambda: False
    )
    with pytest.raises(Unavailable, match=r"api did not start(?s:.*)no such table"):
        supervise([[stand_in("queue", waits=True)], [broken]], logs=tmp_path)
    assert diary.events() == ["began queue", "left queue"]


def test_what_hangs_before_it_was_ready_is_said(stand_in: Callable[..., Program]) -> None:
    program = stand_in("api")
    hanging = Program("api", program.command, ready=lambda: False, ready_within_s=0.3)
    with pytest.raises(Unavailable, match="hangs"):
        supervise([[hanging]])


def test_who_waits_for_a_slow_start_is_told(
    diary: Diary, stand_in: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "REPORT_INTERVAL_S", 0.3)
    began = time.monotonic()
    slow = Program(
        "worker",
        stand_in("worker").command,
        lambda: time.monotonic() > began + 1 and diary.has("began worker"),
        ready_within_s=math.inf,
    )
    told = supervise([[slow]])
    assert "worker is not ready after" in told[0]
    assert told[-1] == "ready"
    assert diary.events() == ["began worker", "left worker"]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_nothing_outlives_a_killed_supervisor(tmp_path: Path, diary: Diary) -> None:
    script = f"""
import os, sys
from photoward.api.cli.service.process import Program
from photoward.api.cli.service.supervisor import Supervisor
command = [sys.executable, "-S", "-c", {STAND_IN!r}]
Supervisor(
    [[Program(name, [*command, name, {str(diary.path)!r}, "60", "60"]) for name in ("a", "b")]],
    environment=os.environ, tell=print,
).run(lambda: None)
"""
    supervisor = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    try:
        wait_for(lambda: len(diary.lines()) == 2)
    finally:
        supervisor.kill()
        supervisor.wait()
    wait_for(lambda: not any(map(alive, diary.pids())))


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
