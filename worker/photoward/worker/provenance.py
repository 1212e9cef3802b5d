"""The operator's signed word in a finished file: a C2PA manifest with CAWG's terms of training.

For who wants it, with a certificate of their own (extra ``c2pa``). The manifest holds no picture
and nothing of the original; it is new at each signing, so that equal uploads no longer give equal
bytes.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from photoward.core import rights
from photoward.core.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from photoward.core.settings import Settings

FORBIDDEN = {
    "no-ai-training": ("ai_training", "ai_generative_training"),
    "no-generative-training": ("ai_generative_training",),
    "search-only": ("data_mining", "ai_inference", "ai_training", "ai_generative_training"),
    "no-data-mining": ("data_mining", "ai_inference", "ai_training", "ai_generative_training"),
}
"""Choice of ``rights.TERMS`` → what CAWG's Training and Data Mining assertion does not allow."""

ORIGINAL = "photoward:original"
"""The original's name inside the manifest: C2PA wants to hear that something was opened."""


_TINY = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a494441"
    "54789c636000000002000148afa4710000000049454e44ae426082"
)
"""A PNG of one pixel: whether it can be signed is better known at the start."""


class Signer:
    """Signs finished files; safe to use from several threads.

    Args:
        certificate: PEM file, the signer's own certificate first, then its issuers'.
        key: PEM file of its private key (P-256, P-384, P-521, RSA or Ed25519), without a password.

    Raises:
        Unavailable: they cannot be read or do not fit, or the extra is not installed.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        try:
            import c2pa  # noqa: PLC0415  # of an extra
        except ImportError:
            raise Unavailable(
                "Not installed: c2pa. Add it: pip install 'photoward[c2pa]'."
            ) from None
        self._c2pa = c2pa
        try:
            chain, secret = certificate.read_bytes(), key.read_bytes()
            info = c2pa.C2paSignerInfo(_algorithm(secret), chain, secret, None)
            self._signer = c2pa.Signer.from_info(info)
            self._context = c2pa.Context(
                c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}})
            )
            self._sign(_TINY, "image/png", rights.DEFAULT)
        except OSError as error:
            raise Unavailable(f"{error.filename} cannot be read: {error.strerror}.") from None
        except (ValueError, TypeError, c2pa.C2paError) as error:
            # Without its cause: nobody knows what of a key a parser quotes.
            kind = type(error).__name__.removeprefix("_C2pa")
            raise Unavailable(f"Nothing can be signed with {certificate} ({kind}).") from None

    def sign(self, data: bytes, media_type: str, mining: str) -> bytes:
        """The same file with a manifest.

        Args:
            data: a finished JPEG, PNG, WebP or AVIF.
            media_type: of it.
            mining: one of ``rights.CHOICES``.

        Raises:
            Unavailable: it cannot be signed now, for example because the certificate has run out.
        """
        try:
            return self._sign(data, media_type, mining)
        except self._c2pa.C2paError as error:
            kind = type(error).__name__.removeprefix("_C2pa")
            raise Unavailable(f"The file cannot be signed ({kind}).") from None

    def _sign(self, data: bytes, media_type: str, mining: str) -> bytes:
        signed = io.BytesIO()
        builder = self._c2pa.Builder.from_json(json.dumps(manifest(mining)), self._context)
        builder.sign(self._signer, media_type, io.BytesIO(data), signed)
        return signed.getvalue()


def open_signer(settings: Settings) -> Signer | None:
    """The signer that the settings name; None if they name none.

    Raises:
        Unavailable: only half of it is named, or it cannot be used.
    """
    if settings.c2pa_certificate_file and settings.c2pa_key_file:
        return Signer(settings.c2pa_certificate_file, settings.c2pa_key_file)
    if settings.c2pa_certificate_file or settings.c2pa_key_file:
        raise Unavailable(
            "C2PA needs both PHOTOWARD_C2PA_CERTIFICATE_FILE and PHOTOWARD_C2PA_KEY_FILE."
        )
    return None


def manifest(mining: str) -> dict[str, Any]:
    """What is signed, as c2pa-rs takes it."""
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": [ORIGINAL]}}
    assertions: list[dict[str, Any]] = [
        {"label": "c2pa.actions.v2", "data": {"actions": [opened, {"action": "c2pa.edited"}]}}
    ]
    if mining != rights.NOTHING:
        entries = {f"cawg.{use}": {"use": "notAllowed"} for use in FORBIDDEN[mining]}
        assertions.append({"label": "cawg.training-mining", "data": {"entries": entries}})
    return {
        "claim_generator_info": [
            {"name": "Photoward", "version": importlib.metadata.version("photoward")}
        ],
        "ingredients": [{"title": "original", "relationship": "parentOf", "instance_id": ORIGINAL}],
        "assertions": assertions,
    }


def _algorithm(key: bytes) -> bytes:
    found = serialization.load_pem_private_key(key, password=None)
    if isinstance(found, ec.EllipticCurvePrivateKey):
        return {256: b"es256", 384: b"es384", 521: b"es512"}[found.curve.key_size]
    if isinstance(found, rsa.RSAPrivateKey):
        return b"ps256"
    if isinstance(found, ed25519.Ed25519PrivateKey):
        return b"ed25519"
    raise ValueError
