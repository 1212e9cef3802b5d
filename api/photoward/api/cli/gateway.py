"""``photoward gateway``: the public media host of a site that cannot be extended."""

from __future__ import annotations

import functools
from typing import Annotated

import typer

from photoward.api.cli.client import address
from photoward.api.cli.configuration import settings_from
from photoward.api.cli.extras import require_extra
from photoward.api.cli.options import Host
from photoward.api.cli.serve import DRAIN_HTTP_S, raise_file_limit

DEFAULT_PORT = 8081


def gateway(  # noqa: PLR0913  # one argument each
    inbox: Annotated[
        str | None,
        typer.Argument(
            help="The site's media files: file:///FOLDER, s3://BUCKET/PREFIX or https://HOST/PATH.",
            show_default="PHOTOWARD_GATEWAY_INBOX",
        ),
    ] = None,
    outbox: Annotated[
        str | None,
        typer.Argument(
            help="Where protected files are kept: file:///FOLDER or s3://BUCKET/PREFIX.",
            show_default="PHOTOWARD_GATEWAY_OUTBOX",
        ),
    ] = None,
    *,
    url: Annotated[
        str | None,
        typer.Option(
            help="The service that protects the photos; its key is PHOTOWARD_API_KEY.",
            show_default="PHOTOWARD_GATEWAY_SERVICE_URL, else http://127.0.0.1:8080",
        ),
    ] = None,
    options: Annotated[
        str | None,
        typer.Option(
            help="Options of every photo, as preset=strong&keep_exif=date.",
            show_default="PHOTOWARD_GATEWAY_OPTIONS",
        ),
    ] = None,
    host: Host = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="TCP port to listen on; 0: any free port.")
    ] = DEFAULT_PORT,
) -> None:
    """Serve a site's media files in public, every photo protected.

    A file of the inbox that is requested for the first time is protected once, stored in the
    outbox and served. What cannot be protected is not served: 404 for good, 503 for now; an
    original never is. The inbox must not be reachable by the public.
    """
    settings = settings_from(
        gateway_inbox=inbox,
        gateway_outbox=outbox,
        gateway_service_url=url,
        gateway_options=options,
        http_host=host,
        http_port=port,
    )
    address(settings.gateway_service_url)
    require_extra("api")
    raise_file_limit()
    import uvicorn

    from photoward.api.gateway.app import open_app

    uvicorn.run(
        functools.partial(open_app, settings),
        factory=True,
        http="photoward.api.http.server.header_timeout:HeaderTimeoutProtocol",
        host=settings.http_host,
        port=settings.http_port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_HTTP_S,
    )
