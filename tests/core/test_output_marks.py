"""The mark in outputs: found wherever a file is cut, and taken for nobody else's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from photoward.core import key_derivation
from photoward.core.output_marks import LENGTH, MarkFinder, is_marked, output_mark

SECRET = bytes(range(32))


@given(st.binary(max_size=64), st.binary(min_size=8, max_size=8), st.integers(1, 40))
def test_it_is_found_wherever_the_file_is_cut(around: bytes, seed: bytes, step: int) -> None:
    data = around + output_mark(seed).encode() + around
    finder = MarkFinder()
    for start in range(0, len(data), step):
        finder.feed(data[start : start + step])
    assert finder.found
    assert is_marked(data)


@given(st.binary(min_size=16, max_size=16))
def test_the_id_of_another_program_is_no_mark(other: bytes) -> None:
    packet = b'<rdf xmpMM:InstanceID="xmp.iid:' + other.hex().encode() + b'"/>'
    finder = MarkFinder()
    finder.feed(packet)
    assert not finder.found


def test_it_says_nothing_of_whose_it_is() -> None:
    seeds = {
        key_derivation.mark_seed(secret, digest)
        for secret in (SECRET, SECRET[::-1])
        for digest in (b"x" * 32, b"y" * 32)
    }
    marks = {output_mark(seed) for seed in seeds}
    assert len(marks) == 4
    assert {len(mark) for mark in marks} == {LENGTH}
    halves = {mark[len("xmp.iid:") :][:16] for mark in marks}
    assert len(halves) == 4  # nothing that two pictures of one tenant share
