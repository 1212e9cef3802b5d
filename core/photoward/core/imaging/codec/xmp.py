"""XMP packets: what they say of rights and of how a panorama is shown, and nothing else.

Properties are rebuilt from parsed values of an allow-list, so that no picture comes along.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # its usual name

from photoward.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LARGEST = 1 << 22
"""Bytes of a packet that is read."""
ROOM = 48_000
"""Bytes, about, that its properties may take: a JPEG's segment holds 65 502."""
_MOST_TEXT, _DEEPEST = 8192, 8

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XML = "http://www.w3.org/XML/1998/namespace"
_META = "adobe:ns:meta/"
SPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "cc": "http://creativecommons.org/ns#",
    "tdm": "http://www.w3.org/ns/tdmrep#",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "GPano": "http://ns.google.com/photos/1.0/panorama/",
}
_SOME = {
    "dc": ("creator", "rights"),
    "Iptc4xmpCore": ("CreatorContactInfo",),
    "photoshop": ("Credit", "Source", "Instructions", "AuthorsPosition"),
}
"""Of these spaces not all is about rights."""

INSTANCE = "{http://ns.adobe.com/xap/1.0/mm/}InstanceID"
"""It is written, and of an original never kept: another file is another instance."""

for _prefix, _uri in (
    *SPACES.items(),
    ("rdf", _RDF),
    ("x", _META),
    ("xmpMM", INSTANCE[1:].partition("}")[0]),
):
    ET.register_namespace(_prefix, _uri)


def name(prefix: str, local: str) -> str:
    """A property's name as a key."""
    return f"{{{SPACES[prefix]}}}{local}"


_ALLOWED = {name(prefix, local) for prefix, locals_ in _SOME.items() for local in locals_}
_ALL_OF = {f"{{{uri}" for prefix, uri in SPACES.items() if prefix not in _SOME}


class _NoDoctype(ET.TreeBuilder):
    """Entities could make megabytes of a line."""

    def doctype(self, *_: str | None) -> None:
        raise ET.ParseError


def read(packet: bytes, notes: list[str]) -> dict[str, ET.Element]:
    """Name → property, of those that are kept; nothing of what is no packet.

    Args:
        packet: whatever a file calls its XMP.
        notes: a sentence is added if something had to be left out.
    """
    found: dict[str, ET.Element] = {}
    left = ROOM
    try:
        for one in _properties(packet[:LARGEST]):
            size = _size(one)
            if one.tag in found or not _is_kept(one.tag):
                continue
            if size > min(left, _MOST_TEXT):
                notes.append("Words about rights that are too long were left out.")
                continue
            one.tail = None
            found[one.tag] = one
            left -= size
    except (ET.ParseError, ValueError, LookupError):
        return found
    return found


def _properties(packet: bytes) -> Iterator[ET.Element]:
    if not packet.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        packet = packet.rstrip(b"\0")  # with which some programs fill up
    if not packet.strip():
        return
    # S314: the reader runs in a confined child, and refuses what declares entities.
    root = ET.fromstring(packet, parser=ET.XMLParser(target=_NoDoctype()))  # noqa: S314
    rdf = root if root.tag == f"{{{_RDF}}}RDF" else root.find(f"{{{_RDF}}}RDF")
    for description in () if rdf is None else rdf.findall(f"{{{_RDF}}}Description"):
        for tag, value in description.attrib.items():
            yield simple(tag, value)
        yield from description


def _is_kept(tag: str) -> bool:
    return tag in _ALLOWED or f"{tag.partition('}')[0]}" in _ALL_OF


def _size(element: ET.Element, depth: int = 0) -> int:
    """About how many bytes it takes; more than there are, if it is nested too deeply."""
    if depth > _DEEPEST:
        return LARGEST
    own = [element.tag, element.text or "", element.tail or "", *element.attrib.values()]
    inner = sum(_size(one, depth + 1) for one in element)
    return sum(len(text.encode()) for text in own) + inner


def texts(element: ET.Element | None) -> list[str]:
    """The words of a plain property or of each member of its list, the default language first."""
    if element is None:
        return []
    members = list(element.iter(f"{{{_RDF}}}li")) or [element]
    lang = f"{{{_XML}}}lang"
    members.sort(key=lambda one: one.get(lang, "x-default") != "x-default")
    resource = f"{{{_RDF}}}resource"
    said = (printable("".join(one.itertext()) or one.get(resource) or "") for one in members)
    return [text for text in said if text]


def simple(tag: str, text: str) -> ET.Element:
    """A property of one text."""
    element = ET.Element(tag)
    element.text = text
    return element


def listed(tag: str, kind: str, members: Iterable[str]) -> ET.Element:
    """A property that is a list: ``Seq``, ``Bag``, or ``Alt`` of the default language."""
    element = ET.Element(tag)
    inside = ET.SubElement(element, f"{{{_RDF}}}{kind}")
    for text in members:
        member = ET.SubElement(inside, f"{{{_RDF}}}li")
        member.text = text
        if kind == "Alt":
            member.set(f"{{{_XML}}}lang", "x-default")
    return element


def written(properties: Mapping[str, ET.Element]) -> bytes:
    """The packet; empty without properties."""
    if not properties:
        return b""
    root = ET.Element(f"{{{_META}}}xmpmeta")
    rdf = ET.SubElement(root, f"{{{_RDF}}}RDF")
    description = ET.SubElement(rdf, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""})
    description.extend(properties.values())
    body = ET.tostring(root, encoding="unicode")
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    return f'{begin}{body}\n<?xpacket end="r"?>'.encode()
