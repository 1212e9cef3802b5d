"""What code that has taken an imaging child over may do: nothing but answer."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from photoward.core.imaging.sandbox import confinement
from photoward.core.imaging.sandbox.pool import ImagingPool
from tests.core.imaging.pictures import file, image, noise, reopened, smooth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FENCES = {confinement.LANDLOCK, confinement.SECCOMP}

ACTS = """
import codecs, json, os, signal, socket, subprocess, sys
from pathlib import Path
from photoward.core.imaging.sandbox import confinement, server

folder, port, victim, missing = Path(sys.argv[1]), *map(int, sys.argv[2:4]), sys.argv[4:]
confinement.lacking()
confinement.lacking = lambda: missing
parent = f"/proc/{os.getppid()}"
codecs.lookup("idna")  # as all that these acts need
server.load_codecs()
server.confine(1000, os.getppid())

def overwrite():
    os.pwrite(os.open(folder / "output", os.O_WRONLY), b"y", 0)

acts = {
    "read the secret": lambda: (folder / "secret").read_bytes(),
    "read what all may read": lambda: Path("/etc/passwd").read_bytes(),
    "list and read other photos": lambda: [p.read_bytes() for p in folder.iterdir()],
    "overwrite an output": overwrite,
    "truncate an output": lambda: os.truncate(folder / "output", 0),
    "rename an output": lambda: os.rename(folder / "output", folder / "gone"),
    "delete an output": lambda: os.unlink(folder / "other"),
    "connect": lambda: socket.create_connection(("127.0.0.1", port), 2),
    "end another process": lambda: os.kill(victim, signal.SIGKILL),
    "start a program": lambda: subprocess.run(["/bin/true"]),
    "read its parent's environment": lambda: Path(parent, "environ").read_bytes(),
    "read its parent's memory": lambda: os.open(f"{parent}/mem", os.O_RDONLY),
    "fork": lambda: os.fork() or os._exit(0),
    "make a file": lambda: (folder / "new").touch(),
}
done = {}
for name, act in acts.items():
    try:
        act()
        done[name] = True
    except OSError:
        done[name] = False
print(json.dumps(done))
"""


@pytest.fixture(autouse=True)
def only_where_there_are_fences() -> None:
    if confinement.lacking():
        pytest.skip(f"this kernel lacks {confinement.lacking()}")


@contextlib.contextmanager
def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def python(code: str, *arguments: object) -> bytes:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize(
    ("missing", "possible"),
    [
        (set(), set()),
        ({confinement.LANDLOCK}, set()),
        ({confinement.SECCOMP}, {"fork"}),
        # Nor may it open files then, sockets included, by its number of them.
        (FENCES, {"delete an output", "rename an output", "end another process", "fork"}),
    ],
)
def test_the_acts_of_a_child_taken_over(
    tmp_path: Path, missing: set[str], possible: set[str]
) -> None:
    for name in ("secret", "output", "other"):
        (tmp_path / name).write_bytes(b"x" * 1000)
    with socket.create_server(("127.0.0.1", 0)) as server, sleeping() as victim:
        told = python(ACTS, tmp_path, server.getsockname()[1], victim.pid, *missing)
        alive = victim.poll() is None
    done = {name for name, was_done in json.loads(told).items() if was_done}
    if missing == FENCES:
        assert possible <= done, "the acts are not refused by something else"
        return
    assert done == possible
    assert alive
    assert {path.name for path in tmp_path.iterdir()} == {"secret", "output", "other"}
    assert (tmp_path / "output").read_bytes() == b"x" * 1000


FILES = {
    "jpeg": file(smooth(), "JPEG"),
    "cmyk": file(smooth(mode="CMYK"), "JPEG"),
    "png": file(image("RGBA")),
    "palette": file(image("P")),
    "webp": file(smooth(), "WEBP"),
    "avif": file(smooth(), "AVIF"),
    "heic": file(smooth(), "HEIF"),
    "tiff": file(image(), "TIFF", compression="tiff_lzw"),
    "moving": file(image("P"), "GIF", save_all=True, append_images=[image("P", seed=1)]),
}


@pytest.mark.parametrize("kind", FILES)
def test_what_is_given_up_is_not_needed(kind: str) -> None:
    outputs = ["jpeg"] if kind == "cmyk" else ["png", "webp"]
    outputs += [] if kind in ("cmyk", "moving") else ["avif"]
    with ImagingPool(1, 1000, 20) as pool:
        opened = pool.open(FILES[kind], grid=16)
        for output in outputs:
            done = pool.finish(opened, noise(), epsilon=8, output_format=output)
            assert reopened(done.data).size == (opened.width, opened.height)
        (pid,) = pool.pids()
        assert psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE) == (3, 3)


def test_nothing_is_imported_once_a_child_is_confined(tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    told = python(
        "import json, sys\n"
        "from dataclasses import asdict\n"
        "from pathlib import Path\n"
        "from photoward.core.imaging.sandbox import server\n"
        "from photoward.core.imaging.sniff import Limits, sniff\n"
        "from tests.core.imaging.pictures import Bench, noise\n"
        "files = [path.read_bytes() for path in Path(sys.argv[1]).iterdir()]\n"
        "steps = noise(); server.load_codecs(); before = set(sys.modules)\n"
        "for data in files:\n"
        "    bench = Bench(asdict(sniff(data, Limits(), complete=True)), data)\n"
        "    for output in ('jpeg', 'png', 'webp', 'avif'):\n"
        "        bench.finish(steps, 8, output, 'no-ai-training', ('date', 'camera'))\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))",
        tmp_path,
    )
    assert json.loads(told) == []
