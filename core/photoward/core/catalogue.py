"""What may be asked for: methods, presets, formats, surrogates; and the check of every request.

Surrogates are known here by their *cards* (JSON beside the weights), so that a process without
tensors can list them and refuse what no worker could do.
"""

from __future__ import annotations

import importlib.resources
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from photoward.core.errors import BadInput, Unavailable
from photoward.core.jobs import Options
from photoward.core.networks import NETWORK, SET, read_networks, read_sets
from photoward.core.renditions import FITS, RenditionRequest, of_side
from photoward.core.rights import CHOICES
from photoward.core.rights import DEFAULT as DATA_MINING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from photoward.core.networks import NetworkCard, SetCard
    from photoward.core.settings import Settings

HOSTED = "hosted"
"""As strong, and made through JPEGs of many qualities, for files that a host will save again."""


@dataclass(frozen=True)
class Strength:
    """How strong noise may be and what of it may be seen; ``models.perceptual_budget`` holds it."""

    epsilon: float
    """Largest change of a sample anywhere, 1/255."""
    flat: float
    """The same where a picture is flat, where noise is seen first."""
    rms: float
    """Root mean square of the change over a picture, 1/255."""
    luma: float
    """Cycles along the longer side below which brightness does not change."""
    chroma: float | None
    """The same for colour; None: colour does not change at all."""


PRESETS: dict[str, Strength] = {
    "subtle": Strength(epsilon=4, flat=1, rms=1.0, luma=20, chroma=28),
    "standard": Strength(epsilon=12, flat=1.5, rms=1.5, luma=16, chroma=28),
    "strong": Strength(epsilon=16, flat=2.7, rms=2.8, luma=4, chroma=8),
    "maximum": Strength(epsilon=8, flat=8, rms=8, luma=0, chroma=0),
    HOSTED: Strength(epsilon=16, flat=2.7, rms=2.8, luma=4, chroma=8),
}
"""Preset → strength. With ``shaping=even`` ε alone counts."""

DEFAULT_PRESET = "standard"
"""One that a photographer would publish; who wants more protection asks for it."""

MAX_EPSILON = 16.0
MAX_DIGITS = 6
MAX_LABEL = 256
MAX_WORDS = 1024
"""Characters of what is stated about rights."""

DEFAULT_METHOD = "anchor"
TARGETS = ("prototype", "logits")
LEAST_SIDE, MOST_RENDITIONS = 16, 16
"""Pixels to which a picture may be asked to shrink, and in how many files it may leave."""
MAX_SIDE = 16_384
LEAST_QUALITY = 40
"""Below, hardly any noise survives the encoder."""
SAME = "same"
"""The quality of a JPEG that is written with the input's own quantisation and subsampling."""

EXIF_GROUPS = ("date", "camera", "position")
"""What may be kept of EXIF beside copyright and artist."""

REFUSE, PASS = ALREADY_PROTECTED = ("refuse", "pass")
"""What may become of a file that is protected already; the first is the default."""

SHAPINGS = ("perceptual", "even")
"""How a budget is spread over a picture; the first is the default."""
PHOTO_GRID, DETAIL = 224, 2
"""Side of the working grid of pictures that are not of a surrogate's own size, and how much finer
the grid is that tells where noise hides."""
FORMATS: dict[str, str] = {
    "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "avif": "image/avif"
}  # fmt: skip
"""Output format → media type."""

SHIPPED = "photoward.models.surrogates.weights"
"""Package whose folder holds the shipped weights and cards (data: nothing of it is run)."""


@dataclass(frozen=True)
class Method:
    """One way to protect, as ``GET /v1/methods`` tells it."""

    name: str
    title: str
    description: str
    targets: tuple[str, ...]
    source: str
    bounded: bool = True
    """Whether ε is an L∞ bound on the change."""
    presets: tuple[str, ...] = tuple(name for name in PRESETS if name != HOSTED)
    """Which may be chosen; with none of them, ε may not be chosen either."""
    adversarial: bool = False
    """Whether, as measured, it also stops adversarial trainers within 4/255, for any label; else
    plain ones."""
    baseline: bool = False
    """Whether it is here to be compared with, not to be recommended."""
    networks: bool = False
    """Whether it works against a set of pretrained networks."""
    small: str | None = None
    """The method that takes its place for pictures of a surrogate's own size, where it has none of
    the pixels that it needs."""
    grid: int = PHOTO_GRID


METHODS: dict[str, Method] = {
    "anchor": Method(
        name="anchor",
        title="Targeted noise against pretrained networks",
        description=(
            "Noise within ±ε that makes all pictures of a label look like one other class to a set "
            "of pretrained networks, so that a trainer who starts from such weights learns the "
            "wrong thing."
        ),
        targets=("anchor",),
        presets=tuple(PRESETS),
        networks=True,
        small="sem",
        source=(
            "Xiao, Zheng: One Man's Trash Is Another Man's Treasure. CVPR 2020, arXiv 1911.10891; "
            "used here as protection"
        ),
    ),
    "sem+anchor": Method(
        name="sem+anchor",
        title="Stable error-minimising noise and targeted noise in one",
        description=(
            "The noise of sem, which a network trained from scratch learns in place of the "
            "picture, and that of anchor, which pretrained networks take for something else, in "
            "one budget. Adversarial trainers are not stopped by it: sem+cuda is for those."
        ),
        targets=TARGETS,
        presets=tuple(PRESETS),
        networks=True,
        small="sem",
        source="See sem and anchor",
    ),
    "sem": Method(
        name="sem",
        title="Stable error-minimising noise",
        description=(
            "Noise within ±ε that makes the picture's label easy for a robust surrogate network "
            "under random views and perturbations, so that a network trained on it learns the "
            "noise instead of the picture. Adversarial trainers are not stopped by it, whatever "
            "the label: sem+cuda is for those."
        ),
        targets=TARGETS,
        presets=tuple(PRESETS),
        source="Liu, Xu, Chen, Sun: Stable Unlearnable Example. AAAI 2024, arXiv 2311.13091",
    ),
    "cuda": Method(
        name="cuda",
        title="Class-wise convolutions",
        description=(
            "A secret filter of each colour that all pictures of a label share; no surrogate "
            "network is asked. Adversarial trainers within 4/255 learn about half of what they "
            "would, within 8/255 most of it. The change is visible, as coloured fringes and less "
            "contrast, and has no bound but 127/255: PSNR and SSIM tell of it. Of a larger photo "
            "only the coarse part of the filter reaches the file."
        ),
        targets=("filter",),
        bounded=False,
        grid=128,
        presets=(),
        source="Sadasivan, Soltanolkotabi, Feizi: CUDA. CVPR 2023, arXiv 2303.04278",
    ),
    "sem+cuda": Method(
        name="sem+cuda",
        title="Class-wise convolutions, then stable error-minimising noise",
        description=(
            "Filters as those of cuda, but wider, then the noise of sem within ±ε of the filtered "
            "picture. As a whole the change is bounded as little as that of cuda, and seen more; "
            "the best trainer learns less of it than of either."
        ),
        targets=TARGETS,
        presets=tuple(PRESETS),
        bounded=False,
        grid=128,
        source="See sem and cuda",
    ),
    "em": Method(
        name="em",
        title="Error-minimising noise (baseline)",
        description=(
            "For comparison. Noise within ±ε that makes the label easy on the plain picture, "
            "without views or perturbations. The paper's objective is target=logits."
        ),
        targets=TARGETS,
        baseline=True,
        source="Huang et al.: Unlearnable Examples. ICLR 2021, arXiv 2101.04898",
    ),
    "rem": Method(
        name="rem",
        title="Robust error-minimising noise (baseline)",
        description=(
            "For comparison. As sem, but against an adversary's perturbation instead of a random "
            "one, which takes eleven times the work. The paper's objective is target=logits."
        ),
        targets=TARGETS,
        baseline=True,
        source="Fu et al.: Robust Unlearnable Examples. ICLR 2022, arXiv 2203.14533",
    ),
}


class SurrogateCard(BaseModel):
    """Everything that a user of the weights must know; the JSON file beside them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    architecture: str
    width: int
    inner: list[int] = []
    """Channels inside each residual block, where pruning has left fewer."""
    size: int
    """Side of the input in pixels."""
    stride: int = 1
    """Of the first convolution: how many of them make one of what the rest looks at."""
    classes: list[str]
    """What its logits stand for; none of a surrogate of codewords."""
    code: list[int] = []
    """Alphabets of the codewords that it can be asked for: any label gets one by the tenant's
    key. Empty: it knows its classes only."""
    labeller: str | None = None
    """Without classes of its own: the surrogate that guesses the label of a picture without."""
    photos: str | None = None
    """The surrogate that takes pictures of other sizes in its place where it is the default:
    it has not learnt noise that survives resizing."""
    feature_dim: int
    sha256: str
    """Digest of the safetensors file; checked at every load."""
    data: str
    recipe: dict[str, Any]
    figures: dict[str, Any]
    seconds: float
    """Training time."""
    hardware: str
    versions: dict[str, str]
    licence: str

    @property
    def alphabets(self) -> list[int]:
        """How many logits stand for each symbol of a codeword; a class is a word of one."""
        return self.code or [len(self.classes)]


def shipped_dir() -> Path:
    """Folder of the surrogates inside the installed distribution."""
    return Path(str(importlib.resources.files(SHIPPED)))


def read_cards(folders: Iterable[Path]) -> dict[str, tuple[SurrogateCard, Path]]:
    """All surrogates in the shipped folder and the given ones: name → card, weights file.

    A later folder's surrogate replaces an earlier one of the same name.

    Raises:
        ValueError: a card does not fit the schema; the message names the file.
    """
    found: dict[str, tuple[SurrogateCard, Path]] = {}
    for folder in (shipped_dir(), *folders):
        for path in sorted(folder.glob("*.json")):
            if path.name.endswith((NETWORK, SET)):
                continue
            try:
                card = SurrogateCard.model_validate_json(path.read_bytes())
            except ValidationError as error:
                message = f"{path} is not a surrogate's card: {error}"
                raise ValueError(message) from error
            found[card.name] = (card, path.with_suffix(".safetensors"))
    return found


class RenditionOptions(BaseModel):
    """One file that a photo shall leave as."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="Unique; letters, digits, _ and -.",
        examples=["thumbnail"],
    )
    width: int | None = Field(
        default=None, ge=LEAST_SIDE, le=MAX_SIDE, description="Pixels, at most.", examples=[150]
    )
    height: int | None = Field(default=None, ge=LEAST_SIDE, le=MAX_SIDE, examples=[150])
    fit: Literal["contain", "cover", "fill"] = Field(
        default="contain",
        description="contain: whole within width and height, of which one will do; cover: of "
        "their shape, what stands out cropped; fill: stretched. A photo is never enlarged.",
    )
    gravity: Literal[
        "center",
        "north",
        "northeast",
        "east",
        "southeast",
        "south",
        "southwest",
        "west",
        "northwest",
    ] = Field(default="center", description="Which part cover keeps.")
    format: Literal["jpeg", "png", "webp", "avif"] | None = Field(
        default=None, description="Default: output_format, else the format of the input."
    )
    quality: Annotated[int, Field(ge=LEAST_QUALITY, le=100)] | Literal["same"] | None = Field(
        default=None, description="Default: the quality of the photo."
    )


class Catalogue:
    """The check of every request against what this installation can do."""

    def __init__(  # noqa: PLR0913  # what there is, and what of it is meant by default
        self,
        surrogates: Mapping[str, SurrogateCard],
        default_surrogate: str,
        *,
        networks: Mapping[str, NetworkCard] | None = None,
        sets: Mapping[str, SetCard] | None = None,
        default_set: str = "imagenet",
        default_method: str = DEFAULT_METHOD,
    ) -> None:
        self.surrogates, self.networks = dict(surrogates), dict(networks or {})
        self.sets = dict(sets or {})
        self.default_surrogate, self.default_set = default_surrogate, default_set
        self.default_method = default_method

    @classmethod
    def of(cls, settings: Settings) -> Catalogue:
        """The catalogue of an installation: what ships and what the settings' folders hold."""
        folders = settings.engine_surrogate_dirs
        known = {name: card for name, (card, _) in read_cards(folders).items()}
        networks = read_networks(folders)
        return cls(
            known, settings.engine_surrogate,
            networks={name: card for name, (card, _) in networks.items()},
            sets=read_sets(networks, folders),
            default_set=settings.engine_networks, default_method=settings.engine_method,
        )  # fmt: skip

    def options(  # noqa: PLR0913  # one keyword for each thing that may be asked for
        self,
        *,
        label: str | None = None,
        method: str | None = None,
        target: str | None = None,
        surrogate: str | None = None,
        networks: str | None = None,
        preset: str | None = None,
        epsilon: float | None = None,
        output_format: str | None = None,
        sizes: str | None = None,
        renditions: str | None = None,
        quality: int | str | None = None,
        shaping: str | None = None,
        keep_exif: str | None = None,
        data_mining: str | None = None,
        creator: str | None = None,
        credit: str | None = None,
        rights: str | None = None,
        licence_url: str | None = None,
        already_protected: str | None = None,
    ) -> Options:
        """Fill in defaults and refuse what cannot be done.

        Raises:
            BadInput: an unknown or impossible option; ``field`` names it.
            Unavailable: none is named and the default surrogate is not installed.
        """
        chosen = METHODS.get(method or self.default_method)
        if chosen is None:
            raise BadInput(
                "unknown_method", f"There is no method {_quoted(method)}; there is: "
                f"{', '.join(METHODS)}.", field="method",
            )  # fmt: skip
        card = self.surrogates.get(surrogate or self.default_surrogate)
        if card is None and not surrogate:
            raise Unavailable(f"The default surrogate {self.default_surrogate} is not installed.")
        if card is None:
            raise BadInput(
                "unknown_surrogate", f"There is no surrogate {_quoted(surrogate)}.",
                field="surrogate",
            )  # fmt: skip
        networks = self._set_of(chosen, networks)
        target = target or chosen.targets[0]
        _one_of("target", target, chosen.targets)
        preset, epsilon = _strength(chosen, preset, epsilon)
        shaping, data_mining = shaping or SHAPINGS[0], data_mining or DATA_MINING
        if output_format is not None:
            _one_of("output_format", output_format, FORMATS)
        _one_of("shaping", shaping, SHAPINGS)
        _one_of("data_mining", data_mining, CHOICES)
        already_protected = already_protected or REFUSE
        _one_of("already_protected", already_protected, ALREADY_PROTECTED)
        _check_label(label)
        if target == "logits" and not surrogate and not card.classes and card.labeller:
            card = self.surrogates.get(card.labeller, card)
        if target == "logits" and not card.classes:
            raise BadInput(
                "invalid_option", f"The surrogate {card.name} has no classes: omit target, or "
                "name a surrogate that has some.", field="target",
            )  # fmt: skip
        if label is None and not card.classes and card.labeller not in self.surrogates:
            raise BadInput(
                "invalid_option", f"The surrogate {card.name} cannot predict labels: set a label.",
                field="label",
            )  # fmt: skip
        if target == "logits" and label is not None and label not in card.classes:
            raise BadInput(
                "unknown_label", f"The surrogate {card.name} does not know the label "
                f"{_quoted(label)}.", field="label",
            )  # fmt: skip
        return Options(
            method=chosen.name, target=target, surrogate=card.name, epsilon=epsilon,
            preset=preset, label=label, output_format=output_format,
            renditions=_renditions(sizes, renditions), quality=_quality(quality), shaping=shaping,
            keep_exif=_groups(keep_exif),
            data_mining=data_mining, networks=networks, creator=_words("creator", creator),
            credit=_words("credit", credit), rights=_words("rights", rights),
            licence_url=_page(licence_url), already_protected=already_protected,
        )  # fmt: skip

    def _set_of(self, method: Method, named: str | None) -> str | None:
        """The set of pretrained networks that a method works against, if it does."""
        if named is not None and not method.networks:
            raise BadInput(
                "invalid_option", f"{method.name} uses no pretrained networks: omit networks.",
                field="networks",
            )  # fmt: skip
        if not method.networks:
            return None
        chosen = named or self.default_set
        if chosen in self.sets:
            return chosen
        if named is None:
            raise Unavailable(f"The default set of networks {chosen} is not installed.")
        raise BadInput(
            "unknown_surrogate", f"There is no set of networks {_quoted(named)}; there is: "
            f"{', '.join(self.sets)}.", field="networks",
        )  # fmt: skip

    def placed(self, options: Options, width: int, height: int) -> tuple[Options, str]:
        """The options for a picture of this size, with the surrogate that is made for it.

        Of several renditions the largest decides. And the key of its batches: items with equal
        keys may be protected in one.
        """
        width, height = options.placements(width, height)[0].size
        card, method = self.surrogates[options.surrogate], METHODS[options.method]
        own = (width, height) == (card.size, card.size)
        replaceable = card.name == self.default_surrogate and options.target != "logits"
        if not own and replaceable and card.photos in self.surrogates:
            card = self.surrogates[card.photos]
        options = replace(options, surrogate=card.name)
        own = (width, height) == (card.size, card.size)
        if own and method.small:
            method = METHODS[method.small]
            target = options.target if options.target in method.targets else method.targets[0]
            options = replace(options, method=method.name, target=target, networks=None)
        grid = grid_side(method.name, card.size, width, height)
        hosted = f"/{HOSTED}" if options.preset == HOSTED else ""
        against = f"/{options.networks}" if options.networks else ""
        return options, f"{method.name}/{options.target}/{card.name}{against}/{grid}{hosted}"


def grid_side(method: str, size: int, width: int, height: int) -> int:
    """Side G of the working grid on which a picture's noise is made.

    A picture of the surrogate's own size is worked on as it is; any other on the method's square
    grid, which is laid over the whole picture whatever its shape.
    """
    return size if (width, height) == (size, size) else max(METHODS[method].grid, 2 * size)


def strength(preset: str | None, epsilon: float) -> Strength:
    """What a preset, or an ε that was chosen by itself, allows."""
    if preset is not None:
        return PRESETS[preset]
    like = PRESETS[DEFAULT_PRESET]
    share = epsilon / like.epsilon
    return replace(like, epsilon=epsilon, flat=max(1.0, like.flat * share), rms=like.rms * share)


def _strength(
    method: Method, preset: str | None, epsilon: float | None
) -> tuple[str | None, float | None]:
    if not method.presets:
        if preset is None and epsilon is None:
            return None, None
        raise BadInput(
            "invalid_option", f"The strength of {method.name} cannot be chosen: omit preset and "
            "epsilon out.", field="epsilon" if preset is None else "preset",
        )  # fmt: skip
    if preset is not None and preset not in PRESETS:
        raise BadInput(
            "unknown_preset", f"There is no preset {_quoted(preset)}; there are: "
            f"{', '.join(PRESETS)}.", field="preset",
        )  # fmt: skip
    if preset is not None and preset not in method.presets:
        raise BadInput(
            "invalid_option", f"{method.name} has no preset {preset}: "
            f"{', '.join(method.presets)}.", field="preset",
        )  # fmt: skip
    if epsilon is None:
        preset = preset or DEFAULT_PRESET
        return preset, PRESETS[preset].epsilon
    if preset is not None:
        raise BadInput("invalid_option", "Give a preset or epsilon, not both.", field="epsilon")
    if not 1.0 <= epsilon <= MAX_EPSILON:  # also refuses NaN
        raise BadInput(
            "invalid_option", f"epsilon must lie between 1 and {MAX_EPSILON:g} (in 1/255).",
            field="epsilon",
        )  # fmt: skip
    return None, float(epsilon)


def _one_of(field: str, value: str, allowed: Iterable[str]) -> None:
    if value not in allowed:
        raise BadInput(
            "invalid_option", f"{field} must be one of {', '.join(allowed)}.", field=field
        )


def _renditions(sizes: str | None, renditions: str | None) -> tuple[RenditionRequest, ...]:
    """What either of both says."""
    if sizes is not None and renditions is not None:
        raise BadInput("invalid_option", "Give renditions or sizes, not both.", field="renditions")
    if renditions is None:
        return tuple(map(of_side, _sides(sizes)))
    try:
        said = json.loads(renditions)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, list) or len(said) > MOST_RENDITIONS:
        raise _bad_rendition(f"a JSON array of at most {MOST_RENDITIONS} objects")
    wanted = [_rendition(one) for one in said]
    if len({one.name.casefold() for one in wanted}) < len(wanted):
        raise _bad_rendition("objects of different names")
    return tuple(wanted)


def _rendition(said: object) -> RenditionRequest:
    """One of the objects."""
    try:
        one = RenditionOptions.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = str(first["loc"][0]) if first["loc"] else "each"
        raise _bad_rendition(f"objects as documented; {where}: {first['msg']}") from error
    if one.fit != FITS[0] and not (one.width and one.height):
        raise _bad_rendition(f"objects with width and height where fit is {one.fit}")
    return RenditionRequest(**one.model_dump())


def _bad_rendition(wanted: str) -> BadInput:
    return BadInput("invalid_option", f"renditions must be {wanted}.", field="renditions")


def _quality(said: int | str | None) -> int | str | None:
    if said in {None, SAME}:
        return said
    if not str(said).isdecimal() or not LEAST_QUALITY <= int(said or 0) <= 100:  # noqa: PLR2004  # the best
        raise BadInput(
            "invalid_option", f"quality must be {LEAST_QUALITY} to 100, or {SAME}: below "
            f"{LEAST_QUALITY} hardly any noise survives.", field="quality",
        )  # fmt: skip
    return int(said or 0)


def _sides(sizes: str | None) -> tuple[int, ...]:
    """Each of the numbers that are named with commas once, largest first."""
    named = list(filter(None, (sizes or "").replace(" ", "").split(",")))
    if not all(one.isascii() and one.isdigit() and len(one) <= MAX_DIGITS for one in named):
        raise BadInput(
            "invalid_option", "sizes must be whole numbers with commas between them.", field="sizes"
        )
    found = sorted({int(one) for one in named}, reverse=True)
    if len(found) > MOST_RENDITIONS or (found and found[-1] < LEAST_SIDE):
        raise BadInput(
            "invalid_option", f"sizes must be at most {MOST_RENDITIONS} numbers of at least "
            f"{LEAST_SIDE} (pixels of the longer side).", field="sizes",
        )  # fmt: skip
    return tuple(found)


def _groups(keep_exif: str | None) -> str:
    """Each of the groups that are named with commas once."""
    groups = dict.fromkeys(filter(None, (keep_exif or "").replace(" ", "").split(",")))
    for group in groups:
        _one_of("keep_exif", group, EXIF_GROUPS)
    return ",".join(groups)


def _words(field: str, said: str | None) -> str:
    words = (said or "").strip()
    if len(words) > MAX_WORDS or not words.isprintable():
        raise BadInput(
            "invalid_option", f"{field} must be at most {MAX_WORDS} printable characters in one "
            "line.", field=field,
        )  # fmt: skip
    return words


def _page(said: str | None) -> str:
    page = _words("licence_url", said)
    if page and (not page.startswith(("https://", "http://")) or " " in page):
        raise BadInput(
            "invalid_option", "licence_url must begin with https:// or http://.",
            field="licence_url",
        )  # fmt: skip
    return page


def _check_label(label: str | None) -> None:
    if label is None:
        return
    if not label.strip() or len(label) > MAX_LABEL or not label.isprintable():
        raise BadInput(
            "invalid_option", f"label must be 1 to {MAX_LABEL} printable characters.",
            field="label",
        )  # fmt: skip


def _quoted(text: str | None) -> str:
    return repr((text or "")[:64])
