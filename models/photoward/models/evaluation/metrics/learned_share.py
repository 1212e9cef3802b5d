"""How far trainers get, from an evaluation's rows: at their best, over secrets, above chance.

A trainer with a few clean pictures stops where it is best, so the *peak* of a run counts. It tries
several learning rates, so the best row of a *family* counts. And who protects does not choose a
lucky secret, so of a method that was tried with several (``sem@1``, ``sem@2``) the worst counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Row = Mapping[str, Any]

CLEAN = "clean"
"""The protection of the control."""

SECRET = "@"  # noqa: S105  # no password: what stands between a method and its secret's name
"""Between a protection's name and its secret's, where several are compared."""

WEAKEST_CONTROL = 0.1
"""Accuracy above chance that a control needs, for anything to be said beside it."""


def method_of(protection: str) -> str:
    """``sem`` of ``sem@2``."""
    return protection.partition(SECRET)[0]


def peak(row: Row) -> float:
    """The most after any epoch, mean over seeds; results from before it was kept have a curve."""
    last = row["test_accuracy"]["mean"]
    kept = row.get("peak_accuracy")
    return float(kept["mean"] if kept else max([*row.get("test_curve", []), last]))


def last(row: Row) -> float:
    """At the end of the run, mean over seeds."""
    return float(row["test_accuracy"]["mean"])


def told(row: Row, digits: int = 0) -> str:
    """Peak, and the end where that is another figure."""
    best, end = (f"{one(row):.{digits}%}" for one in (peak, last))
    return best if best == end else f"{best}, {end} at the end"


def trainers(rows: Iterable[Row], countermeasures: Mapping[str, Row]) -> list[dict[str, Any]]:
    """One row for each trainer: of a family the member that is best at its peak.

    Each has ``trainer`` and ``title`` besides; a family's ``test_accuracy`` is its best end.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        family = countermeasures[row["countermeasure"]].get("family") or row["countermeasure"]
        key = (row["protection"], family, row["architecture"], row["share"])
        groups.setdefault(key, []).append(row)
    return [
        {
            **_best(group),
            "trainer": key[1],
            "title": _title(key[1], group, countermeasures),
        }
        for key, group in groups.items()
    ]


def with_worst(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows, and for each method with several secrets one of what its worst secret leaves."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if SECRET in row["protection"]:
            key = (
                method_of(row["protection"]),
                row["countermeasure"],
                row["architecture"],
                row["share"],
            )
            groups.setdefault(key, []).append(row)
    return [dict(row) for row in rows] + [
        {**_best(group), "protection": f"{key[0]}, worst of {len(group)} secrets"}
        for key, group in groups.items()
        if len(group) > 1
    ]


def _best(group: Sequence[Row]) -> dict[str, Any]:
    """The row with the highest peak, and the highest end of all."""
    best, ends = max(group, key=peak), max(group, key=last)
    return {**best, "test_accuracy": ends["test_accuracy"]}


def learns(control: Row, classes: int) -> bool:
    """Whether a trainer learns enough from unprotected pictures for a row to say something."""
    return peak(control) - 1 / classes >= WEAKEST_CONTROL


def kept(row: Row, control: Row, classes: int) -> float:
    """What is left of the trainer's learning, above chance, both at their peaks."""
    chance = 1 / classes
    return (peak(row) - chance) / (peak(control) - chance)


def _title(trainer: str, group: Sequence[Row], countermeasures: Mapping[str, Row]) -> str:
    if len(group) == 1:
        title: str = countermeasures[group[0]["countermeasure"]]["title"]
        return title
    return f"{trainer.partition(':')[0]} (the best of {len(group)})"
