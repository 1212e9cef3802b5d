"""What the fault tests measured: printed at the end of the run, and kept as JSON when asked to.

``PHOTOWARD_FAULTS_OUT`` names the file; rows that are in it already and were not run again stay.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.support.scale import FULL

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One row of the table."""

    fault: str
    aim: str
    measured: str
    settings: str


FOUND: list[Finding] = []


def note(fault: str, aim: str, measured: str, settings: str = "default") -> None:
    """Keep a row; call it before the aim is asserted, so that a failure shows its figure."""
    FOUND.append(Finding(fault, aim, measured, settings))


def lines() -> list[str]:
    """The table, for people."""
    rows = [("fault", "aim", "measured", "settings")]
    rows += [(one.fault, one.aim, one.measured, one.settings) for one in FOUND]
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    return [
        "  ".join([*(row[at].ljust(widths[at]) for at in range(3)), row[3]]).rstrip()
        for row in rows
    ]


def write(out: Path) -> None:
    """Put the rows into a file beside those of earlier runs."""
    from photoward.models.evaluation.reports import report  # noqa: PLC0415  # heavy

    old: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {"rows": []}
    rows = {row["fault"]: row for row in old["rows"]}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    for one in FOUND:
        rows[one.fault] = {**asdict(one), "full": FULL, "date": date}
    report.write({**report.about("make chaos"), "rows": list(rows.values())}, out)
