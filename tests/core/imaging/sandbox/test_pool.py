"""The pool with real children."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from PIL import Image

from photoward.core.errors import BadInput, PhotowardError, Unavailable, is_ours
from photoward.core.imaging import fingerprint
from photoward.core.imaging.sandbox import child_process
from photoward.core.imaging.sandbox.pool import ImagingPool
from photoward.core.imaging.sniff import Limits
from tests.core.imaging.pictures import file, image, noise, reopened, smooth
from tests.support.beside import beside

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pool() -> Iterator[ImagingPool]:
    with ImagingPool(1, 1000, 20) as one:
        yield one


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return dict(line.split(":", 1) for line in lines)


def test_a_picture_goes_through(pool: ImagingPool) -> None:
    opened = pool.open(file(image(size=(50, 30))), grid=16)
    assert (opened.width, opened.height) == (50, 30)
    assert opened.pixels.shape == (16, 16, 3)
    assert len(opened.digest) == 32
    done = pool.finish(opened, noise(), epsilon=8.0)
    assert done.media_type == "image/png"
    assert reopened(done.data).size == (50, 30)
    assert 0 < done.measured["linf"] <= 8
    assert list(done.seconds) == ["enlarge", "encode", "verify"]
    assert all(done.seconds.values())
    assert json.loads(json.dumps(done.measured, allow_nan=False)) == done.measured
    assert (
        pool.finish(opened, noise(), epsilon=8.0, output_format="jpeg").media_type == "image/jpeg"
    )
    assert done.measured["epsilon"] == 8
    free = pool.finish(opened, noise(epsilon=100), epsilon=None).measured
    assert free["epsilon"] is None
    assert free["linf"] > 16


def test_children_start_when_needed_are_reused_and_leave_nobody_behind() -> None:
    with ImagingPool(2, 1000, 20) as pool:
        assert pool.pids() == []
        first = pool.open(file(image()), grid=16)
        (pid,) = pool.pids()
        pool.close(first)
        for _ in range(3):
            pool.close(pool.open(file(image()), grid=16))
        assert pool.pids() == [pid]
    assert not psutil.pid_exists(pid)
    with pytest.raises(Unavailable):
        pool.open(file(image()), grid=16)


def test_many_threads_may_use_it() -> None:
    def once(seed: int) -> int:
        source = image(size=(64, 64), seed=seed)
        opened = two.open(file(source), grid=16)
        done = two.finish(opened, noise(), epsilon=4)
        two.close(opened)
        two.close(opened)
        return int(abs(np.asarray(reopened(done.data), int) - np.asarray(source, int)).max())

    with ImagingPool(2, 1000, 20) as two, ThreadPoolExecutor(6) as threads:
        assert set(threads.map(once, range(40))) == {4}
        assert len(two.pids()) == 2


def test_a_child_is_confined(pool: ImagingPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    with Path(os.devnull).open("rb") as other:
        os.set_inheritable(other.fileno(), True)  # noqa: FBT003  # its signature
        pool.open(file(image()), grid=16)
    child = psutil.Process(pool.pids()[0])
    assert "AWS_SECRET_ACCESS_KEY" not in child.environ()
    assert child.num_fds() == 3
    assert child.rlimit(psutil.RLIMIT_AS) == (1000 << 20, 1000 << 20)
    assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert 20 <= child.rlimit(psutil.RLIMIT_CPU)[0] < 40


def test_a_child_that_died_idle_is_not_noticed(pool: ImagingPool) -> None:
    opened = [pool.open(file(image(seed=seed)), grid=16) for seed in range(3)]
    expected = [pool.finish(one, noise(), epsilon=8).data for one in opened]
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGKILL)
    assert [pool.finish(one, noise(), epsilon=8).data for one in opened] == expected
    assert pool.pids() != [pid]


def test_a_child_killed_at_work_is_no_fault_of_the_picture(pool: ImagingPool) -> None:
    data = file(smooth((2000, 1500)))
    opened = pool.open(data, grid=16)
    (pid,) = pool.pids()
    threading.Timer(0.15, os.kill, (pid, signal.SIGKILL)).start()
    done = pool.finish(opened, noise(), epsilon=8)
    assert reopened(done.data).size == (2000, 1500)
    assert pool.pids() != [pid]


def test_a_child_that_does_not_get_on_is_no_fault_of_the_picture() -> None:
    with ImagingPool(1, 1000, 20, timeout_s=3) as pool:
        good, bad = (pool.open(file(image(seed=seed)), grid=16) for seed in range(2))
        (pid,) = pool.pids()
        os.kill(pid, signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(PhotowardError) as caught:
            pool.finish(bad, noise(), epsilon=8)
        assert caught.value.code == "timed_out"
        assert is_ours(caught.value.code)
        assert time.monotonic() - start < 6
        assert not psutil.pid_exists(pid)
        assert pool.finish(good, noise(), epsilon=8).data


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGSEGV, "corrupt"), (signal.SIGKILL, "internal_error")]
)
def test_a_crash_is_the_pictures_fault_and_being_killed_is_not(
    pool: ImagingPool, number: signal.Signals, code: str
) -> None:
    good = pool.open(file(image()), grid=16)
    bad = pool.open(file(smooth((3000, 2000))), grid=16)
    stop = threading.Event()

    def hunt() -> None:
        while not stop.is_set():
            for pid in pool.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(0.02)

    hunter = threading.Thread(target=hunt)
    hunter.start()
    with pytest.raises(PhotowardError) as caught:
        pool.finish(bad, noise(), epsilon=8)
    stop.set()
    hunter.join()
    assert caught.value.code == code
    assert pool.finish(good, noise(), epsilon=8).data


def test_a_picture_that_takes_too_much_processor_time_is_refused_at_once() -> None:
    dear = file(smooth((6000, 5000)), compress_level=1)
    with ImagingPool(1, 1500, 0.1) as pool:
        good = pool.open(file(image()), grid=16)
        opened = pool.open(dear, grid=16)
        with pytest.raises(BadInput) as caught:
            pool.finish(opened, noise(), epsilon=8)
        assert caught.value.code == "too_costly"
        assert pool.finish(good, noise(), epsilon=8).data


def test_what_we_do_wrong_in_a_child_is_not_told_as_the_pictures_fault(pool: ImagingPool) -> None:
    opened = pool.open(file(image()), grid=16)
    pids = pool.pids()
    with pytest.raises(PhotowardError, match=r"ValueError in server\.py") as caught:
        pool.finish(opened, noise()[:, :15], epsilon=8)  # no square
    assert caught.value.code == "internal_error"
    assert pool.pids() == pids
    assert pool.finish(opened, noise(), epsilon=8).data


@pytest.mark.parametrize("size", [(17_000, 7), (20_000, 8), (20_000, 40), (65_000, 10)])
def test_a_picture_may_be_very_wide(size: tuple[int, int]) -> None:
    with ImagingPool(1, 1000, 20, Limits(max_side=70_000)) as pool:
        opened = pool.open(file(smooth(size)), grid=16)
        done = pool.finish(opened, noise(), epsilon=8)
    assert 0 < done.measured["ssim"] < 1


def test_children_that_were_stopped_for_a_while_cost_no_photo() -> None:
    data = file(smooth((600, 400)), "JPEG")

    def pause(over: threading.Event) -> None:
        for number in (signal.SIGSTOP, signal.SIGCONT):
            over.wait(1.5)
            for pid in two.pids():
                os.kill(pid, number)

    def once(_: int) -> str:
        opened = two.open(data, grid=16)
        done = two.finish(opened, noise(), epsilon=8)
        two.close(opened)
        return done.media_type

    # With a second of processor time: what passes while a child stands still does not count.
    with ImagingPool(2, 1000, 1) as two, beside(pause), ThreadPoolExecutor(4) as threads:
        assert list(threads.map(once, range(40))) == ["image/jpeg"] * 40


def test_a_busy_machine_costs_no_photo() -> None:
    """Three programs that never rest, and a worker that stands back for them."""
    code = (
        "import os, sys; from photoward.core.imaging.sandbox.pool import ImagingPool\n"
        "import numpy as np\n"
        "os.nice(5); noise = np.ones((16, 16, 3), np.int16)\n"
        "with ImagingPool(1, 1000, 2) as pool:\n"
        "    data = sys.stdin.buffer.read()\n"
        "    for _ in range(3):\n"
        "        opened = pool.open(data, grid=16)\n"
        "        print(pool.finish(opened, noise, epsilon=8).media_type)\n"
        "        pool.close(opened)"
    )
    with contextlib.ExitStack() as busy:
        for _ in range(3):
            other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            busy.callback(other.wait)
            busy.callback(other.kill)
        ran = subprocess.run(
            [sys.executable, "-c", code],
            input=file(smooth((600, 400)), "JPEG"),
            stdout=subprocess.PIPE,
            check=True,
        )
    assert ran.stdout.split() == [b"image/jpeg"] * 3


def test_memory_that_others_hold_is_not_the_pictures_fault() -> None:
    # Each of 9 MP takes 36 MB held and twice that at work; together they burst the child.
    data = file(Image.new("RGB", (3000, 3000), (90, 100, 110)))
    with ImagingPool(1, 420, 30) as pool:
        opened = [pool.open(data, grid=16) for _ in range(8)]
        assert len({one.digest for one in opened}) == 1
        for one in opened[:2]:
            assert pool.finish(one, noise(), epsilon=8).data


def test_a_picture_too_large_for_a_child_fails_alone() -> None:
    bomb = file(Image.new("RGB", (9000, 9000)))
    with ImagingPool(1, 420, 30, Limits(max_megapixels=100)) as pool:
        good = pool.open(file(image()), grid=16)
        with pytest.raises(BadInput) as caught:
            pool.open(bomb, grid=16)
        assert caught.value.code == "corrupt"
        assert pool.finish(good, noise(), epsilon=8).data


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_broken_files_are_refused_and_the_child_lives_on(pool: ImagingPool, kind: str) -> None:
    data = file(image(size=(100, 100)), kind)
    pool.open(file(image()), grid=16)
    pids = pool.pids()
    for broken in (data[: len(data) // 2], data[:100] + bytes(len(data))):
        with pytest.raises(BadInput) as caught:
            pool.open(broken, grid=16)
        assert caught.value.code in ("truncated", "corrupt")
    assert pool.pids() == pids


def test_no_child_at_all_is_our_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with ImagingPool(1, 1000, 20) as pool:
        for executable in ("/nowhere/python", "/bin/false"):
            monkeypatch.setattr(sys, "executable", executable)
            with pytest.raises(Unavailable):
                pool.open(file(image()), grid=16)
        monkeypatch.undo()
        assert pool.open(file(image()), grid=16).width == 40


def test_children_end_with_their_parent() -> None:
    code = (
        "import sys; from photoward.core.imaging.sandbox.pool import ImagingPool\n"
        "pool = ImagingPool(1, 1000, 20); pool.open(sys.stdin.buffer.read(), grid=16)\n"
        "pid = pool.pids()[0]; print(pid, flush=True); import os\n"
        "os.kill(pid, 19); os.kill(os.getpid(), 9)"  # stopped, it cannot see its socket close
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], input=file(image()), stdout=subprocess.PIPE, check=False
    )
    assert ran.returncode == -signal.SIGKILL
    pid = int(ran.stdout)
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_children_have_their_parents_share_of_the_machine() -> None:
    code = (
        "import os, sys; from photoward.core.imaging.sandbox.pool import ImagingPool; os.nice(7)\n"
        "with ImagingPool(1, 1000, 20) as pool:\n"
        "    pool.open(sys.stdin.buffer.read(), grid=16); pid = pool.pids()[0]\n"
        # Sessions are what the kernel may share processors out between, before niceness counts.
        "    print(*(ask(pid) == ask(0) for ask in (os.getsid, os.getpgid)))\n"
        "    print(os.getpriority(os.PRIO_PROCESS, pid) - os.nice(0))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], input=file(image()), stdout=subprocess.PIPE, check=True
    )
    assert told.stdout.split() == [b"True", b"False", b"0"], "Ctrl-C is for the parent alone"


def test_a_thread_may_end_before_the_child_that_it_needed(pool: ImagingPool) -> None:
    with ThreadPoolExecutor(1) as brief:
        opened = brief.submit(pool.open, file(image()), grid=16).result()
    time.sleep(0.2)
    (pid,) = pool.pids()
    pool.finish(opened, noise(), epsilon=8)
    assert pool.pids() == [pid]


def test_a_child_taken_over_cannot_fool_the_pool(
    pool: ImagingPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = pool.open(file(image()), grid=16)
    lies = {
        "measured": {"linf": float("nan"), "psnr_db": "high", "rm": "-rf"},
        "seconds": {"encode": 1e300, "verify": -1},
    }

    shown = bytearray(3 * fingerprint.SIDE**2)

    def lying(data: bytes, *more: bytearray) -> None:
        answer = (lies, [bytearray(data), *more])
        monkeypatch.setattr(child_process.ChildProcess, "request", lambda *_, **__: answer)

    lying(file(image()), shown, shown)
    done = pool.finish(opened, noise(), epsilon=8)
    measured = done.measured
    assert all(0 <= spent < 3600 for spent in done.seconds.values())
    assert measured["linf"] is measured["psnr_db"] is None
    assert "rm" not in measured
    for forged in (b"<script>alert(1)</script>", file(image(size=(41, 30))), file(image(), "JPEG")):
        lying(forged, shown, shown)
        with pytest.raises(PhotowardError):
            pool.finish(opened, noise(), epsilon=8)
    for more in ((), (shown, shown[1:])):
        lying(file(image()), *more)
        with pytest.raises(PhotowardError):
            pool.finish(opened, noise(), epsilon=8)


def test_a_small_picture_costs_little_more_than_its_codecs(pool: ImagingPool) -> None:
    data = file(image(size=(32, 32)))
    beyond = []
    for _ in range(60):
        start = time.perf_counter()
        opened = pool.open(data, grid=32)
        done = pool.finish(opened, noise(32), epsilon=8)
        beyond.append(time.perf_counter() - start - sum(done.seconds.values()) - opened.seconds)
        pool.close(opened)
    # 1 ms on a quiet machine; others may be at work on this one.
    assert min(beyond) < 0.005
