"""The report's tables as HTML: heat maps, shares, what changed in the pictures."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from photoward.models.evaluation.metrics.learned_share import last, learns, peak

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Report = Mapping[str, Any]
    Row = Mapping[str, Any]


def heat_maps(report: Report) -> Iterator[str]:
    """Countermeasure × protection for each architecture, with the control and what it costs."""
    yield "<h2>Countermeasures and protections</h2>"
    whole = max(row["share"] for row in report["rows"])
    protections = ["clean", *report["findings"]]
    for architecture in dict.fromkeys(row["architecture"] for row in report["rows"]):
        rows = {
            (row["countermeasure"], row["protection"]): row
            for row in report["rows"]
            if row["architecture"] == architecture and row["share"] in {0, whole}
        }
        head = "".join(f'<th scope="col">{escape(one)}</th>' for one in protections)
        lines = [
            f'<tr><th scope="row">{escape(one["title"])}{_mark(rows.get((name, "clean")), report)}'
            "</th>"
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
        "from it, in points. Figures are those after the best epoch, the small ones those at the "
        "end. Where even the control learns too little, the row says nothing.</p>"
    )


def _heat(row: Row | None) -> str:
    if row is None:
        return '<td class="none">–</td>'
    best, end, spread = peak(row), last(row), row["peak_accuracy"]["sd"]
    hue = 130 * (1 - best)  # green for nothing learnt, red for all
    more = f" ± {spread * 100:.1f}" if spread is not None else ""
    more += f", {end:.1%}" if f"{end:.1%}" != f"{best:.1%}" else ""
    small = f" <small>{more.removeprefix(', ').strip()}</small>" if more else ""
    return f'<td class="heat" style="background:hsl({hue:.0f} 55% 70%)">{best:.1%}{small}</td>'


def _mark(control: Row | None, report: Report) -> str:
    if control is None or learns(control, len(report["classes"])):
        return ""
    return " <small>(learns too little unprotected: says nothing)</small>"


def _cost(row: Row | None, plain: Row | None) -> str:
    if row is None or plain is None:
        return '<td class="none">–</td>'
    points = 100 * (peak(plain) - peak(row))
    return f"<td>{points:.1f}</td>"


def shares_table(report: Report) -> Iterator[str]:
    """Accuracy by protected share, for trainers that met several; nothing when none did."""
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


def quality_table(report: Report) -> Iterator[str]:
    """PSNR, SSIM and the largest change of each protection."""
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
