"""The plug-in in a real WordPress 6.5 with a real service behind it."""

from __future__ import annotations

import base64
import io
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from integrations.wordpress.tests.looks import (
    PLACEHOLDER,
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

    from integrations.wordpress.tests.site import Answer, Site

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

AWAY = "http://127.0.0.1:9"
SIDELOAD = """
$file = wp_tempnam('photo.jpg'); file_put_contents($file, file_get_contents('%s'));
$id = media_handle_sideload(['name' => 'photo.jpg', 'tmp_name' => $file]);
echo is_wp_error($id) ? $id->get_error_message() : $id;
"""


def written(folder: Path, data: bytes) -> str:
    path = folder / "source.jpg"
    path.write_bytes(data)
    return str(path)


def trap(site: Site, code: str) -> Path:
    """A plug-in that WordPress loads before all others."""
    path = site.folder / "wp-content" / "mu-plugins" / "trap.php"
    path.parent.mkdir(exist_ok=True)
    path.write_text(code)
    return path


def all_protected(site: Site, at_least: int) -> None:
    seen = looks(site)
    assert len(seen) >= at_least
    assert set(seen.values()) == {PROTECTED}, seen


def test_an_upload_has_all_its_files_protected(site: Site) -> None:
    with visitor(site) as plain:
        answer = site.upload(photo(size=(2900, 2000)))
    assert answer.status == 201, answer.body
    assert not plain
    all_protected(site, 8)
    sizes = answer.json["media_details"]["sizes"]
    assert {"medium", "large", "thumbnail", "medium_large", "1536x1536", "2048x2048"} <= set(sizes)
    for one in [answer.json["media_details"], *sizes.values()]:
        if "filesize" in one:
            assert (
                one["filesize"]
                == (site.uploads / "2026/11" / one["file"].split("/")[-1]).stat().st_size
            )
    assert len(vault(site)) == 8
    assert {look(path.read_bytes()) for path in vault(site)} == {PLAIN}


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_other_formats_keep_theirs(site: Site, kind: str) -> None:
    answer = site.upload(photo(kind=kind), f"photo.{kind.lower()}", f"image/{kind.lower()}")
    assert answer.status == 201, answer.body
    all_protected(site, 4)
    files = [io.BytesIO(path.read_bytes()) for path in site.uploads.rglob("*.*")]
    assert {Image.open(file).format for file in files} == {kind}


def test_what_cannot_be_protected_is_refused_or_left_as_set(site: Site) -> None:
    answer = site.upload(photo(kind="GIF"), "photo.gif", "image/gif")
    assert answer.status >= 400
    assert "cannot be protected" in answer.json["message"]
    assert looks(site) == {}
    site.set(others="leave")
    assert site.upload(photo(kind="GIF"), "photo.gif", "image/gif").status == 201


def test_a_turned_photo_has_upright_sizes(site: Site) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (800, 600), (90, 45, 180)).save(buffer, "JPEG", exif=exif)
    answer = site.upload(buffer.getvalue())
    assert answer.status == 201, answer.body
    details = answer.json["media_details"]
    assert (details["width"], details["height"]) == (600, 800)
    assert (details["sizes"]["medium"]["width"], details["sizes"]["medium"]["height"]) == (225, 300)
    all_protected(site, 3)


@pytest.mark.parametrize("editor", ["GD", "Imagick"])
def test_either_editor_makes_sizes_from_the_original(site: Site, editor: str) -> None:
    trap(site, f"<?php add_filter('wp_image_editors', fn () => ['WP_Image_Editor_{editor}']);")
    with visitor(site) as plain:
        assert site.upload(photo()).status == 201
    assert not plain
    all_protected(site, 4)
    assert {look(path.read_bytes()) for path in vault(site)} == {PLAIN}
    used = site.php("echo get_class(wp_get_image_editor(glob(wp_upload_dir()['path'] . '/*')[0]));")
    assert used == f"Photoward\\WordPress\\{editor}_Editor"


def test_a_sideload_is_protected(site: Site, tmp_path: Path) -> None:
    site.php(SIDELOAD % written(tmp_path, photo()))
    all_protected(site, 4)


def test_xml_rpc_is_protected(site: Site) -> None:
    data = base64.b64encode(photo()).decode()
    fields = {"name": "<string>photo.jpg</string>", "type": "<string>image/jpeg</string>"}
    fields["bits"] = f"<base64>{data}</base64>"
    members = "".join(
        f"<member><name>{name}</name><value>{value}</value></member>"
        for name, value in fields.items()
    )
    login = ["<int>1</int>", "<string>admin</string>", "<string>password</string>"]
    values = "".join(
        f"<param><value>{value}</value></param>"
        for value in [*login, f"<struct>{members}</struct>"]
    )
    call = (
        '<?xml version="1.0"?><methodCall><methodName>metaWeblog.newMediaObject</methodName>'
        f"<params>{values}</params></methodCall>"
    )
    with visitor(site) as plain:
        answer = site.send("POST", "/xmlrpc.php", call.encode(), Content_Type="text/xml")
    assert b"<fault>" not in answer.body, answer.body
    assert not plain
    all_protected(site, 4)
    assert b"/wp-content/uploads/" in answer.body
    assert b"photoward-private" not in answer.body
    site.set(url=AWAY, deadline=2)
    again = site.send("POST", "/xmlrpc.php", call.encode(), Content_Type="text/xml")
    assert b"<fault>" in again.body
    assert b"Photoward" in again.body
    all_protected(site, 4)


def test_an_edit_and_its_restore_are_protected(site: Site) -> None:
    number = site.upload(photo()).json["id"]
    before = set(looks(site))
    edit = (
        "require_once ABSPATH . 'wp-admin/includes/image-edit.php';"
        "$_REQUEST = ['history' => '[{\"r\":90}]', 'target' => 'all', 'context' => ''];"
        f"echo json_encode(wp_save_image({number}));"
    )
    with visitor(site) as plain:
        assert "error" not in site.php(edit)
    edited = set(looks(site)) - before
    assert len(edited) >= 3
    assert not plain
    all_protected(site, 7)
    assert {look(path.read_bytes()) for path in vault(site)} == {PLAIN}
    site.php(
        f"require_once ABSPATH . 'wp-admin/includes/image-edit.php'; wp_restore_image({number});"
    )
    all_protected(site, 4)


def test_regenerated_and_lazily_made_sizes_are_protected(site: Site) -> None:
    number = site.upload(photo()).json["id"]
    site.php(
        f"$f = get_attached_file({number}); add_image_size('late', 222, 111, true);"
        f"wp_update_attachment_metadata({number}, wp_generate_attachment_metadata({number}, $f));"
        "$e = wp_get_image_editor($f); $e->resize(123, 123); $e->save($e->generate_filename());"
    )
    seen = looks(site)
    assert [name for name in seen if "-222x111" in name]
    assert [name for name in seen if "-123x92" in name]
    all_protected(site, 6)


def test_sizes_that_a_browser_made_are_protected(site: Site, tmp_path: Path) -> None:
    """As in WordPress 7.1: no editor runs, and the metadata is written twice."""
    path = written(tmp_path, photo())
    small = written(tmp_path / "..", photo(size=(300, 225)))
    sideload = SIDELOAD % path
    site.php(f"""
        add_filter('intermediate_image_sizes_advanced', '__return_empty_array');
        {sideload}
        $small = wp_tempnam('photo-300x225.jpg');
        file_put_contents($small, file_get_contents('{small}'));
        $sent = ['name' => 'photo-300x225.jpg', 'tmp_name' => $small];
        $made = wp_handle_sideload($sent, ['test_form' => false]);
        copy('{small}', dirname($made['file']) . '/photo-150x150.jpg');
        $size = ['width' => 300, 'height' => 225, 'mime-type' => 'image/jpeg'];
        $data = wp_get_attachment_metadata($id);
        $data['sizes']['medium'] = ['file' => basename($made['file'])] + $size;
        $data['sizes']['thumbnail'] = ['file' => 'photo-150x150.jpg'] + $size;
        $data = apply_filters('wp_generate_attachment_metadata', $data, $id, 'update');
        wp_update_attachment_metadata($id, $data);
    """)
    all_protected(site, 3)


def test_closed_refuses_before_anything_is_public(site: Site) -> None:
    site.set(url=AWAY, deadline=2)
    answer = site.upload(photo())
    assert answer.status >= 400
    assert "Photoward" in answer.json["message"]
    assert looks(site) == {}
    assert site.rest("GET", "/media").body == b"[]"


def test_hold_publishes_a_placeholder_until_the_service_is_back(site: Site) -> None:
    url = site.php("echo Photoward\\WordPress\\Settings::get('url');")
    site.set(url=AWAY, deadline=2, failure="hold")
    with visitor(site) as plain:
        assert site.upload(photo()).status == 201
    assert not plain
    assert set(looks(site).values()) == {PLACEHOLDER}
    assert len(looks(site)) >= 4
    assert site.command("resume").returncode == 1
    site.set(url=url)
    assert site.command("resume").returncode == 0
    all_protected(site, 4)


def test_open_publishes_and_protects_later(site: Site) -> None:
    url = site.php("echo Photoward\\WordPress\\Settings::get('url');")
    site.set(url=AWAY, deadline=2, failure="open")
    assert site.upload(photo()).status == 201
    assert set(looks(site).values()) == {PLAIN}
    site.set(url=url)
    site.php("do_action('photoward_step');")
    all_protected(site, 4)


def test_a_refused_size_is_made_later(site: Site) -> None:
    """The service goes away between the photo and its sizes."""
    file = trap(
        site,
        "<?php add_filter('wp_handle_upload', function ($u) { add_filter('option_photoward',"
        f"fn ($o) => ['url' => '{AWAY}', 'deadline' => 2] + (array) $o); return $u; }});",
    )
    number = site.upload(photo()).json["id"]
    assert set(looks(site).values()) == {PROTECTED}
    assert len(looks(site)) == 1
    file.unlink()
    site.php(f"do_action('photoward_finish', {number}, 1);")
    all_protected(site, 4)


def test_deleting_deletes_the_originals(site: Site) -> None:
    number = site.upload(photo()).json["id"]
    other = site.upload(photo(120)).json["id"]
    assert site.rest("DELETE", f"/media/{number}?force=true").status == 200
    assert len(vault(site)) == len(looks(site)) == 4
    site.rest("DELETE", f"/media/{other}?force=true")
    assert not vault(site)
    assert looks(site) == {}


def test_two_photos_that_are_the_same_share_an_original(site: Site) -> None:
    number = site.upload(photo()).json["id"]
    site.upload(photo())
    assert len(vault(site)) == 4
    site.rest("DELETE", f"/media/{number}?force=true")
    assert len(vault(site)) == 4
    assert site.command("restore").returncode == 0
    assert set(looks(site).values()) == {PLAIN}


def test_other_plug_ins_see_protected_files_only(site: Site) -> None:
    """An off-load plug-in takes what it finds when the metadata is written."""
    seen = site.folder.parent / "seen"
    seen.mkdir()
    trap(
        site,
        f"""<?php
        function spy($p) {{ copy($p, '{seen}/' . uniqid() . basename($p)); return $p; }}
        add_filter('image_make_intermediate_size', 'spy', 10);
        add_filter('wp_update_attachment_metadata', function ($m, $id) {{
            array_map('spy', glob(dirname(get_attached_file($id)) . '/*')); return $m;
        }}, 10, 2);
        """,
    )
    site.upload(photo())
    assert {look(path.read_bytes()) for path in seen.iterdir()} == {PROTECTED}


def test_the_private_folder_is_tested(site: Site) -> None:
    done = site.command("test")
    assert done.returncode == 0, done.stdout + done.stderr
    public = site.folder / "wp-content" / "uploads" / "inside"
    trap(site, f"<?php define('PHOTOWARD_VAULT', '{public}');")
    done = site.command("test")
    assert done.returncode == 1
    assert "Visitors can fetch" in done.stdout


def answer_to(status: int, kind: str, body: bytes, wait_s: float = 0) -> type:
    class Fake(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(wait_s)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # the plug-in may have gone
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    return Fake


REVOKED = b'{"code": "unauthenticated", "detail": "The key was revoked.", "remedy": "Make one."}'


@pytest.mark.parametrize(
    ("fake", "words"),
    [
        (answer_to(200, "text/html", b"<h1>Welcome</h1>"), "no picture"),
        (answer_to(202, "application/json", b'{"id": "1"}'), "no picture"),
        (answer_to(200, "image/jpeg", photo(size=(80, 60))), "something else"),
        (answer_to(200, "image/png", photo(kind="PNG")), "something else"),
        (answer_to(401, "application/problem+json", REVOKED), "The key was revoked. Make one."),
        (answer_to(200, "image/jpeg", photo(), wait_s=4), "Photoward"),
    ],
    ids=["page", "json", "other-size", "other-format", "revoked", "slow"],
)
def test_what_is_not_the_protected_photo_is_never_published(
    site: Site, fake: type[BaseHTTPRequestHandler], words: str
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), fake) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        site.set(url=f"http://127.0.0.1:{server.server_port}", deadline=2)
        answer = site.upload(photo())
        server.shutdown()
        thread.join()
    assert answer.status >= 400
    assert words in answer.json["message"]
    assert looks(site) == {}


def test_without_room_for_originals_nothing_is_published(site: Site) -> None:
    """As with a full disk: the private folder cannot be written."""
    trap(site, "<?php define('PHOTOWARD_VAULT', '/dev/null/originals');")
    answer = site.upload(photo())
    assert answer.status >= 400
    assert "cannot be written" in answer.json["message"]
    bits = "var_dump(wp_upload_bits('a.jpg', null, file_get_contents('%s')));"
    source = written(site.folder.parent, photo())
    assert "cannot be written" in site.php(bits % source)
    assert looks(site) == {}


def test_two_editors_at_once(site: Site) -> None:
    """The same name and the same photo, four times side by side."""
    site.set(deadline=120)
    answers: list[Answer] = []
    threads = [Thread(target=lambda: answers.append(site.upload(photo()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.status for one in answers] == [201] * 4, [one.body[:500] for one in answers]
    all_protected(site, 4)
    assert site.command("restore").returncode == 0
    assert set(looks(site).values()) == {PLAIN}


def test_uninstalling_forgets_nothing_that_is_needed(site: Site) -> None:
    gone = """
        define('WP_UNINSTALL_PLUGIN', true);
        include WP_PLUGIN_DIR . '/photoward/uninstall.php';
        echo get_option('photoward_schema') ? 'kept' : 'gone';
    """
    site.upload(photo())
    assert site.php(gone) == "kept"
    assert site.command("restore").returncode == 0
    assert set(looks(site).values()) == {PLAIN}
    assert site.php(gone) == "gone"
    assert len(vault(site)) == 4
