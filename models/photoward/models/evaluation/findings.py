"""What the figures of an evaluation say in plain sentences, the unwelcome ones first.

A trainer counts as *not stopped* when, above chance, it keeps more than half of what the same
trainer learns from the unprotected pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Row = Mapping[str, Any]

KEPT = 0.5
WEAKEST_CONTROL = 0.1
"""Accuracy above chance that a control needs, for anything to be said beside it."""

NEVER_TRIED = (
    "Nothing here was tried against diffusion purification, nor can anything help pictures that "
    "were copied before they were protected."
)


def findings(report: Mapping[str, Any]) -> dict[str, list[str]]:
    """Protection → sentences.

    Args:
        report: ``rows``, ``countermeasures`` and ``classes`` of an evaluation's report.
    """
    rows = report["rows"]
    return {
        name: _of(
            [row for row in rows if row["protection"] == name],
            {_trainer(row): row for row in rows if row["protection"] == "clean"},
            report,
        )
        for name in dict.fromkeys(row["protection"] for row in rows)
        if name != "clean"
    }


def _of(
    rows: list[Row], controls: Mapping[tuple[str, str], Row], report: Mapping[str, Any]
) -> list[str]:
    chance = 1 / len(report["classes"])
    tried = report["countermeasures"]

    def named(row: Row) -> str:
        return f"{tried[row['countermeasure']]['title']} with {row['architecture']}"

    def told(row: Row) -> str:
        return f"{named(row)}: {_mean(row):.0%} ({_mean(controls[_trainer(row)]):.0%})"

    whole = [row for row in rows if row["share"] == max(one["share"] for one in rows)]
    judged = [r for r in whole if _mean(controls[_trainer(r)]) - chance >= WEAKEST_CONTROL]
    judged.sort(key=_mean, reverse=True)
    passed = [row for row in judged if _kept(row, controls, chance) > KEPT]
    sentences = [_verdict(list(map(told, judged)), list(map(told, passed)))]
    weak = [named(row) for row in whole if row not in judged]
    if judged and weak:
        sentences.append(
            "No judgement where the trainer learnt too little from unprotected pictures: "
            f"{'; '.join(weak)}."
        )
    sentences += [
        f"With {row['share']} % of the pictures protected, plain training with "
        f"{row['architecture']} reaches {_mean(row):.0%}."
        for row in sorted(rows, key=lambda row: -row["share"])
        if row not in whole and row["countermeasure"] == "none"
    ]
    missing = [one for one in tried.values() if one["missing"]]
    sentences += [f"Not tried: {one['title']}; missing {one['missing']}." for one in missing]
    return [*sentences, NEVER_TRIED]


def _verdict(judged: list[str], passed: list[str]) -> str:
    """The first sentence, from trainers told with their figures, the best first."""
    if not judged:
        return (
            "This run says nothing of the protection: from the unprotected pictures themselves the "
            "trainers learnt too little. Give more pictures or more epochs."
        )
    half = "more than half of what it learns, above chance, from unprotected pictures"
    meaning = "(clean test pictures right; in brackets, after training on unprotected ones)"
    if passed:
        return (
            f"It does not stop {len(passed)} of {len(judged)} trainers: each of these keeps {half} "
            f"{meaning}. {'; '.join(passed)}."
        )
    tried = (
        f"all {len(judged)} trainers that were" if len(judged) > 1 else "the one trainer that was"
    )
    return (
        f"It stopped {tried} tried, in that none kept {half}; the best was {judged[0]} {meaning}."
    )


def _kept(row: Row, controls: Mapping[tuple[str, str], Row], chance: float) -> float:
    """What is left of the trainer's learning, above chance."""
    return (_mean(row) - chance) / (_mean(controls[_trainer(row)]) - chance)


def _trainer(row: Row) -> tuple[str, str]:
    return row["countermeasure"], row["architecture"]


def _mean(row: Row) -> float:
    return float(row["test_accuracy"]["mean"])
