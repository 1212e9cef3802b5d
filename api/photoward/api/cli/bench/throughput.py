"""``photoward bench throughput``: images a second of the engine and of the whole service."""

from __future__ import annotations

import bisect
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer
from PIL import Image
from rich.table import Table

from photoward.api.cli import sample_images
from photoward.api.cli.bench.output import Out, console, write
from photoward.api.cli.bench.service import (
    TWELVE_MEGAPIXELS,
    Url,
    photos_to_send,
    require_done,
    require_service_extras,
    service_at,
)
from photoward.api.cli.client import Client
from photoward.api.cli.configuration import settings_from
from photoward.core.catalogue import Catalogue
from photoward.core.jobs import FINAL_IMAGE_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoward.core.settings import Settings


UPLOADERS = 4
"""Connections that upload at the same time."""

SMALL = 32
"""Side of small images in pixels."""


def throughput(
    small: Annotated[int, typer.Option(min=1, help="Number of 32-pixel PNGs.")] = 1000,
    large: Annotated[int, typer.Option(min=1, help="Number of 12-megapixel JPEGs.")] = 12,
    *,
    url: Url = None,
    out: Out = None,
) -> None:
    """Measure images a second: of the engine alone and of the whole service."""
    require_service_extras()
    results: dict[str, Any] = {}
    tiles = [
        sample_images.encoded(Image.fromarray(tile), "PNG")
        for tile in sample_images.small_pictures(small, 3)
    ]
    photos = photos_to_send(None, large)
    settings = settings_from()
    before = _engines(settings, tiles, photos)
    with service_at(url) as there:
        for name, files, media_type in (
            ("32px", tiles, "image/png"),
            ("12MP", photos, "image/jpeg"),
        ):
            console.print(f"service, {name} …")
            with Client(there) as client:
                require_done(client.ended(client.submit(files[0], media_type)["id"]))
            results[name] = _service(there, files, media_type)
    after = _engines(settings, tiles, photos)
    table = Table(
        "pictures",
        "noise alone /s",
        "engine alone /s",
        "service /s",
        "share of engine",
        "service after uploads /s",
        "share of engine",
        caption="Client, API and engine share this machine's cores; after the last upload the "
        "engine has them nearly to itself.",
    )
    for number, name in enumerate(("32px", "12MP")):
        noise, engine = (statistics.mean(run[number][i] for run in (before, after)) for i in (0, 1))
        rate, after_rate = (results[name][key] for key in ("pictures_per_s", "after_uploads_per_s"))
        results[name] |= {
            "noise_alone_per_s": noise,
            "engine_alone_per_s": engine,
            "share_of_engine": rate / engine,
            "share_of_engine_after_uploads": after_rate / engine,
        }
        table.add_row(
            name,
            f"{noise:.1f}",
            f"{engine:.2f}",
            f"{rate:.2f}",
            f"{rate / engine:.0%}",
            f"{after_rate:.2f}",
            f"{after_rate / engine:.0%}",
        )
    console.print(table)
    write(out, results)


def _engines(
    settings: Settings, tiles: Sequence[bytes], photos: Sequence[bytes]
) -> tuple[tuple[float, float], ...]:
    return (_engine(settings, tiles, (SMALL, SMALL)), _engine(settings, photos, TWELVE_MEGAPIXELS))


def _engine(
    settings: Settings, files: Sequence[bytes], size: tuple[int, int]
) -> tuple[float, float]:
    """Pictures a second of the noise alone and of the worker's pipeline alone, in this process."""
    from photoward.worker.lifecycle import open_pipeline
    from photoward.worker.pipeline import Job, Protected

    catalogue = Catalogue.of(settings)
    options, _ = catalogue.placed(catalogue.options(label="bench"), *size)
    pipeline, pool = open_pipeline(settings)
    each = int(max(settings.worker_max_batch_megapixels * 1e6 // (size[0] * size[1]), 1))
    each = min(each, settings.worker_max_batch_items)
    noise_s = 0.0
    with pool:
        pipeline.warm_up(Catalogue.of(settings))
        began = time.perf_counter()
        for first in range(0, len(files), each):
            jobs = [
                Job(str(i), data, options, bytes(32), *size)
                for i, data in enumerate(files[first : first + each])
            ]
            for outcome in pipeline.protect(jobs):
                if not isinstance(outcome, Protected):
                    raise outcome.error
                noise_s += outcome.measured["seconds"]["perturb"]
        wall = time.perf_counter() - began
    pipeline.close()
    return len(files) / noise_s, len(files) / wall


def _service(url: str, files: Sequence[bytes], media_type: str) -> dict[str, Any]:
    """Upload everything, wait for the last one to end; from the first byte to the last ``done``."""

    def upload(part: Sequence[bytes]) -> list[str]:
        with Client(url) as client:
            return [client.submit(data, media_type, label="bench")["id"] for data in part]

    began = time.perf_counter()
    with ThreadPoolExecutor(UPLOADERS) as threads:
        parts = list(threads.map(upload, [files[n::UPLOADERS] for n in range(UPLOADERS)]))
    uploaded = time.perf_counter() - began
    with Client(url) as client:
        waiting_then = sum(_waiting(client, ids) for ids in parts)
        for item_id in chain.from_iterable(parts):
            require_done(client.ended(item_id))
    wall = time.perf_counter() - began
    return {
        "pictures": len(files),
        "upload_s": uploaded,
        "wall_s": wall,
        "pictures_per_s": len(files) / wall,
        "after_uploads_per_s": waiting_then / (wall - uploaded),
    }


def _waiting(client: Client, ids: Sequence[str]) -> int:
    """How many of what was uploaded one after the other still wait; first come, first served."""
    return len(ids) - bisect.bisect_left(
        ids, 1, key=lambda item_id: int(client.item(item_id)["state"] not in FINAL_IMAGE_STATES)
    )
