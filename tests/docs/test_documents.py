"""The documents stay short where they must, and their links lead somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from docs.tables import README, ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

MOST_WORDS = 1200


def anchors(document: Path) -> set[str]:
    """As GitHub makes them of headings."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(document.read_text())
    }


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len(README.read_text().split()) <= MOST_WORDS


def test_the_readme_says_in_its_first_third_what_it_does_not_do() -> None:
    text = README.read_text()
    assert text.index("![") < text.index("## What it does not do") < len(text) / 3


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for place, anchor in LINK.findall(document.read_text()):
        target = (document.parent / place).resolve() if place else document
        assert target.exists(), place
        assert not anchor or anchor in anchors(target), f"{place}#{anchor}"


NAME = re.compile(r"`([a-z]+(?:_[a-z0-9]+)+)(?:\{[^`]*\})?`")


def test_the_log_events_metrics_and_codes_of_the_runbook_exist() -> None:
    sources = [*ROOT.glob("*/photoward/**/*.py"), *(ROOT / "docker").rglob("*.*")]
    code = "".join(path.read_text() for path in sources if path.suffix in {".py", ".yml", ".sh"})
    named = set(NAME.findall((ROOT / "docs" / "runbook.md").read_text())) - {"max_connections"}
    assert {name for name in named if name.removesuffix("_total") not in code} == set()
