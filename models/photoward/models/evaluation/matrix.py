"""The cells of an evaluation: one victim each, one JSON file each, trained only where need be.

A cell is a protection, a countermeasure, an architecture, a protected share and a seed. A file is
taken as it is when its recipe and its data are those wanted; so an interrupted run goes on, and a
changed recipe is computed anew. Knows the victims and a folder; nothing of how tables look.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from photoward.models.evaluation.metrics.learned_share import CLEAN
from photoward.models.evaluation.registry import NONE
from photoward.models.evaluation.reports import report
from photoward.models.evaluation.result_cache import Derived
from photoward.models.evaluation.trainers.victim import train_victim, training_steps
from photoward.models.surrogates.surrogate import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from photoward.models.evaluation.countermeasures.base import Countermeasure
    from photoward.models.evaluation.picture_sets import Subjects
    from photoward.models.evaluation.trainer_run import VictimRecipe
    from photoward.models.training.data import LabelledPictures


WHOLE = 100


@dataclass(frozen=True)
class Cell:
    """One victim to be trained."""

    protection: str
    countermeasure: str
    architecture: str
    """Or the pretrained network that it started from."""
    share: int
    """Protected pictures in %; 0 in the control."""
    seed: int

    @property
    def name(self) -> str:
        """The stem of its file."""
        parts = (
            self.protection,
            self.countermeasure,
            self.architecture,
            f"{self.share:03}",
            str(self.seed),
        )
        return "_".join(parts).replace(":", "~")  # no file on Windows may have one


@dataclass(frozen=True)
class Plan:
    """Which cells there are: all combinations, and some of plain training besides."""

    protections: Sequence[str]
    countermeasures: Sequence[str]
    architectures: Sequence[str]
    networks: Mapping[str, str] = field(default_factory=dict)
    """Countermeasure → the pretrained network that takes the architectures' place."""
    shares: Sequence[int] = (WHOLE,)
    seeds: Sequence[int] = (1000,)
    plain_architectures: Sequence[str] = ()
    """Further architectures that train plainly."""
    plain_shares: Sequence[int] = ()
    """Further shares at which the first architecture trains plainly."""

    def cells(self) -> list[Cell]:
        """Each cell once; the control and plain training first, so that a look comes early."""
        wanted = dict.fromkeys(self._all())
        return sorted(wanted, key=lambda cell: (cell.seed, cell.countermeasure != NONE))

    def _all(self) -> Iterator[Cell]:
        for seed in self.seeds:
            for protection, shares in (
                (CLEAN, (0,)),
                *((p, self.shares) for p in self.protections),
            ):
                for countermeasure in self.countermeasures:
                    fixed = self.networks.get(countermeasure)
                    for architecture in (fixed,) if fixed else self.architectures:
                        for share in shares:
                            yield Cell(protection, countermeasure, architecture, share, seed)
                for architecture in self.plain_architectures:
                    yield Cell(protection, NONE, architecture, max(shares), seed)
                for share in self.plain_shares if protection != CLEAN else ():
                    yield Cell(protection, NONE, self.architectures[0], share, seed)


@dataclass(frozen=True)
class Matrix:
    """Cells, what they are trained on and how, and the folder that keeps them."""

    subjects: Subjects
    recipe: VictimRecipe
    countermeasures: Mapping[str, Countermeasure]
    folder: Path
    device: torch.device
    derived: Derived = field(default_factory=Derived)
    _digests: dict[tuple[str, int], str] = field(default_factory=dict, compare=False)

    def run(
        self,
        cells: Sequence[Cell],
        watch: Callable[[Cell, int, int], None] = lambda _cell, _step, _steps: None,
    ) -> Generator[dict[str, Any], None, None]:
        """Each cell's result in order, from its file or from training it now.

        On a CPU as many victims train side by side as it has cores, with one thread each: small
        networks gain little from more. The caller's end is theirs, too.

        Args:
            cells: what is wanted.
            watch: told the cell, its step and its steps while it trains, from any thread.
        """
        ended = threading.Event()

        def heed(cell: Cell, step: int, steps: int) -> None:
            if ended.is_set():
                raise _Ended
            watch(cell, step, steps)

        workers = THREADS if self.device.type == "cpu" else 1
        pool = ThreadPoolExecutor(
            workers, "victim", initializer=torch.set_num_threads, initargs=(THREADS // workers,)
        )
        try:
            wanted = [self._identity(cell) for cell in cells]
            yield from pool.map(self._result, cells, wanted, [heed] * len(cells))
        finally:
            ended.set()
            pool.shutdown(cancel_futures=True)

    def _result(
        self, cell: Cell, wanted: dict[str, Any], watch: Callable[[Cell, int, int], None]
    ) -> dict[str, Any]:
        path = self.folder / f"{cell.name}.json"
        found = _read(path)
        if any(found.get(key) != value for key, value in wanted.items()):
            found = self._train(cell, wanted, watch)
            report.write(found, path)
        return found

    def _train(
        self, cell: Cell, identity: dict[str, Any], watch: Callable[[Cell, int, int], None]
    ) -> dict[str, Any]:
        recipe = self._recipe(cell)
        train = self._training(cell.protection, cell.share)
        leaks = self.subjects.leaked(cell.protection)
        countermeasure = self.countermeasures[cell.countermeasure]
        steps = training_steps(train, recipe, countermeasure)
        verdict = train_victim(
            train,
            self.subjects.test,
            recipe,
            self.device,
            report=lambda step, _loss: watch(cell, step, steps),
            countermeasure=countermeasure,
            derived=self.derived,
            leaks=leaks,
        )
        figures = {key: value for key, value in asdict(verdict).items() if key != "recipe"}
        return {**identity, **figures, **report.machine(self.device)}

    def _identity(self, cell: Cell) -> dict[str, Any]:
        """What must agree for a file to be this cell's."""
        countermeasure = self.countermeasures[cell.countermeasure]
        parameters = dict(countermeasure.parameters)
        leak = self.subjects.leaked(cell.protection).get(countermeasure.needs)
        return {
            "cell": asdict(cell),
            "recipe": {**asdict(self._recipe(cell)), "countermeasure": parameters},
            "data": {
                "train_sha256": self._digest(cell.protection, cell.share),
                "test_sha256": self._digest("", 0),
                **({"leak_sha256": leak.digest} if leak else {}),
            },
        }

    def _digest(self, protection: str, share: int) -> str:
        """Of a training set, or of the test set in place of no protection; made once."""
        if (protection, share) not in self._digests:
            data = self._training(protection, share) if protection else self.subjects.test
            self._digests[protection, share] = data.digest()
        return self._digests[protection, share]

    def _recipe(self, cell: Cell) -> VictimRecipe:
        own: dict[str, Any] = dict(self.countermeasures[cell.countermeasure].recipe)
        return replace(self.recipe, architecture=cell.architecture, seed=cell.seed, **own)

    def _training(self, protection: str, share: int) -> LabelledPictures:
        return self.subjects.training(None if protection == CLEAN else protection, share)


class _Ended(Exception):  # noqa: N818  # what happened
    """Nobody waits for this cell any more."""


def _read(path: Path) -> dict[str, Any]:
    """What the file holds; nothing when there is none or it is no cell."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
