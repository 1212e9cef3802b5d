"""``photoward evaluate``: how well networks learn from protected photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from photoward.api.cli.configuration import settings_from
from photoward.api.cli.evaluation.preset import FULL, PLAIN, QUICK, with_options
from photoward.api.cli.extras import require_extra
from photoward.api.cli.option_values import parse_names, parse_percentages, split_list
from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from photoward.api.cli.evaluation.runner import DatasetOptions

PRESET = "of the preset"


def evaluate(  # noqa: PLR0913  # one parameter an option
    *,
    clean: Annotated[
        Path | None,
        typer.Option(help="Unprotected photos: class folders, or a manifest.", show_default="none"),
    ] = None,
    protected: Annotated[
        list[str] | None,
        typer.Option(
            help="The same photos, protected, as NAME=PATH; repeat it for each method.",
            show_default="none",
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(help="Other unprotected photos to test on.", show_default="part of --clean"),
    ] = None,
    originals: Annotated[
        Path | None,
        typer.Option(help="Photos whose unprotected originals leaked.", show_default="none"),
    ] = None,
    leaked: Annotated[
        list[str] | None,
        typer.Option(
            help="The photos of --originals as this tenant protected them: NAME=PATH.",
            show_default="none",
        ),
    ] = None,
    leaked_elsewhere: Annotated[
        list[str] | None,
        typer.Option(
            help="The photos of --originals as another tenant did: NAME=PATH.", show_default="none"
        ),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            help="URL of a service that protects the photos of --data.", show_default="none"
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Class folders of photos to protect first.", show_default="none"),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for cells, report.json and report.html; or FILE.json.")
    ] = Path("evaluation-out"),
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Preset for ten minutes; draws its own images if none given."),
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Preset with everything and three seeds, for a GPU.")
    ] = False,
    surrogates: Annotated[
        list[str] | None,
        typer.Option(
            help="Networks that made a protection: NAME=NETWORK,NETWORK, NAME=SET or NAME=none.",
            show_default="none",
        ),
    ] = None,
    countermeasures: Annotated[
        str | None,
        typer.Option(
            help="Names separated by commas, as none,probe,fine-tune:mobilenet-v2; or all.",
            show_default=PRESET,
        ),
    ] = None,
    architectures: Annotated[
        str | None,
        typer.Option(help="Names separated by commas, or all.", show_default=PRESET),
    ] = None,
    shares: Annotated[
        str | None,
        typer.Option(help="Protected shares in percent, as 20,60,100.", show_default=PRESET),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of seeds.", show_default=PRESET)
    ] = None,
    seed: Annotated[int, typer.Option(help="First seed; surrogates never use it.")] = 1000,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of each training.", show_default=PRESET)
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(min=16, help="Channels of the first stage.", show_default=PRESET),
    ] = None,
    size: Annotated[
        int, typer.Option(min=16, max=224, help="Side in pixels at which networks train.")
    ] = 32,
    grid: Annotated[
        int | None,
        typer.Option(
            max=512,
            help="Side in pixels of the stored images; above --size networks see random crops.",
            show_default="as --size",
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=2, help="Images per training step.", show_default=PRESET)
    ] = None,
    pictures: Annotated[
        int | None, typer.Option(min=4, help="Most images to train on.", show_default=PRESET)
    ] = None,
    holdout: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share of --clean to test on without --test.")
    ] = 0.2,
    attack_steps: Annotated[
        int | None,
        typer.Option(min=1, help="PGD steps of adversarial training.", show_default=PRESET),
    ] = None,
    pretrained_side: Annotated[
        int | None,
        typer.Option(min=32, help="Input side of pretrained networks.", show_default=PRESET),
    ] = None,
    fine_tune_epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs of fine-tuning.", show_default=PRESET),
    ] = None,
    purifier_epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs of networks that purify images.", show_default=PRESET),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="Method, with --service or --quick.", show_default="that of the settings"
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Strength, with --service or --quick.", show_default="that of the method"
        ),
    ] = None,
) -> None:
    """Train networks on unprotected and on protected photos; test all on unprotected ones.

    Without --quick and --full: plain training of one architecture with one seed. Finished cells
    stay in the folder, so that an interrupted evaluation continues.
    """
    require_extra("worker")
    from photoward.api.cli.evaluation.runner import DatasetOptions, Evaluation, LeakedPairs
    from photoward.models.evaluation.pretrained_networks import Networks
    from photoward.models.evaluation.registry import named, registry
    from photoward.models.surrogates.architectures import ARCHITECTURES

    networks = Networks.installed(settings_from().engine_surrogate_dirs)
    if quick and full:
        raise BadInput("invalid_option", "Give --quick or --full, not both.")
    chosen = with_options(
        QUICK if quick else FULL if full else PLAIN,
        countermeasures=None
        if countermeasures is None
        else named(split_list(countermeasures), registry(networks=networks)),
        architectures=parse_names(architectures, "--architectures", ARCHITECTURES),
        shares=parse_percentages(shares),
        seeds=seeds,
        epochs=epochs,
        width=width,
        batch=batch,
        pictures=pictures,
        attack_steps=attack_steps,
        pretrained_side=pretrained_side,
        fine_tune_epochs=fine_tune_epochs,
        purifier_epochs=purifier_epochs,
    )
    if size % 4 and "vit" in {*chosen.architectures, *chosen.plain_architectures}:
        raise BadInput("invalid_option", f"--size {size}: a ViT needs a multiple of 4.")
    if grid is not None and grid < size:
        raise BadInput("invalid_option", f"--grid {grid} is smaller than --size {size}.")
    sources = DatasetOptions(
        clean,
        protected or [],
        test,
        service,
        data,
        quick,
        {"method": method, "preset": preset},
        surrogates or [],
        LeakedPairs(originals, leaked or [], leaked_elsewhere or []),
    )
    _check(sources)
    Evaluation(
        chosen, sources, out, networks, size=size, grid=grid, first_seed=seed, holdout=holdout
    ).run()


def _check(sources: DatasetOptions) -> None:
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
