"""What each kind of place promises beyond the store's contract."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from photoward.core.errors import NotFound, Unavailable
from photoward.core.settings import Settings
from photoward.core.storage import open_store
from tests.support.servers import S3_BUCKET, S3_KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from photoward.core.storage import ObjectStore


def store_at(url: str | None, folder: Path) -> ObjectStore:
    return open_store(Settings(data_dir=folder, storage_url=url))


def test_a_fresh_folder_is_private(tmp_path: Path) -> None:
    store_at(None, tmp_path).put("a", b"x")
    assert (tmp_path / "objects").stat().st_mode & 0o777 == 0o700


def test_objects_outlive_a_restart(tmp_path: Path) -> None:
    store_at(None, tmp_path).put("a/b", b"x")
    assert store_at(None, tmp_path).get("a/b") == b"x"


@pytest.mark.parametrize(
    "url",
    ["ftp://host/x", "s3://", "file://host/x", "file:", "objects", "file:///dev/null/objects"],
)
def test_an_impossible_place_is_unavailable(url: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        store_at(url, tmp_path)


def test_what_a_killed_writer_left_is_discarded_when_it_is_old(tmp_path: Path) -> None:
    store = store_at(None, tmp_path)
    store.put("a/b", b"x")
    old, fresh = tmp_path / "objects/a/c#1", tmp_path / "objects/a/d#2"
    for path in (old, fresh):
        path.write_bytes(b"half")
    long_ago = time.time() - 100
    os.utime(old, (long_ago, long_ago))
    os.utime(tmp_path / "objects/a/b", (long_ago, long_ago))
    assert store.discard_unfinished(older_than_s=90) == 1
    assert (old.exists(), fresh.exists()) == (False, True)
    assert [key for key, _ in store.keys()] == ["a/b"]  # noqa: SIM118  # not a dictionary


def test_a_folder_that_went_away_is_unavailable_not_empty(tmp_path: Path) -> None:
    store = store_at(None, tmp_path)
    shutil.rmtree(tmp_path / "objects")
    for call in (store.check, lambda: store.get("a")):
        with pytest.raises(Unavailable):
            call()


def test_a_full_disk_says_so_and_keeps_what_there_was(tmp_path: Path) -> None:
    program = (
        "import sys, subprocess; from pathlib import Path\n"
        "from photoward.core.errors import Unavailable\n"
        "from photoward.core.settings import Settings\n"
        "from photoward.core.storage import open_store\n"
        "root = Path(sys.argv[1])\n"
        "subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', root], check=True)\n"
        "store = open_store(Settings(data_dir=root))\n"
        "store.put('kept', b'x' * 100_000)\n"
        "for data in (b'y' * 2_000_000, Path('/dev/zero').open('rb')):\n"
        "    for create_only in (True, False):\n"
        "        if not isinstance(data, bytes): data = iter([b'y' * 500_000] * 4)\n"
        "        try: store.put('large', data, create_only=create_only)\n"
        "        except Unavailable as error: print(error.code)\n"
        "assert [key for key, _ in store.keys()] == ['kept']\n"
        "assert len(store.get('kept')) == 100_000\n"
        "files = [path.name for path in root.rglob('*') if path.is_file()]\n"
        "assert files == ['kept'], files\n"
    )
    own_mounts = ["unshare", "--mount", "--map-root-user", "--user"]
    if subprocess.run([*own_mounts, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives no private mounts")
    done = subprocess.run(
        [*own_mounts, sys.executable, "-c", program, str(tmp_path)],
        check=False, text=True, capture_output=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["storage_full"] * 4


def test_a_dead_s3_is_given_up_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_s3(monkeypatch, "http://127.0.0.1:1")
    store = store_at(f"s3://{S3_BUCKET}/x", tmp_path)
    for call in (store.check, lambda: store.get("a"), lambda: store.put("a", b"x")):
        started = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            call()
        assert time.monotonic() - started < 5
        assert "secret" not in f"{caught.value} {caught.value.__cause__}"


def test_a_missing_bucket_is_our_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_endpoint: str
) -> None:
    in_s3(monkeypatch, s3_endpoint)
    with pytest.raises(Unavailable):
        store_at("s3://no-such-bucket", tmp_path).get("a")
    with pytest.raises(NotFound):
        store_at(f"s3://{S3_BUCKET}", tmp_path).get("a")


def test_a_wrong_key_is_our_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_endpoint: str
) -> None:
    in_s3(monkeypatch, s3_endpoint)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    store = store_at(f"s3://{S3_BUCKET}", tmp_path)
    for call in (store.check, lambda: store.get("a"), lambda: store.put("a", b"x")):
        with pytest.raises(Unavailable):
            call()


def test_two_prefixes_do_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_endpoint: str
) -> None:
    in_s3(monkeypatch, s3_endpoint)
    one, other = (store_at(f"s3://{S3_BUCKET}/apart/{name}", tmp_path) for name in "ab")
    one.put("k", b"x")
    with pytest.raises(NotFound):
        other.get("k")
    assert list(other.keys()) == []
    assert store_at(f"s3://{S3_BUCKET}", tmp_path).get("apart/a/k") == b"x"


def in_s3(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    for name, value in (S3_KEYS | {"AWS_ENDPOINT_URL": endpoint}).items():
        monkeypatch.setenv(name, value)
