"""JSON schemas for OpenAPI, of bodies that operations read themselves."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def inline_schema(model: type[BaseModel]) -> dict[str, Any]:
    """A model's schema without references to other schemas."""
    schema = model.model_json_schema()
    named = schema.pop("$defs", {})

    def expanded(node: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
        if isinstance(node, list):
            return [expanded(one) for one in node]
        if not isinstance(node, dict):
            return node
        referred = named.get(str(node.get("$ref")).removeprefix("#/$defs/"), {})
        own = {name: expanded(value) for name, value in node.items() if name != "$ref"}
        return expanded(referred) | own if referred else own

    found: dict[str, Any] = expanded(schema)
    return found


def allow_repeats(schema: dict[str, Any]) -> None:
    """For the field of a set: values may be repeated, and count once."""
    schema.pop("uniqueItems")
