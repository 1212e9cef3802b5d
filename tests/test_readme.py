"""The README's figures are those of the results in docs/benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from photoward.core.catalogue import read_cards

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs" / "benchmarks" / f"{name}.json").read_text())
    return found


def protection() -> list[str]:
    found = result("cifar10-unseen")
    return [
        f"| unprotected files | {found['control']['test_accuracy']:.1%} |",
        f"| protected files | {found['protected']['test_accuracy']:.1%} |",
    ]


def words() -> list[str]:
    rows = {
        (row["protection"], row["countermeasure"]): row["test_accuracy"]["mean"]
        for row in result("cifar10-words")["rows"]
    }
    shared = result("cifar10-words-shared")["protected"]["test_accuracy"]
    read = read_cards([])["keyed-r18w16"][0].figures["unseen_protected_pgd20_accuracy_4_255"]
    return [
        *(
            f"| {title} | {rows['clean', trainer]:.1%} | {rows['distinct', trainer]:.1%} |"
            for trainer, title in (("none", "plain"), ("at-4", "adversarial, 4/255"))
        ),
        f"it was {shared:.1%} after plain",
        f"reads {read:.0%} of its words",
    ]


def latency() -> list[str]:
    found = result("latency")
    stages = found["stages_median_s"]
    names = ("decode", "noise", "encode", "verify and measure", "everything else")
    shares = " | ".join(
        f"{stages[name]:.2f} s ({stages[name] / sum(stages.values()):.0%})" for name in names
    )
    return [f"{found['median_s']:.2f} s (`photoward bench latency`)", f"| {shares} |"]


def throughput() -> list[str]:
    rows = []
    for name, title, digits in (
        ("32px", "32-pixel PNG", 0), ("12MP", "12-megapixel JPEG", 2)
    ):  # fmt: skip
        one = result("throughput")[name]
        rows.append(
            f"| {title} | {one['engine_alone_per_s']:.{digits}f} "
            f"| {one['pictures_per_s']:.{digits}f} ({one['share_of_engine']:.0%}) "
            f"| {one['after_uploads_per_s']:.{digits}f} "
            f"({one['share_of_engine_after_uploads']:.0%}) |"
        )
    return rows


def engine() -> list[str]:
    return [
        f"| {one['loop']} | {one['passes']} | {one['pictures_per_s']:.2f} "
        f"| {one['ours_is_faster_by']:.1f}× | {one['share_of_peak']:.0%} |"
        for one in result("engine")["loops"]
    ]


@pytest.mark.parametrize(
    "lines", [protection, words, latency, throughput, engine], ids=lambda f: f.__name__
)
def test_the_readme_says_what_was_measured(lines: Any) -> None:  # noqa: ANN401  # one of five functions
    for line in lines():
        assert line in README


def test_the_results_are_good_enough_to_be_told() -> None:
    """What the project claims of itself: half of the control's accuracy at most."""
    found = result("cifar10-unseen")
    assert found["control"]["test_accuracy"] >= 0.68
    assert found["protected"]["test_accuracy"] <= 0.35
