"""``photoward login`` and ``logout``: the service and key of the commands that use a service."""

from __future__ import annotations

import sys
from typing import Annotated
from urllib.parse import urlsplit

import typer

from photoward.api.cli import console, stored_login
from photoward.api.cli.client import Client, address, is_loopback
from photoward.api.cli.configuration import settings_from
from photoward.api.cli.service_calls import translated
from photoward.api.cli.stored_login import Login

MAX_KEY = 1024
"""Characters read from standard input."""


def login(
    url: Annotated[str, typer.Argument(help="URL of the service, as https://photos.example.")],
) -> None:
    """Store the URL of a service and an API key, for images, batches, sync, evaluate and bench.

    The key is asked for, or read from standard input, and checked with the service before it is
    stored. A service that requires no keys needs none: press Enter.
    """
    url = address(url, "login")
    key = _read_key()
    with translated(), Client(url, key=key) as client:
        own = client.get("/v1/keys/self")
    file = stored_login.write(Login(url, key if own["id"] else ""))
    console.print_line(_welcome(url, own))
    console.print_line(f"The URL and the key are stored in {file}.")
    if own["id"] and url.startswith("http:") and not is_loopback(urlsplit(url).hostname or ""):
        console.print_line("The key is sent unencrypted: use https:// if the service offers it.")
    _warn_of_environment()


def logout() -> None:
    """Delete the stored URL and API key. The key itself stays valid until it is revoked."""
    file = stored_login.remove()
    console.print_line("You were not logged in." if file is None else f"{file} is deleted.")
    _warn_of_environment()


def _read_key() -> str:
    if sys.stdin.isatty():
        prompt = "API key (Enter: none)"
        text: str = typer.prompt(prompt, default="", hide_input=True, show_default=False, err=True)
        return text.strip()
    return sys.stdin.readline(MAX_KEY).strip()


def _welcome(url: str, own: dict[str, object]) -> str:
    if not own["id"]:
        return f"{url} requires no API key."
    scopes, expires = own["scopes"], own["expires_at"]
    allowed = ", ".join(map(str, scopes)) if isinstance(scopes, list) else ""
    until = f", until {console.moment(str(expires))} UTC" if expires else ""
    return f"Logged in to {url} as {own['tenant']}; the key allows: {allowed}{until}."


def _warn_of_environment() -> None:
    if settings_from().api_key is not None:
        console.print_line("PHOTOWARD_API_KEY is set and precedes the stored key.")
