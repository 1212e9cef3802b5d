"""Killed at any moment; the library that was there before; and back to the originals."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from integrations.wordpress.tests.looks import (
    PLAIN,
    PROTECTED,
    look,
    looks,
    photo,
    vault,
    visitor,
)

if TYPE_CHECKING:
    from pathlib import Path

    from integrations.wordpress.tests.site import Site
    from tests.api.http.service import Service

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

KILLS = 20
LIBRARY = 200
FILES = 3
"""Of each photo of the library: itself, medium and thumbnail."""


def test_killed_midway_nothing_unprotected_is_public(site: Site) -> None:
    """PHP dies at a random moment of an upload, twenty times."""
    chance = random.Random(7)
    began = time.monotonic()
    site.upload(photo(20))
    once = time.monotonic() - began
    with visitor(site) as plain:
        for number in range(KILLS):
            upload = threading.Thread(target=site.upload, args=(photo(30 + number),))
            upload.start()
            time.sleep(chance.uniform(0, once))
            site.kill()
            upload.join()
            site.start()
            assert set(looks(site).values()) <= {PROTECTED}
    assert not plain
    assert site.upload(photo(99)).status == 201
    assert {look(path.read_bytes()) for path in vault(site)} == {PLAIN}
    site.php("do_action('photoward_step');")
    lost = """
        foreach (Photoward\\WordPress\\Ledger::page(0, 1000) as $row) {
            if (!is_file(Photoward\\WordPress\\Vault::path($row['original']))) echo $row['path'];
        }
    """
    assert site.php(lost) == ""


def library(site: Site, folder: Path) -> dict[str, str]:
    """Photos that were there before the plug-in was connected; their hashes."""
    url = site.php("echo Photoward\\WordPress\\Settings::get('url');")
    site.set(url="")
    for number in range(LIBRARY):
        (folder / f"{number:03}.jpg").write_bytes(photo(10 + number, (400, 300)))
    site.php(f"""
        foreach (glob('{folder}/*.jpg') as $path) {{
            $file = wp_tempnam(basename($path)); copy($path, $file);
            media_handle_sideload(['name' => basename($path), 'tmp_name' => $file]);
        }}
    """)
    site.set(url=url)
    assert set(looks(site).values()) == {PLAIN}
    return site.public()


def changed(site: Site, before: dict[str, str]) -> int:
    """How many files are not what they were."""
    now = site.public()
    return sum(now[path] != old for path, old in before.items())


def test_a_back_fill_killed_twice_and_undone(site: Site, service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    before = library(site, folder)
    assert len(before) == FILES * LIBRARY
    counted = site.command("backfill", "--dry-run").stdout
    assert f"{FILES * LIBRARY} files" in counted
    assert site.public() == before
    began = time.monotonic()
    for share in (0.25, 0.6):
        process = subprocess.Popen(site.command_line("backfill" if share < 0.5 else "resume"))
        while changed(site, before) < share * len(before):
            assert process.poll() is None
            time.sleep(0.2)
        process.kill()
        process.wait()
    done = site.command("resume")
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(looks(site).values()) == {PROTECTED}
    assert service.kept() == []
    after = site.public()
    assert site.command("backfill").returncode == 0
    assert site.public() == after
    told = site.php("""
        foreach (get_posts(['post_type' => 'attachment', 'numberposts' => 5]) as $post) {
            $size = wp_filesize(get_attached_file($post->ID));
            echo (int) ($size === wp_get_attachment_metadata($post->ID)['filesize']);
        }
    """)
    assert told == "11111"
    print(f"back-fill of {len(before)} files, killed twice: {seconds:.0f} s")  # noqa: T201  # the figure
    began = time.monotonic()
    assert site.command("restore").returncode == 0
    assert site.public() == before
    print(f"restored in {time.monotonic() - began:.0f} s")  # noqa: T201  # the figure
    assert len(vault(site)) == len(set(before.values()))


def test_what_failed_is_retried_alone(site: Site, service: Service) -> None:
    url = service.url
    site.set(url="")
    for shade in (40, 80):
        assert site.upload(photo(shade, (200, 150))).status == 201
    site.set(url=url, preset="nonsense")
    site.command("backfill")
    told = site.command("status").stdout
    assert "failed" in told
    assert "preset" in told
    site.set(preset="")
    done = site.command("retry")
    assert "files are tried again" in done.stdout
    assert set(looks(site).values()) == {PROTECTED}


def test_a_pause_stops_and_resume_goes_on(site: Site, service: Service) -> None:
    site.set(url="")
    assert site.upload(photo(50)).status == 201
    site.set(url=service.url)
    site.php(
        "Photoward\\WordPress\\Backfill::start(); Photoward\\WordPress\\Backfill::set_paused(true);"
    )
    site.php("do_action('photoward_step');")
    assert set(looks(site).values()) == {PLAIN}
    assert site.command("resume").returncode == 0
    assert set(looks(site).values()) == {PROTECTED}


def test_the_back_fill_says_that_the_service_is_away(site: Site) -> None:
    site.set(url="")
    site.upload(photo(50))
    site.set(url="http://127.0.0.1:9")
    done = site.command("backfill")
    assert done.returncode == 1
    assert "Photoward:" in done.stdout
    assert set(looks(site).values()) == {PLAIN}


def test_a_file_that_another_program_changed_is_left_alone_by_restore(site: Site) -> None:
    site.upload(photo(50))
    path = next(iter(sorted(site.uploads.rglob("*-150x150.jpg"))))
    path.write_bytes(photo(60, (150, 150)))
    done = site.command("restore")
    assert "changed by another program" in done.stdout
    assert path.read_bytes() == photo(60, (150, 150))


def test_what_expired_on_the_service_is_sent_anew(site: Site, service: Service) -> None:
    site.set(url="")
    assert site.upload(photo(50, (200, 150))).status == 201
    site.set(url=service.url)
    site.php("""
        foreach (glob(wp_upload_dir()['path'] . '/*') as $path) {
            $hash = hash_file('sha256', $path);
            Photoward\\WordPress\\Vault::put($path);
            Photoward\\WordPress\\Ledger::save(Photoward\\WordPress\\Library::name($path), [
                'original' => $hash, 'protected' => $hash, 'state' => 'sent',
                'item' => str_repeat('0', 32)]);
        }
    """)
    assert site.command("resume").returncode == 0
    assert set(looks(site).values()) == {PROTECTED}
