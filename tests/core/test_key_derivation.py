"""Secrets and what is derived from them."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoward.core import key_derivation
from photoward.core.errors import Unavailable
from photoward.core.key_derivation import codeword, image_seed, prototype

if TYPE_CHECKING:
    from pathlib import Path

SECRET = bytes(range(32))


def test_the_master_secret_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "master.secret"
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: key_derivation.read_or_make_master(path), range(32)))
    assert len(found) == 1
    assert len(found.pop()) == key_derivation.SECRET_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert [p.name for p in path.parent.iterdir()] == ["master.secret"]


def test_a_damaged_master_secret_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "master.secret"
    path.write_bytes(b"short")
    with pytest.raises(Unavailable, match="32 bytes"):
        key_derivation.read_or_make_master(path)
    assert path.read_bytes() == b"short"


def test_tenants_share_nothing() -> None:
    one, other = (key_derivation.tenant_secret(SECRET, salt * 16) for salt in (b"a", b"b"))
    assert one != other
    assert prototype(one, "cat", 128) @ prototype(other, "cat", 128) < 0.4


def test_the_seed_depends_on_everything_that_it_should() -> None:
    seeds = {
        image_seed(secret, algorithm, epsilon, digest)
        for secret in (SECRET, SECRET[::-1])
        for algorithm in ("sem-1", "sem-2")
        for epsilon in (4.0, 8.0)
        for digest in (b"x" * 32, b"y" * 32)
    }
    assert len(seeds) == 16
    assert image_seed(SECRET, "sem-1", 8, b"x") == image_seed(SECRET, "sem-1", 8.0, b"x")


@given(st.binary(min_size=32, max_size=32), st.integers(0, 500), st.integers(0, 500))
def test_a_key_stream_repeats_and_extends(seed: bytes, short: int, more: int) -> None:
    long = key_derivation.key_stream(seed, short + more)
    assert len(long) == short + more
    assert long[:short] == key_derivation.key_stream(seed, short)


def test_a_labels_stream_depends_on_tenant_purpose_and_label_alone() -> None:
    def stream(secret: bytes, purpose: str, label: str, length: int = 64) -> bytes:
        return key_derivation.label_stream(secret, purpose, label, length)

    asked = [
        (secret, purpose, label)
        for secret in (SECRET, SECRET[::-1])
        for purpose in ("filter", "prototype")
        for label in ("cat", "chat", "Катя")
    ]
    assert len({stream(*one) for one in asked}) == len(asked)
    assert len({stream(*one)[:8] for one in asked}) == len(asked)
    for one in asked:
        assert stream(*one) == stream(*one)
        assert stream(*one, 9) == stream(*one)[:9]
    assert stream(SECRET, "filter", "cat", 0) == b""


def test_a_version_once_published_keeps_its_streams() -> None:
    assert key_derivation.label_stream(SECRET, "filter", "my cat", 8).hex() == "73c0f675fd538d3c"
    assert prototype(SECRET, "my cat", 4).tolist() == [
        -0.70099276304245,
        0.2136581838130951,
        -0.45069456100463867,
        0.5097388625144958,
    ]


@given(st.text(min_size=1, max_size=40), st.integers(2, 300))
def test_a_prototype_is_a_fixed_unit_vector(label: str, dimension: int) -> None:
    vector = prototype(SECRET, label, dimension)
    assert vector.shape == (dimension,)
    assert vector.dtype == np.float32
    assert abs(np.linalg.norm(vector) - 1) < 1e-5
    assert (vector == prototype(SECRET, label, dimension)).all()


def test_prototypes_of_many_labels_are_spread_over_the_sphere() -> None:
    vectors = np.stack([prototype(SECRET, f"label {i}", 128) for i in range(500)])
    cosines = (vectors @ vectors.T)[np.triu_indices(500, 1)]
    assert abs(cosines.mean()) < 0.01
    assert abs(cosines.std() - 1 / np.sqrt(128)) < 0.01
    assert np.abs(vectors.mean(0)).max() < 0.02


@given(st.text(min_size=1, max_size=40), st.lists(st.integers(2, 300), min_size=1, max_size=5))
def test_a_codeword_is_fixed_and_of_its_alphabets(label: str, alphabets: list[int]) -> None:
    word = codeword(SECRET, label, alphabets)
    assert len(word) == len(alphabets)
    assert all(0 <= symbol < size for symbol, size in zip(word, alphabets, strict=True))
    assert word == codeword(SECRET, label, alphabets)
    assert word[:1] == codeword(SECRET, label, alphabets[:1])


def test_codewords_of_many_labels_and_tenants_use_every_symbol_alike() -> None:
    for place in (0, 1):
        labels = [codeword(SECRET, f"label {i}", (16, 16))[place] for i in range(3200)]
        tenants = [codeword(bytes([i % 256, i // 256] * 16), "cat", (16, 16))[place]
                   for i in range(3200)]  # fmt: skip
        for drawn in (labels, tenants):
            counts = np.bincount(drawn, minlength=16)
            assert ((counts - 200) ** 2 / 200).sum() < 44.3  # χ², 15 degrees, p = 0.0001


def test_a_published_codeword_stays() -> None:
    assert codeword(SECRET, "my cat", (16, 16)) == (11, 10)
