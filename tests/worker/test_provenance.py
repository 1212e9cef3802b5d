"""The signed manifest: what it says, that it is valid, and that the picture is left as it was."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import TYPE_CHECKING, Any

import c2pa
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from photoward.core import rights
from photoward.core.errors import Unavailable
from photoward.worker.pipeline import Pipeline, Protected
from photoward.worker.provenance import FORBIDDEN, Signer, open_signer
from tests.core.imaging.pictures import file, reopened, smooth
from tests.worker.test_pipeline import job

if TYPE_CHECKING:
    from pathlib import Path

    from photoward.core.imaging.sandbox.pool import ImagingPool
    from photoward.core.settings import Settings

Key = ec.EllipticCurvePrivateKey
DAY = dt.timedelta(days=1)


def certificate(subject: str, key: Key, issuer: Key, *, days: int = 30) -> x509.Certificate:
    """One that C2PA's profile accepts: an authority's if it is its own issuer."""
    now = dt.datetime.now(dt.UTC)
    authority = key is issuer

    def name(text: str) -> x509.Name:
        parts = (NameOID.COMMON_NAME, text), (NameOID.ORGANIZATION_NAME, "Test")
        return x509.Name([x509.NameAttribute(*part) for part in parts])

    usage = x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name("Authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 60 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False
        )
    )
    if not authority:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        made = made.add_extension(purpose, critical=False)
    return made.sign(issuer, hashes.SHA256())


def written(folder: Path, *, days: int = 30, foreign: bool = False) -> tuple[Path, Path]:
    """A chain and its key; ``foreign``: of somebody else."""
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    chain = (
        certificate("Operator", own, authority, days=days),
        certificate("Authority", authority, authority),
    )
    pem = serialization.Encoding.PEM
    certificates, key = folder / "chain.pem", folder / "key.pem"
    certificates.write_bytes(b"".join(one.public_bytes(pem) for one in chain))
    secret = ec.generate_private_key(ec.SECP256R1()) if foreign else own
    key.write_bytes(
        secret.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificates, key


def read(data: bytes, media_type: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(c2pa.Reader(media_type, io.BytesIO(data)).json())
    return found


@pytest.fixture
def signing(pool: ImagingPool, pipeline: Pipeline, tmp_path: Path) -> Pipeline:
    return Pipeline(pool, pipeline._cache, 2, Signer(*written(tmp_path)))


@pytest.mark.parametrize("output", ["jpeg", "png", "webp", "avif"])
def test_every_format_carries_a_valid_manifest_and_the_same_picture(
    output: str, signing: Pipeline, pipeline: Pipeline
) -> None:
    photo = job("a", file(smooth((90, 60))), (90, 60), output_format=output)
    (signed,), (plain,) = (one.protect([photo]) for one in (signing, pipeline))
    assert isinstance(signed, Protected)
    assert isinstance(plain, Protected)
    assert (np.asarray(reopened(signed.data)) == np.asarray(reopened(plain.data))).all()
    assert reopened(signed.data).info["xmp"] == reopened(plain.data).info["xmp"]
    found = read(signed.data, signed.media_type)
    assert found["validation_state"] == "Valid"
    (manifest,) = found["manifests"].values()
    assert manifest["claim_generator_info"][0]["name"] == "Photoward"
    assert "thumbnail" not in json.dumps(manifest)
    said = {one["label"]: one["data"] for one in manifest["assertions"]}
    assert said["cawg.training-mining"]["entries"] == {
        "cawg.ai_training": {"use": "notAllowed"},
        "cawg.ai_generative_training": {"use": "notAllowed"},
    }
    assert signed.measured["seconds"]["sign"] > 0
    assert len(signed.data) < len(plain.data) + 8192


def test_every_choice_of_rights_is_said_and_nothing_says_nothing(signing: Pipeline) -> None:
    assert FORBIDDEN.keys() == rights.TERMS.keys()
    for choice in rights.CHOICES:
        (signed,) = signing.protect([job("a", data_mining=choice)])
        assert isinstance(signed, Protected)
        (manifest,) = read(signed.data, "image/png")["manifests"].values()
        labels = {one["label"] for one in manifest["assertions"]}
        assert ("cawg.training-mining" in labels) == (choice != rights.NOTHING)


def test_a_changed_file_is_seen(signing: Pipeline) -> None:
    (signed,) = signing.protect([job("a", file(smooth(), "JPEG"), (320, 200))])
    assert isinstance(signed, Protected)
    changed = bytearray(signed.data)
    changed[-100] ^= 1
    assert read(bytes(changed), "image/jpeg")["validation_state"] == "Invalid"


@pytest.mark.parametrize(
    "wrong", [{"days": -1}, {"foreign": True}], ids=["it has run out", "another's key"]
)
def test_what_cannot_sign_is_refused_at_the_start(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"chain\.pem"):
        Signer(*written(tmp_path, **wrong))


def test_unreadable_keys_are_refused_and_not_quoted(tmp_path: Path) -> None:
    chain, key = written(tmp_path)
    key.write_text("-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n")
    with pytest.raises(Unavailable) as caught:
        Signer(chain, key)
    assert "SECRET" not in str(caught.value)
    with pytest.raises(Unavailable, match=r"none\.pem"):
        Signer(chain, tmp_path / "none.pem")


def test_settings_name_both_or_neither(settings: Settings, tmp_path: Path) -> None:
    chain, key = written(tmp_path)
    assert open_signer(settings) is None
    both = settings.model_copy(update={"c2pa_certificate_file": chain, "c2pa_key_file": key})
    assert isinstance(open_signer(both), Signer)
    with pytest.raises(Unavailable, match="both"):
        open_signer(settings.model_copy(update={"c2pa_key_file": key}))
