"""All files of one photo as one body: a zip, or parts with headers of their own (RFC 2046)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoward.api.delivery.filenames import EXTENSIONS
from photoward.api.delivery.files import open_file
from photoward.api.delivery.zip_stream import stream_zip

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from photoward.api.delivery.files import ProtectedFile
    from photoward.core.storage import ObjectStore


def file_name(file: ProtectedFile) -> str:
    """What a file is called in the zip."""
    return f"{file.rendition}.{EXTENSIONS[file.media_type]}"


def zip_of(store: ObjectStore, files: Sequence[ProtectedFile]) -> Iterator[bytes]:
    """The bytes of a zip of the files."""
    return stream_zip((file_name(one), open_file(store, one, 0, None)) for one in files)


def parts_of(
    store: ObjectStore,
    files: Sequence[ProtectedFile],
    boundary: str,
    headers: Sequence[Mapping[str, str]],
) -> Iterator[bytes]:
    """The bytes of a multipart body.

    Args:
        store: has the files.
        files: one a part.
        boundary: between the parts; occurs in no file.
        headers: of each part.
    """
    for file, own in zip(files, headers, strict=True):
        lines = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        yield f"--{boundary}\r\n{lines}\r\n".encode()
        yield from open_file(store, file, 0, None)
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
