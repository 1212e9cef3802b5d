"""The login that ``photoward login`` stores in the user's configuration folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from photoward.api.cli.configuration import settings_from
from photoward.core.errors import BadInput, Unavailable
from photoward.core.files import write_whole

PRIVATE, PRIVATE_FOLDER = 0o600, 0o700


@dataclass(frozen=True)
class Login:
    """A service and the key that it gets."""

    url: str
    api_key: str = field(repr=False)
    """Empty: the service requires none."""


def path() -> Path:
    """The file (XDG Base Directory Specification 0.8), whether or not it is there.

    Raises:
        Unavailable: the user has no home folder.
    """
    base = settings_from().xdg_config_home
    try:
        folder = base if base and base.is_absolute() else Path.home() / ".config"
    except RuntimeError:
        raise Unavailable("This user has no home folder: XDG_CONFIG_HOME names another.") from None
    return folder / "photoward" / "login.json"


def read() -> Login | None:
    """The stored login; None: there is none.

    Raises:
        BadInput: the file is damaged.
        Unavailable: it cannot be read.
    """
    file = path()
    try:
        stored = json.loads(file.read_bytes())
        return Login(str(stored["url"]), str(stored["api_key"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unavailable(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError):
        raise BadInput(
            "invalid_option", f"{file} is damaged: run `photoward login URL` again."
        ) from None


def write(login: Login) -> Path:
    """Store a login in place of the earlier one, readable by this user alone; where.

    Raises:
        Unavailable: it cannot be written.
    """
    file = path()
    try:
        file.parent.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"{file.parent} cannot be made: {error.strerror}.") from error
    write_whole(file, json.dumps(asdict(login), indent=1).encode(), mode=PRIVATE)
    return file


def remove() -> Path | None:
    """Delete the stored login; where it was, None: there was none.

    Raises:
        Unavailable: it cannot be deleted.
    """
    file = path()
    try:
        file.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unavailable(f"{file} cannot be deleted: {error.strerror}.") from error
    return file
