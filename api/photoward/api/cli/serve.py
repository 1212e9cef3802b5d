"""``photoward serve``: the HTTP API alone."""

from __future__ import annotations

import functools
import resource

from photoward.api.cli.configuration import require_api_key, settings_from
from photoward.api.cli.extras import require_extra
from photoward.api.cli.options import DataDir, Host, Port

MAX_OPEN_FILES = 16_384
DRAIN_HTTP_S = 3
"""Seconds that requests in progress get when the process is asked to stop."""


def serve(*, data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Run the HTTP API alone, on the queue, ledger and object store that the settings name."""
    settings = settings_from(data_dir=data_dir, http_host=host, http_port=port)
    require_api_key(settings)
    require_extra("api")
    raise_file_limit()
    import uvicorn

    from photoward.api.http.app import open_app

    uvicorn.run(
        functools.partial(open_app, settings),
        factory=True,
        # httptools would save 2 ms of an upload's 7, but answers in plain text, and for the request
        # under way, when a method is made up or a body is longer than announced.
        http="photoward.api.http.server.header_timeout:HeaderTimeoutProtocol",  # over h11
        host=settings.http_host,
        port=settings.http_port,
        access_log=False,
        log_config=None,  # the application writes JSON
        server_header=False,
        timeout_graceful_shutdown=DRAIN_HTTP_S,
    )


def raise_file_limit() -> None:
    """Allow as many open files as the system lets this process: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
