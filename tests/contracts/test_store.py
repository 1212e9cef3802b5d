"""What every object store promises."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from photoward.core.errors import NotFound
from photoward.core.jobs import new_id
from photoward.core.object_keys import original_key, output_key

if TYPE_CHECKING:
    from photoward.core.storage import ObjectStore

LARGE = bytes(range(256)) * 48 * 1024  # 12 MiB: beyond any single chunk


@pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "small", "large"])
@pytest.mark.parametrize("create_only", [True, False])
def test_what_goes_in_comes_out(store: ObjectStore, data: bytes, *, create_only: bool) -> None:
    for key, body in (("a/bytes", data), ("a/stream", io.BytesIO(data))):
        assert store.put(key, body, create_only=create_only)
        assert store.get(key) == data
        assert b"".join(store.stream(key)) == data


def test_a_stream_comes_in_pieces(store: ObjectStore) -> None:
    store.put("a", LARGE)
    sizes = [len(piece) for piece in store.stream("a", chunk=1 << 18)]
    assert max(sizes) <= 1 << 18
    assert sum(sizes) == len(LARGE)


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (5, None), (5, 600_000), (len(LARGE) - 1, None)]
)
def test_a_part_is_streamed_alone(store: ObjectStore, start: int, end: int | None) -> None:
    store.put("a", LARGE)
    assert b"".join(store.stream("a", start=start, end=end)) == LARGE[start:end]


def test_the_first_writer_wins_where_asked(store: ObjectStore) -> None:
    assert store.put("out", b"first", create_only=True)
    assert not store.put("out", b"second", create_only=True)
    assert not store.put("out", io.BytesIO(b"third"), create_only=True)
    assert store.get("out") == b"first"
    assert store.put("out", b"fourth")
    assert store.get("out") == b"fourth"


def test_of_many_creators_one_succeeds(store: ObjectStore) -> None:
    bodies = [bytes([n]) * 100_000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda body: store.put("a/b", body, create_only=True), bodies))
    assert sum(won) == 1
    assert store.get("a/b") == bodies[won.index(True)]


def test_a_reader_never_sees_half_an_object(store: ObjectStore) -> None:
    bodies = {bytes([n]) * 400_000 for n in range(6)}
    store.put("a", min(bodies))
    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(store.put, "a", body) for body in bodies]
        reads = [pool.submit(store.get, "a") for _ in range(20)]
    assert all(write.result() for write in writes)
    assert {read.result() for read in reads} <= bodies


def test_a_missing_object_is_not_found_at_once(store: ObjectStore) -> None:
    store.put("here/there", b"x")
    for key in ("nowhere", "here", "here/nowhere"):
        with pytest.raises(NotFound):
            store.get(key)
        with pytest.raises(NotFound):
            store.stream(key)  # not only at the first piece: a status goes out before that


def test_deleting_may_be_repeated(store: ObjectStore) -> None:
    store.put("a/b", b"x")
    for _ in range(2):
        store.delete("a/b")
    with pytest.raises(NotFound):
        store.get("a/b")
    assert list(store.keys()) == []
    assert store.put("a/b", b"y", create_only=True)


def test_keys_are_listed_by_whole_segments_with_their_age(store: ObjectStore) -> None:
    alice, alicia = original_key("alice", new_id()), original_key("alicia", new_id())
    for key in (alice, alicia, output_key("alice", new_id())):
        store.put(key, b"x")
    assert len(list(store.keys())) == 3
    assert {key for key, _ in store.keys("originals")} == {alice, alicia}
    assert {key for key, _ in store.keys("originals/alice/")} == {alice}
    assert all(0 <= age < 60 for age in dict(store.keys()).values())
    assert list(store.keys("nothing")) == []


def test_many_keys_are_listed(store: ObjectStore) -> None:
    keys = {f"many/{n:04}" for n in range(1100)}  # more than one page of S3
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda key: store.put(key, b"x"), keys))
    assert {key for key, _ in store.keys("many")} == keys


BAD_KEYS = (
    "", "..", "../x", "a/../b", "a/..", "/abs", "a//b", "a/", "./a", "a/./b", "a\0", "a\n", "a\\b",
    "%2e%2e/x", "a#1", "~", "ä",
)  # fmt: skip


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_that_leads_elsewhere_is_refused(store: ObjectStore, key: str) -> None:
    for call in (
        lambda: store.put(key, b"x"), lambda: store.get(key), lambda: store.stream(key),
        lambda: store.delete(key),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="is no key"):
            call()
    assert list(store.keys()) == []


@settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
@given(tail=st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,40}(/[a-z0-9_-]{1,9})?", fullmatch=True))
def test_any_proper_key_holds(store: ObjectStore, tail: str) -> None:
    key = f"{new_id()}/{tail}"
    store.put(key, key.encode())
    assert store.get(key) == key.encode()
    assert list(dict(store.keys())) == [key]
    store.delete(key)


def test_a_store_that_is_there_says_so(store: ObjectStore) -> None:
    store.check()
