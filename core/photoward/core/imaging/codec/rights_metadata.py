"""Whose a picture is and what may be done with it: from where a file says it to where it can.

All that was said is said again; what a sender adds fills gaps only; of two terms about being
trained on the stricter one counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from photoward.core import rights
from photoward.core.imaging.codec import iptc, xmp
from photoward.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from xml.etree.ElementTree import Element

    from photoward.core.imaging.formats.exif import Exif

_CREATOR, _NOTICE = xmp.name("dc", "creator"), xmp.name("dc", "rights")
_CREDIT = xmp.name("photoshop", "Credit")
_TERMS, _STATEMENT = xmp.name("xmpRights", "UsageTerms"), xmp.name("xmpRights", "WebStatement")
_MINING = xmp.name("plus", "DataMining")
_VOCABULARY = "http://ns.useplus.org/ldf/vocab/"
_PNG = ("Author", "Copyright", "Disclaimer")


@dataclass(frozen=True)
class RightsMetadata:
    """Everything that is said about rights."""

    creators: tuple[str, ...] = ()
    credit: str = ""
    notice: str = ""
    """Of copyright."""
    artist: bytes = b""
    """As EXIF has it."""
    copyright: bytes = b""
    """As EXIF has it."""
    packet: Mapping[str, Element] = field(default_factory=dict)
    """Properties of XMP."""
    sets: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Data sets of IPTC."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Of a PNG."""

    def filled(self, stated: Mapping[str, str]) -> RightsMetadata:
        """With what a sender states (``rights.STATEMENTS``) wherever the file says nothing."""
        creator, credit, notice, page = (stated.get(one, "") for one in rights.STATEMENTS)
        packet = dict(self.packet)
        if page:
            packet.setdefault(_STATEMENT, xmp.simple(_STATEMENT, page))
        return replace(
            self,
            creators=self.creators or tuple(filter(None, (creator,))),
            credit=self.credit or credit,
            notice=self.notice or notice,
            packet=packet,
        )

    def term(self, mining: str) -> str:
        """The term about being trained on, beside a choice of ``rights.CHOICES``."""
        own = next(iter(xmp.texts(self.packet.get(_MINING))), "")
        return rights.stricter(own.rpartition("/")[2], mining)

    def of_xmp(self, mining: str, instance: str = "") -> bytes:
        """The packet beside a choice of ``rights.CHOICES`` and, if given, an instance id."""
        packet = dict(self.packet)
        if instance:
            packet[xmp.INSTANCE] = xmp.simple(xmp.INSTANCE, instance)
        if self.creators:
            packet[_CREATOR] = xmp.listed(_CREATOR, "Seq", self.creators)
        if self.notice and _NOTICE not in packet:
            packet[_NOTICE] = xmp.listed(_NOTICE, "Alt", [self.notice])
        if self.credit and _CREDIT not in packet:
            packet[_CREDIT] = xmp.simple(_CREDIT, self.credit)
        if term := self.term(mining):
            packet[_MINING] = xmp.simple(_MINING, _VOCABULARY + term)
            words = dict(rights.TERMS.values()).get(term)
            if words and _TERMS not in packet:
                packet[_TERMS] = xmp.listed(_TERMS, "Alt", [words])
        return xmp.written(packet)

    def of_exif(self) -> tuple[bytes, bytes]:
        """Artist and copyright."""
        artist = self.artist or "; ".join(self.creators).encode()
        return artist, self.copyright or self.notice.encode()

    def of_iptc(self) -> bytes:
        """The segment of a JPEG, where the file had one or nothing else says it."""
        if not self.sets:
            return b""
        known = {
            iptc.CREATOR: self.creators,
            iptc.CREDIT: (self.credit,),
            iptc.NOTICE: (self.notice,),
        }
        return iptc.segment({n: t for n, t in {**known, **self.sets}.items() if any(t)})

    def of_png(self) -> dict[str, str]:
        """Keyword → text."""
        said = {"Author": "; ".join(self.creators), "Copyright": self.notice}
        return {word: text for word, text in {**said, **self.texts}.items() if text}


def read(info: Mapping[Any, Any], found: Exif, sets: bytes, notes: list[str]) -> RightsMetadata:
    """What a file says.

    Args:
        info: Pillow's ``Image.info``.
        found: its EXIF.
        sets: its IPTC block.
        notes: a sentence is added if something had to be left out.
    """
    packet = xmp.read(_bytes(info.get("xmp")), notes)
    named = iptc.read(sets)
    texts = {key: printable(info[key]) for key in _PNG if isinstance(info.get(key), str)}
    artist, copyright_ = found.artist.encode("latin-1"), found.copyright.encode("latin-1")
    creators = _each(
        xmp.texts(packet.get(_CREATOR)),
        named.get(iptc.CREATOR, ()),
        [texts.get("Author", "")],
        [printable(artist)],
    )
    notices = (
        *xmp.texts(packet.get(_NOTICE)),
        *named.get(iptc.NOTICE, ()),
        texts.get("Copyright", ""),
        printable(copyright_),
    )
    credits_ = (*xmp.texts(packet.get(_CREDIT)), *named.get(iptc.CREDIT, ()))
    return RightsMetadata(
        creators,
        next(iter(credits_), ""),
        next(filter(None, notices), ""),
        artist,
        copyright_,
        packet,
        named,
        texts,
    )


def _each(*sources: Iterable[str]) -> tuple[str, ...]:
    """Everybody once, though some places cut names short and others join them."""
    found: list[str] = []
    for source in sources:
        joined = "; ".join(found)
        found += [name for name in source if name and name not in joined]
    return tuple(found)


def _bytes(packet: Any) -> bytes:  # noqa: ANN401  # whatever a plug-in found
    return packet.encode() if isinstance(packet, str) else bytes(packet or b"")
