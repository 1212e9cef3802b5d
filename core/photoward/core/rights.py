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

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"
    xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/">
   <plus:DataMining>http://ns.useplus.org/ldf/vocab/{term}</plus:DataMining>
   <xmpRights:UsageTerms>
    <rdf:Alt><rdf:li xml:lang="x-default">{words}</rdf:li></rdf:Alt>
   </xmpRights:UsageTerms>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def packet(choice: str) -> bytes:
    """The XMP packet of a choice; empty for ``nothing``.

    Raises:
        KeyError: no such choice.
    """
    if choice == NOTHING:
        return b""
    term, words = TERMS[choice]
    return _PACKET.format(term=term, words=words).encode()
