"""IPTC's older data sets (IIM 4.2) about rights, and the segment of a JPEG that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CREATOR, CREDIT, NOTICE = 80, 110, 116
_KEPT = {40, CREATOR, 85, CREDIT, 115, NOTICE, 118}
"""Instructions, by-line and its title, credit, source, copyright notice, contact."""
_MARK, _HEAD, _MOST = 0x1C, 5, 4096
_UTF8 = bytes([_MARK, 1, 90, 0, 3]) + b"\x1b%G"
_RESOURCE = 0x0404


def read(block: bytes) -> dict[int, tuple[str, ...]]:
    """Data set of the application record → its texts; of a broken block what comes before."""
    found: dict[int, tuple[str, ...]] = {}
    for record, number, text in _sets(block):
        if record == 2 and number in _KEPT and (words := printable(text)):  # noqa: PLR2004  # the application record
            found[number] = (*found.get(number, ()), words)
    return found


def _sets(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    for _ in range(_MOST):
        head = block[at : at + _HEAD]
        length = int.from_bytes(head[3:5], "big")
        if len(head) < _HEAD or head[0] != _MARK or length >> 15:
            return
        at += _HEAD + length
        yield head[1], head[2], block[at - length : at]


def segment(sets: Mapping[int, Sequence[str]]) -> bytes:
    """A whole APP13 with these texts; empty without any."""
    if not sets:
        return b""
    block = bytearray(_UTF8)
    for number, words in sorted(sets.items()):
        for text in words:
            coded = text.encode()
            block += bytes([_MARK, 2, number]) + len(coded).to_bytes(2, "big") + coded
    size = len(block)
    block += bytes(size % 2)
    body = b"Photoshop 3.0\0" + b"8BIM" + _RESOURCE.to_bytes(2, "big") + bytes(2)
    body += size.to_bytes(4, "big") + block
    return b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body
