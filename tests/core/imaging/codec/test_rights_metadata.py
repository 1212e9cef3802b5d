"""What a finished file says about being trained on, read by Pillow and by ExifTool."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.PngImagePlugin import PngInfo

from photoward.core import rights
from photoward.core.imaging.codec import iptc, xmp
from photoward.core.imaging.sandbox.pool import ImagingPool
from tests.core.imaging.pictures import bench, file, noise, reopened, smooth

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = pytest.mark.parametrize("output", ["jpeg", "png", "webp", "avif"])

SIZE = (96, 64)
ARTIST, COPYRIGHT = 0x013B, 0x8298
PLUS = "http://ns.useplus.org/ldf/vocab/"


RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
OWN = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">
<rdf:Description rdf:about="" xmlns:dc="{xmp.SPACES["dc"]}" xmlns:plus="{xmp.SPACES["plus"]}"
 xmlns:xmpRights="{xmp.SPACES["xmpRights"]}" xmlns:photoshop="{xmp.SPACES["photoshop"]}"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:GPano="{xmp.SPACES["GPano"]}"
 xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/"
 xmpRights:Marked="True" photoshop:Credit="Agency" GPano:ProjectionType="equirectangular"
 xmp:CreatorTool="SECRET tool">
 <dc:creator><rdf:Seq><rdf:li>Jäne Döe</rdf:li><rdf:li>写真家</rdf:li></rdf:Seq></dc:creator>
 <dc:rights><rdf:Alt><rdf:li xml:lang="de">Alle Rechte</rdf:li>
  <rdf:li xml:lang="x-default">© Jäne Döe</rdf:li></rdf:Alt></dc:rights>
 <xmpRights:UsageTerms><rdf:Alt><rdf:li xml:lang="x-default">Ask me.</rdf:li></rdf:Alt>
 </xmpRights:UsageTerms>
 <plus:Licensor><rdf:Seq><rdf:li rdf:parseType="Resource">
  <plus:LicensorURL>https://example.org/buy</plus:LicensorURL></rdf:li></rdf:Seq></plus:Licensor>
 <plus:DataMining>TERM</plus:DataMining>
 <xmp:Thumbnails><rdf:Alt><rdf:li xmpGImg:image="SECRET"/></rdf:Alt></xmp:Thumbnails>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def made(data: bytes, output: str, mining: str = rights.NOTHING, **stated: str) -> bytes:
    answer, found = bench(data).finish(noise(), 8, output, mining, (), **stated)
    assert "error" not in answer
    return found


def finished(output: str, mining: str) -> bytes:
    return made(file(smooth(SIZE)), output, mining)


def packet(data: bytes) -> dict[str, list[str]]:
    """Property → its texts."""
    found = xmp.read(reopened(data).info.get("xmp", b""), [])
    return {name.partition("}")[2]: xmp.texts(one) for name, one in found.items()}


def with_xmp(kind: str, words: str) -> bytes:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", words)
    said = words.encode()
    options: dict[str, dict[str, Any]] = {
        "PNG": {"pnginfo": info},
        "TIFF": {"tiffinfo": {700: said}},
    }
    return file(smooth(SIZE), kind, **options.get(kind, {"xmp": said}))


def with_iptc(**sets: bytes) -> bytes:
    block = b"".join(
        bytes([0x1C, 2, int(number[1:])]) + len(text).to_bytes(2, "big") + text
        for number, text in sets.items()
    )
    body = b"Photoshop 3.0\0" + b"8BIM\4\4\0\0" + len(block).to_bytes(4, "big") + block
    thumbnail = b"8BIM\4\x0c\0\0\0\0\0\x06SECRET"
    body += bytes(len(block) % 2) + thumbnail
    return file(smooth(SIZE), "JPEG", extra=b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body)


@FORMATS
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF"])
def test_all_that_a_packet_says_of_rights_stays_and_nothing_else(kind: str, output: str) -> None:
    after = made(with_xmp(kind, OWN.replace("TERM", PLUS + "DMI-ALLOWED")), output)
    assert b"SECRET" not in after
    assert packet(after) == {
        "creator": ["Jäne Döe", "写真家"],
        "rights": ["© Jäne Döe", "Alle Rechte"],
        "Credit": ["Agency"],
        "Marked": ["True"],
        "UsageTerms": ["Ask me."],
        "Licensor": ["https://example.org/buy"],
        "ProjectionType": ["equirectangular"],
        "DataMining": [PLUS + "DMI-ALLOWED"],
    }
    assert reopened(after).getexif()[ARTIST].encode("latin-1").decode() == "Jäne Döe; 写真家"


@pytest.mark.parametrize(
    ("own", "choice", "wins"),
    [
        ("DMI-PROHIBITED", rights.DEFAULT, "DMI-PROHIBITED"),
        ("DMI-PROHIBITED-SEECONSTRAINT", rights.DEFAULT, "DMI-PROHIBITED-SEECONSTRAINT"),
        ("DMI-PROHIBITED-SEECONSTRAINT", "no-data-mining", "DMI-PROHIBITED"),
        ("DMI-PROHIBITED-GENAIMLTRAINING", rights.DEFAULT, "DMI-PROHIBITED-AIMLTRAINING"),
        ("DMI-PROHIBITED-OF-LATER", "search-only", "DMI-PROHIBITED-OF-LATER"),
        ("DMI-PROHIBITED", rights.NOTHING, "DMI-PROHIBITED"),
        ("DMI-ALLOWED", rights.DEFAULT, "DMI-PROHIBITED-AIMLTRAINING"),
        ("nonsense", rights.DEFAULT, "DMI-PROHIBITED-AIMLTRAINING"),
    ],
)
def test_the_stricter_term_counts_and_own_words_stay(own: str, choice: str, wins: str) -> None:
    for term in (own, PLUS + own):
        data = with_xmp("JPEG", OWN.replace("TERM", term))
        answer, after = bench(data).finish(noise(), 8, "jpeg", choice)
        assert packet(after)["DataMining"] == [PLUS + wins]
        assert packet(after)["UsageTerms"] == ["Ask me."]
        assert answer["term"] == wins


def test_a_signature_promises_what_the_file_says() -> None:
    assert rights.said("DMI-PROHIBITED") == "no-data-mining"
    assert rights.said("DMI-PROHIBITED-SEECONSTRAINT") == rights.DEFAULT
    assert rights.said("DMI-ALLOWED") == rights.said("") == rights.NOTHING
    with ImagingPool(1, 700, 60) as pool:
        opened = pool.open(with_xmp("JPEG", OWN.replace("TERM", "DMI-PROHIBITED")), grid=16)
        assert pool.finish(opened, noise(), epsilon=8).data_mining == "no-data-mining"


@FORMATS
def test_what_iptc_says_stays(output: str) -> None:
    after = made(
        with_iptc(_80="Jäne".encode("latin-1"), _110=b"Agency", _116=b"(c) J", _25=b"SECRET"),
        output,
    )
    assert b"SECRET" not in after
    assert packet(after) == {"creator": ["Jäne"], "rights": ["(c) J"], "Credit": ["Agency"]}
    if output == "jpeg":
        block = reopened(after).info["photoshop"][0x0404]
        assert iptc.read(block) == {80: ("Jäne",), 110: ("Agency",), 116: ("(c) J",)}


@pytest.mark.parametrize("kind", [b"\1\0", b"\4\0"])
def test_what_a_tiffs_iptc_says_stays(kind: bytes) -> None:
    block = bytes([0x1C, 2, 80, 0, 4]) + b"Jane" + bytes([0x1C, 2, 116, 0, 6]) + b"(c) Ja"
    data = file(smooth(SIZE), "TIFF", tiffinfo={0x83BB: block})
    entry = data.index(b"\xbb\x83") + 2
    count = len(block) // (4 if kind == b"\4\0" else 1)
    data = data[:entry] + kind + count.to_bytes(4, "little") + data[entry + 6 :]
    assert packet(made(data, "png")) == {"creator": ["Jane"], "rights": ["(c) Ja"]}


@FORMATS
def test_what_a_pngs_texts_say_stays(output: str) -> None:
    info = PngInfo()
    info.add_text("Author", "Jane Doe")
    info.add_itxt("Copyright", "© 写真家")
    info.add_text("Comment", "SECRET")
    after = made(file(smooth(SIZE), pnginfo=info), output)
    assert packet(after) == {"creator": ["Jane Doe"], "rights": ["© 写真家"]}
    exif = reopened(after).getexif()
    assert exif[COPYRIGHT].encode("latin-1").decode() == "© 写真家"
    if output == "png":
        told = {key: reopened(after).info.get(key) for key in ("Author", "Copyright", "Comment")}
        assert told == {"Author": "Jane Doe", "Copyright": "© 写真家", "Comment": None}


@FORMATS
def test_exifs_later_kind_of_text_is_read(output: str) -> None:
    name = "Jäne 写真家".encode()
    block = b"Exif\0\0II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", ARTIST, 129, len(name), 26)
    after = made(file(smooth(SIZE), "JPEG", exif=block + bytes(4) + name), output)
    assert packet(after)["creator"] == ["Jäne 写真家"]
    assert reopened(after).getexif()[ARTIST].encode("latin-1") == name


@FORMATS
def test_what_the_sender_states_fills_gaps_only(output: str) -> None:
    stated = {
        "creator": "Ada",
        "credit": "Ada / Co",
        "rights": "© Ada",
        "licence_url": "https://example.org/terms",
    }
    after = made(file(smooth(SIZE)), output, **stated)
    assert packet(after) == {
        "creator": ["Ada"],
        "rights": ["© Ada"],
        "Credit": ["Ada / Co"],
        "WebStatement": ["https://example.org/terms"],
    }
    assert reopened(after).getexif()[ARTIST] == "Ada"
    own = made(with_xmp("JPEG", OWN), output, **stated)
    assert packet(own)["creator"] == ["Jäne Döe", "写真家"]
    assert packet(own)["WebStatement"] == ["https://example.org/terms"]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "<",
        "<a/>",
        "\0" * 50,
        OWN[: len(OWN) // 2],
        '<!DOCTYPE a [<!ENTITY b "bbbbbbbb">]>' + OWN.partition("?>")[2].replace("Jäne", "&b;"),
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + "<a>" * 5000,
    ],
)
def test_a_packet_that_is_none_does_no_harm(words: str) -> None:
    assert packet(made(with_xmp("WEBP", words), "png")) == {}


@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=5))
@settings(max_examples=200, deadline=None)
def test_no_packet_does_harm(changes: list[tuple[int, int]]) -> None:
    mutant = bytearray(OWN.encode())
    for at, value in changes:
        mutant[at % len(mutant)] = value
    xmp.written(xmp.read(bytes(mutant), []))


@given(st.binary(max_size=60))
def test_no_data_sets_do_harm(rest: bytes) -> None:
    iptc.segment(iptc.read(bytes([0x1C, 2, 80]) + rest))


def test_a_packet_in_another_coding_is_read() -> None:
    words = OWN.replace("TERM", "DMI-PROHIBITED").encode("utf-16")
    after = made(file(smooth(SIZE), "WEBP", xmp=words), "jpeg")
    assert packet(after)["creator"] == ["Jäne Döe", "写真家"]


def test_words_without_end_are_left_out_and_said() -> None:
    deep = "<plus:a>" * 20 + "</plus:a>" * 20
    for own in (OWN.replace("TERM", "x" * 9000), OWN.replace("TERM", deep)):
        made_of = bench(with_xmp("WEBP", own))
        assert "too long" in made_of.opened["notes"][0]
        after = made_of.finish(noise(), 8, "jpeg", rights.DEFAULT)[1]
        assert packet(after)["UsageTerms"] == ["Ask me."]


@pytest.mark.parametrize(
    ("mark", "word"),
    [
        (b"hdrgm http://ns.adobe.com/hdr-gain-map/1.0/", "gain map"),
        (b"jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71", "C2PA"),
        (b'GCamera:MotionPhoto="1"', "film"),
    ],
)
def test_what_cannot_stay_is_told(mark: bytes, word: str) -> None:
    segment = b"\xff\xeb" + (len(mark) + 2).to_bytes(2, "big") + mark
    assert word in bench(file(smooth(SIZE), "JPEG", extra=segment)).opened["notes"][0]


@FORMATS
def test_nothing_said_leaves_no_packet(output: str) -> None:
    assert "xmp" not in reopened(finished(output, rights.NOTHING)).info


@FORMATS
@pytest.mark.parametrize("mining", rights.TERMS)
def test_an_independent_reader_understands_it(output: str, mining: str, tmp_path: Path) -> None:
    if not shutil.which("exiftool"):
        pytest.skip("ExifTool is not installed")
    path = tmp_path / f"a.{output}"
    path.write_bytes(finished(output, mining))
    told = subprocess.run(
        ["exiftool", "-j", "-n", "-XMP:all", str(path)], check=True, capture_output=True
    )
    found: dict[str, Any] = json.loads(told.stdout)[0]
    # Before 12.67 ExifTool gives the term as it stands in the file.
    assert found["DataMining"].removeprefix(PLUS) == rights.TERMS[mining][0]
    assert "prohibited" in found["UsageTerms"]
