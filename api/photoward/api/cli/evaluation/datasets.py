"""The data sets of an evaluation: named folders, a service's results, or drawn shapes."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from photoward.api.cli.client import Client, Refusal, address
from photoward.api.cli.configuration import settings_from
from photoward.api.cli.evaluation.shapes import write_shapes
from photoward.api.cli.files.names import FORMAT_OF
from photoward.api.cli.protect import protect
from photoward.core.catalogue import FORMATS
from photoward.core.errors import BadInput, Unavailable
from photoward.core.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,31}(@[A-Za-z0-9]{1,8})?")
"""Name of a protection; ``@`` and which secret made it, where several are compared."""
SHAPES_EACH, SHAPES_TEST_EACH = 150, 60
DRAWN_NOTE = (
    "These are drawn shapes: they show that the machinery works, not what protection photos get. "
    "Give --clean and --protected for that."
)
UPLOADERS = 4
BUSY, BUSY_S, ATTEMPTS = 429, 1.0, 300
"""Status of a full queue, seconds to wait then, and how often."""

MEDIA_TYPES = {suffix: FORMATS[kind] for suffix, kind in FORMAT_OF.items() if kind in FORMATS}


@dataclass(frozen=True)
class Datasets:
    """Paths of class folders or manifests; ``protected`` is name → path."""

    clean: Path
    protected: Mapping[str, Path]
    test: Path | None


def parse_datasets(clean: Path, protected: Sequence[str], test: Path | None) -> Datasets:
    """The data sets that options name; each ``protected`` is ``NAME=PATH`` or a path.

    Raises:
        BadInput: a name that is none, or given twice.
    """
    found: dict[str, Path] = {}
    for given in protected:
        name, equals, path = given.partition("=")
        if not equals or "/" in name:
            name, path = ("protected" if len(protected) == 1 else Path(given).stem), given
        if name == "clean" or name in found or not NAME_PATTERN.fullmatch(name):
            raise BadInput(
                "invalid_option",
                f"--protected {given}: {name!r} is taken or no name; write NAME=PATH with another "
                "name of letters, digits, '.', '+' and '-', and @N for one of several secrets.",
            )
        found[name] = Path(path)
    return Datasets(clean, found, test)


def draw_shapes(out: Path, options: Mapping[str, str | None]) -> Datasets:
    """Draw shapes into ``out`` and protect them as ``photoward protect`` does."""
    write_shapes(out / "clean", SHAPES_EACH)
    write_shapes(out / "test", SHAPES_TEST_EACH, seed=1)
    method = options.get("method") or settings_from().engine_method
    protect(
        [out / "clean"],
        out=out / method,
        labels_from_folders=True,
        data_dir=out / "secret",
        method=options.get("method"),
        preset=options.get("preset"),
    )
    return Datasets(out / "clean", {method: out / method}, out / "test")


def protect_through_service(  # noqa: PLR0913  # one parameter an option
    url: str,
    clean: Path,
    files: Sequence[tuple[Path, str]],
    out: Path,
    *,
    options: Mapping[str, str | None],
    track: Callable[[Sequence[tuple[Path, str]]], Iterable[tuple[Path, str]]],
) -> dict[str, Path]:
    """Protect labelled files below ``clean`` through a service, into ``out``: name → folder.

    Files that are in ``out`` already are not sent again. The service's copies are deleted.

    Raises:
        BadInput: the URL is not valid, or the service refuses an image.
        Unavailable: the service cannot be reached.
    """
    address(url, "--service")

    def send(file: tuple[Path, str]) -> None:
        path, label = file
        target = out / path.relative_to(clean)
        if not target.exists():
            write_whole(target, _protected(client, path, label, options))

    with Client(url) as client, ThreadPoolExecutor(UPLOADERS, "upload") as threads:
        pending = {file: threads.submit(send, file) for file in files}
        try:
            for file in track(files):
                pending[file].result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return {options.get("method") or "protected": out}


def _protected(client: Client, path: Path, label: str, options: Mapping[str, str | None]) -> bytes:
    media_type = MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")
    for _ in range(ATTEMPTS):
        try:
            item = client.submit(path.read_bytes(), media_type, wait_s=30, label=label, **options)
            break
        except Refusal as refusal:
            if refusal.status != BUSY:
                raise BadInput(
                    "invalid_option", f"The service refused {path}: {refusal}."
                ) from refusal
            time.sleep(BUSY_S)
    else:
        raise Unavailable("The service stayed full.")
    item = client.ended(item["id"])
    if item["state"] != "succeeded":
        raise BadInput(
            "invalid_option", f"The service could not protect {path}: {item.get('error')}."
        )
    data = client.content(item["id"])
    client.delete(item["id"])
    return data
