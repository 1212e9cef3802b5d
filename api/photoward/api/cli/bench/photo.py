"""``photoward bench photo``: visibility of the change, what survives in the files, time."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import track

from photoward.api.cli.bench import fidelity, pair_page, photo_tables
from photoward.api.cli.bench.output import Out, console, write
from photoward.api.cli.bench.scenes import scenes
from photoward.api.cli.bench.variants import Variant, variants
from photoward.api.cli.configuration import settings_from
from photoward.api.cli.extras import require_extra
from photoward.api.cli.files.names import is_picture
from photoward.api.cli.option_values import parse_names
from photoward.core.catalogue import FORMATS, Catalogue
from photoward.core.errors import BadInput
from photoward.core.imaging.metrics.visibility import seen
from photoward.core.imaging.sniff import Limits, sniff

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from photoward.core.settings import Settings

    Row = dict[str, Any]
    Photos = Sequence[tuple[str, bytes]]
    Versions = dict[str, dict[str, bytes]]

JPEG = b"\xff\xd8"
CODEC_STEPS = ("decode", "encode", "verify")
BEFORE = "as it came"


def photo(  # noqa: PLR0913  # one parameter an option
    source: Annotated[
        Path | None, typer.Argument(help="Folder of photos.", show_default="drawn scenes")
    ] = None,
    *,
    method: Annotated[
        str | None,
        typer.Option(
            help="Methods separated by commas, or all.", show_default="that of the settings"
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Strengths separated by commas.", show_default="all")
    ] = None,
    shaping: Annotated[
        str | None, typer.Option(help="Shapings separated by commas.", show_default="all")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option("--format", help="Formats separated by commas.", show_default="all"),
    ] = None,
    protected: Annotated[
        list[str] | None,
        typer.Option(
            help="Judge existing protected files instead: NAME=FOLDER, with the photos' names.",
            show_default="none",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only visibility, of JPEGs with the default strength.")
    ] = False,
    page: Annotated[
        Path | None, typer.Option(help="HTML file with crops to compare.", show_default="none")
    ] = None,
    pairs_page: Annotated[
        Path | None,
        typer.Option(
            "--pairs", help="HTML file with whole photos and the change.", show_default="none"
        ),
    ] = None,
    out: Out = None,
) -> None:
    """Protect each photo in each strength and format; print visibility, similarity and time."""
    require_extra("worker")
    settings = settings_from()
    photos = _photos(source)
    if protected:
        rows, versions = _judged(photos, protected)
    else:
        if not quick:
            require_extra("fidelity")
        chosen = variants(method, preset, shaping, default=settings.engine_method, quick=quick)
        of = parse_names(formats or ("jpeg" if quick else "all"), "--format", FORMATS) or ()
        rows, versions = _measured(settings, photos, list(product(chosen, of)), quick=quick)
    found = photo_tables.summary(rows)
    for table in photo_tables.tables(found):
        console.print(table)
    if page is not None:
        fidelity.page(list(versions.items()), page)
    if pairs_page is not None:
        pair_page.write(list(versions.items()), rows, pairs_page)
    write(out, {"summary": found, "rows": rows})


def _photos(source: Path | None) -> list[tuple[str, bytes]]:
    if source is None:
        return scenes()
    if not source.is_dir():
        raise BadInput("invalid_option", f"{source} is not a folder.")
    found = sorted(path for path in source.iterdir() if is_picture(path.name))
    if not found:
        raise BadInput("invalid_option", f"{source} contains no photo.")
    return [(path.name, path.read_bytes()) for path in found]


def _judged(photos: Photos, protected: Sequence[str]) -> tuple[list[Row], Versions]:
    """What is seen of files that somebody has made, found by their photos' names."""
    from photoward.core.imaging.sandbox.server import load_codecs

    load_codecs()
    rows: list[Row] = []
    versions: Versions = {name: {BEFORE: data} for name, data in photos}
    for given in protected:
        strength, _, folder = given.partition("=")
        if not folder or not Path(folder).is_dir():
            raise BadInput("invalid_option", f"--protected {given}: write NAME=FOLDER.")
        files = {path.stem: path for path in Path(folder).iterdir() if is_picture(path.name)}
        for name, data in track(photos, strength, console=console):
            if Path(name).stem not in files:
                raise BadInput("invalid_option", f"--protected {given} has no {name}.")
            after = files[Path(name).stem].read_bytes()
            rows.append(_row(name, strength, data, after))
            versions[name][strength] = after
    return rows, versions


def _row(name: str, strength: str, before: bytes, after: bytes) -> Row:
    """Of whole photo and crop."""
    pair = [fidelity.opened(data) for data in (before, after)]
    if pair[0].size != pair[1].size:
        raise BadInput("invalid_option", f"{strength} has another size of {name}.")
    header = sniff(after, Limits(), complete=True)
    return {
        "photo": name,
        "strength": strength,
        "format": header.format if header else "",
        **seen(*pair).report(),
        "crop": fidelity.at_100(before, after),
    }


def _measured(
    settings: Settings, photos: Photos, ways: Sequence[tuple[Variant, str]], *, quick: bool
) -> tuple[list[Row], Versions]:
    """One row for each photo, strength and format that can hold it; and what to compare by eye."""
    from photoward.core.imaging.sandbox.server import load_codecs

    load_codecs()
    versions: Versions = {name: {BEFORE: data} for name, data in photos}
    rows: list[Row] = []
    for name, strength, output, row, after in _outcomes(settings, photos, ways):
        before = versions[name][BEFORE]
        row |= {"crop": fidelity.at_100(before, after)}
        if not quick:
            row |= {"ms_ssim": fidelity.ms_ssim(before, after)}
            if output == "jpeg" and before[:2] == JPEG:
                own = sum(row["seconds"][step] for step in CODEC_STEPS)
                row |= {"codec_ratio": own / fidelity.codec_s(before)}
        if output == "jpeg" or strength.name not in versions[name]:
            versions[name][strength.name] = after
        rows.append(row)
    return rows, versions


def _outcomes(
    settings: Settings, photos: Photos, ways: Sequence[tuple[Variant, str]]
) -> Iterator[tuple[str, Variant, str, Row, bytes]]:
    """Photo, strength, format, what its own measure says, and the file."""
    from photoward.worker.lifecycle import open_pipeline
    from photoward.worker.pipeline import Job, Refused

    catalogue = Catalogue.of(settings)
    limits = Limits(settings.imaging_max_megapixels, settings.imaging_max_side_pixels)
    pipeline, pool = open_pipeline(settings)
    with pool:
        wanted = list(product(photos, ways))
        for (name, data), (strength, output) in track(wanted, "photos", console=console):
            header = sniff(data, limits, complete=True)
            if header is None:
                continue
            size = header.width, header.height
            options_of = catalogue.options(label="bench", output_format=output, **asdict(strength))
            options, _ = catalogue.placed(options_of, *size)
            (outcome,) = pipeline.protect([Job(name, data, options, bytes(32), *size)])
            if isinstance(outcome, Refused):
                if outcome.error.code != "unsupported_output":
                    raise outcome.error
                continue
            about = {
                "photo": name,
                "megapixels": round(size[0] * size[1] / 1e6, 2),
                "strength": strength.name,
                **asdict(strength),
                "format": output,
                "bytes": len(outcome.data),
                **outcome.measured,
            }
            yield name, strength, output, about, outcome.data
    pipeline.close()
