"""The figures of the documents are those of the results in docs/benchmarks."""

from __future__ import annotations

import json
import statistics
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from docs import tables
from photoward.core.catalogue import METHODS, read_cards
from photoward.models.evaluation.metrics import learned_share

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

README = tables.README.read_text()
RESULTS = tables.RESULTS.read_text()
METHODS_GUIDE = (tables.ROOT / "docs" / "guide" / "methods.md").read_text()

CHANCE = 0.1
"""Of ten classes."""


def test_the_sentences_say_what_was_measured() -> None:
    shared = tables.learnt(tables.result("cifar10-words-shared"), "protected", "none", digits=1)
    read = read_cards([])["keyed-r18w16"][0].figures["unseen_protected_pgd20_accuracy_4_255"]
    labels = tables.result("cifar10-labels")
    invented, names = (tables.accuracy(labels, one, "none") for one in ("invented", "names"))
    known = partial(tables.peak, tables.result("photos-unseen"), trainer="pretrained")
    matrix = tables.result("cifar10-matrix")
    trainers = set(tables.judged(matrix)) - {"at-1", "at-2", "at-4", "at-8"}
    best = {
        name: max(tables.peak(matrix, name, trainer) for trainer in trainers)
        for name in ("cuda", "sem+cuda")
    }
    fidelity = tables.result("fidelity")
    strong = next(
        one for one in fidelity["summary"] if (one["strength"], one["format"]) == ("strong", "jpeg")
    )
    before, after = zip(*strong["target"].values(), strict=True)
    assert max(after) - min(after) < 0.02, "as well in each size"
    kept = [
        statistics.median(
            one["survival_at"][side]
            for one in fidelity["rows"]
            if (one["strength"], one["format"]) == ("strong", "jpeg")
        )
        for side in ("256", "224", "128", "64")
    ]
    for sentence in (
        f"keeps {min(kept):.2f} of the noise",
        f"(a cosine of {min(after):.2f}, where the unprotected photo has −{-min(before):.2f})",
        f"it was {shared} after plain",
        f"reads {read:.0%} of its words",
        f"ended at {invented:.1%} instead of {names:.1%}",
        f"{known('sem'):.0%} in spite of `sem`, {known('sem+cuda'):.0%} in spite of `sem+cuda`",
        f"{best['cuda']:.0%} from `cuda` (after JPEG 30)",
        f"{best['sem+cuda']:.0%} from `sem+cuda` (after JPEG 10)",
    ):
        assert sentence in " ".join((RESULTS + METHODS_GUIDE).split())


def test_the_readme_says_what_the_presets_leave_to_a_trainer() -> None:
    presets = tables.result("levels")
    left = {
        name: round(100 * tables.peak(presets, name, presets["probe"]))
        for name in ("clean", *presets["looks"])
    }
    standard, strong, maximum = (left[f"anchor, {p}"] for p in ("standard", "strong", "maximum"))
    text = " ".join(README.split())
    assert f"{standard} of 100 new photos classified correctly instead of {left['clean']}" in text
    assert f"`strong` leaves {strong}; `maximum`, plainly seen, {maximum}." in text


@pytest.mark.parametrize("document", tables.WITH_TABLES)
def test_the_tables_are_made_from_the_results(document: Path) -> None:
    text = document.read_text()
    assert tables.rendered(text) == text, "run: make tables"


def test_every_table_that_can_be_made_is_shown() -> None:
    shown = [name for _, name, _ in tables.BLOCK.findall(README + RESULTS)]
    assert sorted(shown) == sorted(tables.TABLES)


def test_the_results_are_good_enough_to_be_told() -> None:
    """What the project claims of itself."""
    found = tables.result("cifar10-unseen")
    learnt = partial(tables.peak, found)
    assert learnt("clean", "none") >= 0.75
    assert learnt("sem", "none") <= 0.35
    assert learnt("sem+cuda", "none") <= 0.2
    assert learnt("clean", "at-4") >= 0.6
    assert learnt("sem+cuda", "at-4") <= 0.4


def test_a_method_says_that_it_stops_adversarial_trainers_where_it_does() -> None:
    found = tables.result("cifar10-unseen")
    control, *protected = (
        tables.peak(found, name, "at-4") - CHANCE for name in tables.protections(found)
    )
    stopped = [above < control / 2 for above in protected]
    assert stopped == [METHODS[name].adversarial for name in tables.protections(found)[1:]]


def test_what_is_said_of_jpeg_and_photos_is_as_measured() -> None:
    found = tables.result("cifar10-hosted")
    learnt = partial(tables.peak, found, "hosted")
    assert learnt("jpeg-75") - learnt("none") <= 0.1
    assert learnt("jpeg-30") - learnt("none") <= 0.1
    photos = partial(tables.peak, tables.result("photos-unseen"), trainer="none")
    assert photos("sem+cuda") <= photos("clean") / 2
    assert photos("sem-perceptual") - photos("sem") <= 0.05


def test_older_methods_leave_more_to_a_plain_trainer() -> None:
    older, ours = tables.result("cifar10-baselines"), tables.result("cifar10-matrix")
    for figure in (tables.peak, tables.accuracy):
        assert figure(older, "em", "none") > figure(ours, "sem", "none") + 0.1
    assert tables.peak(older, "rem", "none") == pytest.approx(
        tables.peak(ours, "sem", "none"), abs=tables.POINT
    )
    assert tables.accuracy(older, "rem", "none") > tables.accuracy(ours, "sem", "none")


def test_what_is_not_stopped_is_said() -> None:
    rows = tables.result("cifar10-strongest")["rows"]
    within = [one for one in rows if one["countermeasure"] == "at-8"]
    found = {one["protection"]: one["test_accuracy"] for one in within}
    taken = {name: found[name] / found["clean"] for name in ("cuda", "sem+cuda")}
    assert 0.8 < taken["cuda"] < 0.9, "more than four fifths"
    assert 0.7 < taken["sem+cuda"] < 0.8, "three quarters"


def test_both_together_leave_less_to_the_best_trainer_than_either_alone() -> None:
    matrix = tables.result("cifar10-matrix")
    strongest = tables.result("cifar10-strongest")["rows"]
    most = {
        name: max(tables.peak(matrix, name, kind) for kind in tables.judged(matrix))
        for name in ("sem", "cuda", "sem+cuda")
    }
    assert most["sem+cuda"] < min(most["sem"], most["cuda"])
    further = {
        name: max(one["test_accuracy"] for one in strongest if one["protection"] == name)
        for name in ("cuda", "sem+cuda")
    }
    assert further["sem+cuda"] < further["cuda"]


def flattering(found: dict[str, Any]) -> Iterator[str]:
    """Rows of trainers who start from a network that made the noise, or may have."""
    made_by = found.get("surrogates", {})
    for row in found.get("rows", []):
        network = row.get("network") or NETWORK_OF.get(row.get("countermeasure", ""))
        protection = row.get("protection", "clean").partition(",")[0]
        if not network or protection == "clean":
            continue
        known = [
            made
            for name, made in made_by.items()
            if name == protection
            or learned_share.method_of(name) == protection
            or learned_share.method_of(protection) == name
        ]
        if not known or any(network in made for made in known):
            yield f"{protection}, {row['countermeasure']}"


NETWORK_OF = {"pretrained": "efficientnet-lite0"}
"""Of rows from before they said so."""


@pytest.mark.parametrize("path", sorted((tables.ROOT / "docs" / "benchmarks").glob("*.json")))
def test_no_published_figure_is_of_a_network_that_made_the_noise(path: Path) -> None:
    assert list(flattering(json.loads(path.read_bytes()))) == []


def test_such_a_figure_would_be_found() -> None:
    row = {
        "protection": "anchor@1",
        "countermeasure": "probe:mobilenet-v2",
        "network": "mobilenet-v2",
    }
    clean = row | {"protection": "clean"}
    for made_by in ({}, {"anchor": ["mobilenet-v2"]}, {"anchor@1": ["a", "mobilenet-v2"]}):
        assert list(flattering({"rows": [row, clean], "surrogates": made_by}))
    assert not list(flattering({"rows": [row], "surrogates": {"anchor": ["efficientnet-lite0"]}}))
    worst = row | {"protection": "anchor, worst of 2 secrets"}
    assert list(flattering({"rows": [worst], "surrogates": {"anchor@2": ["mobilenet-v2"]}}))
