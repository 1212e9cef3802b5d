"""``photoward evaluate``: what the protection of some files does to somebody's training run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from photoward.api.cli.configuration import settings_from
from photoward.api.cli.evaluation.preset import (
    FULL,
    PLAIN,
    QUICK,
    chosen,
    listed,
    percentages,
    words,
)
from photoward.api.cli.extras import require_extra
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from photoward.api.cli.evaluation.runner import Sources


def evaluate(  # noqa: PLR0913  # one option each
    *,
    clean: Annotated[
        Path | None, typer.Option(help="Unprotected pictures: class folders or a manifest.")
    ] = None,
    protected: Annotated[
        list[str] | None,
        typer.Option(help="The same pictures, protected; NAME=PATH, once for each method."),
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Other, clean pictures; default: some of --clean.")
    ] = None,
    originals: Annotated[
        Path | None, typer.Option(help="Pictures that leaked before they were protected.")
    ] = None,
    leaked: Annotated[
        list[str] | None, typer.Option(help="The same, as this tenant protected them: NAME=PATH.")
    ] = None,
    leaked_elsewhere: Annotated[
        list[str] | None, typer.Option(help="The same, as another tenant did: NAME=PATH.")
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="Protect --data through the service at this address.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Class folders to protect first.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for cells, report.json and report.html; or FILE.json.")
    ] = Path("evaluation-out"),
    quick: Annotated[
        bool, typer.Option("--quick", help="A look of ten minutes; has its own pictures.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Everything, three seeds: for a GPU.")
    ] = False,
    surrogates: Annotated[
        list[str] | None,
        typer.Option(help="What made a protection: NAME=NETWORK,NETWORK or NAME=SET; or 'none'."),
    ] = None,
    countermeasures: Annotated[
        str | None,
        typer.Option(help="Names with commas, as in none,probe,fine-tune:mobilenet-v2; or all."),
    ] = None,
    architectures: Annotated[str | None, typer.Option(help="Names with commas, or all.")] = None,
    shares: Annotated[str | None, typer.Option(help="Protected shares in %, as 20,60,100.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="How many.")] = None,
    seed: Annotated[int, typer.Option(help="The first; never a surrogate's.")] = 1000,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    width: Annotated[
        int | None, typer.Option(min=16, help="Channels of the victim's first stage.")
    ] = None,
    size: Annotated[int, typer.Option(min=16, max=224, help="Side that victims train at.")] = 32,
    grid: Annotated[
        int | None,
        typer.Option(max=512, help="Side of the stored pictures; above --size: random crops."),
    ] = None,
    batch: Annotated[int | None, typer.Option(min=2)] = None,
    pictures: Annotated[
        int | None, typer.Option(min=4, help="Train on no more than these.")
    ] = None,
    holdout: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share of --clean to test on without --test.")
    ] = 0.2,
    attack_steps: Annotated[
        int | None, typer.Option(min=1, help="PGD steps of adversarial training.")
    ] = None,
    pretrained_side: Annotated[
        int | None, typer.Option(min=32, help="Pixels that a pretrained network is shown.")
    ] = None,
    fine_tune_epochs: Annotated[
        int | None, typer.Option(min=1, help="Of trainers who start from pretrained weights.")
    ] = None,
    purifier_epochs: Annotated[
        int | None, typer.Option(min=1, help="Of networks that are trained to clean pictures.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="With --service or --quick.")] = None,
    preset: Annotated[str | None, typer.Option(help="With --service or --quick.")] = None,
) -> None:  # fmt: skip
    """Train victims on clean and on protected files; test all of them on clean pictures.

    Without --quick and --full: plain training of one architecture with one seed. What is finished
    is kept in the folder, so an interrupted evaluation goes on where it stood.
    """
    require_extra("worker")
    from photoward.api.cli.evaluation.runner import Leaked, Sources, Study  # noqa: PLC0415  # heavy
    from photoward.models.evaluation.pretrained_networks import Networks  # noqa: PLC0415  # heavy
    from photoward.models.evaluation.registry import named, registry  # noqa: PLC0415  # heavy
    from photoward.models.surrogates.architectures import ARCHITECTURES  # noqa: PLC0415  # heavy

    networks = Networks.installed(settings_from().engine_surrogate_dirs)
    if quick and full:
        raise BadInput("invalid_option", "Give --quick or --full, not both.")
    effort = chosen(
        QUICK if quick else FULL if full else PLAIN,
        countermeasures=None if countermeasures is None else named(
            listed(countermeasures), registry(networks=networks)
        ),
        architectures=words(architectures, "--architectures", ARCHITECTURES),
        shares=percentages(shares), seeds=seeds, epochs=epochs, width=width, batch=batch,
        pictures=pictures, attack_steps=attack_steps, pretrained_side=pretrained_side,
        fine_tune_epochs=fine_tune_epochs, purifier_epochs=purifier_epochs,
    )  # fmt: skip
    if size % 4 and "vit" in {*effort.architectures, *effort.plain_architectures}:
        raise BadInput("invalid_option", f"--size {size}: a ViT needs a multiple of 4.")
    if grid is not None and grid < size:
        raise BadInput("invalid_option", f"--grid {grid} is smaller than --size {size}.")
    sources = Sources(
        clean, protected or [], test, service, data, quick, {"method": method, "preset": preset},
        surrogates or [], Leaked(originals, leaked or [], leaked_elsewhere or []),
    )  # fmt: skip
    _check(sources)
    Study(
        effort, sources, out, networks, size=size, grid=grid, first_seed=seed, holdout=holdout
    ).run()


def _check(sources: Sources) -> None:
    """Refuse before anything is written."""
    if sources.service or sources.data:
        if not (sources.service and sources.data) or sources.clean or sources.protected:
            raise BadInput(
                "invalid_option",
                "--service and --data belong together, without --clean and --protected.",
            )
    elif bool(sources.clean) != bool(sources.protected):
        raise BadInput("invalid_option", "--clean and --protected belong together.")
    elif not sources.clean and not sources.quick:
        raise BadInput(
            "invalid_option",
            "Give --clean and --protected, or --service and --data; or --quick for a look at "
            "pictures of our own.",
        )
    if bool(sources.leaked.originals) != bool(sources.leaked.same or sources.leaked.other):
        raise BadInput(
            "invalid_option", "--originals needs --leaked or --leaked-elsewhere, and they need it."
        )
    if sources.clean and any(sources.options.values()):
        raise BadInput(
            "invalid_option", "--method and --preset are for pictures that are protected here."
        )
    if sources.test and not (sources.clean or sources.data):
        raise BadInput("invalid_option", "--test needs --clean or --data.")
