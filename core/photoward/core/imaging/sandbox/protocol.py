"""Messages between the pool and its children: a JSON object and some blobs of bytes.

Four bytes of length, the JSON, then the blobs whose lengths the JSON tells. Neither side believes
a length that it did not expect, and nothing is ever unpickled: a child may have been taken over.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

MAX_JSON = 1 << 16

OUT_OF_MEMORY = "out_of_memory"
"""An error code that no caller sees: try again in a child that holds nothing else."""


class ProtocolError(Exception):  # it says what came
    """The other side does not speak this protocol."""


def send(
    peer: socket.socket, message: dict[str, Any], blobs: Sequence[bytes | memoryview] = ()
) -> None:
    """Send one message; at most the socket's timeout passes in each part.

    Raises:
        OSError: the peer is gone, or TimeoutError.
    """
    text = json.dumps(message | {"blobs": [len(blob) for blob in blobs]}).encode()
    peer.sendall(len(text).to_bytes(4, "big") + text)
    for blob in blobs:
        peer.sendall(blob)


def receive(
    peer: socket.socket, max_blob: int, deadline: float | None = None
) -> tuple[dict[str, Any], list[bytearray]]:
    """Receive one message.

    Args:
        peer: a connected stream socket.
        max_blob: bytes that a blob may have.
        deadline: on the monotonic clock; None waits for ever.

    Raises:
        EOFError: the peer closed the connection.
        OSError: the peer is gone, or TimeoutError at the deadline.
        ProtocolError: what came is no message.
    """
    length = int.from_bytes(_exactly(peer, 4, deadline), "big")
    if length > MAX_JSON:
        raise ProtocolError
    try:
        message = json.loads(_exactly(peer, length, deadline))
        lengths = message.pop("blobs")
        if not all(isinstance(number, int) and 0 <= number <= max_blob for number in lengths):
            raise ProtocolError
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ProtocolError from error
    return message, [_exactly(peer, number, deadline) for number in lengths]


def _exactly(peer: socket.socket, length: int, deadline: float | None) -> bytearray:
    data = bytearray(length)
    left = memoryview(data)
    while left:
        if deadline is not None:
            peer.settimeout(max(deadline - time.monotonic(), 1e-3))
        count = peer.recv_into(left)
        if not count:
            raise EOFError
        left = left[count:]
    return data
