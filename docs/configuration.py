"""Writes docs/configuration.md from ``Settings``: ``python docs/configuration.py``.

Names, types, defaults and descriptions are those of the class; its comments are the headings.
``tests/docs/test_configuration.py`` fails when the document is not up to date.
"""

from __future__ import annotations

import inspect
import re
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import SecretStr

from photoward.core.settings import Settings, variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

CONFIGURATION = Path(__file__).with_name("configuration.md")

HEAD = """# Configuration

Generated from `core/photoward/core/settings.py` by `make tables`; do not edit.

Every setting is an environment variable. `photoward config` prints the values in force and where
each comes from. A variable that is not set may be a file of the same name in the folder
`PHOTOWARD_SECRETS_DIR`, which keeps passwords out of the environment. Lists are separated by
commas. Booleans are `1` or `0`. Times are in seconds; sizes are in bytes and take units: `25MiB`.
"""

TYPES: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    Path: "path",
    SecretStr: "secret",
    tuple: "list",
}

HEADING = re.compile(r"^    # (.+)$|^    (\w+): ", re.MULTILINE)

MIB, GIB = 2**20, 2**30


def document() -> str:
    """The whole document."""
    return HEAD + "".join(map(_section, groups()))


def groups() -> Iterator[tuple[str, list[str]]]:
    """Each heading of the class and the names of the settings under it, in its order."""
    heading, names = "", list[str]()
    for comment, name in HEADING.findall(inspect.getsource(Settings)):
        if comment:
            if names:
                yield heading, names
            heading, names = comment, []
        elif name in Settings.model_fields:
            names.append(name)
    yield heading, names


def _section(group: tuple[str, list[str]]) -> str:
    heading, names = group
    rows = "".join(map(_row, names))
    return f"\n## {heading}\n\n| variable | type | default | purpose |\n|---|---|---|---|\n{rows}"


def _row(name: str) -> str:
    field = Settings.model_fields[name]
    shown = " or ".join(f"`{one}`" for one in variables(name))
    is_size = name.endswith("_bytes")
    kind = "size" if is_size else _type(field.annotation)
    default = _size(field.default) if is_size else _default(field.default)
    return f"| {shown} | {kind} | {default} | {_purpose(field)} |\n"


def _type(annotation: Any) -> str:  # noqa: ANN401  # an annotation
    origin = get_origin(annotation)
    if origin in {Union, types.UnionType}:
        (annotation,) = (one for one in get_args(annotation) if one is not types.NoneType)
        origin = get_origin(annotation)
    return TYPES[origin or annotation]


def _default(default: object) -> str:
    if default is None or default == ():
        return "–"
    if isinstance(default, bool):
        return f"`{int(default)}`"
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{default}`"


def _size(default: int) -> str:
    for unit, name in ((GIB, "GiB"), (MIB, "MiB")):
        if default % unit == 0:
            return f"`{default // unit}{name}`"
    return f"`{default}`"


def _purpose(field: FieldInfo) -> str:
    text = " ".join((field.description or "").split())
    return text.replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    CONFIGURATION.write_text(document())
