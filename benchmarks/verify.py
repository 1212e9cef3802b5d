"""``python -m benchmarks verify``: how many copies of protected photos a service finds again."""

from __future__ import annotations

import io
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from PIL import Image
from rich.progress import track
from rich.table import Table

from benchmarks.results import write
from photoward.api.cli.bench.output import Out, console
from photoward.api.cli.client import Client
from photoward.api.cli.files.folders import walk
from photoward.api.cli.files.names import is_picture
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

QUALITY = 75
CUT = 0.1
"""Share of both sides that a crop leaves out."""
FOUND = frozenset({"exact", "copy", "edited", "looks_alike"})
"""Verdicts on a copy that say of what it is one."""
UNKNOWN = "unknown"


@dataclass
class Tally:
    """The answers to the files of one kind."""

    verdicts: Counter[str] = field(default_factory=Counter)
    noise_shares: list[float] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)

    def count(self, answer: dict[str, Any], took_s: float) -> None:
        """Add an answer of ``/v1/verify``."""
        self.verdicts[answer["verdict"]] += 1
        self.took_s.append(took_s)
        share = (answer["match"] or {}).get("noise_share")
        if share is not None:
            self.noise_shares.append(share)

    def told(self) -> dict[str, Any]:
        """What is written into the result."""
        return {
            "files": self.verdicts.total(),
            "verdicts": dict(sorted(self.verdicts.items())),
            "found": sum(self.verdicts[one] for one in FOUND),
            "median_noise_share": _median(self.noise_shares),
            "median_s": _median(self.took_s),
        }


def verify(  # noqa: PLR0913  # one parameter an option
    photos: Annotated[Path, typer.Argument(help="Folder of photos to protect.")],
    foreign: Annotated[Path, typer.Argument(help="Folder of other photos.")],
    *,
    url: Annotated[str, typer.Option(help="URL of the service.")],
    count: Annotated[int, typer.Option(min=1, help="Number of photos to protect.")] = 200,
    strangers: Annotated[int, typer.Option(min=0, help="Number of other photos.")] = 1000,
    method: Annotated[str | None, typer.Option(help="Method; default: the service's.")] = None,
    side: Annotated[int, typer.Option(min=64, help="Longer side of shrunk copies.")] = 1080,
    out: Out = None,
) -> None:
    """Protect photos, and ask the service what copies of them and other photos are.

    Copies have no id any more: they are JPEGs of quality 75, of full size, shrunk, halved, and
    cropped in the middle by a tenth. Copies that would not be smaller are left out of a kind.
    Sends the API key in PHOTOWARD_API_KEY; without one, PHOTOWARD_VERIFY_PER_MINUTE of the service
    has to allow for all files.
    """
    protected, others = _files(photos, count), _files(foreign, strangers)
    kinds: dict[str, Callable[[Image.Image], Image.Image | None]] = {
        f"JPEG {QUALITY}": lambda image: image,
        f"{side} px": lambda image: _fitted(image, side),
        "halved": lambda image: _fitted(image, max(image.size) // 2),
        f"cropped by {CUT:.0%}": _cropped,
    }
    tallies = {name: Tally() for name in ("the file itself", *kinds, "other photos")}
    with Client(url) as client:
        sent = [
            client.submit(path.read_bytes(), "application/octet-stream", method=method)["id"]
            for path in track(protected, "Upload", console=console)
        ]
        for item_id in track(sent, "Verify copies", console=console):
            client.ended(item_id, 3600)
            data = client.content(item_id)
            _ask(client, data, tallies["the file itself"])
            with Image.open(io.BytesIO(data)) as opened:
                image = opened.convert("RGB")
            for name, change in kinds.items():
                changed = change(image)
                if changed is not None:
                    _ask(client, _jpeg(changed), tallies[name])
        for path in track(others, "Verify others", console=console):
            _ask(client, path.read_bytes(), tallies["other photos"])
    rows = {name: tally.told() for name, tally in tallies.items()}
    table = Table("", "files", "found", "verdicts", "noise left (median)", "s (median)")
    for name, row in rows.items():
        verdicts = ", ".join(f"{one} {number}" for one, number in row["verdicts"].items())
        found = f"{row['found'] / row['files']:.1%}" if row["files"] else ""
        table.add_row(
            name, str(row["files"]), found, verdicts, str(row["median_noise_share"] or ""),
            str(row["median_s"] or ""),
        )  # fmt: skip
    console.print(table)
    false = rows["other photos"]["files"] - rows["other photos"]["verdicts"].get(UNKNOWN, 0)
    write(out, {"rows": rows, "false": false, "method": method, "quality": QUALITY, "cut": CUT})


def _files(folder: Path, count: int) -> list[Path]:
    """Up to so many pictures, evenly from the whole folder. Raises BadInput: there is none."""
    found = sorted(path for path, why in walk(folder) if not why and is_picture(path.name))
    if not found:
        raise BadInput("invalid_option", f"{folder} contains no photo.")
    step = max(len(found) / count, 1) if count else len(found) + 1
    return [found[int(at * step)] for at in range(min(count, len(found)))]


def _ask(client: Client, data: bytes, tally: Tally) -> None:
    began = time.perf_counter()
    tally.count(client.verify(data), time.perf_counter() - began)


def _fitted(image: Image.Image, side: int) -> Image.Image | None:
    """Shrunk to that longer side; None: it is no longer than that."""
    if max(image.size) <= side:
        return None
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def _cropped(image: Image.Image) -> Image.Image:
    """Without half of ``CUT`` at each edge."""
    width, height = image.size
    left, top = round(width * CUT / 2), round(height * CUT / 2)
    return image.crop((left, top, width - left, height - top))


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _median(values: list[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None
