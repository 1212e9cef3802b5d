"""``photoward images``: what a service has of one's photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from photoward.api.cli import console
from photoward.api.cli.client import Refusal
from photoward.api.cli.options import AsJson, ServiceUrl
from photoward.api.cli.service_calls import connected, follow, path_of, refused, save
from photoward.core.errors import NotFound, PhotowardError
from photoward.core.jobs import FINAL_IMAGE_STATES, ImageState

app = typer.Typer(no_args_is_help=True)

ImageId = Annotated[str, typer.Argument(help="Id of the image, as `images list` prints it.")]
ImageIds = Annotated[list[str], typer.Argument(help="Ids of images.")]
SUCCEEDED = ImageState.SUCCEEDED.value


@app.command("list")
def list_images(  # noqa: PLR0913  # one parameter an option
    *,
    state: Annotated[
        ImageState | None, typer.Option(help="Only images in this state.", show_default="all")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Only images with this reference.", show_default="all")
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(help="Only images of this batch, oldest first.", show_default="all"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most images.")] = 20,
    as_json: AsJson = False,
    url: ServiceUrl = None,
) -> None:
    """List images, newest first."""
    path = "/v1/images" if batch is None else f"{path_of('batches', batch)}/images"
    query = {"state": state and state.value, "reference": reference if batch is None else None}
    with connected(url) as client:
        found = client.items(path, limit, **query)
        if as_json:
            for image in found:
                console.print_json(image)
            return
        rows = [_row(image) for image in found]
    console.print_table(("id", "state", "file", "created (UTC)", "kept until"), rows)


@app.command()
def get(  # noqa: PLR0913  # one parameter an option
    image_id: ImageId,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write the protected photo to.", show_default="none: print the state"
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Longest side of one of its sizes, with --out.", show_default="the largest"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: AsJson = False,
    url: ServiceUrl = None,
) -> None:
    """Print how an image stands, or download its protected photo.

    Exit code 1: the service does not answer; 2: there is no such image, or it has not succeeded.
    """
    path = path_of("images", image_id)
    with connected(url) as client:
        if out is not None:
            chosen = "" if size is None else f"?size={size}"
            save(client, f"{path}/content{chosen}", out, replace=force)
            console.print_line(f"Written: {out}.")
            return
        image = client.get(path)
    if as_json:
        console.print_json(image)
    else:
        console.print_table((), _facts(image))


@app.command()
def delete(
    image_ids: ImageIds,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    url: ServiceUrl = None,
) -> None:
    """Delete images with their originals and protected photos, for good; cancel unfinished ones.

    Exit code 1: one of them could not be deleted.
    """
    if not yes:
        what = f"{len(image_ids)} images" if len(image_ids) > 1 else f"image {image_ids[0]}"
        typer.confirm(f"Delete {console.printable(what)} for good?", abort=True)
    missed = 0
    with connected(url) as client:
        for image_id in image_ids:
            try:
                path_of("images", image_id)
                client.delete(image_id)
            except NotFound as error:
                console.print_refusal(image_id, error)
                missed += 1
            except Refusal as refusal:
                console.print_refusal(image_id, refused(refusal))
                missed += 1
    if missed:
        raise typer.Exit(1)


@app.command()
def watch(image_ids: ImageIds, *, as_json: AsJson = False, url: ServiceUrl = None) -> None:
    """Wait until images have ended, and show their progress. --json prints each change.

    Exit code 1: one of them did not succeed.
    """
    paths = {one: path_of("images", one) for one in image_ids}
    seen: dict[str, dict[str, Any]] = {}
    with connected(url) as client, console.stages() as display:
        tasks = {one: display.add_task(one, total=1.0, state="") for one in paths}

        def show(image_id: str, image: dict[str, Any]) -> bool:
            if as_json and image != seen.get(image_id):
                console.print_json(image)
            seen[image_id] = image
            progress = image["progress"]["fraction"]
            display.update(tasks[image_id], completed=progress, state=_standing(image))
            return image["state"] in FINAL_IMAGE_STATES

        ended = follow(client, paths, show)
    if not as_json:
        console.print_table(("id", "state", "file", "result"), map(_result, ended.items()))
    if any(isinstance(one, PhotowardError) or one["state"] != SUCCEEDED for one in ended.values()):
        raise typer.Exit(1)


def _row(image: dict[str, Any]) -> tuple[object, ...]:
    created, until = console.moment(image["created_at"]), console.moment(image["expires_at"])
    return image["id"], _standing(image), image["source"]["filename"], created, until


def _standing(image: dict[str, Any]) -> str:
    progress = image["progress"]
    if image["state"] == ImageState.PROCESSING and progress["stage"]:
        return f"processing: {progress['stage']}"
    before = progress["position"]
    return f"queued, {before} before it" if before else str(image["state"])


def _facts(image: dict[str, Any]) -> list[tuple[str, object]]:
    """What an image is, for people; empty facts are left out."""
    source, output, options = image["source"], image["output"] or {}, image["options"]
    facts = {
        "id": image["id"],
        "state": _standing(image),
        "problem": _problem(image),
        "file": source["filename"],
        "original": f"{source['width']} × {source['height']}, {source['media_type']}",
        "protected": output and f"{output['size']} bytes, {output['media_type']}",
        "sizes": ", ".join(str(max(one["width"], one["height"])) for one in image["renditions"]),
        "method": options["method"],
        "strength": options["preset"] or options["epsilon"],
        "measured": _figures(image),
        "label": image["label_used"],
        "reference": image["reference"],
        "batch": image["batch"],
        "created (UTC)": console.moment(image["created_at"]),
        "kept until": console.moment(image["expires_at"]),
    }
    return [(name, fact) for name, fact in facts.items() if fact]


def _result(ended: tuple[str, dict[str, Any] | PhotowardError]) -> tuple[object, ...]:
    image_id, found = ended
    if isinstance(found, PhotowardError):
        return image_id, "–", None, found.detail
    return (
        image_id,
        found["state"],
        found["source"]["filename"],
        _problem(found) or _figures(found) or None,
    )


def _problem(image: dict[str, Any]) -> str:
    error = image["error"]
    return f"{error.get('detail') or error['title']} ({error['code']})" if error else ""


def _figures(image: dict[str, Any]) -> str:
    measured = image["measured"]
    named = {"visibility": "visibility", "psnr_db": "PSNR in dB"}
    known = {text: measured.get(name) for name, text in named.items()}
    return ", ".join(f"{text} {value:.3g}" for text, value in known.items() if value is not None)
