"""A pipeline of real parts: imaging children, a tiny surrogate, SEM in few steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog
import torch

from photoward.core.catalogue import read_cards
from photoward.core.imaging.sandbox.pool import ImagingPool
from photoward.core.imaging.sniff import Limits
from photoward.core.ledger import open_ledger
from photoward.core.networks import read_networks, read_sets
from photoward.core.settings import Settings
from photoward.core.storage import open_store
from photoward.models.methods import objectives
from photoward.models.methods.registry import METHODS
from photoward.models.surrogates.cache import SurrogateCache
from photoward.worker.pipeline import Pipeline
from tests.support import networks, surrogates
from tests.support.quick import QUICK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from photoward.core.ledger import Ledger
    from photoward.core.storage import ObjectStore


@pytest.fixture(scope="session", autouse=True)
def quiet() -> Iterator[None]:
    """No log line in the tests' output."""
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """SEM in few steps, an adversary of one."""
    monkeypatch.setitem(METHODS, "sem", QUICK)
    monkeypatch.setattr(objectives, "ATTACK_STEPS", 1)


@pytest.fixture(scope="session")
def surrogate_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the surrogate ``tiny``."""
    folder = tmp_path_factory.mktemp("surrogates")
    surrogates.write(folder)
    surrogates.write(folder, "coded", code=(3, 2))
    networks.write(folder)
    return folder


@pytest.fixture(scope="session")
def pool() -> Iterator[ImagingPool]:
    """Two real imaging children."""
    with ImagingPool(2, 1000, 20, Limits()) as made:
        yield made


@pytest.fixture(scope="session")
def pipeline(pool: ImagingPool, surrogate_dir: Path) -> Iterator[Pipeline]:
    """The pipeline with the surrogate ``tiny`` on the CPU."""
    known = read_networks([surrogate_dir])
    cache = SurrogateCache(
        read_cards([surrogate_dir]),
        torch.device("cpu"),
        512,
        known,
        {"only-small": read_sets(known, [surrogate_dir])["only-small"]},
    )
    made = Pipeline(pool, cache, 2)
    yield made
    made.close()


@pytest.fixture
def settings(tmp_path: Path, surrogate_dir: Path) -> Settings:
    """Everything in one folder."""
    return Settings(
        data_dir=tmp_path / "data",
        engine_surrogate="tiny",
        engine_method="sem",
        engine_surrogate_dirs=(surrogate_dir,),
        imaging_processes=1,
    )


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """An empty ledger."""
    made = open_ledger(settings)
    yield made
    made.close()


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    """An empty store in a folder."""
    return open_store(settings)
