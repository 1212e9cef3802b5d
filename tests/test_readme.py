"""The README's figures are those of the results in docs/benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from docs import tables
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


@pytest.mark.parametrize("lines", [protection, words], ids=lambda f: f.__name__)
def test_the_readme_says_what_was_measured(lines: Any) -> None:  # noqa: ANN401  # one of two functions
    for line in lines():
        assert line in README


def test_the_readmes_tables_are_made_from_the_results() -> None:
    assert tables.rendered(README) == README, "run: make tables"


def test_every_table_that_can_be_made_is_shown() -> None:
    assert {name for _, name, _ in tables.BLOCK.findall(README)} == set(tables.TABLES)


def test_the_results_are_good_enough_to_be_told() -> None:
    """What the project claims of itself: half of the control's accuracy at most."""
    found = result("cifar10-unseen")
    assert found["control"]["test_accuracy"] >= 0.68
    assert found["protected"]["test_accuracy"] <= 0.35
