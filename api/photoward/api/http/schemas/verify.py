"""What a file is, as the API tells it: never whose, but to its owner."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from photoward.api.ingest.options import EXAMPLE_ID
from photoward.api.verification.verifier import Finding, Match, Verdict
from photoward.core.output_marks import output_mark
from photoward.core.proofs import Proof

EXAMPLE_MARK = output_mark(b"12345678").removeprefix("xmp.iid:")

SENTENCES = {
    Verdict.EXACT: "This is a protected file, byte for byte.",
    Verdict.COPY: "This is a copy of a protected file that was saved again, resized or cropped.",
    Verdict.EDITED: "This is a copy of a protected file, and parts of the picture were changed.",
    Verdict.NOISE_MISSING: "This shows the picture of a protected file, but has not its noise: "
    "it is the original, or the noise was removed.",
    Verdict.LOOKS_ALIKE: "This looks like a protected file. Whether it has its noise cannot be "
    "told.",
    Verdict.PICTURE_DIFFERS: "The id in this file is of a protected file with another picture: it "
    "was copied from there, or the picture was changed a lot.",
    Verdict.UNKNOWN: "Nothing is known of this file: it was not protected here, was protected by "
    "an earlier version, or was changed a lot.",
}


class Mark(BaseModel):
    """The id in a file's XMP, with which every protected file is marked."""

    id: str = Field(examples=[EXAMPLE_MARK])
    known: bool = Field(description="Whether a file with this id was protected here.")


class VerifiedMatch(BaseModel):
    """How like the protected file it is."""

    distance: int = Field(
        description="Bits of 64 in which the perceptual hashes differ.", examples=[2]
    )
    cropped: bool = Field(description="Whether a part of the picture is missing.")
    edited_share: float | None = Field(
        description="Share of the picture that was changed by more than saving again does. Null: "
        "it cannot be told.",
        examples=[0.0],
    )
    noise_share: float | None = Field(
        description="How much of the noise is left: 1 all of it, 0 none. Null: it cannot be told, "
        "because the image was deleted or too little of the picture is left.",
        examples=[0.97],
    )

    @classmethod
    def of(cls, match: Match) -> Self:
        """From what was found."""
        return cls(
            distance=match.distance,
            cropped=match.cropped,
            edited_share=match.edited_share,
            noise_share=match.noise_share,
        )


class Protection(BaseModel):
    """When and how a file was protected."""

    id: str = Field(description="The id in its XMP.", examples=[EXAMPLE_MARK])
    protected_at: datetime
    sha256: str = Field(description="Of the protected file.")
    width: int = Field(description="Pixels.", examples=[1600])
    height: int = Field(description="Pixels.", examples=[1200])
    method: str = Field(examples=["anchor"])
    preset: str | None = Field(examples=["standard"])
    epsilon: float | None = Field(description="Bound of the noise in 1/255.")
    surrogate: str = Field(description="The network that the noise was made against.")
    networks: str | None = Field(
        description="The set of pretrained networks that the noise was made against."
    )
    visibility: float | None = Field(
        description="How well the change is seen; 1 is just seen.", examples=[0.9]
    )
    psnr_db: float | None = Field(description="Peak signal-to-noise ratio.")
    ssim: float | None = Field(description="Structural similarity.")
    survival: float | None = Field(
        description="Correlation of the change in the file with the noise that was added."
    )
    survival_hosted: float | None = Field(
        description="The same after a host's shrinking to 1080 pixels and JPEG at quality 75."
    )
    kept: bool = Field(description="Whether the image is kept, so that copies can be measured.")

    @classmethod
    def of(cls, proof: Proof) -> Self:
        """From the ledger's proof."""
        told = {name: proof.facts.get(name) for name in cls.model_fields}
        own = {
            "id": proof.mark,
            "protected_at": proof.protected_at,
            "sha256": proof.sha256,
            "width": proof.width,
            "height": proof.height,
            "kept": proof.item_id is not None,
        }
        return cls.model_validate(told | own)


class OwnImage(BaseModel):
    """The image that the file is of; told to its owner alone."""

    id: str | None = Field(description="Null: it was deleted.", examples=[EXAMPLE_ID])
    url: str | None = Field(examples=[f"/v1/images/{EXAMPLE_ID}"])


class Verification(BaseModel):
    """What a file is."""

    verdict: Verdict
    text: str = Field(description="The verdict as a sentence.", examples=[SENTENCES[Verdict.COPY]])
    mark: Mark | None = Field(description="Null: the file has no id.")
    match: VerifiedMatch | None = Field(description="Null: it is like no protected file.")
    protection: Protection | None = Field(
        description="Of the protected file; with `picture_differs`, of the one that the id is of."
    )
    own: OwnImage | None = Field(description="Null: the file is not of who asks.")

    @classmethod
    def of(cls, finding: Finding, tenant: str | None) -> Self:
        """From what was found, for a tenant or anybody."""
        mark, proof = finding.mark, finding.proof
        return cls(
            verdict=finding.verdict,
            text=SENTENCES[finding.verdict],
            mark=Mark(id=mark, known=finding.mark_known) if mark else None,
            match=VerifiedMatch.of(finding.match) if finding.match else None,
            protection=Protection.of(proof) if proof else None,
            own=own_image(proof, tenant) if proof else None,
        )


class KnownMark(BaseModel):
    """What was protected under an id. A file that has it may still show another picture."""

    protection: Protection
    own: OwnImage | None = Field(description="Null: the file is not of who asks.")

    @classmethod
    def of(cls, proof: Proof, tenant: str | None) -> Self:
        """From the ledger's proof, for a tenant or anybody."""
        return cls(protection=Protection.of(proof), own=own_image(proof, tenant))


def own_image(proof: Proof, tenant: str | None) -> OwnImage | None:
    """The image that a file is of, for its owner."""
    if proof.tenant != tenant:
        return None
    item_id = proof.item_id
    return OwnImage(id=item_id, url=f"/v1/images/{item_id}" if item_id else None)
