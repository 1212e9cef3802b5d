"""What the page and the API say of each level is what was measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from docs import tables
from photoward.core.catalogue import PRESETS
from photoward.core.levels import FILE, Left, Level, levels
from tests.api.http.service import serving

if TYPE_CHECKING:
    from pathlib import Path


def test_figures_and_plot_are_those_of_the_results() -> None:
    assert json.loads(FILE.read_text()) == tables.level_figures()
    assert tables.FRONTIER.read_text() == tables.frontier()


def test_each_sentence_says_the_tables_figures() -> None:
    found = tables.result("levels")
    for level in levels():
        assert level.preset in PRESETS
        name = f"anchor, {level.preset}"
        control, left = (100 * tables.peak(found, one, found["probe"]) for one in ("clean", name))
        assert (
            f"classifies {left:.0f} of 100 new photos correctly instead of {control:.0f}"
            in level.sentence
        )
        assert ("does not stop" in level.sentence) == (left > 0.8 * control)


def test_the_api_says_the_same(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        told = service.client.get("/v1/methods").json()["levels"]
    assert {one["preset"]: one["sentence"] for one in told} == {
        one.preset: one.sentence for one in levels()
    }


def test_what_was_measured_from_scratch_is_said_too() -> None:
    probe, fresh = Left(control=90, protected=40), Left(control=60, protected=20)
    both = Level(preset="strong", visibility=1.0, probe=probe, from_scratch=fresh, photos=9)
    assert both.sentence == (
        "Hardly visible. A trainer who starts from pretrained weights and learns from such photos "
        "classifies 40 of 100 new photos correctly instead of 90. "
        "One who starts from scratch classifies 20 of 100 new photos correctly instead of 60."
    )
