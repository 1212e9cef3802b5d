"""What endpoints are given: the application's parts, the tenant, a well-formed id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Path, Request

from photoward.api.http.admission import Admission
from photoward.api.http.announcer import Announcer
from photoward.api.http.schemas import EXAMPLE_ID
from photoward.core.catalogue import Catalogue
from photoward.core.errors import NotFound
from photoward.core.ports import Hints, Ledger, ObjectStore
from photoward.core.settings import Settings

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Parts:
    """Everything the endpoints work with."""

    settings: Settings
    ledger: Ledger
    store: ObjectStore
    hints: Hints
    catalogue: Catalogue
    admission: Admission
    announcer: Announcer
    storing: CapacityLimiter
    """How many uploads are written at a time: a store may hold each whole in memory."""


def parts(request: Request) -> Parts:
    """The parts that ``create_app`` was given."""
    found = request.app.state.parts
    if not isinstance(found, Parts):
        raise TypeError(found)
    return found


def tenant() -> str:
    """Who is asking. There are no API keys yet: everybody is the one tenant."""
    return "default"


def item_id(
    image_id: Annotated[str, Path(description="As given by the upload.", examples=[EXAMPLE_ID])],
) -> str:
    """The id in the path. One that no item can have is answered like one that none has."""
    if not _ID.fullmatch(image_id):
        raise NotFound
    return image_id


PartsDep = Annotated[Parts, Depends(parts)]
TenantDep = Annotated[str, Depends(tenant)]
ItemIdDep = Annotated[str, Depends(item_id)]
