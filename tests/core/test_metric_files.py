"""Metrics of several processes, on disks that are full."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from prometheus_client.mmap_dict import MmapedDict

from photoward.core.metric_files import Counts

if TYPE_CHECKING:
    from pathlib import Path


def kept(file: Path) -> dict[str, float]:
    found = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]  # ships none
    return {key: value for key, value, *_ in found}


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    file = tmp_path / "counter_1.db"
    counts = Counts(str(file))
    for length in range(1, 20):
        assert counts.read_value("ä" * length) == (0.0, 0.0)
        counts.write_value("ä" * length, length, 2.0)
    assert kept(file) == {"ä" * length: length for length in range(1, 20)}
    counts.close()
    again = Counts(str(file))
    assert again.read_value("ääää") == (4.0, 2.0)
    again.write_value("new", 1.0, 0.0)
    assert kept(file)["new"] == 1
    assert len(kept(file)) == 20


@pytest.mark.parametrize("broken", [b"", b"\0" * 64, b"\xff" * 64, b"\x40\0\0\0" + b"\x7f" * 60])
def test_a_broken_file_is_begun_anew(tmp_path: Path, broken: bytes) -> None:
    file = tmp_path / "counter_1.db"
    file.write_bytes(broken)
    counts = Counts(str(file))
    counts.write_value("a", 1.0, 0.0)
    assert kept(file) == {"a": 1.0}


def test_what_finds_no_room_is_written_when_there_is_some(tmp_path: Path) -> None:
    """A limit of the file's size stands for a full disk; the file stays whole."""
    file = tmp_path / "counter_1.db"
    counts = Counts(str(file))
    counts.write_value("first", 1.0, 0.0)
    whole = file.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole + 10, hard))
    try:
        counts.write_value("second", 2.0, 0.0)
        counts.write_value("first", 3.0, 0.0)
        assert kept(file) == {"first": 3.0}
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
        counts.write_value("first", 4.0, 0.0)
        assert kept(file) == {"first": 3.0}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    counts.write_value("third", 5.0, 0.0)
    assert kept(file) == {"first": 4.0, "second": 2.0, "third": 5.0}


def test_a_file_that_never_found_room_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "counter_1.db"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        Counts(str(file)).write_value("a", 1.0, 0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert kept(file) == {}


def test_without_a_folder_a_process_counts_for_itself(tmp_path: Path) -> None:
    counts = Counts(str(tmp_path / "gone" / "counter_1.db"))
    counts.write_value("a", 1.0, 0.0)
    assert counts.read_value("a") == (1.0, 0.0)


def test_the_services_metrics_are_counted_so(tmp_path: Path) -> None:
    code = (
        "import os; from photoward.core import telemetry\n"
        "telemetry.PROCESSED_MEGAPIXELS.inc(2); pid = os.fork()\n"
        "telemetry.PROCESSED_MEGAPIXELS.inc(3); pid and os.waitpid(pid, 0)\n"
        "print('counter_' in open('/proc/self/maps').read())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    assert set(told.stdout.split()) == {b"False"}, "nothing is mapped"
    found = [kept(file) for file in tmp_path.glob("counter_*.db")]
    megapixels = [
        value for values in found for key, value in values.items()
        if json.loads(key)[0] == "photoward_processed_megapixels"
    ]  # fmt: skip
    assert sum(megapixels) == 2 + 3 + 3
