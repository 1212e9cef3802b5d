"""What may be chosen, and what was used."""

from __future__ import annotations

from pydantic import BaseModel, Field

from photoward.core.catalogue import (
    DEFAULT_PRESET,
    FORMATS,
    MAX_EPSILON,
    MAX_LABEL,
    Strength,
    SurrogateCard,
)
from photoward.core.imaging.header import MOST_FRAMES
from photoward.core.levels import Level
from photoward.core.networks import NetworkCard, SetCard


class Method(BaseModel):
    """A method of protection."""

    name: str = Field(examples=["sem"])
    title: str
    description: str
    targets: list[str] = Field(examples=[["prototype", "logits"]])
    source: str
    bounded: bool = Field(
        description="Whether epsilon bounds the change of every sample. If not, `psnr_db` and "
        "`ssim` of a result tell how much it changed."
    )
    presets: list[str] = Field(description="Empty: the strength cannot be chosen.")
    adversarial: bool = Field(
        description="Whether, as measured, it also stops a trainer who trains adversarially "
        "(4/255), for any label; if not, it is for plain trainers."
    )
    baseline: bool = Field(description="For comparison, not recommended.")
    networks: bool = Field(description="Whether it works against a set of pretrained networks.")


class Methods(BaseModel):
    """All methods, and what the presets of the default method do."""

    methods: list[Method]
    default: str = Field(examples=["anchor"])
    levels: list[Level] = Field(description="As measured; without presets that were not measured.")


class Surrogates(BaseModel):
    """All surrogates."""

    surrogates: list[SurrogateCard] = Field(
        description="Robust networks, trained for this service."
    )
    default: str
    networks: list[NetworkCard] = Field(description="Public pretrained networks.")
    sets: list[SetCard] = Field(description="Networks that a method uses together.")
    default_set: str = Field(examples=["imagenet"])


class Limits(BaseModel):
    """The limits of uploads and options."""

    version: str = Field(description="Of the service.", examples=["0.1.0"])
    max_body_bytes: int = Field(examples=[26_214_400])
    max_megapixels: float = Field(examples=[50])
    max_side: int = Field(examples=[16_384])
    max_frames: int = Field(
        description="Of an animation; the megapixels count for all of them.", examples=[MOST_FRAMES]
    )
    max_wait_s: float = Field(examples=[60])
    max_label: int = Field(description="Characters.", examples=[MAX_LABEL])
    inputs: dict[str, str] = Field(description="Accepted formats.", examples=[FORMATS])
    formats: dict[str, str] = Field(description="Output formats.", examples=[FORMATS])
    presets: dict[str, Strength] = Field(
        description="epsilon, flat and rms in 1/255: the largest change anywhere, where the "
        "picture is flat, and its root mean square; luma and chroma: cycles along the longer "
        "side below which brightness and colour do not change; no chroma: colour does not at all."
    )
    default_preset: str = Field(examples=[DEFAULT_PRESET])
    min_epsilon: float = Field(examples=[1])
    max_epsilon: float = Field(examples=[MAX_EPSILON])
    retention_s: int | None = Field(
        description="Seconds after its end after which an image is deleted; null: it is kept.",
        examples=[604_800],
    )


class Usage(BaseModel):
    """What a tenant has submitted, and its quota."""

    megapixels: float = Field(
        description="Of the last 24 hours, deleted photos included.", examples=[12.2]
    )
    quota_megapixels: float | None = Field(
        description="Limit of `megapixels`; null: none.", examples=[5000]
    )
