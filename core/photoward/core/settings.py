"""The one frozen settings object: read at the edge, passed in, never imported as a global."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self, get_args
from urllib.parse import unquote, urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    ByteSize,
    Field,
    SecretStr,
    TypeAdapter,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from photoward.core.renamed_settings import RENAMED

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "PHOTOWARD_"
SECRETS_DIR = f"{PREFIX}SECRETS_DIR"
USUAL_DATA_DIR = "photoward-data"
MIB = 2**20


def _parse_size(value: object) -> object:
    """Bytes of a size with a unit, as ``25MiB``; anything else as it is."""
    return _SIZE.validate_python(value) if isinstance(value, str) else value


_SIZE = TypeAdapter(ByteSize)
Bytes = Annotated[int, BeforeValidator(_parse_size)]


class Settings(BaseSettings):
    """Every setting with its default, read from ``PHOTOWARD_*`` environment variables.

    What the environment does not set is read from files of the same names, in upper or lower case,
    in the folder that ``PHOTOWARD_SECRETS_DIR`` names: passwords stay out of the environment there.
    Times are in seconds, sizes in bytes (``_bytes`` also takes units, as ``25MiB``), images in
    megapixels (10⁶ pixels). The string below each setting is its documentation.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    # Data and servers
    data_dir: Path = Path(USUAL_DATA_DIR)
    """Folder of the embedded service's ledger, objects, queue and master secret."""
    secrets_dir: Path | None = None
    """Folder of files, each named as a variable, that set what the environment does not; default:
    none. For passwords."""
    master_secret_file: Path | None = None
    """File of the 32 random bytes from which all keys are derived; default: ``master.secret`` in
    the data folder, created at the first start."""
    database_url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("PHOTOWARD_DATABASE_URL", "DATABASE_URL")
    )
    """Ledger, as ``postgresql+psycopg://…`` or ``sqlite:///…``; default: an SQLite file in the data
    folder."""
    redis_url: str | None = Field(
        default=None, repr=False, validation_alias=AliasChoices("PHOTOWARD_REDIS_URL", "REDIS_URL")
    )
    """Broker, as ``redis://…``; default: a private server that ``photoward up`` starts."""
    storage_url: str | None = None
    """Object store, as ``s3://bucket[/prefix]``, ``file:///folder`` or ``memory://``; default: a
    folder in the data folder. S3 settings come from the usual ``AWS_*`` variables."""
    storage_public_url: str | None = None
    """Public URL of the S3 endpoint, as ``https://s3.example``, for signed upload and download
    URLs; default: none, so files pass through the service, because clients often cannot reach the
    endpoint."""
    s3_access_key_id: SecretStr | None = Field(default=None, validation_alias="AWS_ACCESS_KEY_ID")
    """S3 access key; default: as the ``AWS_*`` variables and files provide it."""
    s3_secret_access_key: SecretStr | None = Field(
        default=None, validation_alias="AWS_SECRET_ACCESS_KEY"
    )
    """S3 secret key; default: as the ``AWS_*`` variables and files provide it."""

    s3_endpoint_url: str | None = Field(
        default=None, validation_alias=AliasChoices("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    )
    """S3 endpoint of another service than AWS."""
    xdg_data_home: Path | None = Field(default=None, validation_alias="XDG_DATA_HOME")
    """Folder in which ``photoward protect`` and ``sync`` keep a user's secret and records; default:
    ``~/.local/share``."""
    xdg_config_home: Path | None = Field(default=None, validation_alias="XDG_CONFIG_HOME")
    """Folder in which ``photoward login`` keeps a service's URL and API key; default:
    ``~/.config``."""
    api_key: SecretStr | None = None
    """API key that ``images``, ``batches``, ``sync``, ``evaluate`` and ``bench`` send to a service;
    default: that of ``photoward login``."""

    # HTTP
    http_host: str = "127.0.0.1"
    """Address to listen on; the default is reachable from this machine only."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """TCP port to listen on; 0: any free port."""
    http_require_keys: bool = False
    """Require an API key on the loopback address too, as behind a proxy; on other addresses keys
    are always required."""
    http_allow_unauthenticated: bool = False
    """Serve everybody without an API key on any address; only for networks where something else
    controls access."""
    http_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Host names, separated by commas, that browsers may use for a service without keys; default:
    ``localhost`` and numeric addresses, because a web page can point a name of its own here (DNS
    rebinding)."""
    http_cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins of other sites' pages that may use the API from a browser (CORS), as
    ``https://photos.example``, separated by commas; ``*`` for all, where API keys are required.
    Default: none. Give such pages upload tokens, not keys."""
    http_public_url: str | None = None
    """URL at which clients reach the service, as ``https://photos.example/photoward``: links in
    webhook messages begin with it. Default: as the request came that made the webhook or the
    photo."""
    http_max_wait_seconds: float = Field(default=60.0, ge=0)
    """Longest time in seconds that a request may wait for its result (``Prefer: wait``); proxies
    often close a connection after 60 s."""
    http_body_timeout_seconds: float = Field(default=30.0, gt=0)
    """Time in seconds that a request body may pause, all pauses added up; enough for a mobile
    network to recover."""
    http_body_min_bytes_per_second: int = Field(default=4096, gt=0)
    """Lowest rate of a request body: each so many bytes extend the body timeout by one second; a
    slow mobile connection is faster."""
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Port on which ``serve`` and ``worker``, run alone, publish metrics without a key, for a
    private network; default: none, ``/metrics`` answers to a key."""

    # Verification
    verify_require_key: bool = False
    """Require an API key to verify files, where keys are required; by default anybody may ask what
    a file is, and nobody but its owner learns whose."""
    verify_per_minute: int = Field(default=30, gt=0)
    """Files that one address may verify in a minute without an API key; of IPv6 a network of 64
    bits counts as one, and each API process counts for itself."""

    # Uploads
    upload_max_bytes: Bytes = Field(default=25 * MIB, gt=0)
    """Largest size of a photo's file; JPEGs of 50-megapixel cameras have up to 20 MiB."""
    upload_max_archive_bytes: Bytes = Field(default=1024 * MIB, gt=0)
    """Largest size of a zip or tar with the photos of a batch; unpacked it may have four times as
    many bytes."""
    upload_max_pending: int = Field(default=10_000, gt=0)
    """Most resumable uploads of a tenant that are not used yet; as many as a batch may have
    photos."""
    upload_max_pending_bytes: Bytes = Field(default=32 * 1024 * MIB, gt=0)
    """Most announced bytes of a tenant's uploads that are not used yet; 3 MiB for each of 10 000
    uploads."""
    upload_min_free_bytes: Bytes = Field(default=16 * MIB, ge=0)
    """Free bytes that uploads leave on the local disks of ledger and object store, for the results
    of accepted photos, the ledger's log and the queue."""

    # Queue
    queue_max_items: int = Field(default=20_000, gt=0)
    """Most images that may be queued, for all tenants together; hours of work for one machine."""
    queue_max_megapixels: float = Field(default=20_000.0, gt=0)
    """Most megapixels that may be queued, for all tenants together; hours of work for one
    machine."""
    queue_lease_seconds: float = Field(default=60.0, gt=0)
    """Time in seconds after which the images of a worker that no longer renews its lease are
    queued again; a worker renews it several times in that."""
    queue_stall_seconds: float = Field(default=60.0, gt=0)
    """Time in seconds that the same image may stand first in the queue before a worker takes it
    without a wake-up, as when the broker is down; longer than the next wake-up takes."""

    # Fetching what manifests name
    fetch_buckets: Annotated[tuple[str, ...], NoDecode] = ()
    """Places that photos may be fetched from, as ``s3://bucket[/prefix]``, separated by commas;
    ``{tenant}`` stands for the tenant's id. Default: none, because every tenant can read all of
    them. The service's own bucket is refused."""
    fetch_allow_urls: bool = False
    """Fetch ``https`` URLs of public addresses; off, because clients then decide which hosts the
    service contacts."""
    fetch_allow_private: bool = False
    """Fetch URLs of private networks, and plain ``http``; off, because clients could reach internal
    services."""
    fetch_timeout_seconds: float = Field(default=30.0, gt=0)
    """Longest time in seconds for the fetch of one photo; 25 MiB in that need 7 Mbit/s."""
    fetch_poll_interval_seconds: float = Field(default=1.0, gt=0)
    """Time in seconds between two looks for photos that are due to be fetched."""
    fetch_max_pending: int = Field(default=100_000, gt=0)
    """Most photos that may wait to be fetched, for all tenants together; each takes two rows of the
    ledger."""

    # Protection
    engine_method: str = "anchor"
    """Method that protects images whose request names none."""
    engine_surrogate: str = "cifar10-r18w16"
    """Surrogate network of images whose request names none; workers load it at their start."""
    engine_networks: str = "imagenet"
    """Set of pretrained networks of images whose request names none."""
    engine_surrogate_dirs: Annotated[tuple[Path, ...], NoDecode] = ()
    """Folders of further surrogates, networks and sets (``NAME.safetensors`` beside
    ``NAME.json``), separated by commas."""
    engine_cache_bytes: Bytes = Field(default=512 * MIB, gt=0)
    """Memory for loaded networks in a worker; beyond it the least recently used are unloaded."""
    engine_device: str = "auto"
    """Device for the networks: ``cpu``, ``cuda``, ``cuda:1`` …; ``auto``: CUDA where present."""

    # Workers
    worker_max_batch_items: int = Field(default=128, gt=0)
    """Most images that a worker processes together; more bring no speed."""
    worker_max_batch_megapixels: float = Field(default=50.0, gt=0)
    """Most megapixels that a worker processes together; bounds its memory."""
    worker_target_batch_seconds: float = Field(default=2.0, gt=0)
    """Time in seconds that a batch should take; its size follows from earlier ones. Short enough
    for the next image, a stopping worker (30 s) and a lease (60 s)."""
    worker_batch_timeout_seconds: float = Field(default=900.0, gt=0)
    """Time in seconds after which a batch hangs: its process ends and its images are tried again,
    three times in all. Longer than decoding and encoding one image may take together."""
    worker_reconcile_interval_seconds: float = Field(default=30.0, gt=0)
    """Time in seconds between two searches for expired leases and lost wake-ups; half a lease."""
    worker_sweep_interval_seconds: float = Field(default=900.0, gt=0)
    """Time in seconds between two removals of orphaned objects; each lists the whole store."""
    worker_niceness: int = Field(default=0, ge=0, le=19)
    """Niceness of a worker and its decoder processes; ``photoward up`` uses 10, so that the API
    stays responsive on the same machine."""
    worker_heartbeat_file: Path | None = None
    """File that a healthy worker touches every 5 s, for a health check; one that is a minute old
    belongs to a stuck worker. Default: none."""

    # Decoder processes
    imaging_processes: int = Field(default=0, ge=0)
    """Decoder processes of a worker; 0: one for each core, at most four."""
    imaging_max_megapixels: float = Field(default=52.0, gt=0)
    """Largest image in megapixels; "50-megapixel" cameras make up to 51.3."""
    imaging_max_side_pixels: int = Field(default=16_384, gt=0)
    """Longest side of an image in pixels; AVIF and WebP files cannot have much more."""
    imaging_memory_bytes: Bytes = Field(default=1800 * MIB, gt=0)
    """Address space of a decoder process; the most expensive case, lossless WebP of 52 megapixels,
    takes 1752 MiB of it."""
    imaging_cpu_seconds: float = Field(default=60.0, gt=0)
    """Processor time in seconds that decoding or encoding an image may take; beyond it the image is
    refused. A PNG of 20 megapixels takes 12 s for both."""
    imaging_timeout_seconds: float = Field(default=300.0, gt=0)
    """Elapsed time in seconds that decoding or encoding an image may take; beyond it the machine is
    overloaded and the image is tried again."""

    # Signed provenance
    c2pa_certificate_file: Path | None = None
    """PEM file of the certificate chain for C2PA signatures in finished files; default: none, files
    are not signed."""
    c2pa_key_file: Path | None = None
    """PEM file of the private key of that certificate, without a password."""

    # Webhooks
    webhook_allow_private: bool = False
    """Deliver webhooks to private networks, and over plain ``http``; off, because clients could
    reach internal services."""
    webhook_poll_interval_seconds: float = Field(default=1.0, gt=0)
    """Time in seconds between two looks for webhook deliveries that are due."""

    # Gateway
    gateway_inbox: str | None = None
    """Where the site's media files lie, for ``photoward gateway``: ``file:///folder``,
    ``s3://bucket[/prefix]`` or ``https://host[/path]``; only what lies below it is read. For
    ``http``, and for servers of a private network, set ``PHOTOWARD_FETCH_ALLOW_PRIVATE``."""
    gateway_outbox: str | None = None
    """Where the gateway keeps the protected files: ``file:///folder`` or ``s3://bucket[/prefix]``,
    for nothing else."""
    gateway_service_url: str = "http://127.0.0.1:8080"
    """URL of the service that protects the photos; it gets the key ``PHOTOWARD_API_KEY``."""
    gateway_options: str | None = None
    """Options of every photo, in the form of a query, as ``preset=strong&keep_exif=date``; those of
    ``POST /v1/images``. Other options make all files anew."""
    gateway_pass: Annotated[tuple[str, ...], NoDecode] = ("video", "audio", "pdf")
    """Kinds of files besides photos that are served as they are, recognised by their first bytes;
    anything else is refused. They may contain pictures, which nothing protects."""
    gateway_query: Annotated[tuple[str, ...], NoDecode] = ()
    """Parameters of a URL's query that belong to a file's name, for an inbox on a web server;
    default: none, because each value of another parameter would be a photo of its own."""
    gateway_deadline_seconds: float = Field(default=20.0, gt=0)
    """Time in seconds that a request waits for its photo to be protected; then the answer is 503
    and the work goes on. Many sites that fetch pictures wait no longer than this."""
    gateway_recheck_seconds: float = Field(default=5.0, ge=0)
    """Time in seconds for which the inbox is not asked again whether a file was replaced or
    deleted."""
    gateway_max_age_seconds: int = Field(default=3600, ge=0)
    """Time in seconds that browsers and caches may keep a file without asking again, and so may
    show one that was deleted."""
    gateway_sweep_interval_seconds: float = Field(default=3600.0, gt=0)
    """Time in seconds between two removals of protected files that have left the inbox; each lists
    both places."""

    # Retention
    retention_image_days: float | None = Field(default=None, ge=0)
    """Days after its end after which an image is deleted, its files too; requests may name a
    shorter time. 0 or none: images are kept until clients delete them. Default: none, and 7 for
    ``photoward up``, whose disk is often that of a laptop."""
    retention_audit_days: int = Field(default=400, gt=0)
    """Days that audit entries are kept; a yearly review finds its whole year."""
    retention_orphan_seconds: float = Field(default=3600.0, gt=0)
    """Age in seconds at which an object without a ledger row counts as left by a crash; longer than
    an upload takes from its first byte in the store to its row."""

    @field_validator(
        "http_allowed_hosts",
        "http_cors_origins",
        "fetch_buckets",
        "engine_surrogate_dirs",
        "gateway_pass",
        "gateway_query",
        mode="before",
    )
    @classmethod
    def _split_list(cls, value: object) -> object:
        """The words between commas; or the members of a JSON list."""
        if not isinstance(value, str):
            return value
        if value.startswith('["'):
            return json.loads(value)
        return tuple(filter(None, map(str.strip, value.split(","))))

    @field_validator("http_public_url")
    @classmethod
    def _require_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query:
            raise ValueError(f"{url} is not a URL such as https://photos.example")
        return url.rstrip("/")

    @field_validator("http_cors_origins")
    @classmethod
    def _require_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if origin not in {"*", f"{parts.scheme}://{parts.netloc}"}:
                raise ValueError(f"{origin} is not an origin such as https://photos.example")
        return origins

    @model_validator(mode="after")
    def _require_keys_of_all_origins(self) -> Self:
        if "*" in self.http_cors_origins and not self.keys_required:
            raise ValueError("http_cors_origins=* needs API keys, and none are required")
        return self

    @model_validator(mode="after")
    def _exclude_own_bucket(self) -> Self:
        own = urlsplit(self.storage)
        for bucket in map(urlsplit, self.fetch_buckets):
            if bucket.scheme != "s3" or not bucket.netloc:
                raise ValueError("fetch_buckets must be s3://bucket/prefix, with commas")
            if (own.scheme, own.netloc) == (bucket.scheme, bucket.netloc):
                raise ValueError(f"fetch_buckets: {bucket.netloc} is the service's own bucket")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # no such file is read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # replaced below
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before environment variables before secret files.

        Raises:
            SettingsError: the folder of secret files is missing, or a name is an old one.
        """
        folder = os.environ.get(SECRETS_DIR)
        if folder and not Path(folder).is_dir():  # otherwise a new, empty ledger would be created
            raise SettingsError(f"{SECRETS_DIR}: there is no folder {folder}")
        secrets = Path(folder).iterdir() if folder else ()
        _refuse_old_names([*os.environ, *(file.name for file in secrets)])
        files = SecretsSettingsSource(settings_cls, secrets_dir=folder)
        return init_settings, env_settings, files

    @property
    def keys_required(self) -> bool:
        """Whether requests without an API key are refused."""
        return not self.http_allow_unauthenticated and (self.http_require_keys or self._exposed)

    @property
    def retention_image_seconds(self) -> int | None:
        """Seconds from an image's end to its deletion; None: it is kept."""
        return round(self.retention_image_days * 86_400) if self.retention_image_days else None

    @property
    def _exposed(self) -> bool:
        """Whether other machines can reach the service."""
        if self.http_host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.http_host).is_loopback
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
        """The paths of ledger and object store, those of the two that are on this machine."""
        schemes = {"sqlite:///": self.database, "file://": unquote(self.storage)}
        return tuple(
            Path(url.removeprefix(scheme))
            for scheme, url in schemes.items()
            if url.startswith(scheme)
        )

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


def variables(name: str) -> tuple[str, ...]:
    """The environment variables that set a field, the preferred one first."""
    alias = Settings.model_fields[name].validation_alias
    if alias is None:
        return (f"{PREFIX}{name.upper()}",)
    return tuple(map(str, alias.choices)) if isinstance(alias, AliasChoices) else (str(alias),)


def is_secret(name: str) -> bool:
    """Whether a field's value must not be shown."""
    field = Settings.model_fields[name]
    return not field.repr or SecretStr in get_args(field.annotation)


def source_of(name: str) -> str:
    """Where a field's value comes from unless an argument sets it: a variable, a file, or neither.

    Returns:
        ``environment variable NAME``, ``secret file PATH`` or ``default``.
    """
    environment = {variable.upper(): variable for variable in os.environ}
    for variable in variables(name):
        if variable in environment:
            return f"environment variable {environment[variable]}"
    folder = os.environ.get(SECRETS_DIR)
    files = {file.name.upper(): file for file in Path(folder).iterdir()} if folder else {}
    for variable in variables(name):
        if variable in files:
            return f"secret file {files[variable]}"
    return "default"


def _refuse_old_names(given: Iterable[str]) -> None:
    for name in map(str.upper, given):
        new = RENAMED.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
        if new is not None:
            raise SettingsError(f"{name} is called {PREFIX}{new} now")
