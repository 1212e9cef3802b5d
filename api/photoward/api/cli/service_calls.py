"""What the commands share that use a service: a client, and its refusals in words for people."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from photoward.api.cli import console
from photoward.api.cli.client import Client, Refusal, service_url
from photoward.core.errors import PROBLEMS, BadInput, NotFound, PhotowardError, Unavailable
from photoward.core.files import open_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

POLL_S = 1.0
PATIENCE_S = 120.0
"""How long ``watch`` goes on while the service does not answer."""

BUSY = frozenset({429, 502, 503, 504})
"""Statuses of a service, or of a proxy before it, that will answer later."""


@contextmanager
def connected(url: str | None) -> Iterator[Client]:
    """A client of the service that an option ``--url`` names; its refusals are translated."""
    with translated(), Client(service_url(url)) as client:
        yield client


@contextmanager
def translated() -> Iterator[None]:
    """Make of a refusal what the command line prints.

    Raises:
        PhotowardError: with the service's code and sentence.
        Unavailable: the answer is not from Photoward.
    """
    try:
        yield
    except Refusal as refusal:
        raise refused(refusal) from refusal


def refused(refusal: Refusal) -> PhotowardError:
    """The same, to be raised or shown."""
    code, detail = refusal.problem.get("code"), str(refusal.problem.get("detail") or "")
    if code == "unavailable":
        return Unavailable(f"{detail} Try again in a few minutes.")
    if code in PROBLEMS:
        return PhotowardError(code, detail)
    said = f": {detail.strip()}" if detail.strip() else ""
    return Unavailable(f"The service answered {refusal.status}{said}")


def path_of(kind: str, resource_id: str) -> str:
    """The path of an image or a batch. Raises NotFound: no id has such a form."""
    if not (resource_id.isascii() and resource_id.isalnum()):
        raise NotFound(f"{console.printable(resource_id)!r} is no id.")
    return f"/v1/{kind}/{quote(resource_id, safe='')}"


def follow(
    client: Client, paths: Mapping[str, str], show: Callable[[str, dict[str, Any]], bool]
) -> dict[str, dict[str, Any] | PhotowardError]:
    """Query resources until each has ended; their last states, or why there is none.

    A service that is away, as during a restart, is tried again for two minutes.

    Args:
        client: of the service.
        paths: id → path of a resource.
        show: gets an id and each state of it; whether it has ended.

    Raises:
        Unavailable: the service does not answer for longer.
    """
    ended: dict[str, dict[str, Any] | PhotowardError] = {}
    heard = time.monotonic()
    while len(ended) < len(paths):
        for one in paths.keys() - ended.keys():
            try:
                found = client.get(paths[one])
            except Refusal as refusal:
                if refusal.status not in BUSY:
                    ended[one] = refused(refusal)
                    continue
                away: PhotowardError = refused(refusal)
            except Unavailable as error:
                away = error
            else:
                heard = time.monotonic()
                if show(one, found):
                    ended[one] = found
                continue
            if time.monotonic() - heard > PATIENCE_S:
                raise away
            break  # of the others it knows no more
        if len(ended) < len(paths):
            time.sleep(POLL_S)
    return ended


def save(client: Client, path: str, out: Path, *, replace: bool) -> Mapping[str, str]:
    """Download a file, which appears whole or not at all; the headers of the answer.

    Raises:
        BadInput: there is a file of that name, or ``out`` is a folder.
    """
    if out.is_dir():
        raise BadInput("invalid_option", f"{out} is a folder: name a file in it.")
    if out.exists() and not replace:
        raise BadInput("invalid_option", f"{out} is there already: --force replaces it.")
    with open_whole(out) as file:
        return client.download(path, file)
