"""What Schemathesis, which loads this, does not know by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import schemathesis

if TYPE_CHECKING:
    from schemathesis import Case, HookContext

# A part of an upload is just bytes.
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


@schemathesis.hook
def filter_case(_context: HookContext, case: Case[Any]) -> bool:
    """An unknown header is no bad data, though it would expect it to be refused."""
    return "x-schemathesis-unknown-property" not in (case.headers or {})
