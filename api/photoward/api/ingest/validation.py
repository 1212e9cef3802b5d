"""Values from outside against a pydantic model: the first fault becomes a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from photoward.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FIELD = 64
"""Characters of a field's name that a refusal repeats."""

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], values: Mapping[str, Any]) -> Model:
    """``values`` as a ``model``.

    Raises:
        BadInput: ``invalid_option``, for the first field that is not valid.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise as_refusal(error.errors()[0]) from error


def as_refusal(error: Mapping[str, Any]) -> BadInput:
    """One of pydantic's errors as the refusal of an option."""
    field = str(error["loc"][-1])[:MAX_FIELD] if error["loc"] else None
    where = "" if field is None else f"{field}: "
    said = str(error["msg"]).removeprefix("Value error, ")
    return BadInput("invalid_option", f"{where}{said}.", field=field)
