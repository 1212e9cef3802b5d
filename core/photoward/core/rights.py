"""What a file says about being trained on, where crawlers and lawyers look for it: in its XMP.

The property is PLUS's *Data Mining*, part of IPTC's photo metadata since 2023.1; beside it stand
IPTC's *Rights Usage Terms* in plain words.
"""

from __future__ import annotations

DEFAULT = "no-ai-training"

TERMS: dict[str, tuple[str, str]] = {
    DEFAULT: (
        "DMI-PROHIBITED-AIMLTRAINING",
        "Training of artificial intelligence or machine learning on this picture is prohibited.",
    ),
    "no-generative-training": (
        "DMI-PROHIBITED-GENAIMLTRAINING",
        "Training of generative artificial intelligence on this picture is prohibited.",
    ),
    "search-only": (
        "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING",
        "Data mining of this picture is prohibited, except for the index of a search engine.",
    ),
    "no-data-mining": ("DMI-PROHIBITED", "Data mining of this picture is prohibited."),
}
"""Choice → term of the PLUS vocabulary, and the same in a sentence."""

NOTHING = "nothing"
"""The choice of a file that shall not say anything."""

CHOICES = (*TERMS, NOTHING)

STRICTNESS = (
    "DMI-UNSPECIFIED", "DMI-ALLOWED", "DMI-PROHIBITED-GENAIMLTRAINING",
    "DMI-PROHIBITED-AIMLTRAINING", "DMI-PROHIBITED-SEECONSTRAINT",
    "DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR", "DMI-PROHIBITED-SEELINKEDRIGHTSEXPR",
    "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING", "DMI-PROHIBITED",
)  # fmt: skip
"""The terms of the PLUS vocabulary; each forbids what those before it do, or refers to words that
are kept beside it."""

STATEMENTS = ("creator", "credit", "rights", "licence_url")
"""What a sender may say of a photo that came without it: who made it, whom to credit, the copyright
notice, and where its terms of use stand."""


def stricter(own: str, choice: str) -> str:
    """The term that counts when a file has one of its own; empty: neither says anything.

    Args:
        own: of ``STRICTNESS``, or what a later vocabulary says, or empty.
        choice: of ``CHOICES``.

    Raises:
        KeyError: no such choice.
    """
    asked = "" if choice == NOTHING else TERMS[choice][0]
    if own not in STRICTNESS:
        return own if own.startswith("DMI-PROHIBITED") else asked or own
    return own if asked not in STRICTNESS else max(own, asked, key=STRICTNESS.index)


def said(term: str) -> str:
    """The choice whose term it is; of another term the strictest choice that it surely includes."""
    known = {own: choice for choice, (own, _) in TERMS.items()}
    if term in known or not term.startswith("DMI-PROHIBITED"):
        return known.get(term, NOTHING)
    return DEFAULT
