"""``photoward serve``: the HTTP face alone."""

from __future__ import annotations

import functools
import resource

from photoward.api.cli.configuration import require_api_key, settings_from
from photoward.api.cli.extras import require_extra
from photoward.api.cli.options import DataDir, Host, Port

MOST_FILES = 16_384
DRAIN_HTTP_S = 3
"""How long answers under way may still take when the HTTP face is asked to leave."""


def serve(*, data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Run the HTTP face alone; queue, ledger and store are what the settings name."""
    settings = settings_from(data_dir=data_dir, http_host=host, http_port=port)
    require_api_key(settings)
    require_extra("api")
    _open_many_files()
    import uvicorn  # noqa: PLC0415  # belongs to an extra

    from photoward.api.http.app import open_app  # noqa: PLC0415  # the same

    uvicorn.run(
        functools.partial(open_app, settings),
        factory=True,
        # httptools would save 2 ms of an upload's 7, but answers in plain text, and for the request
        # under way, when a method is made up or a body is longer than announced.
        http="photoward.api.http.server.header_timeout:Door",  # over h11
        host=settings.http_host,
        port=settings.http_port,
        access_log=False,
        log_config=None,  # the application writes JSON
        server_header=False,
        timeout_graceful_shutdown=DRAIN_HTTP_S,
    )


def _open_many_files() -> None:
    """As many as the system lets this process, and it may need: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
