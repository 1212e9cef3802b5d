"""What the report says, and how its page is written."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest
import torch

from photoward.models.evaluation.metrics.fidelity import likeness
from photoward.models.evaluation.picture_sets import Subjects
from photoward.models.evaluation.picture_sets import assemble as compared
from photoward.models.evaluation.registry import registry
from photoward.models.evaluation.reports.findings import NEVER_TRIED, findings
from photoward.models.evaluation.reports.page import render
from photoward.models.evaluation.reports.report import assemble, summarise
from photoward.models.evaluation.trainer_run import VictimRecipe
from tests.models.evaluation.pictures import pictures

Figures = dict[tuple[str, str, int], float]
"""Protection, countermeasure, share → test accuracy."""

SEEN: Figures = {
    ("clean", "none", 0): 0.9,
    ("clean", "at-4", 0): 0.8,
    ("clean", "cutmix", 0): 0.55,
    ("p<1>", "none", 100): 0.55,
    ("p<1>", "at-4", 100): 0.78,
    ("p<1>", "cutmix", 100): 0.5,
    ("p<1>", "none", 80): 0.85,
}


def cells(figures: Figures, seeds: tuple[int, ...] = (1, 2)) -> list[dict[str, Any]]:
    return [
        {
            "cell": {
                "protection": protection,
                "countermeasure": countermeasure,
                "architecture": "vgg",
                "share": share,
                "seed": seed,
            },
            "test_accuracy": value + 0.01 * (seed - 1),
            "train_accuracy": 0.99,
            "seconds": 2.0,
            "train_curve": [0.6, 0.99],
            "test_curve": [0.5, value],
        }
        for (protection, countermeasure, share), value in figures.items()
        for seed in seeds
    ]


def subjects() -> Subjects:
    return compared(pictures(), {"p<1>": pictures(seed=1)}, None, holdout=0.3)


def report(figures: Figures = SEEN) -> dict[str, Any]:
    tried = {name: registry()[name] for name in ("none", "at-4", "cutmix")}
    return assemble(
        command="photoward evaluate",
        cells=cells(figures),
        subjects=subjects(),
        recipe=VictimRecipe(size=16),
        countermeasures=tried,
        device=torch.device("cpu"),
    )


def test_seeds_make_a_mean_and_a_spread() -> None:
    row = next(r for r in summarise(cells(SEEN)) if r["countermeasure"] == "at-4")
    assert row["test_accuracy"] == {"mean": 0.805, "sd": 0.0071}
    assert row["seeds"] == 2
    assert summarise(cells(SEEN, (1,)))[0]["test_accuracy"]["sd"] is None


def test_what_is_not_stopped_is_said_with_its_figures() -> None:
    told = report()["findings"]["p<1>"]
    assert "does not stop 1 of 2" in told[0]
    assert re.search(r"adversarial training 4/255 with vgg: 7[89]% \(8[01]%\)", told[0])
    assert "plain" not in told[0]
    assert "No judgement" in told[1]
    assert "CutMix" in told[1]
    assert told[2].startswith(
        "With 80 % of the pictures protected, plain training with vgg reaches 8"
    )
    assert told[-1] == NEVER_TRIED


def test_a_protection_that_holds_names_the_best_trainer() -> None:
    held = SEEN | {("p<1>", "at-4", 100): 0.6}
    told = report(held)["findings"]["p<1>"][0]
    assert "stopped all 2" in told
    assert "adversarial training 4/255 with vgg: 60% (80%)" in told


def test_a_control_that_learnt_nothing_is_no_success() -> None:
    nothing = dict.fromkeys(SEEN, 0.5)
    (told, *_) = report(nothing)["findings"]["p<1>"]
    assert "says nothing of the protection" in told


def test_what_was_missing_is_said() -> None:
    found = report()
    found["countermeasures"]["cutmix"]["missing"] = "a package: install it"
    assert "Not tried: CutMix; missing a package: install it." in findings(found)["p<1>"]


def test_the_headline_is_plain_training() -> None:
    found = report()
    assert found["control"]["test_accuracy"] == 0.905
    assert found["protected"]["test_accuracy"] == 0.555
    assert found["data"]["test"]["held_out"]


def test_likeness_of_sets() -> None:
    clean = pictures(side=32).pictures.clamp(10, 240)
    assert likeness(clean, clean) == {"psnr_db": None, "ssim": 1.0, "linf": 0}
    found = likeness(clean, clean + 4)
    assert found["psnr_db"] == pytest.approx(20 * math.log10(255 / 4), abs=0.01)
    assert found["linf"] == 4
    assert found["ssim"] is not None
    assert 0.99 < found["ssim"] < 1


class Reader(HTMLParser):
    """Collects tags that are left open and addresses that would be asked for."""

    VOID = frozenset({"meta", "img", "line", "rect", "polyline", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [str(value) for name, value in attrs if name in {"src", "href"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_for_nothing() -> None:
    text = render(report(), subjects())
    page = Reader()
    page.feed(text)
    assert page.open == []
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert page.sources
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert "url(" not in text
    assert "@import" not in text
    assert page.tags.count("img") == 2
    assert page.tags.count("svg") == 3


def test_the_page_shows_figures_costs_and_findings() -> None:
    found = report()
    text = render(found, subjects())
    assert "p<1>" not in text
    assert "p&lt;1&gt;" in text
    heat = re.findall(r'hsl\((\d+) 55% 70%\)">([\d.]+)%', text)
    assert {float(share) for _, share in heat} >= {90.5, 80.5, 55.5, 78.5, 85.5}
    assert sorted(heat, key=lambda one: int(one[0])) == sorted(heat, key=lambda one: -float(one[1]))
    assert "<td>10.0</td>" in text  # what adversarial training costs on clean pictures
    for sentence in found["findings"]["p<1>"]:
        assert sentence.replace("'", "&#x27;") in text
