"""Real pictures through real imaging children, a tiny surrogate and a short SEM."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from photoward.core import key_derivation
from photoward.core.catalogue import Catalogue
from photoward.core.errors import Unavailable
from photoward.core.jobs import Stage
from photoward.core.output_marks import is_marked
from photoward.models.methods import registry
from photoward.models.methods.descent import Descent
from photoward.models.methods.label_filter import WIDE
from photoward.models.methods.registry import METHODS
from photoward.models.surrogates.surrogate import Surrogate
from photoward.worker.pipeline import BatchStats, Job, Pipeline, Protected, Refused
from tests.core.imaging.pictures import file, image, reopened
from tests.support import surrogates
from tests.support.samples import options, sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from photoward.core.imaging.sandbox.pool import ImagingPool
    from photoward.models.methods.base import Brief

SECRET = bytes(range(32))
MARK = re.compile(rb"xmp\.iid:[0-9a-f]{32}")
CATALOGUE = Catalogue({"tiny": surrogates.card()}, "tiny", default_method="sem")
CORRUPT = file(image(size=(32, 32)))[:300] + b"nonsense"


def job(
    name: str = "a",
    data: bytes | None = None,
    size: tuple[int, int] = (32, 32),
    **asked: Any,  # noqa: ANN401  # any option
) -> Job:
    """A 32 px PNG of the name's own colours."""
    own = file(image(size=size, seed=sum(name.encode()))) if data is None else data
    asked_for = options(**{"surrogate": "tiny", **asked})
    return Job(name, own, asked_for, SECRET, *asked_for.placements(*size)[0].size)


def finished(pipeline: Pipeline, *jobs: Job) -> dict[str, Protected]:
    outcomes = pipeline.protect(jobs)
    assert {outcome.id for outcome in outcomes} == {one.id for one in jobs}
    done = {outcome.id: outcome for outcome in outcomes if isinstance(outcome, Protected)}
    assert len(done) == len(jobs), outcomes
    return done


def change(before: bytes, after: bytes) -> NDArray[np.int16]:
    return np.asarray(reopened(after), np.int16) - np.asarray(reopened(before), np.int16)


def test_a_picture_comes_back_changed_within_its_budget(pipeline: Pipeline) -> None:
    one, stages = job(epsilon=4.0), list[Stage]()
    (outcome,) = pipeline.protect([one], stages.append)
    assert isinstance(outcome, Protected)
    assert outcome.media_type == "image/png"
    assert 3 <= np.abs(change(one.data, outcome.data)).max() <= 4
    assert outcome.measured["linf"] == np.abs(change(one.data, outcome.data)).max()
    assert set(outcome.measured["seconds"]) >= {"decode", "perturb", "encode", "verify"}
    assert stages == [Stage.DECODE, Stage.PERTURB, Stage.ENCODE]


def test_the_same_file_gives_the_same_bytes_alone_or_in_any_batch(pipeline: Pipeline) -> None:
    wanted = [job(name) for name in "abc"]
    together = finished(pipeline, *wanted)
    for one in wanted:
        assert finished(pipeline, one)[one.id].data == together[one.id].data
    crowd = [job(name) for name in "zyxwc"]
    assert finished(pipeline, *crowd)["c"].data == together["c"].data


@pytest.mark.parametrize(
    "other",
    [{"label": "my dog"}, {"epsilon": 7.0}, {"secret": bytes(32)}],
    ids=["label", "strength", "secret"],
)
def test_other_wishes_give_other_noise(pipeline: Pipeline, other: dict[str, Any]) -> None:
    one = job()
    if "secret" in other:
        another = replace(one, **other)
    else:
        another = replace(one, options=replace(one.options, **other))
    made, others = (finished(pipeline, wanted)["a"].data for wanted in (one, another))
    assert change(made, others).any()


def test_one_bad_file_is_refused_alone(pipeline: Pipeline) -> None:
    *good, bad = [job("a"), job("b"), job("c", data=CORRUPT)]
    outcomes = {outcome.id: outcome for outcome in pipeline.protect([good[0], bad, good[1]])}
    refused = outcomes.pop("c")
    assert isinstance(refused, Refused)
    assert refused.error.code in ("corrupt", "truncated")
    alone = finished(pipeline, *good)
    assert {name: one.data for name, one in outcomes.items() if isinstance(one, Protected)} == {
        name: one.data for name, one in alone.items()
    }


def test_nothing_but_bad_files_is_no_batch(pipeline: Pipeline) -> None:
    stages: list[Stage] = []
    (outcome,) = pipeline.protect([job(data=CORRUPT)], stages.append)
    assert isinstance(outcome, Refused)
    assert stages == [Stage.DECODE]


def test_what_the_format_cannot_hold_is_refused_alone(pipeline: Pipeline) -> None:
    clear = file(image("RGBA", size=(32, 32)))
    outcomes = pipeline.protect([job("a"), job("b", data=clear, output_format="jpeg")])
    codes = {one.id: one.error.code for one in outcomes if isinstance(one, Refused)}
    assert codes == {"b": "unsupported_output"}


def test_no_label_means_the_surrogates_own(pipeline: Pipeline) -> None:
    done = finished(pipeline, job("a", label=None), job("b", label="my cat"))
    assert done["a"].label_source == "predicted"
    assert done["a"].label_used in ("cat", "dog")
    assert (done["b"].label_used, done["b"].label_source) == ("my cat", "given")


def test_a_predicted_label_works_as_if_it_were_given(pipeline: Pipeline) -> None:
    predicted = finished(pipeline, job(label=None))["a"]
    given = finished(pipeline, job(label=predicted.label_used))["a"]
    assert given.data == predicted.data


def test_a_class_of_the_surrogate_can_be_the_target(pipeline: Pipeline) -> None:
    as_cat, as_dog = (
        finished(pipeline, job(target="logits", label=label))["a"] for label in ("cat", "dog")
    )
    prototype = finished(pipeline, job(label="cat"))["a"]
    assert len({reopened(one.data).tobytes() for one in (as_cat, as_dog, prototype)}) == 3
    unlabelled = finished(pipeline, job(target="logits", label=None))["a"]
    assert unlabelled.data == {"cat": as_cat, "dog": as_dog}[unlabelled.label_used or ""].data


def test_a_surrogate_of_codewords_takes_any_label_and_has_them_guessed(pipeline: Pipeline) -> None:
    labels = {key_derivation.codeword(SECRET, str(i), (3, 2)): str(i) for i in range(50)}
    assert len(labels) == 6
    done = [finished(pipeline, job(surrogate="coded", label=i))["a"] for i in labels.values()]
    assert len({one.data for one in done}) == 6
    unlabelled = finished(pipeline, job(surrogate="coded", label=None))["a"]
    assert (unlabelled.label_source, unlabelled.label_used) == (
        "predicted",
        finished(pipeline, job(label=None))["a"].label_used,
    )


def test_grey_stays_grey(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []

    class Watched(Descent):
        def perturb(
            self, pictures: NDArray[np.uint8], briefs: Sequence[Brief], grid: int | None = None
        ) -> NDArray[np.int16]:
            told.extend(brief.grey for brief in briefs)
            return super().perturb(pictures, briefs, grid)

    monkeypatch.setattr(registry, "Descent", Watched)
    for mode in ("L", "RGB"):
        data = file(image("L", size=(32, 32)).convert(mode))
        outcome = finished(pipeline, job(data=data))["a"]
        shown = reopened(outcome.data)
        assert shown.mode == mode
        assert np.ptp(np.asarray(shown.convert("RGB")), axis=2).max() == 0
        assert 1 <= np.abs(change(data, outcome.data)).max() <= 8
    finished(pipeline, job())
    assert told == [True, True, False], "noise in three colours would cancel out in their mean"


def test_opacity_and_what_is_hidden_by_it_stay(pipeline: Pipeline) -> None:
    data = file(image("RGBA", size=(50, 40)))
    outcome = finished(pipeline, job(data=data, size=(50, 40)))["a"]
    moved, before = change(data, outcome.data), np.asarray(reopened(data))
    assert not moved[..., 3].any()
    assert not moved[before[..., 3] == 0].any()
    assert 1 <= np.abs(moved).max() <= 8


@pytest.mark.parametrize("size", [(1, 1), (300, 7), (7, 300), (500, 333)])
def test_any_shape_is_kept(pipeline: Pipeline, size: tuple[int, int]) -> None:
    data = file(Image.new("RGB", size, (120, 130, 140)))
    outcome = finished(pipeline, job(data=data, size=size))["a"]
    assert reopened(outcome.data).size == size
    least = 1 if size != (1, 1) else 0  # of one pixel the noise's mean is left
    assert least <= np.abs(change(data, outcome.data)).max() <= 8


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(32, 32), (90, 60)])
def test_every_method_keeps_its_promise_in_the_file(
    pipeline: Pipeline, method: str, size: tuple[int, int]
) -> None:
    against = "only-small" if METHODS[method].name in {"anchor", "sem+anchor"} else None
    one = job(method=method, epsilon=4.0, size=size, label="cat", networks=against)
    outcome = finished(pipeline, one)["a"]
    largest = np.abs(change(one.data, outcome.data)).max()
    bounded = METHODS[method].bounded
    assert outcome.measured["linf"] == largest
    assert outcome.measured["epsilon"] == (4 if bounded else None)
    assert 3 <= largest <= (4 if bounded else 127)
    assert (largest > 4) != bounded
    assert outcome.measured["psnr_db"] > 0
    assert outcome.measured["ssim"] > 0


def test_a_surrogate_that_is_not_made_for_photos_says_so(pipeline: Pipeline) -> None:
    small, photo = (job(surrogate="keyed-r18w16", size=size) for size in ((32, 32), (64, 48)))
    assert finished(pipeline, small)["a"].measured["notes"] == []
    (note,) = finished(pipeline, photo)["a"].measured["notes"]
    assert "photo-r18w16 is better" in note


CUDA: dict[str, Any] = {"method": "cuda", "target": "filter", "epsilon": None, "preset": None}


def test_a_filter_is_the_tenants_and_the_labels(pipeline: Pipeline) -> None:
    one, dog = job(**CUDA), job(**CUDA, label="my dog")
    other = replace(one, secret=bytes(32))
    first, again, second, third = (
        finished(pipeline, wanted)["a"].data for wanted in (one, one, dog, other)
    )
    assert first == again
    assert len({reopened(made).tobytes() for made in (first, second, third)}) == 3


def test_a_filter_asks_no_surrogate_unless_a_label_is_missing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = Surrogate.logits

    def watched(self: Surrogate, pictures: torch.Tensor) -> torch.Tensor:
        asked.append(len(pictures))
        return real(self, pictures)

    monkeypatch.setattr(Surrogate, "logits", watched)
    monkeypatch.setattr(Surrogate, "raw_features", None)
    done = finished(pipeline, job("a", **CUDA), job("b", **CUDA))
    assert (done["a"].label_source, asked) == ("given", [])
    predicted = finished(pipeline, job(**CUDA, label=None))["a"]
    assert (predicted.label_source, len(asked)) == ("predicted", 1)
    given = finished(pipeline, job(**CUDA, label=predicted.label_used))["a"]
    assert given.data == predicted.data


def test_sem_goes_on_top_of_the_same_labels_filter(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "cuda", replace(METHODS["cuda"], filter_side=WIDE))
    filtered = finished(pipeline, job(**CUDA))["a"].data
    both = finished(pipeline, job(method="sem+cuda", epsilon=6.0))["a"].data
    assert 5 <= np.abs(change(filtered, both)).max() <= 6


def test_warming_up_covers_every_grid(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []

    class Watched(Descent):
        def perturb(
            self, pictures: NDArray[np.uint8], briefs: Sequence[Brief], grid: int | None = None
        ) -> NDArray[np.int16]:
            seen.append(pictures.shape)
            return super().perturb(pictures, briefs, grid)

    monkeypatch.setattr(registry, "Descent", Watched)
    pipeline.warm_up(CATALOGUE)
    assert seen == [(1, 32, 32, 3), (1, 224, 224, 3)]


class Trapped(Descent):
    """Fails for batches that hold the trap's picture, or that are too large."""

    trap: bytes = b""
    most: int = 99
    error: type[Exception] = ValueError
    sizes: list[int]

    def perturb(
        self, pictures: NDArray[np.uint8], briefs: Sequence[Brief], grid: int | None = None
    ) -> NDArray[np.int16]:
        self.sizes.append(len(briefs))
        if len(briefs) > self.most or any(own.tobytes() == self.trap for own in pictures):
            raise self.error("A trap.")
        return super().perturb(pictures, briefs, grid)


def trapped(monkeypatch: pytest.MonkeyPatch, **more: object) -> type[Trapped]:
    kind = type("Set", (Trapped,), {"sizes": [], **more})
    monkeypatch.setattr(registry, "Descent", kind)
    return kind


@pytest.mark.parametrize("error", [ValueError, FloatingPointError])
def test_a_picture_that_breaks_the_noise_is_found_and_fails_alone(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    jobs = [job(name) for name in "abcdefg"]
    expected = finished(pipeline, *jobs)
    samples = np.asarray(reopened(jobs[4].data)).tobytes()
    trapped(monkeypatch, trap=samples, error=error)
    outcomes = {outcome.id: outcome for outcome in pipeline.protect(jobs)}
    refused = outcomes.pop("e")
    assert isinstance(refused, Refused)
    assert refused.error.code == "internal_error"
    assert {name: getattr(one, "data", None) for name, one in outcomes.items()} == {
        name: one.data for name, one in expected.items() if name != "e"
    }


def test_too_little_memory_on_the_accelerator_halves_the_batch(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [job(name) for name in "abcdefg"]
    expected = finished(pipeline, *jobs)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    kind = trapped(monkeypatch, most=2, error=torch.cuda.OutOfMemoryError)
    stats = BatchStats()
    outcomes = pipeline.protect(jobs, stats=stats)
    assert {one.id: getattr(one, "data", None) for one in outcomes} == {
        k: v.data for k, v in expected.items()
    }
    assert kind.sizes == [7, 3, 1, 2, 4, 2, 2]
    assert stats.memory_share == 1 / 4


def test_a_batch_tells_how_long_it_waited_for_anothers_noise(pipeline: Pipeline) -> None:
    with ThreadPoolExecutor(1) as threads:
        stats = BatchStats()
        with pipeline._noise:
            waiting = threads.submit(pipeline.protect, [job()], stats=stats)
            time.sleep(0.5)
        waiting.result()
    assert stats.waited_s > 0.1
    pipeline.protect([job()], stats=stats)
    assert stats.waited_s < 0.1


def test_memory_for_not_even_one_is_our_fault(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    trapped(monkeypatch, most=0, error=torch.cuda.OutOfMemoryError)
    with pytest.raises(Unavailable, match="memory"):
        pipeline.protect([job()])


def test_what_nobody_foresaw_is_not_hidden(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    trapped(monkeypatch, most=0, error=KeyError)
    with pytest.raises(KeyError):
        pipeline.protect([job()])


def test_a_rendition_leaves_in_the_size_that_was_asked_for(pipeline: Pipeline) -> None:
    large = job("a", size=(200, 100), renditions=sides(64), shaping="perceptual")
    (outcome,) = pipeline.protect([large])
    assert isinstance(outcome, Protected)
    assert reopened(outcome.data).size == (64, 32)
    assert "64 by 32" in outcome.measured["notes"][0]
    (again,) = pipeline.protect([large])
    assert isinstance(again, Protected)
    assert again.data == outcome.data


@pytest.mark.parametrize("step", ["open", "finish"])
def test_our_own_trouble_stops_the_batch_and_leaves_nothing_open(
    pipeline: Pipeline, pool: ImagingPool, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    closed: list[Any] = []
    opened: list[Any] = []
    real_open, real_close = pool.open, pool.close

    def counted_open(data: bytes, **asked: Any) -> object:  # noqa: ANN401  # passed on
        if step == "open" and data == jobs[1].data:
            raise Unavailable("No child.")
        opened.append(real_open(data, **asked))
        return opened[-1]

    def counted_close(one: Any) -> None:  # noqa: ANN401  # passed on
        closed.append(one)
        real_close(one)

    def broken(*_: object, **__: object) -> None:
        raise Unavailable("No child.")

    jobs = [job(name) for name in "abc"]
    monkeypatch.setattr(pool, "open", counted_open)
    monkeypatch.setattr(pool, "close", counted_close)
    if step == "finish":
        monkeypatch.setattr(pool, "finish", broken)
    with pytest.raises(Unavailable):
        pipeline.protect(jobs)
    assert len(opened) == {"open": 2, "finish": 3}[step]
    assert set(map(id, closed)) == set(map(id, opened))


def test_a_surrogate_that_is_gone_ends_the_item(pipeline: Pipeline) -> None:
    (outcome,) = pipeline.protect([job(surrogate="gone")])
    assert isinstance(outcome, Refused)
    assert outcome.error.code == "internal_error"


@pytest.mark.parametrize("output_format", ["jpeg", "png", "webp", "avif"])
def test_an_output_is_recognised_and_tells_nothing_of_whose_it_is(
    pipeline: Pipeline, output_format: str
) -> None:
    photo = file(image(size=(40, 30)))
    asked = {"output_format": output_format, "data_mining": "nothing"}
    mine, again = (finished(pipeline, job(data=photo, size=(40, 30), **asked))["a"] for _ in "12")
    theirs = replace(job(data=photo, size=(40, 30), **asked), secret=SECRET[::-1])
    other = finished(pipeline, theirs)["a"]
    assert is_marked(mine.data)
    assert is_marked(other.data)
    assert not is_marked(photo)
    assert mine.data == again.data
    marks = [MARK.findall(made.data) for made in (mine, other)]
    assert [len(found) for found in marks] == [1, 1]
    assert marks[0] != marks[1]


def test_the_mark_of_an_output_does_not_come_along(pipeline: Pipeline) -> None:
    first = finished(pipeline, job(output_format="png"))["a"].data
    second = finished(pipeline, job(data=first, output_format="png"))["a"].data
    assert len(MARK.findall(second)) == 1
    assert MARK.findall(second) != MARK.findall(first)
