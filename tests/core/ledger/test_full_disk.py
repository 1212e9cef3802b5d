"""A ledger and metrics on a disk that is full to the last byte: refused, and nobody dies."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

UNMOUNTED = 3

PROGRAM = f"""
import os, subprocess, sys
from pathlib import Path

root = Path(sys.argv[1])
if any(subprocess.run(["sh", "-c", command]).returncode for command in sys.argv[2:]):
    sys.exit({UNMOUNTED})
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(root)
from photoward.core import telemetry
from photoward.core.errors import Unavailable
from photoward.core.ledger import open_ledger
from photoward.core.settings import Settings
from tests.support.samples import added

def fill():
    with (root / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return

def tried(number):
    telemetry.HTTP_REQUESTS.labels("GET", f"/{{number}}", "200").inc()
    try:
        ledger = open_ledger(Settings(data_dir=root / "data"))
        return added(ledger) and "added"
    except Unavailable as error:
        return error.code

def outcomes():  # of a process of its own, as after a restart
    pid = os.fork()
    if not pid:
        print(*sorted(set(map(tried, range(20)))), flush=True)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if status:
        print("died", status, flush=True)

for _ in range(2):
    outcomes()
    fill()
    outcomes()
    (root / "filler").unlink()
outcomes()
"""

LOOP = [
    "truncate -s {size} {root}.img",
    "mkfs.{kind} {root}.img",
    "mount -o loop {root}.img {root}",
]
DISKS = {
    "tmpfs": ["mount -t tmpfs -o size=4m tmpfs {root}"],
    "ext4": [one.format(root="{root}", size="8m", kind="ext4 -q -F -m 0") for one in LOOP],
    "btrfs": [one.format(root="{root}", size="128m", kind="btrfs -q -f") for one in LOOP],
}


@pytest.mark.parametrize("disk", DISKS)
def test_a_disk_full_to_the_last_byte_ends_no_process(tmp_path: Path, disk: str) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    # In mounts of its own; only root may have loop devices.
    own = ["unshare", "--mount", *(["--map-root-user", "--user"] if os.geteuid() else [])]
    done = subprocess.run(
        [*own, sys.executable, "-c", PROGRAM, str(folder)]
        + [command.format(root=folder) for command in DISKS[disk]],
        check=False, text=True, capture_output=True,
        env={"PATH": os.environ["PATH"] + ":/sbin:/usr/sbin", "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    if done.returncode == UNMOUNTED or "unshare" in done.stderr:
        pytest.skip(f"this machine mounts no {disk}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["added", "storage_full"] * 2 + ["added"]
