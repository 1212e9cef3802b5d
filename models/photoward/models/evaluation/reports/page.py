"""The report as one HTML file: no script, no request, light or dark as its reader likes.

Reads the report's data alone, beside a few pictures to show. Decides nothing about figures.
"""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from photoward.models.evaluation.reports.charts import curves
from photoward.models.evaluation.reports.tables import heat_maps, quality_table, shares_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch

    from photoward.models.evaluation.picture_sets import Subjects

    Report = Mapping[str, Any]
    Row = Mapping[str, Any]

SHOWN = 6
"""Pictures of each protection, one of each class at most."""

ENLARGED = 10
"""How many times a difference is enlarged."""

PANEL = 128
"""Side of a shown picture."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2126; --soft: #5c6670; --line: #d5dade; --paper: #fff;
  --field: #f5f7f8 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8eb; --soft: #9aa5af; --line: #3a424a;
  --paper: #14181c; --field: #1d2329 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem }
p.note, dd, caption, figcaption { color: var(--soft) }
section.said { background: var(--field); border-left: 4px solid #b7791f; padding: .6rem 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: .6rem 0 }
caption { text-align: left; padding-bottom: .3rem }
th, td { padding: .28rem .6rem; border: 1px solid var(--line); text-align: right;
  font-variant-numeric: tabular-nums }
thead th { vertical-align: bottom } th[scope=row] { text-align: left; font-weight: normal }
td.heat { color: #14181c } td.none { color: var(--soft) } td small { opacity: .75 }
figure { display: inline-block; margin: .4rem 1rem .8rem 0 }
figure img { display: block; image-rendering: pixelated; width: 24rem; max-width: 100% }
svg { max-width: 100%; height: auto }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif }
svg .axis { stroke: var(--line) }
code { overflow-wrap: anywhere } dt { font-weight: 600 } dd { margin: 0 0 .4rem 1rem }
"""


def render(report: Report, subjects: Subjects) -> str:
    """The whole page."""
    body = "\n".join(
        [
            "<h1>What this protection is worth</h1>",
            *_compared(report),
            *_said(report),
            *_set(report),
            *heat_maps(report),
            *shares_table(report),
            *quality_table(report),
            *_pictures(subjects),
            *_curves(report),
            *_about(report),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Photoward: evaluation of {escape(report['date'])}</title>"
        f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _compared(report: Report) -> Iterator[str]:
    data, seeds = report["data"], len(report["seeds"])
    held_out = " (held out)" if data["test"]["held_out"] else ""
    times = f"{seeds} seeds, mean ± standard deviation" if seeds > 1 else "one seed: a quick look"
    yield (
        f"<p>{len(report['classes'])} classes, {data['clean']['pictures']} pictures to train on, "
        f"{data['test']['pictures']} clean ones to test on{held_out}; {times}. Figures are the "
        "share of clean test pictures that the trained network gets right: low means protected.</p>"
    )
    if report["note"]:
        yield f"<p><strong>{escape(report['note'])}</strong></p>"


def _said(report: Report) -> Iterator[str]:
    for name, sentences in report["findings"].items():
        told = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
        yield f'<section class="said"><h2>What {escape(name)} does not stop</h2>{told}</section>'


def _set(report: Report) -> Iterator[str]:
    """The set's dimension and what follows from it; nothing where there is none."""
    found = report["data"]["clean"]["intrinsic"]
    if found["levina_bickel"] is not None:
        yield (
            "<h2>The set itself</h2><p>Intrinsic dimension "
            f"{found['levina_bickel']} (Levina-Bickel; TwoNN {found['two_nn']}), label sharpness "
            f"{found['label_sharpness']}. If a trainer's loss falls as K_F · N^(−1/d), "
            f"{found['undone_by']} unprotected pictures leave it within 10 % of what all "
            f"{found['pictures']} would. What the law says, not a measurement.</p>"
        )


def _pictures(subjects: Subjects) -> Iterator[str]:
    yield f"<h2>Clean, protected, difference × {ENLARGED}</h2>"
    labels = subjects.clean.labels.tolist()
    chosen = [labels.index(number) for number in range(len(subjects.clean.classes))][:SHOWN]
    for name, protected in subjects.protected.items():
        for i in chosen:
            picture = _triptych(subjects.clean.pictures[i], protected.pictures[i])
            text = escape(f"{name}: {subjects.clean.classes[labels[i]]}")
            yield (
                f'<figure><img src="{_data_uri(picture)}" alt="{text}: clean, protected, '
                f'difference"><figcaption>{text}</figcaption></figure>'
            )


def _triptych(clean: torch.Tensor, protected: torch.Tensor) -> Image.Image:
    steps = protected.short() - clean.short()
    panels = [clean, protected, (steps * ENLARGED + 128).clamp(0, 255).byte()]
    factor = max(1, PANEL // clean.shape[-1])
    joined = np.concatenate([panel.permute(1, 2, 0).numpy() for panel in panels], axis=1)
    return Image.fromarray(joined.repeat(factor, 0).repeat(factor, 1))


def _data_uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _curves(report: Report) -> Iterator[str]:
    """For each trainer one chart: what it learns of its own pictures, and of clean ones."""
    yield "<h2>How the trainers learnt</h2>"
    yield (
        '<p class="note">Solid: clean test pictures after each epoch (at most 1 000 of them). '
        "Dashed: the trainer's own training views. A protected set is learnt by heart (dashed "
        "high) and teaches nothing (solid low).</p>"
    )
    whole = max(row["share"] for row in report["rows"])
    charts: dict[tuple[str, str], list[Row]] = {}
    for row in report["rows"]:
        if row["share"] in {0, whole}:
            charts.setdefault((row["countermeasure"], row["architecture"]), []).append(row)
    for (countermeasure, architecture), rows in charts.items():
        title = f"{report['countermeasures'][countermeasure]['title']}, {architecture}"
        caption = f"<figcaption>{escape(title)}</figcaption>"
        yield f"<figure>{curves(_lines(rows), title)}{caption}</figure>"


def _lines(rows: Sequence[Row]) -> list[tuple[str, list[float], list[float]]]:
    return [(row["protection"], row["test_curve"], row["train_curve"]) for row in rows]


def _about(report: Report) -> Iterator[str]:
    yield "<h2>How this was made</h2><dl>"
    recipe = ", ".join(f"{key} {value}" for key, value in report["recipe"].items())
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    for term, text in (
        ("Command", report["command"]),
        ("Date", report["date"]),
        ("Recipe", recipe),
        ("Seeds", ", ".join(map(str, report["seeds"]))),
        ("Hardware", f"{report['hardware']}; {report['device']}"),
        ("Versions", versions),
    ):
        yield f"<dt>{term}</dt><dd><code>{escape(text)}</code></dd>"
    for name, one in report["data"].items():
        yield (
            f"<dt>Data: {escape(name)}</dt><dd>{one['pictures']} pictures, SHA-256 "
            f"<code>{one['sha256']}</code></dd>"
        )
    for name, one in report["countermeasures"].items():
        given = "".join(f", {key} {_plainly(value)}" for key, value in one["parameters"].items())
        text = escape(f"{one['title']}{given}. {one['source']}")
        yield f"<dt>{escape(name)}</dt><dd>{text}</dd>"
    yield "</dl>"


def _plainly(value: float | str) -> str:
    """A digest shortened, a number without needless zeros."""
    return value[:12] if isinstance(value, str) else f"{value:g}"
