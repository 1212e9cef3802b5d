"""Writes the tables of the documents from docs/benchmarks: ``python docs/tables.py``.

A block between ``<!-- measured: NAME -->`` and ``<!-- end -->`` is the result of the function NAME;
nobody types it. ``tests/docs/test_results.py`` fails when a block is not up to date.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photoward.core.catalogue import DEFAULT_METHOD
from photoward.core.levels import FILE as LEVELS
from photoward.models.evaluation.metrics import learned_share
from photoward.models.evaluation.reports import charts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results.md"
WITH_TABLES = (README, RESULTS)
"""The documents that hold generated blocks."""

POINT = 0.01
"""Difference below which the last epoch is not shown beside the best one."""

WEAKER = ", weaker than published"
"""Of older results, in which the sharpening kernel had half of its published strength."""

BLOCK = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def result(name: str) -> dict[str, Any]:
    """One file of docs/benchmarks."""
    found: dict[str, Any] = json.loads((ROOT / "docs" / "benchmarks" / f"{name}.json").read_text())
    return found


def of_default(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    """How each measured preset of the default method looks."""
    return {n: one for n, one in found["looks"].items() if n.startswith(f"{DEFAULT_METHOD}, ")}


def summary() -> str:
    """Five rows for the README: what is visible, and what a trainer still learns."""
    presets, small, furthest = map(result, ("levels", "cifar10-unseen", "cifar10-strongest"))
    probe = presets["probe"]
    title = row_of(presets, "clean", probe)["title"]
    by_preset = [
        (
            f"`{name.replace(', ', '`, `')}`",
            f"visibility {looks['visibility']:.1f}",
            title,
            *(f"{peak(presets, of, probe):.0%}" for of in ("clean", name)),
        )
        for name, looks in of_default(presets).items()
    ]
    from_scratch = [
        (
            shown_as(name),
            f"PSNR {quality(small, name)[0]}",
            "small images, from scratch",
            *(f"{peak(small, of, 'none'):.0%}" for of in ("clean", name)),
        )
        for name in ("sem", "sem+cuda")
    ]
    adversarial = (
        shown_as("sem+cuda"),
        f"PSNR {quality(small, 'sem+cuda')[0]}",
        "the same, adversarial 8/255",
        *(f"{row_of(furthest, of, 'at-8')['test_accuracy']:.0%}" for of in ("clean", "sem+cuda")),
    )
    heads = ("protection", "change", "trainer", "learns from unprotected", "from protected")
    return table(heads, [*by_preset, *from_scratch, adversarial])


def levels() -> str:
    """What each preset of the default method shows and stops."""
    found = result("levels")
    trainers = {row["countermeasure"]: row["title"] for row in found["rows"]}
    rows = []
    for name, looks in {"clean": None, **found["looks"]}.items():
        seen = (
            ("", "", "")
            if looks is None
            else (
                f"{looks['visibility']:.1f}",
                f"{looks['flip']:.2f}",
                f"{looks['flat_delta_e']:.1f}",
            )
        )
        figures = [learnt(found, name, trainer, digits=0) for trainer in trainers]
        rows.append((shown_as(name), *seen, *figures))
    return table(("preset", "visibility", "FLIP", "flat ΔE", *trainers.values()), rows)


def level_figures() -> list[dict[str, Any]]:
    """What ``core.levels`` tells of each preset."""
    found = result("levels")
    measured = {(row["protection"], row["countermeasure"]) for row in found["rows"]}

    def left(name: str, trainer: str) -> dict[str, float] | None:
        if (name, trainer) not in measured:
            return None
        figures = {"control": "clean", "protected": name}
        return {key: round(100 * peak(found, of, trainer), 1) for key, of in figures.items()}

    return [
        {
            "preset": name.rpartition(" ")[2],
            "visibility": round(looks["visibility"], 2),
            "probe": left(name, found["probe"]),
            "from_scratch": left(name, "none"),
            "photos": found["photos"],
        }
        for name, looks in of_default(found).items()
    ]


def frontier() -> str:
    """The plot of what is seen against what is left to a trainer, as SVG."""
    found = result("levels")
    looks = sorted((one["visibility"], name) for name, one in of_default(found).items())
    lines = [
        (title, [(seen, peak(found, name, trainer)) for seen, name in [(0.0, "clean"), *looks]])
        for trainer, title in {row["countermeasure"]: row["title"] for row in found["rows"]}.items()
    ]
    return charts.frontier(lines, "What is seen against what a trainer still learns")


def protection() -> str:
    """What was trained on 10 000 unseen pictures, per method: plainly, and adversarially."""
    found = result("cifar10-unseen")
    heads = ("trained on", *(titles(found)[name] for name in ("none", "at-4")), "PSNR", "SSIM")
    rows = []
    for name in protections(found):
        figures = [learnt(found, name, trainer, digits=1) for trainer in ("none", "at-4")]
        rows.append((shown_as(name), *figures, *quality(found, name)))
    return table(heads, rows)


def matrix() -> str:
    """Every countermeasure that learns something, beside its control."""
    found = result("cifar10-matrix")
    names, trainers = protections(found), judged(found)
    worst = [max(peak(found, name, trainer) for trainer in trainers) for name in names]
    last = ("**the most that any of them learns**", *(f"**{one:.0%}**" for one in worst))
    rows = by_trainer(found, digits=0, trainers=trainers)
    return table(("trainer", *map(shown_as, names)), [*rows, last])


def strongest() -> str:
    """The trainers that get furthest, on all pictures."""
    found = result("cifar10-strongest")["rows"]
    names = ("clean", "cuda", "sem+cuda")
    curves = result("cifar10-unseen")
    figures = {
        (one["countermeasure"], one["protection"]): strongest_figure(curves, one) for one in found
    }
    titles_of = {one["countermeasure"]: one["title"] for one in found}
    rows = [
        (title, *(figures.get((kind, name), "–") for name in names))
        for kind, title in titles_of.items()
    ]
    return table(("trainer", *map(shown_as, names)), rows)


def baselines() -> str:
    """The older methods, on the matrix's pictures."""
    return with_looks(result("cifar10-baselines"), "PSNR and SSIM", digits=0)


def hosted() -> str:
    """The noise that is made through JPEGs, beside the one that is not, once a site saves again."""
    plain, found = result("cifar10-matrix"), result("cifar10-hosted")
    names = {"none": "as downloaded", "jpeg-75": "JPEG 75", "jpeg-30": "JPEG 30"}
    rows = [
        (shown_as(name), *(learnt(of, name, trainer, digits=1) for trainer in names))
        for of, name in ((plain, "clean"), (plain, "sem"), (found, "hosted"))
    ]
    return table(("trained on", *names.values()), rows)


def photos() -> str:
    """Photos as JPEG, from scratch and from ImageNet weights."""
    return with_looks(result("photos-unseen"), "PSNR and SSIM at 64 × 64", digits=1)


def words() -> str:
    """The surrogate of codewords: ten labels with ten words."""
    heads = ("trainer", "unprotected files", "ten labels, ten words")
    return table(heads, by_trainer(result("cifar10-words"), digits=1))


def thrift() -> str:
    """Surrogates that were trained with less, and what they are worth."""
    found = result("thrift")
    rows = [
        (
            one["title"],
            f"{one['training_s']:.0f} s",
            f"{one['weights_bytes'] / 1e6:.1f} MB",
            f"{one['pictures_per_s']:.0f}",
            f"{one['victim_plain']:.1%}",
            f"{one['victim_at_4']:.1%}",
        )
        for one in found["rows"]
    ]
    heads = (
        "trained with",
        "training",
        "weights",
        "pictures a second",
        "plain training",
        "adversarial training 4/255",
    )
    return table(heads, rows)


def fidelity() -> str:
    """Photos in each strength and format: how much changed, and what survives."""
    rows = [
        (
            f"`{one['strength']}`",
            one["format"],
            f"{one['psnr_db']:.1f} dB",
            f"{one['ssim']:.3f}",
            f"{one['ms_ssim']:.3f}",
            *at_100(one),
            f"{one['survival']:.2f}",
            f"{one['survival_hosted']:.2f}",
        )
        for one in result("fidelity")["summary"]
    ]
    heads = (
        "strength",
        "format",
        "PSNR",
        "SSIM",
        "MS-SSIM",
        "FLIP",
        "ΔE",
        "survival",
        "after a host",
    )
    return table(heads, rows)


def at_100(row: dict[str, Any]) -> tuple[str, str]:
    """FLIP and tint of a photo's middle; older results have them under other names."""
    crop = row.get("crop") or {"flip": row["flip"], "flat_delta_e": row["flat_delta_e_p95"]}
    return f"{crop['flip']:.2f}", f"{crop['flat_delta_e']:.1f}"


def latency() -> str:
    """A 12-megapixel JPEG through REST, by stage."""
    found = result("latency")
    stages = found["stages_median_s"]
    names = ("decode", "noise", "encode", "verify and measure", "everything else")
    shares = [f"{stages[name]:.2f} s ({stages[name] / sum(stages.values()):.0%})" for name in names]
    return table(("all", *names), [(f"{found['median_s']:.2f} s", *shares)])


def throughput() -> str:
    """Pictures a second, of the engine and of the whole service."""
    rows = []
    for name, title, digits in (("32px", "32-pixel PNG", 0), ("12MP", "12-megapixel JPEG", 2)):
        one = result("throughput")[name]
        alone, during, after = (
            f"{one[key]:.{digits}f}"
            for key in ("engine_alone_per_s", "pictures_per_s", "after_uploads_per_s")
        )
        shares = one["share_of_engine"], one["share_of_engine_after_uploads"]
        rows.append((title, alone, f"{during} ({shares[0]:.0%})", f"{after} ({shares[1]:.0%})"))
    heads = ("", "engine alone", "whole service, uploads included", "after the last upload")
    return table(heads, rows)


def ledger() -> str:
    """Items a second through ledger and broker, by the number of processes."""
    found = result("ledger")
    sqlite, postgres = found["ledgers"]["sqlite"], found["ledgers"]["postgresql"]
    rows = [
        (
            str(a["workers"]),
            *(
                f"{one[name]['per_s']:.0f}"
                for one in (a, b)
                for name in ("accepted", "asked", "done")
            ),
            *(f"{c[name]['per_s']:.0f}" for name in ("sent", "heard")),
        )
        for a, b, c in zip(sqlite, postgres, found["hints"], strict=True)
    ]
    heads = (
        "processes",
        *(
            f"{kind}: {name}"
            for kind in ("SQLite", "PostgreSQL")
            for name in ("accepted", "queried", "finished")
        ),
        "wake-ups sent",
        "received",
    )
    return table(heads, rows)


def engine() -> str:
    """Our noise loop beside the published one's work."""
    rows = [
        (
            one["loop"],
            str(one["passes"]),
            f"{one['pictures_per_s']:.2f}",
            f"{one['ours_is_faster_by']:.1f}×",
            f"{one['share_of_peak']:.0%}",
        )
        for one in result("engine")["loops"]
    ]
    heads = (
        "loop",
        "passes",
        "pictures a second",
        "ours is faster by",
        "of the matrix-multiply peak",
    )
    return table(heads, rows)


def faults() -> str:
    """What was done to the running service, and what came of it."""
    rows = [
        (one["fault"], one["aim"], one["measured"], one["settings"])
        for one in result("faults")["rows"]
    ]
    return table(("what happens", "aim", "measured", "settings"), rows)


TABLES: dict[str, Callable[[], str]] = {
    made.__name__: made
    for made in (
        summary,
        levels,
        protection,
        matrix,
        strongest,
        baselines,
        hosted,
        photos,
        words,
        thrift,
        fidelity,
        latency,
        throughput,
        ledger,
        engine,
        faults,
    )
}


def row_of(found: dict[str, Any], protection: str, trainer: str) -> dict[str, Any]:
    """A trainer's row."""
    (row,) = (
        row
        for row in found["rows"]
        if (row["protection"], row["countermeasure"]) == (protection, trainer)
    )
    return dict(row)


def accuracy(found: dict[str, Any], protection: str, trainer: str) -> float:
    """Share of the clean test pictures that a trainer's network recognises, at the end."""
    return learned_share.last(row_of(found, protection, trainer))


def peak(found: dict[str, Any], protection: str, trainer: str) -> float:
    """The same after the best epoch: a trainer with a few clean pictures stops there."""
    return learned_share.peak(row_of(found, protection, trainer))


def learnt(found: dict[str, Any], protection: str, trainer: str, *, digits: int) -> str:
    """The figure after the best epoch; in brackets after the last, where they are not near."""
    return both(peak(found, protection, trainer), accuracy(found, protection, trainer), digits)


def both(best: float, end: float, digits: int) -> str:
    """Two figures as one cell."""
    more = f" ({end:.{digits}%})" if best - end >= POINT else ""
    return f"{best:.{digits}%}{more}"


def strongest_figure(curves: dict[str, Any], row: dict[str, Any]) -> str:
    """The end alone is stored here; the curve is elsewhere where it is the same run."""
    end = row["test_accuracy"]
    for one in curves["rows"]:
        if learned_share.last(one) == end and one["countermeasure"] == row["countermeasure"]:
            return both(learned_share.peak(one), end, 1)
    return f"({end:.1%})"


def judged(found: dict[str, Any]) -> list[str]:
    """The trainers that say something: their control learns."""
    return [
        name
        for name in titles(found)
        if learned_share.learns(row_of(found, "clean", name), len(found["classes"]))
    ]


def by_trainer(
    found: dict[str, Any], *, digits: int, trainers: Sequence[str] | None = None
) -> list[tuple[str, ...]]:
    """A row for each trainer: its title, and what it learns of each protection."""
    return [
        (
            titles(found)[trainer],
            *(learnt(found, name, trainer, digits=digits) for name in protections(found)),
        )
        for trainer in trainers or titles(found)
    ]


def with_looks(found: dict[str, Any], title: str, *, digits: int) -> str:
    """Every trainer beside its control, and last how much like its original each picture looks."""
    names = protections(found)
    looks = [", ".join(filter(None, quality(found, name))) for name in names]
    rows = [*by_trainer(found, digits=digits), (title, *looks)]
    return table(("trainer", *map(shown_as, names)), rows)


def protections(found: dict[str, Any]) -> tuple[str, ...]:
    """The control, and what it is compared with."""
    return ("clean", *found["findings"])


def titles(found: dict[str, Any]) -> dict[str, str]:
    """The trainers of an evaluation, by name."""
    return {
        name: one["title"] + (WEAKER if "strength" in one["parameters"] else "")
        for name, one in found["countermeasures"].items()
    }


def shown_as(protection: str) -> str:
    """A protection as the documents call it."""
    return "unprotected files" if protection == "clean" else f"`{protection}`"


def quality(found: dict[str, Any], protection: str) -> tuple[str, str]:
    """Mean PSNR and SSIM; nothing for what is not protected."""
    if protection == "clean":
        return "", ""
    likeness = found["quality"][protection]
    return f"{likeness['psnr_db']:.1f} dB", f"{likeness['ssim']:.2f}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def rendered(text: str) -> str:
    """The text with all of its blocks made anew."""
    return BLOCK.sub(lambda block: block[1] + TABLES[block[2]]() + block[3], text)


FRONTIER = ROOT / "docs" / "frontier.svg"

if __name__ == "__main__":
    for document in WITH_TABLES:
        document.write_text(rendered(document.read_text()))
    FRONTIER.write_text(frontier())
    LEVELS.write_text(json.dumps(level_figures(), indent=1) + "\n")
