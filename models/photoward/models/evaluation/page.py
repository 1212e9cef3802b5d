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

from photoward.models.evaluation.charts import curves

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch

    from photoward.models.evaluation.subjects import Subjects

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
svg { max-width: 100%; height: auto } svg text { fill: var(--soft); font: 12px system-ui, sans-serif }
svg .axis { stroke: var(--line) }
code { overflow-wrap: anywhere } dt { font-weight: 600 } dd { margin: 0 0 .4rem 1rem }
"""


def render(report: Report, subjects: Subjects) -> str:
    """The whole page."""
    seeds = len(report["seeds"])
    times = f"{seeds} seeds, mean ± standard deviation" if seeds > 1 else "one seed: a quick look"
    body = "\n".join([
        "<h1>What this protection is worth</h1>",
        f"<p>{len(report['classes'])} classes, {report['data']['clean']['pictures']} pictures to "
        f"train on, {report['data']['test']['pictures']} clean ones to test on"
        f"{' (held out)' if report['data']['test']['held_out'] else ''}; {times}. "
        "Figures are the share of clean test pictures that the trained network gets right: low "
        "means protected.</p>",
        *_said(report), *_heat_maps(report), *_shares(report), *_quality(report),
        *_pictures(subjects), *_curves(report), *_about(report),
    ])  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Photoward: evaluation of {escape(report['date'])}</title>"
        f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _said(report: Report) -> Iterator[str]:
    for name, sentences in report["findings"].items():
        told = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
        yield f'<section class="said"><h2>What {escape(name)} does not stop</h2>{told}</section>'


def _heat_maps(report: Report) -> Iterator[str]:
    """Countermeasure × protection for each architecture, with the control and what it costs."""
    yield "<h2>Countermeasures and protections</h2>"
    whole = max(row["share"] for row in report["rows"])
    protections = ["clean", *report["findings"]]
    for architecture in dict.fromkeys(row["architecture"] for row in report["rows"]):
        rows = {
            (row["countermeasure"], row["protection"]): row for row in report["rows"]
            if row["architecture"] == architecture and row["share"] in {0, whole}
        }  # fmt: skip
        head = "".join(f'<th scope="col">{escape(one)}</th>' for one in protections)
        lines = [
            f'<tr><th scope="row">{escape(one["title"])}</th>'
            + "".join(_heat(rows.get((name, protection))) for protection in protections)
            + _cost(rows.get((name, "clean")), rows.get(("none", "clean")))
            + "</tr>"
            for name, one in report["countermeasures"].items()
            if any(key == name for key, _ in rows)
        ]
        yield (
            f'<div class="wide"><table><caption>{escape(architecture)}, {whole} % of the pictures '
            f'protected</caption><thead><tr><th scope="row">trainer</th>{head}'
            f'<th scope="col">cost on clean</th></tr></thead><tbody>{"".join(lines)}'
            "</tbody></table></div>"
        )
    yield (
        '<p class="note">Red: the trainer learnt what it wanted. Green: it did not. <em>clean</em> '
        "is the control, trained on unprotected pictures; the cost is what a countermeasure takes "
        "from it, in points.</p>"
    )


def _heat(row: Row | None) -> str:
    if row is None:
        return '<td class="none">–</td>'
    mean, spread = row["test_accuracy"]["mean"], row["test_accuracy"]["sd"]
    hue = 130 * (1 - mean)  # green for nothing learnt, red for all
    more = f" <small>± {spread * 100:.1f}</small>" if spread is not None else ""
    return f'<td class="heat" style="background:hsl({hue:.0f} 55% 70%)">{mean:.1%}{more}</td>'


def _cost(row: Row | None, plain: Row | None) -> str:
    if row is None or plain is None:
        return '<td class="none">–</td>'
    points = 100 * (plain["test_accuracy"]["mean"] - row["test_accuracy"]["mean"])
    return f"<td>{points:.1f}</td>"


def _shares(report: Report) -> Iterator[str]:
    shares = sorted({row["share"] for row in report["rows"]} - {0})
    if len(shares) == 1:
        return
    yield "<h2>When only some pictures are protected</h2>"
    head = "".join(f'<th scope="col">{share} %</th>' for share in shares)
    yield (
        '<div class="wide"><table><thead><tr><th scope="row">protection, trainer</th>'
        f"{head}</tr></thead><tbody>"
    )
    kinds: dict[tuple[str, str, str], dict[int, Row]] = {}
    for row in report["rows"]:
        if row["share"]:
            key = (row["protection"], row["countermeasure"], row["architecture"])
            kinds.setdefault(key, {})[row["share"]] = row
    for (protection, countermeasure, architecture), found in kinds.items():
        if len(found) > 1:
            title = report["countermeasures"][countermeasure]["title"]
            cells = "".join(_heat(found.get(share)) for share in shares)
            name = escape(f"{protection}, {title}, {architecture}")
            yield f'<tr><th scope="row">{name}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _quality(report: Report) -> Iterator[str]:
    yield (
        "<h2>What the protection changes in the pictures</h2><table><thead><tr>"
        '<th scope="row">protection</th><th scope="col">PSNR</th><th scope="col">SSIM</th>'
        '<th scope="col">largest change</th></tr></thead><tbody>'
    )
    for name, one in report["quality"].items():
        psnr = "equal" if one["psnr_db"] is None else f"{one['psnr_db']:.1f} dB"
        yield (
            f'<tr><th scope="row">{escape(name)}</th><td>{psnr}</td><td>{one["ssim"]:.4f}</td>'
            f"<td>{one['linf']}/255</td></tr>"
        )
    size = report["recipe"]["size"]
    yield (
        f'</tbody></table><p class="note">Read back from the protected files, at the {size} × '
        f"{size} pixels that the trainers see.</p>"
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
        "Dashed: the trainer's own training views. A protected set is learnt by heart (dashed high) "
        "and teaches nothing (solid low).</p>"
    )
    whole = max(row["share"] for row in report["rows"])
    charts: dict[tuple[str, str], list[Row]] = {}
    for row in report["rows"]:
        if row["share"] in {0, whole}:
            charts.setdefault((row["countermeasure"], row["architecture"]), []).append(row)
    for (countermeasure, architecture), rows in charts.items():
        title = f"{report['countermeasures'][countermeasure]['title']}, {architecture}"
        yield f"<figure>{curves(_lines(rows), title)}<figcaption>{escape(title)}</figcaption></figure>"


def _lines(rows: Sequence[Row]) -> list[tuple[str, list[float], list[float]]]:
    return [(row["protection"], row["test_curve"], row["train_curve"]) for row in rows]


def _about(report: Report) -> Iterator[str]:
    yield "<h2>How this was made</h2><dl>"
    recipe = ", ".join(f"{key} {value}" for key, value in report["recipe"].items())
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    for term, text in (
        ("Command", report["command"]), ("Date", report["date"]), ("Recipe", recipe),
        ("Seeds", ", ".join(map(str, report["seeds"]))),
        ("Hardware", f"{report['hardware']}; {report['device']}"), ("Versions", versions),
    ):  # fmt: skip
        yield f"<dt>{term}</dt><dd><code>{escape(text)}</code></dd>"
    for name, one in report["data"].items():
        yield (
            f"<dt>Data: {escape(name)}</dt><dd>{one['pictures']} pictures, SHA-256 "
            f"<code>{one['sha256']}</code></dd>"
        )
    for name, one in report["countermeasures"].items():
        given = "".join(f", {key} {value:g}" for key, value in one["parameters"].items())
        yield f"<dt>{escape(name)}</dt><dd>{escape(one['title'] + given)}. {escape(one['source'])}</dd>"
    yield "</dl>"
