"""The one frozen settings object: built at the edge, passed in, never imported as a global."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import unquote, urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

SECRETS_DIR = "PHOTOWARD_SECRETS_DIR"
USUAL_DATA_DIR = "photoward-data"


class Settings(BaseSettings):
    """Every setting with its default, read from ``PHOTOWARD_*`` environment variables.

    What the environment does not say is read from files of the same names, in small letters or
    not, in the folder ``PHOTOWARD_SECRETS_DIR``: there passwords stay out of the environment.
    """

    model_config = SettingsConfigDict(
        env_prefix="PHOTOWARD_", frozen=True, extra="ignore", populate_by_name=True
    )

    # where things are kept
    data_dir: Path = Path(USUAL_DATA_DIR)
    """Folder of the embedded stack: ledger, objects, queue, master secret."""
    redis_url: str | None = Field(
        default=None, repr=False, validation_alias=AliasChoices("PHOTOWARD_REDIS_URL", "REDIS_URL")
    )
    """Broker; default: a private server that ``photoward up`` starts."""
    database_url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("PHOTOWARD_DATABASE_URL", "DATABASE_URL")
    )
    """``postgresql+psycopg://…`` or ``sqlite:///…``; default: SQLite in the data folder."""
    storage_url: str | None = None
    """``s3://bucket[/prefix]``, ``file:///folder`` or ``memory://``; default: a folder in the
    data folder. S3 credentials and endpoint come from the usual ``AWS_*`` variables."""
    storage_public_url: str | None = None
    """Where clients reach the S3 endpoint, as ``https://s3.example``: then they get signed URLs and
    upload past the service. Default: through it, as the endpoint is often seen by it alone."""
    s3_access_key_id: SecretStr | None = Field(default=None, validation_alias="AWS_ACCESS_KEY_ID")
    s3_secret_access_key: SecretStr | None = Field(
        default=None, validation_alias="AWS_SECRET_ACCESS_KEY"
    )
    """Settings only so that they may come from files; default: as ``AWS_*`` variables say."""
    master_secret_file: Path | None = None
    """32 random bytes; default: ``master.secret`` in the data folder, made at the first start."""

    # the door
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    allow_unauthenticated: bool = False
    """Let everybody in without a key, on any address: something before it must guard the door."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """By which names, with commas, browsers know a service that asks for no key, as behind a proxy
    of one's own. Default: ``localhost`` and addresses in numbers, as any page may have a name of
    its own lead here."""
    require_keys: bool = False
    """Ask for an API key on loopback, too, as behind a proxy. On any other address it is always
    asked for."""
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Where ``serve`` and ``worker``, run alone, tell their metrics to whoever asks: for a network
    of one's own. Default: nowhere; ``/metrics`` tells those of the HTTP face to a key."""
    max_body_bytes: int = Field(default=25 * 2**20, gt=0)
    max_megapixels: float = Field(default=52.0, gt=0)
    """The largest photos of phones and cameras of "50 megapixels" have 51.3."""
    max_side: int = Field(default=16_384, gt=0)
    sender_grace_s: float = Field(default=30.0, gt=0)
    """How long the service waits for a body, in all its pauses together …"""
    sender_bytes_per_s: int = Field(default=4096, gt=0)
    """… and a second more for each so many bytes that have come."""
    max_archive_bytes: int = Field(default=2**30, gt=0)
    """Of a zip with the photos of a batch; unpacked it may have four times as many."""
    max_uploads: int = Field(default=10_000, gt=0)
    """Of a tenant that are not used yet: as many as a batch may have …"""
    max_uploads_bytes: int = Field(default=32 * 2**30, gt=0)
    """… and what all of them together have announced, 3 MiB for each of those."""
    max_queued_items: int = Field(default=20_000, gt=0)
    max_queued_megapixels: float = Field(default=20_000.0, gt=0)
    min_free_bytes: int = Field(default=16 * 2**20, ge=0)
    """Room that uploads leave on the disks of ledger and store, where these lie on this machine:
    for the results of what was accepted, the ledger's log, the queue and the logs."""
    max_wait_s: float = Field(default=60.0, ge=0)
    """Longest ``Prefer: wait``."""

    # what manifests name
    fetch_buckets: Annotated[tuple[str, ...], NoDecode] = ()
    """Places that keys may be fetched from, ``s3://bucket[/prefix]`` with commas between them;
    ``{tenant}`` in one stands for who asks. Default: none, as whoever may hand in photos could read
    there whatever is one. The service's own bucket is never one of them."""
    fetch_urls: bool = False
    """Whether URLs are fetched: only https, of public addresses. Off, as strangers then decide whom
    the service calls."""
    fetch_private: bool = False
    """Whether URLs may lead into one's own network, and be plain http."""
    fetch_timeout_s: float = Field(default=30.0, gt=0)
    """Longest time that one photo may take to be fetched."""
    fetch_every_s: float = Field(default=1.0, gt=0)
    """How often a face looks for what is to be fetched."""
    max_arrivals: int = Field(default=100_000, gt=0)
    """What may wait to be fetched: two rows of the ledger each, and no photo yet."""

    # the engine
    surrogate: str = "cifar10-r18w16"
    """The default surrogate: what an upload gets that names none, and what is warmed up."""
    method: str = "sem+anchor"
    """The default method: what an upload gets that names none."""
    networks: str = "imagenet"
    """The default set of pretrained networks."""
    surrogate_dirs: Annotated[tuple[Path, ...], NoDecode] = ()
    """Folders with further surrogates (``NAME.safetensors`` beside ``NAME.json``), with commas
    between them."""
    surrogate_memory_mib: int = Field(default=512, gt=0)
    """Loaded surrogates beyond this are evicted, least recently used first."""
    device: str = "auto"
    """``auto`` (CUDA when present), ``cpu``, ``cuda``, ``cuda:1`` …"""
    max_batch: int = Field(default=128, gt=0)
    batch_aim_s: float = Field(default=2.0, gt=0)
    """How long a batch may take by itself; its size follows from how long others of its kind took.
    What comes next waits so long at most, a stopping worker (30 s) and a lease (60 s) never notice,
    and what a batch costs besides its photos is a small share of it."""
    batch_limit_s: float = Field(default=900.0, gt=0)
    """After so long a batch hangs: its worker process ends, and another one tries its photos again,
    thrice in all. Longer than a picture's opening and finishing may take together."""
    max_batch_megapixels: float = Field(default=50.0, gt=0)
    imaging_children: int = Field(default=0, ge=0)
    """Decoder processes a worker; 0: one a core, at most four."""
    imaging_memory_mib: int = Field(default=1_800, gt=0)
    """Address space of a decoder process; the dearest case, lossless WebP of 52 megapixels, takes
    1 752 of it and 1 463 of memory, a JPEG or PNG of that size about half as much."""
    imaging_cpu_s: float = Field(default=60.0, gt=0)
    """Processor time that opening or finishing a picture may take: beyond it the picture is refused
    as too costly. A PNG of 20 megapixels took 12 s, both together."""
    imaging_patience_s: float = Field(default=300.0, gt=0)
    """How long that may take by the clock: beyond it the machine is too busy, or was stopped, and
    the picture is tried again."""
    c2pa_certificate: Path | None = None
    """PEM file of the certificates with whose key finished files are signed; default: they are
    not."""
    c2pa_key: Path | None = None
    """PEM file of that private key, without a password."""
    webhooks_private: bool = False
    """Whether webhooks may lie in one's own network, and be plain http."""
    courier_every_s: float = Field(default=1.0, gt=0)
    """How often a worker looks for messages to webhooks."""
    worker_nice: int = Field(default=0, ge=0, le=19)
    """How far a worker and its imaging children stand back for others on their machine; under `up`
    10, for the HTTP face."""
    heartbeat_file: Path | None = None
    """Touched every 5 s by a worker that gets on; one that has not been for a minute is stuck.
    Default: none; `up` names one for each of its workers, to see when they are ready."""
    audit_days: int = Field(default=400, gt=0)
    """How long the audit log is kept: a yearly review finds all of its year."""
    lookout_s: float = Field(default=60.0, gt=0)
    """How long the same photo stands first in the queue before a worker takes it unasked, as when
    the broker is away: longer than until the next hint at it."""
    lease_s: float = Field(default=60.0, gt=0)
    reconcile_every_s: float = Field(default=30.0, gt=0)
    sweep_every_s: float = Field(default=900.0, gt=0)
    """How often a worker looks for objects that nobody needs any more."""
    orphan_age_s: float = Field(default=3600.0, gt=0)
    """An object this old without a ledger row, or half-written, was left by a crash; longer than
    any upload may take from its first byte in the store to its row."""

    @field_validator("allowed_hosts", "fetch_buckets", "surrogate_dirs", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """What stands between commas; or a JSON list, as folders of surrogates once were one."""
        if not isinstance(value, str):
            return value
        if value.startswith('["'):
            return json.loads(value)
        return tuple(filter(None, map(str.strip, value.split(","))))

    @model_validator(mode="after")
    def _own_bucket_stays_closed(self) -> Self:
        own = urlsplit(self.storage)
        for place in map(urlsplit, self.fetch_buckets):
            if place.scheme != "s3" or not place.netloc:
                raise ValueError("fetch_buckets must be s3://bucket/prefix, with commas")
            if (own.scheme, own.netloc) == (place.scheme, place.netloc):
                raise ValueError(f"fetch_buckets: {place.netloc} is the service's own bucket")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # there is no such file
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # its folder is fixed
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before the environment before files."""
        folder = os.environ.get(SECRETS_DIR)
        if folder and not Path(folder).is_dir():  # else a ledger of its own would be made
            raise SettingsError(f"{SECRETS_DIR}: there is no folder {folder}")
        files = SecretsSettingsSource(settings_cls, secrets_dir=folder)
        return init_settings, env_settings, files

    @property
    def keys_required(self) -> bool:
        """Whether who has no API key is turned away."""
        return not self.allow_unauthenticated and (self.require_keys or self._exposed)

    @property
    def _exposed(self) -> bool:
        """Whether others than this machine could reach the door."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True

    @property
    def database(self) -> str:
        """The ledger's SQLAlchemy URL."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.absolute() / 'ledger.sqlite'}"

    @property
    def storage(self) -> str:
        """The object store's URL."""
        return self.storage_url or (self.data_dir.absolute() / "objects").as_uri()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where on this machine the ledger and the objects lie, as far as they do."""
        schemes = {"sqlite:///": self.database, "file://": unquote(self.storage)}
        return tuple(
            Path(url.removeprefix(scheme)) for scheme, url in schemes.items()
            if url.startswith(scheme)
        )  # fmt: skip

    @property
    def broker(self) -> str:
        """The broker's Celery URL: ``REDIS_URL`` or the private server's socket."""
        socket = self.data_dir.absolute() / "redis.sock"
        if self.redis_url is not None:
            return self.redis_url
        return f"redis+socket://{socket}?virtual_host=0"

    @property
    def master_secret(self) -> Path:
        """Path of the master secret."""
        return self.master_secret_file or self.data_dir.absolute() / "master.secret"
