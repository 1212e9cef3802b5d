"""Ten thousand photos from bucket to bucket, as one batch, while workers are killed at random."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
import pytest
from PIL import Image

from photoward.api.cli import sample_images
from photoward.core.settings import Settings
from photoward.core.storage.factory import open_bucket
from tests.support import cifar
from tests.support.audit import audit
from tests.support.beside import beside
from tests.support.faults import extra_runs, known_ids
from tests.support.findings import note
from tests.support.plant import Plant, plant
from tests.support.scale import scaled
from tests.support.servers import S3_BUCKET

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from obstore.store import S3Store

SHARED = Path(os.environ.get("PHOTOWARD_SHARED", Path(__file__).parents[3] / "shared"))
COUNT = scaled(200, 10_000)
WORKERS = 2
APART_S = scaled(3, 20)
"""Between two kills, on average."""


@pytest.mark.chaos
def test_ten_thousand_photos_from_bucket_to_bucket_whoever_dies(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    with plant(monkeypatch, postgres_url, WORKERS) as made:
        inbox = open_bucket(S3_BUCKET, "in", endpoint=Settings().s3_endpoint_url)
        for name, data in photos().items():
            obstore.put(inbox, name, data, use_multipart=False)
        calm_s = passed(made, "calm")
        with killing(made) as killed:
            hit_s = passed(made, "hit")
        calm, hit = brought("calm"), brought("hit")
        note(
            f"{COUNT} photos from S3 to S3, {WORKERS} workers killed at random",
            "all done, the same files",
            f"{len(hit)} files, {sum(hit[name] == calm[name] for name in hit)} the same; "
            f"{COUNT / hit_s:.1f}/s with {len(killed)} kills ({extra_runs(made.settings)} extra "
            f"runs), {COUNT / calm_s:.1f}/s without",
            "PostgreSQL, S3, method sem, 32 × 32",
        )  # fmt: skip
        assert len(calm) == COUNT
        assert hit == calm
        assert killed
        for place in ("in", "calm", "hit"):
            emptied(place)
        audit(made.service, made.settings, known_ids(made.settings))


def photos() -> dict[str, bytes]:
    """Names and PNG files: CIFAR-10's where they are, else drawn ones."""
    mosaic = SHARED / "data" / "cifar10" / "train_5.webp"
    drawn = cifar.tiles(mosaic) if mosaic.exists() else sample_images.small_pictures(COUNT, 11)
    return {
        f"{number % 10}/{number:05}.png": sample_images.encoded(Image.fromarray(one), "PNG")
        for number, one in enumerate(drawn[:COUNT])
    }


def passed(made: Plant, out: str) -> float:
    """Seconds that ``photoward sync`` takes from the inbox to another folder of the bucket."""
    places = [f"s3://{S3_BUCKET}/in", f"s3://{S3_BUCKET}/{out}"]
    command = [
        sys.executable,
        "-m",
        "photoward.api.cli",
        "sync",
        *places,
        "--url",
        made.service.url,
    ]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return time.monotonic() - began


@contextmanager
def killing(made: Plant) -> Iterator[list[int]]:
    """A worker, or the process of one that holds the surrogate, dies now and then."""
    killed: list[int] = []
    chance = random.Random(7)

    def kill(ended: threading.Event) -> None:
        while not ended.wait(APART_S * (0.5 + chance.random())):
            worker = chance.choice(made.service.parts("worker", WORKERS))
            process = chance.choice([worker, *worker.children()])
            killed.append(process.pid)
            made.service.kill(process)

    with beside(kill):
        yield killed


def brought(out: str) -> dict[str, str]:
    """Name → digest of what lies there."""
    store = open_bucket(S3_BUCKET, out, endpoint=Settings().s3_endpoint_url)
    return {
        name: hashlib.sha256(obstore.get(store, name).bytes().to_bytes()).hexdigest()
        for name in listed(store)
    }


def emptied(place: str) -> None:
    """The bucket is the service's, too: the audit knows nothing of these."""
    store = open_bucket(S3_BUCKET, place, endpoint=Settings().s3_endpoint_url)
    obstore.delete(store, listed(store))


def listed(store: S3Store) -> list[str]:
    """All names."""
    return [meta["path"] for page in obstore.list(store) for meta in page]
