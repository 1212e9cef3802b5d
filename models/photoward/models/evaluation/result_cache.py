"""A folder of what was computed from pictures and is wanted again: features, transformed pictures.

Rows belong to single pictures, by their content: a set that shares pictures with another shares
their rows. Any file may be deleted at any time; it is computed again.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from photoward.core.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Derived:
    """What is kept in ``folder``, or for this process alone where that is None."""

    folder: Path | None = None
    _rows: dict[str, dict[bytes, torch.Tensor]] = field(default_factory=dict, repr=False)
    _locks: dict[str, threading.Lock] = field(default_factory=dict, repr=False)

    def rows(
        self,
        what: Mapping[str, object],
        pictures: torch.Tensor,
        compute: Callable[[torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """One row for each picture, computed for those that were never asked about.

        Args:
            what: all that decides the rows beside the pictures; JSON-able.
            pictures: 8-bit ``[N, 3, S, S]``.
            compute: rows ``[M, …]`` of ``M`` pictures; a picture's row depends on nothing else.
        """
        key = _digest(json.dumps(what, sort_keys=True).encode()).hex()
        names = [_digest(picture.numpy().tobytes()) for picture in pictures.contiguous()]
        with self._locks.setdefault(key, threading.Lock()):
            known = self._known(key)
            places = {n: i for i, n in enumerate(names) if n not in known}
            if places:
                found = compute(pictures[list(places.values())]).cpu()
                known.update(zip(places, found.unbind(), strict=True))
                self._keep(key, list(places), found)
            return torch.stack([known[name] for name in names])

    def whole(
        self, what: Mapping[str, object], compute: Callable[[], torch.Tensor]
    ) -> torch.Tensor:
        """One tensor, computed when it is first asked for; ``what`` decides all of it."""
        key = _digest(json.dumps(what, sort_keys=True).encode())
        with self._locks.setdefault(key.hex(), threading.Lock()):
            known = self._known(key.hex())
            if key not in known:
                known[key] = compute().cpu()
                self._keep(key.hex(), [key], known[key][None])
            return known[key]

    def _known(self, key: str) -> dict[bytes, torch.Tensor]:
        if key not in self._rows:
            self._rows[key] = {}
            files = sorted((self.folder / key).glob("*.safetensors")) if self.folder else []
            for path in files:
                self._rows[key].update(_read(path))
        return self._rows[key]

    def _keep(self, key: str, names: list[bytes], rows: torch.Tensor) -> None:
        if self.folder:
            joined = torch.frombuffer(bytearray(b"".join(names)), dtype=torch.uint8)
            stored = {"names": joined.reshape(len(names), -1), "rows": rows.contiguous()}
            path = self.folder / key / f"{_digest(b''.join(names)).hex()}.safetensors"
            write_whole(path, save(stored))


def _read(path: Path) -> dict[bytes, torch.Tensor]:
    """Nothing of a file that is damaged."""
    try:
        stored = load(path.read_bytes())
        names = [bytes(name.tolist()) for name in stored["names"]]
    except (OSError, SafetensorError, KeyError):
        return {}
    return dict(zip(names, stored["rows"].unbind(), strict=True))


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
