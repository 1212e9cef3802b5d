"""What many photos of one tenant have in common: too little to be taken out by averaging."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from photoward.api.cli import sample_images
from photoward.core.catalogue import Catalogue
from photoward.core.settings import Settings
from photoward.worker.lifecycle import open_pipeline
from photoward.worker.pipeline import Job, Protected
from tests.core.imaging.pictures import file, reopened

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PHOTOS, SIDE = 20, 160


def left(labels: int, folder: Path) -> NDArray[np.float64]:
    """Share of each photo's noise (its norm) that is left without the mean of all photos' noise."""
    settings = Settings(data_dir=folder)
    catalogue = Catalogue.of(settings)
    originals = [file(sample_images.synthetic_photo(SIDE, SIDE, seed)) for seed in range(PHOTOS)]
    jobs = []
    for number, data in enumerate(originals):
        asked = catalogue.options(label=f"label {number % labels}")
        options, _ = catalogue.placed(asked, SIDE, SIDE)
        jobs.append(Job(str(number), data, options, bytes(32), SIDE, SIDE))
    pipeline, pool = open_pipeline(settings)
    with pool:
        outcomes = pipeline.protect(jobs)
    pipeline.close()
    made = {one.id: one.data for one in outcomes if isinstance(one, Protected)}
    noise = np.stack([
        np.asarray(reopened(made[str(number)]), float) - np.asarray(reopened(data), float)
        for number, data in enumerate(originals)
    ])  # fmt: skip
    rest = noise - noise.mean(0)
    shares: NDArray[np.float64] = np.linalg.norm(rest.reshape(PHOTOS, -1), axis=1)
    shares /= np.linalg.norm(noise.reshape(PHOTOS, -1), axis=1)
    return shares


def test_the_mean_of_many_photos_takes_little_from_each(tmp_path: Path) -> None:
    assert left(10, tmp_path).min() >= 0.95


def test_nor_when_all_of_them_have_one_label(tmp_path: Path) -> None:
    assert left(1, tmp_path).mean() >= 0.9
