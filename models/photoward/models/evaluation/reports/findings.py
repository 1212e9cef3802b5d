"""What the figures of an evaluation say in plain sentences, the unwelcome ones first.

A trainer counts as *not stopped* when, above chance and at its best, it keeps more than half of
what the same trainer learns from the unprotected pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from photoward.models.evaluation.metrics.learned_share import (
    CLEAN,
    kept,
    learns,
    peak,
    told,
    trainers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    Row = Mapping[str, Any]
    Trainer = tuple[str, str]

KEPT = 0.5

NEVER_TRIED = (
    "Nothing here was tried against diffusion purification, nor can anything help pictures that "
    "were copied before they were protected."
)
UNKNOWN_SURROGATES = (
    "Which networks made the noise was not said (--surrogates), so some of these trainers may "
    "start from one of them, which flatters the protection."
)


def findings(report: Mapping[str, Any]) -> dict[str, list[str]]:
    """Protection → sentences.

    Args:
        report: ``rows``, ``countermeasures`` and ``classes`` of an evaluation's report.
    """
    rows = trainers(report["rows"], report["countermeasures"])
    return {
        name: _of(
            [row for row in rows if row["protection"] == name],
            {_trainer(row): row for row in rows if row["protection"] == CLEAN},
            report,
        )
        for name in dict.fromkeys(row["protection"] for row in rows)
        if name != CLEAN
    }


def _of(rows: list[Row], controls: Mapping[Trainer, Row], report: Mapping[str, Any]) -> list[str]:
    classes = len(report["classes"])

    def compared(row: Row) -> str:
        return f"{_named(row)}: {told(row)} ({peak(controls[_trainer(row)]):.0%})"

    whole = [row for row in rows if row["share"] == max(one["share"] for one in rows)]
    honest = [row for row in whole if not row.get("was_surrogate")]
    judged = [row for row in honest if learns(controls[_trainer(row)], classes)]
    judged.sort(key=peak, reverse=True)
    passed = [row for row in judged if kept(row, controls[_trainer(row)], classes) > KEPT]
    sentences = [_verdict(list(map(compared, judged)), list(map(compared, passed)))]
    sentences += _set_aside(judged, honest, whole)
    sentences += [
        f"With {row['share']} % of the pictures protected, {_named(row)} reaches {told(row)}."
        for row in sorted(rows, key=lambda row: -row["share"])
        if row not in whole and row["countermeasure"] == "none"
    ]
    tried = report["countermeasures"]
    missing = [one for one in tried.values() if one["missing"]]
    sentences += [f"Not tried: {one['title']}; missing {one['missing']}." for one in missing]
    return [*sentences, NEVER_TRIED]


def _set_aside(judged: list[Row], honest: list[Row], whole: list[Row]) -> list[str]:
    """Which rows say nothing, and why."""
    found = []
    weak = [_named(row) for row in honest if row not in judged]
    if judged and weak:
        found.append(
            "No judgement where the trainer learnt too little from unprotected pictures: "
            f"{'; '.join(weak)}."
        )
    known = [_named(row) for row in whole if row not in honest]
    if known:
        found.append(
            "No judgement where the trainer started from a network that helped to make the noise: "
            f"{'; '.join(known)}."
        )
    if any(row.get("network") and row.get("was_surrogate") is None for row in whole):
        found.append(UNKNOWN_SURROGATES)
    return found


def _verdict(judged: list[str], passed: list[str]) -> str:
    """The first sentence, from trainers told with their figures, the best first."""
    if not judged:
        return (
            "This run says nothing of the protection: from the unprotected pictures themselves the "
            "trainers learnt too little. Give more pictures or more epochs."
        )
    half = "more than half of what it learns, above chance, from unprotected pictures"
    meaning = (
        "(clean test pictures right after the best epoch; in brackets, after training on "
        "unprotected ones)"
    )
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


def _trainer(row: Row) -> Trainer:
    return row["trainer"], row["architecture"]


def _named(row: Row) -> str:
    return f"{row['title']} with {row['architecture']}"
