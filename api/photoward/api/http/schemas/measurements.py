"""What was measured of a finished file, as the API's description tells it.

The figures themselves come from where the file was verified; older items have fewer of them.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field


def _figure(description: str, kind: str = "number") -> dict[str, Any]:
    return {"type": [kind, "null"], "description": description}


def _group(description: str, figures: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": description, "properties": figures}


WORST = _group(
    "Where most is seen, 64 pixels square on the screen.",
    {
        "flip": _figure("FLIP's mean there."),
        "delta_e": _figure("Mean CIEDE2000 of what is flat there."),
        "chroma": _figure("Root mean square of coloured clouds there, in 8-bit steps."),
        "luma": _figure("The same of brighter and darker ones."),
    },
)
SEEN = _group(
    "What `visibility` is made of: the whole photo, shrunk to a screen of 1200 pixels.",
    {
        "flip": _figure("Mean of FLIP's error map, 0 to 1, at 67 pixels a degree."),
        "flat_delta_e": _figure(
            "Tint where the photo is flat: 95th percentile of CIEDE2000 in the flattest third, "
            "after a blur of 1.5 pixels."
        ),
        "low_chroma": _figure(
            "Share of the colour's change below 24 cycles a photo, which is how much of it is "
            "clouds. Null: no colour changed."
        ),
        "low_luma": _figure("The same of brightness."),
        "worst": WORST,
    },
)
FIGURES = {
    "visibility": _figure(
        "How well a person sees the change who has both photos side by side on a screen: 1 is the "
        "edge of seeing it, 2 is seen at a glance. The larger of `seen.flip` / 0.05 and "
        "`seen.flat_delta_e` / 2."
    ),
    "seen": SEEN,
    "linf": _figure("Largest change of a sample, in 8-bit steps."),
    "encoder_linf": _figure(
        "What writing the file changed of one sample at most: the format's own rounding, which "
        "epsilon does not bound. 0 in lossless formats."
    ),
    "epsilon": _figure("Bound of the noise before the file is written."),
    "psnr_db": _figure("Peak signal-to-noise ratio. Null: nothing changed."),
    "ssim": _figure("Structural similarity."),
    "survival": _figure(
        "Share of the noise that survives the encoder: correlation of the change in the file with "
        "the noise that was added. A lower `quality` costs some of it."
    ),
}

EXAMPLE = {
    "visibility": 0.9,
    "epsilon": 8.0,
    "linf": 21,
    "encoder_linf": 14,
    "psnr_db": 38.2,
    "ssim": 0.97,
    "survival": 0.97,
    "seen": {
        "flip": 0.045,
        "flat_delta_e": 1.6,
        "low_chroma": 0.2,
        "low_luma": 0.15,
        "worst": {"flip": 0.09, "delta_e": 1.9, "chroma": 1.1, "luma": 0.8},
    },
}

Measured = Annotated[
    dict[str, Any],
    Field(
        description="What the finished file shows when it is read again; empty until then.",
        examples=[EXAMPLE],
        json_schema_extra={"properties": FIGURES},
    ),
]
