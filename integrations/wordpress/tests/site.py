"""WordPress sites to try the plug-in on: of npm over SQLite, and of Debian over MariaDB."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from tests.support.servers import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CACHE = ROOT / ".integrations" / "wordpress"
CORES = "@wp-playground/wordpress-builds@0.9.19"
START_S = 30.0
PASSWORD = "abcd efgh ijkl mnop"

ADMIN = """
require_once ABSPATH . 'wp-admin/includes/plugin.php';
wp_set_password('password', 1);
$hash = wp_hash_password('abcdefghijklmnop');
update_user_meta(1, '_application_passwords', [['uuid' => wp_generate_uuid4(), 'app_id' => '',
  'name' => 'tests', 'password' => $hash, 'created' => time(), 'last_used' => null,
  'last_ip' => null]]);
update_network_option(get_main_network_id(), 'using_application_passwords', 1);
"""


class UnreachableError(Exception):
    """A registry does not answer."""


@dataclass
class Answer:
    """Of a site."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  # whatever WordPress says
        """The body, decoded; what PHP warns of may stand before it."""
        return json.loads(self.body[self.body.index(b"{") :])


@dataclass
class Site:
    """A WordPress that PHP's own server serves."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Of its front page."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def uploads(self) -> Path:
        """The public folder."""
        return self.folder / "wp-content" / "uploads"

    def start(self) -> None:
        """Serve it; four processes, as PHP's server answers one request at a time in each."""
        command = ["php", "-d", "upload_max_filesize=40M", "-d", "post_max_size=50M"]
        command += ["-d", "memory_limit=512M", "-S", f"127.0.0.1:{self.port}", "-t", "."]
        with (self.folder.parent / "php.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PHP_CLI_SERVER_WORKERS": "4", **self.environment},
            )
        until = time.monotonic() + START_S
        while self.get("/wp-includes/version.php").status == 0 and time.monotonic() < until:
            time.sleep(0.05)

    def kill(self) -> None:
        """As a machine that loses its power."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def get(self, path: str, **headers: str) -> Answer:
        """What a visitor gets."""
        return self.send("GET", path, None, **headers)

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Any request; status 0: there was no answer."""
        request = urllib.request.Request(self.url + path, body, method=method)  # noqa: S310  # loopback
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read())
        except OSError:
            return Answer(0, b"")

    def rest(self, method: str, route: str, body: bytes | None = None, **headers: str) -> Answer:
        """A request of the administrator to WordPress's REST API."""
        login = b64encode(f"admin:{PASSWORD}".encode()).decode()
        route = route.replace("?", "&")
        headers = {"Authorization": f"Basic {login}", **headers}
        return self.send(method, f"/index.php?rest_route=/wp/v2{route}", body, **headers)

    def upload(self, photo: bytes, name: str = "photo.jpg", kind: str = "image/jpeg") -> Answer:
        """Upload a photo as the media library does."""
        disposition = f'attachment; filename="{name}"'
        return self.rest(
            "POST", "/media", photo, Content_Disposition=disposition, Content_Type=kind
        )

    def php(self, code: str, *, installing: bool = False) -> str:
        """Run PHP inside WordPress, as the administrator; what it prints."""
        before = "define('WP_INSTALLING', true); " if installing else ""
        script = before + (
            f"$_SERVER['HTTP_HOST'] = '127.0.0.1:{self.port}'; $_SERVER['REQUEST_URI'] = '/';"
            f" define('WP_ADMIN', true); require '{self.folder}/wp-load.php';"
            " require_once ABSPATH . 'wp-admin/includes/admin.php'; wp_set_current_user(1);" + code
        )
        done = subprocess.run(
            ["php", "-d", "memory_limit=512M", "-d", "display_errors=stderr", "-r", script],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self.environment},
        )
        if done.returncode:
            raise AssertionError((done.stdout + done.stderr)[-2000:])
        return done.stdout

    def command(self, *words: str, below: str = "") -> subprocess.CompletedProcess[str]:
        """Run the plug-in's command file, of a site below the first one."""
        line = self.command_line(*words, below=below)
        return subprocess.run(line, capture_output=True, text=True, check=False)

    def command_line(self, *words: str, below: str = "") -> list[str]:
        """Of the plug-in's command file."""
        cli = self.folder / "wp-content" / "plugins" / "photoward" / "cli.php"
        return ["php", str(cli), f"--url={self.url}{below}", *words]

    def set(self, **settings: str | int) -> None:
        """Change the plug-in's settings."""
        text = json.dumps(settings)
        known = "(array) get_option('photoward')"
        self.php(f"update_option('photoward', json_decode('{text}', true) + {known});")

    def install_plugin(self) -> None:
        """From its zip, as an owner does it, and activate it."""
        zipped = self.folder.parent / "photoward.zip"
        subprocess.run([sys.executable, HERE.parent / "build.py", zipped], check=True)
        with ZipFile(zipped) as archive:
            archive.extractall(self.folder / "wp-content" / "plugins")
        self.php(
            "$e = activate_plugin('photoward/photoward.php'); if ($e) { var_dump($e); exit(1); }"
        )

    def save(self) -> None:
        """Remember how it is now."""
        shutil.copy(self.database, self.folder.parent / "saved")

    def reset(self) -> None:
        """As it was when it was saved, without uploads and originals."""
        content = self.folder / "wp-content"
        for folder in (self.uploads, content / "mu-plugins", *self.vaults()):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copy(self.folder.parent / "saved", self.database)

    @property
    def database(self) -> Path:
        """The file of SQLite."""
        return self.folder / "wp-content" / "database" / ".ht.sqlite"

    def vaults(self) -> list[Path]:
        """Folders of private originals."""
        return list(self.folder.parent.glob("photoward-private-*"))

    def public(self) -> dict[str, str]:
        """Path below the uploads folder → SHA-256, of every file a visitor can fetch."""
        files = [path for path in self.uploads.rglob("*") if path.is_file()]
        return {
            str(path.relative_to(self.uploads)): sha256(path.read_bytes()).hexdigest()
            for path in files
        }


def sqlite_site(folder: Path, version: str = "6.5") -> Site:
    """A WordPress of npm over SQLite, in ``folder/site``. Raises UnreachableError."""
    core = _core(version)
    site = Site(folder / "site", free_ports(1)[0])
    shutil.copytree(core, site.folder)
    _configure(site, "")
    site.php(ADMIN)
    return site


@contextmanager
def mariadb(folder: Path) -> Iterator[Path]:
    """A MariaDB server of our own; its socket. Raises UnreachableError."""
    if shutil.which("mariadbd") is None:
        raise UnreachableError("MariaDB is not installed")
    data, socket = folder / "mysql", folder / "mysql.sock"
    user = ["--user=root"] if os.geteuid() == 0 else []
    with (folder / "mysql.log").open("wb") as log:
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={data}", *user],
            stdout=log,
            stderr=log,
            check=True,
        )
        options = [f"--datadir={data}", f"--socket={socket}", "--innodb-buffer-pool-size=32M"]
        command = ["mariadbd", "--no-defaults", "--skip-networking", *options, *user]
        server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until = time.monotonic() + START_S
            while not socket.exists() and time.monotonic() < until:
                time.sleep(0.1)
            statement = (
                "CREATE DATABASE wordpress;"
                "CREATE USER wordpress@localhost IDENTIFIED BY 'wordpress';"
                "GRANT ALL ON *.* TO wordpress@localhost"
            )
            subprocess.run(["mariadb", f"--socket={socket}", "-e", statement], check=True)
            yield socket
        finally:
            server.terminate()
            server.wait()


def debian_site(folder: Path, socket: Path) -> Site:
    """Debian's WordPress over MariaDB, in ``folder/site``. Raises UnreachableError."""
    site = Site(folder / "site", free_ports(1)[0])
    shutil.copytree(_debian_core(), site.folder, ignore_dangling_symlinks=True)
    shutil.copy(site.folder / "wp-config-sample.php", site.folder / "wp-config.php")
    (site.folder / "wp-content" / "uploads").mkdir()
    config = site.folder / "wp-config.php"
    text = config.read_text()
    for sample, value in {
        "database_name_here": "wordpress",
        "username_here": "wordpress",
        "password_here": "wordpress",
        "'localhost'": f"'localhost:{socket}'",
    }.items():
        text = text.replace(sample, value)
    config.write_text(text)
    _configure(site, "")
    site.php(
        "require_once ABSPATH . 'wp-admin/includes/upgrade.php';"
        "wp_install('Tests', 'admin', 'admin@example.org', true, '', 'password');" + ADMIN,
        installing=True,
    )
    return site


def _debian_core() -> Path:
    """What the package has below ``/usr/share/wordpress``."""
    unpacked = CACHE / "debian"
    if not unpacked.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        got = subprocess.run(
            ["apt-get", "download", "wordpress"],
            cwd=CACHE,
            capture_output=True,
            text=True,
            check=False,
        )
        if got.returncode:
            raise UnreachableError(f"apt-get download wordpress: {got.stderr[-300:]}")
        (package,) = CACHE.glob("wordpress_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
        package.unlink()
    return unpacked / "usr" / "share" / "wordpress"


def _configure(site: Site, database: str) -> None:
    more = f"""
define('WP_HOME', 'http://127.0.0.1:{site.port}');
define('WP_SITEURL', 'http://127.0.0.1:{site.port}');
define('WP_ENVIRONMENT_TYPE', 'local');
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('WP_ACCESSIBLE_HOSTS', '127.0.0.1');
define('AUTOMATIC_UPDATER_DISABLED', true);
{database}
"""
    config = site.folder / "wp-config.php"
    text = config.read_text()
    mark = "/* That's all, stop editing!"
    assert mark in text
    config.write_text(text.replace(mark, more + mark))


def _core(version: str) -> Path:
    """An unpacked WordPress with its SQLite drop-in."""
    unpacked = CACHE / f"wp-{version}"
    if not unpacked.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        packed = CACHE / "package" / "src"
        if not packed.is_dir():
            _pack()
        temporary = CACHE / f"wp-{version}.{os.getpid()}"
        with ZipFile(packed / "wordpress" / f"wp-{version}.zip") as archive:
            archive.extractall(temporary)
        with ZipFile(packed / "sqlite-database-integration/sqlite-database-integration.zip") as one:
            one.extractall(temporary / "wp-content")
        content = temporary / "wp-content"
        plugin = content / "sqlite-database-integration-main"
        plugin.rename(content / "plugins" / "sqlite-database-integration")
        shutil.copy(content / "plugins/sqlite-database-integration/db.copy", content / "db.php")
        temporary.rename(unpacked)
    return unpacked


def _pack() -> None:
    if shutil.which("npm") is None:
        raise UnreachableError("npm is not installed")
    done = subprocess.run(
        ["npm", "pack", CORES], cwd=CACHE, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UnreachableError(f"npm pack {CORES}: {done.stderr[-300:]}")
    tarball = CACHE / done.stdout.split()[-1]
    subprocess.run(["tar", "xzf", tarball, "package/src"], cwd=CACHE, check=True)
    tarball.unlink()


@contextmanager
def running(site: Site) -> Iterator[Site]:
    """Serve it until the end of the block."""
    site.start()
    try:
        yield site
    finally:
        site.kill()
