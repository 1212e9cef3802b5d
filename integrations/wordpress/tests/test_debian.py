"""Debian's WordPress 6.1 over MariaDB: one site, then a network of two."""

from __future__ import annotations

import shutil
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from integrations.wordpress.tests.looks import PLAIN, PROTECTED, looks, photo, vault, visitor
from integrations.wordpress.tests.site import Site, UnreachableError, debian_site, mariadb, running
from tests.support.servers import short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.http.service import Service

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

NETWORK = """
require_once ABSPATH . 'wp-admin/includes/network.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
global $wpdb;
foreach ($wpdb->tables('ms_global') as $table => $name) $wpdb->$table = $name;
install_network();
populate_network(1, '127.0.0.1:%(port)d', 'admin@example.org', 'Tests', '/', false);
"""
CONFIGURED = """
define('MULTISITE', true); define('SUBDOMAIN_INSTALL', false);
define('DOMAIN_CURRENT_SITE', '127.0.0.1:%(port)d'); define('PATH_CURRENT_SITE', '/');
define('SITE_ID_CURRENT_SITE', 1); define('BLOG_ID_CURRENT_SITE', 1);
"""


@pytest.fixture
def debian(service: Service) -> Iterator[Site]:
    if shutil.which("php") is None:
        pytest.skip("missing server: php")
    with short_folder() as folder:
        try:
            with mariadb(folder) as socket:
                site = debian_site(folder, socket)
                site.install_plugin()
                site.set(url=service.url)
                with running(site):
                    yield site
        except UnreachableError as error:
            pytest.skip(f"no WordPress: {error}")


def test_a_photo_from_upload_to_deletion(debian: Site) -> None:
    with visitor(debian) as plain:
        number = debian.upload(photo(size=(2900, 2000))).json["id"]
    assert not plain
    assert len(looks(debian)) == 8
    assert set(looks(debian).values()) == {PROTECTED}
    edit = (
        "require_once ABSPATH . 'wp-admin/includes/image-edit.php';"
        "$_REQUEST = ['history' => '[{\"r\":90}]', 'target' => 'all', 'context' => ''];"
    )
    assert "error" not in debian.php(edit + f"echo json_encode(wp_save_image({number}));")
    assert len(looks(debian)) > 8
    assert set(looks(debian).values()) == {PROTECTED}
    assert debian.command("restore").returncode == 0
    assert set(looks(debian).values()) == {PLAIN}
    assert debian.command("backfill").returncode == 0
    assert set(looks(debian).values()) == {PROTECTED}
    debian.rest("DELETE", f"/media/{number}?force=true")
    assert looks(debian) == {}
    assert not vault(debian)


def test_the_sites_of_a_network_are_kept_apart(debian: Site, service: Service) -> None:
    config = debian.folder / "wp-config.php"
    text = config.read_text()
    mark = "/* That's all, stop editing!"
    given = {"port": debian.port}
    debian.php("deactivate_plugins('photoward/photoward.php');")
    config.write_text(text.replace(mark, "define('WP_ALLOW_MULTISITE', true);" + mark))
    debian.php(NETWORK % given)
    config.write_text(text.replace(mark, CONFIGURED % given + mark))
    debian.php(f"""
        global $wpdb;
        activate_plugin('photoward/photoward.php', '', true);
        $id = wp_insert_site(['domain' => '127.0.0.1:{debian.port}', 'path' => '/two/',
            'title' => 'Two', 'user_id' => 1]);
        $wpdb->update($wpdb->blogs, ['domain' => '127.0.0.1:{debian.port}'], ['blog_id' => $id]);
        clean_blog_cache($id);
        foreach ([1, $id] as $site) {{
            switch_to_blog($site);
            update_option('photoward', ['url' => '{service.url}']);
            $file = wp_tempnam('a.jpg');
            file_put_contents($file, base64_decode('{_encoded(40)}'));
            $made = media_handle_sideload(['name' => 'a.jpg', 'tmp_name' => $file]);
            if (is_wp_error($made)) throw new Exception($made->get_error_message());
            restore_current_blog();
        }}
    """)
    assert set(looks(debian).values()) == {PROTECTED}
    (folder,) = debian.vaults()
    assert sorted(path.name for path in folder.iterdir()) == ["site-1", "site-2"]
    assert "no site" in debian.command("restore", below="/three/").stdout
    done = debian.command("restore", below="/two/")
    assert "files restored" in done.stdout, done.stdout + done.stderr
    seen = looks(debian)
    assert {look for name, look in seen.items() if name.startswith("sites/2/")} == {PLAIN}, seen
    assert {look for name, look in seen.items() if not name.startswith("sites/2/")} == {PROTECTED}


def _encoded(shade: int) -> str:
    return b64encode(photo(shade, (400, 300))).decode()
