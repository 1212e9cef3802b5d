"""What a picture's samples mean: as its file says it, and as the format that it leaves in can.

A profile stays a profile. Code points (ITU-T H.273) are written again where a format has a place
for them; anywhere else, and of what only PNG or EXIF can say, a profile is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from photoward.core.errors import BadInput
from photoward.core.imaging.codec import icc_profile
from photoward.core.imaging.codec.icc_profile import Primaries, curve
from photoward.core.imaging.formats import heif, png
from photoward.core.imaging.formats.window import Short, Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from photoward.core.imaging.header import CodePoints

_UNSAID = 2
"""The code point of what is not said."""
_C = (0.310, 0.316)
BT709 = Primaries((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_SMPTE170 = Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
_PRIMARIES = {
    1: BT709,
    _UNSAID: BT709,
    4: Primaries((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: Primaries((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: _SMPTE170,
    7: _SMPTE170,
    8: Primaries((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: Primaries((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
"""H.273, table 2, without what no profile can say."""
_SRGB = curve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_CAMERA = curve(1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_CURVES = {
    _UNSAID: _SRGB,
    13: _SRGB,
    1: _CAMERA,
    6: _CAMERA,
    11: _CAMERA,
    12: _CAMERA,
    14: _CAMERA,
    15: _CAMERA,
    4: curve(2.2),
    5: curve(2.8),
    8: curve(1.0),
    7: curve(1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913),
    17: curve(2.6, (52.37 / 48) ** (1 / 2.6), 0.0, 0.0, 0.0),
}
"""H.273, table 3: from sample to light. Those of high dynamic range have no place here."""
_ADOBE = Primaries((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_ADOBE_CURVE = curve(563 / 256)


@dataclass(frozen=True)
class ColourSpace:
    """One colour space; nothing of it: sRGB, or whatever a viewer takes for granted."""

    icc: bytes = b""
    points: CodePoints | None = None
    """They count before the profile."""
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    """A PNG's own: sRGB, gAMA, cHRM."""
    trc: bytes = b""
    """The curve, where something else than a profile said it; empty: no profile can."""
    primaries: Primaries = BT709

    def profile(self, *spaces: bytes) -> bytes:
        """As a profile, of one of ``spaces``; empty where nothing needs to be said.

        Args:
            spaces: of data, by their ICC signatures; the first is made if there is none of them.

        Raises:
            BadInput: ``unsupported_output``, no profile can say it.
        """
        primaries = None if spaces[0] == b"GRAY" else self.primaries
        try:
            if self.icc and not self.points:
                own = self.icc[16:20] in spaces
                return self.icc if own else icc_profile.recast(self.icc, primaries)
            if (self.points and not self.trc) or not (self.points is None or self.points.full):
                raise ValueError  # noqa: TRY301  # told below
            if not self.trc or (self.trc, self.primaries) == (_SRGB, BT709):
                return b""
            return icc_profile.made("As the original says", self.trc, primaries)
        except ValueError:
            said = f"code points {self.points[:2]}" if self.points else "a profile of tables"
            raise BadInput(
                "unsupported_output",
                f"This format cannot store the colour space of the photo ({said}).",
                field="output_format",
            ) from None

    @property
    def coded(self) -> CodePoints | None:
        """The code points of an AVIF, which needs no profile beside them."""
        return self.points if self.points and self.points.full else None

    def of_png(self, space: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
        """The profile and the chunks of a PNG."""
        if self.points:
            said = (b"cICP", bytes([*self.points[:2], 0, self.points.full]))
            return self.icc if self.icc[16:20] == space else b"", (said, *self.chunks)
        if self.chunks and not self.icc:
            return b"", self.chunks
        return self.profile(space), ()


def read(  # noqa: PLR0913  # whatever may say it
    data: bytes, form: str, mode: str, info: Mapping[Any, Any], notes: list[str], *, adobe: bool
) -> ColourSpace:
    """What a file says.

    Args:
        data: the file.
        form: its format.
        mode: the decoded picture's; a profile for another kind of samples is left out.
        info: what Pillow found.
        notes: a sentence is added for what changes.
        adobe: whether its EXIF tells of Adobe RGB.
    """
    icc, points = _profile(info, mode, notes), _points(data, form)
    chunks = _chunks(info)
    if points and (form == "png" or not icc):
        trc = _CURVES.get(points.transfer, b"") if points.primaries in _PRIMARIES else b""
        return ColourSpace(icc, points, chunks, trc, _PRIMARIES.get(points.primaries, BT709))
    if icc:
        return ColourSpace(icc)
    if chunks:
        return ColourSpace(b"", None, chunks, *_of_png(info))
    if adobe:
        notes.append("The colour space that EXIF tells, Adobe RGB, became a profile.")
        return ColourSpace(trc=_ADOBE_CURVE, primaries=_ADOBE)
    return ColourSpace()


def _points(data: bytes, form: str) -> CodePoints | None:
    """Those of the file, if they say anything."""
    reader = {"png": png.code_points, "avif": heif.code_points, "heic": heif.code_points}.get(form)
    try:
        found = reader(Window(data)) if reader else None
    except Short:
        return None
    return None if found is None or found[:2] == (_UNSAID, _UNSAID) else found


def _profile(info: Mapping[Any, Any], mode: str, notes: list[str]) -> bytes:
    icc: bytes = info.get("icc_profile") or b""
    kept = icc_profile.mended(icc) if icc_profile.is_of(icc, mode) else b""
    if icc and not kept:
        notes.append("An unusable colour profile was left out.")
    return kept


def _chunks(info: Mapping[Any, Any]) -> tuple[tuple[bytes, bytes], ...]:
    chunks = []
    if "srgb" in info:
        chunks.append((b"sRGB", bytes([info["srgb"] & 3])))
    if "gamma" in info:
        chunks.append((b"gAMA", _fixed(info["gamma"])))
    if "chromaticity" in info:
        chunks.append((b"cHRM", b"".join(map(_fixed, info["chromaticity"]))))
    return tuple(chunks)


def _of_png(info: Mapping[Any, Any]) -> tuple[bytes, Primaries]:
    """Curve and primaries as browsers read these chunks; nonsense in them does not count."""
    if "srgb" in info:
        return _SRGB, BT709
    gamma, least = info.get("gamma"), 1e-3
    trc = curve(1 / gamma) if gamma and gamma > least else _SRGB
    x = info.get("chromaticity", ())
    try:
        primaries = Primaries(x[2:4], x[4:6], x[6:8], x[0:2]) if x else BT709
        primaries.adapted()
    except ValueError:
        return trc, BT709
    return trc, primaries


def _fixed(value: float) -> bytes:
    return round(value * 100_000).to_bytes(4, "big")
