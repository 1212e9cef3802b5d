"""Secrets and what follows from them: of tenants, images, labels, API keys and webhooks.

Master secret → HKDF with the tenant's salt → tenant secret → HKDF-Expand with what the output
shall depend on → a ChaCha20 key stream. Deleting a tenant's salt shreds what was derived from it.
"""

from __future__ import annotations

import base64
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

SECRET_BYTES = 32


def read_or_make_master(path: Path) -> bytes:
    """The 32 master bytes in ``path``; made with mode 0400 if the file is not there.

    Raises:
        Unavailable: the file cannot be read, or does not hold 32 bytes.
    """
    try:
        if not path.exists():  # its folder may be read-only, as of what others give
            _make(path)
        master = path.read_bytes()
    except OSError as error:
        raise Unavailable(f"The master secret cannot be read: {error}.") from error
    if len(master) != SECRET_BYTES:
        raise Unavailable(f"The master secret {path} does not hold {SECRET_BYTES} bytes.")
    return master


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Linking a finished file into place: two processes that start together agree on it.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        try:
            os.link(draft, path)
        finally:
            draft.unlink()


def tenant_secret(master: bytes, salt: bytes) -> bytes:
    """The tenant's 32 secret bytes."""
    return _derived(master, b"photoward tenant", salt)


def pepper(master: bytes) -> bytes:
    """The installation's key for digests of API keys."""
    return _derived(master, b"photoward api keys")


def webhook_secret(master: bytes, webhook: str, version: int) -> str:
    """A webhook's signing secret ``whsec_…`` after so many rotations; it is kept nowhere."""
    key = _derived(master, f"photoward webhook {webhook} {version}".encode())
    return f"whsec_{base64.b64encode(key).decode()}"


def _derived(master: bytes, info: bytes, salt: bytes | None = None) -> bytes:
    return HKDF(SHA256(), SECRET_BYTES, salt=salt, info=info).derive(master)


def image_seed(secret: bytes, algorithm: str, epsilon: float, pixels_sha256: bytes) -> bytes:
    """32 bytes that everything random about one picture's noise follows from.

    Args:
        secret: the tenant's secret.
        algorithm: method and version; another version gives other noise.
        epsilon: budget in 1/255.
        pixels_sha256: digest of the oriented pixels, so that no pattern depends on the key
            alone (it could be averaged away over many pictures).
    """
    info = b"\0".join(
        [b"photoward image", algorithm.encode(), repr(float(epsilon)).encode(), pixels_sha256]
    )
    return HKDFExpand(SHA256(), SECRET_BYTES, info=info).derive(secret)


def mark_seed(secret: bytes, pixels_sha256: bytes, options: str = "") -> bytes:
    """8 bytes for the mark of one picture's output; nothing of the secret can be told from them.

    Args:
        secret: the tenant's secret.
        pixels_sha256: digest of the oriented pixels.
        options: how the picture is protected, in whatever form: other options, another mark.
    """
    info = b"\0".join([b"photoward mark", pixels_sha256, options.encode()])
    return HKDFExpand(SHA256(), 8, info=info).derive(secret)


def key_stream(seed: bytes, length: int) -> bytes:
    """``length`` pseudo-random bytes: ChaCha20 under the 32-byte seed with a zero nonce."""
    return Cipher(algorithms.ChaCha20(seed, bytes(16)), mode=None).encryptor().update(bytes(length))


def label_stream(secret: bytes, purpose: str, label: str, length: int) -> bytes:
    """``length`` pseudo-random bytes that are the same for all pictures of a tenant's label.

    Args:
        secret: the tenant's secret.
        purpose: what they are for; each purpose has bytes of its own.
        label: any string.
        length: a longer stream begins with the shorter one.
    """
    info = f"photoward {purpose}\0{label}".encode()
    seed = HKDFExpand(SHA256(), SECRET_BYTES, info=info).derive(secret)
    return key_stream(seed, length)


def codeword(secret: bytes, label: str, alphabets: Sequence[int]) -> tuple[int, ...]:
    """The label's secret word: one symbol of each alphabet, each as likely as any other.

    Args:
        secret: the tenant's secret.
        label: any string.
        alphabets: how many symbols each has.
    """
    width = 8
    drawn = label_stream(secret, "codeword", label, width * len(alphabets))
    numbers = (drawn[i : i + width] for i in range(0, len(drawn), width))
    return tuple(
        int.from_bytes(number, "little") % size
        for number, size in zip(numbers, alphabets, strict=True)
    )


def label_digest(secret: bytes, label: str) -> str:
    """What stands for a label where labels shall not be read: 32 hexadecimal digits."""
    return label_stream(secret, "digest", label, 16).hex()


def permutation(secret: bytes, label: str, count: int) -> tuple[int, ...]:
    """The numbers below ``count`` in the label's secret order."""
    drawn = label_stream(secret, "permutation", label, 8 * count)
    return tuple(sorted(range(count), key=lambda i: drawn[8 * i : 8 * i + 8]))


def prototype(secret: bytes, label: str, dimension: int) -> NDArray[np.float32]:
    """The label's secret direction: a random unit vector of ``dimension`` numbers.

    Uniform on the sphere, fixed for (tenant, label), unrelated for any other pair.
    """
    import numpy as np  # noqa: PLC0415  # secrets are also read where no tensors are installed

    gaussian = _gaussian(label_stream(secret, "prototype", label, 16 * dimension))
    direction: NDArray[np.float32] = (gaussian / np.linalg.norm(gaussian)).astype(np.float32)
    return direction


def simplex(secret: bytes, dimension: int) -> NDArray[np.float32]:
    """``[dimension + 1, dimension]`` unit vectors that are as far apart as so many can be.

    The corners of a regular simplex (each pair at cosine −1/dimension), turned at random by the
    tenant's secret.
    """
    import numpy as np  # noqa: PLC0415  # the same

    corners = np.eye(dimension + 1) - 1 / (dimension + 1)
    basis = np.linalg.svd(corners)[0][:, :dimension]
    drawn = label_stream(secret, "simplex", "", 16 * dimension * dimension)
    turned, upper = np.linalg.qr(_gaussian(drawn).reshape(dimension, dimension))
    placed = basis @ (turned * np.sign(np.diag(upper))).T
    found: NDArray[np.float32] = placed / np.linalg.norm(placed, axis=1, keepdims=True)
    return found.astype(np.float32)


def _gaussian(drawn: bytes) -> NDArray[np.float64]:
    """Standard normal numbers by Box and Muller's transform, one of 16 bytes."""
    import numpy as np  # noqa: PLC0415  # the same

    pairs = np.frombuffer(drawn, dtype="<u8").reshape(2, -1)
    u, v = (pairs >> np.uint64(11)).astype(np.float64) * 2.0**-53
    found: NDArray[np.float64] = np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * np.pi * v)
    return found
