"""The OpenAPI document, made from the endpoints: what is served is what is described."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable
from typing import Any

from starlette.responses import Response

import pocketmq
from pocketmq.console.endpoints import PREFIX, Endpoint
from pocketmq.console.shapes import Bounds, fields_of, required, without_none

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document in version 3.1."""
    schemas = _Schemas()
    paths: dict[str, dict[str, Any]] = {}
    nouns: dict[str, None] = {}
    for endpoint in endpoints:
        nouns[endpoint.noun] = None
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    schemas.named["Error"] = _ERROR
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PocketMQ console",
            "version": pocketmq.__version__,
            "description": "Everything the console does. Writes carry `X-CSRF-Token` with the "
            "`csrf` of `/session`, or `Authorization: Basic`.",
        },
        "servers": [{"url": PREFIX}],
        "tags": [{"name": noun} for noun in nouns],
        "paths": paths,
        "components": {
            "schemas": schemas.named,
            "securitySchemes": {
                "cookie": {"type": "apiKey", "in": "cookie", "name": "pocketmq_session"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }


_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "hint": {"type": ["string", "null"]},
                "details": {"type": "object"},
            },
            "required": ["code", "message", "hint", "details"],
        }
    },
    "required": ["error"],
}


def _operation(endpoint: Endpoint, schemas: _Schemas) -> dict[str, Any]:
    summary, _, rest = endpoint.doc.partition("\n\n")
    content: dict[str, Any] = {}
    if endpoint.answer is not Response:
        content = {"schema": schemas.of(endpoint.answer)}
    operation: dict[str, Any] = {
        "tags": [endpoint.noun],
        "summary": " ".join(summary.split()),
        "operationId": f"{endpoint.noun.lower().replace(' ', '_')}_{endpoint.handler.__name__}",
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": schemas.of(endpoint.hints[name]),
            }
            for name in endpoint.path_names
        ],
        "responses": {
            str(endpoint.status): {"description": "Done", "content": {endpoint.media: content}},
            "default": {
                "description": "It did not work",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if rest:
        operation["description"] = " ".join(rest.split())
    if endpoint.query is not None:
        for one, kind, bounds in fields_of(endpoint.query):
            operation["parameters"].append(
                {
                    "name": one.name,
                    "in": "query",
                    "required": required(one),
                    "description": bounds.doc,
                    "schema": schemas.field(one, kind, bounds),
                }
            )
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas.of(endpoint.body)}},
        }
    return operation


class _Schemas:
    """JSON schemas of dataclasses, each under its name once."""

    def __init__(self) -> None:
        self.named: dict[str, Any] = {}

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type."""
        kind, optional = without_none(kind)
        found = self._of(kind)
        return {"anyOf": [found, {"type": "null"}]} if optional else found

    def field(self, one: dataclasses.Field[Any], kind: Any, bounds: Bounds) -> dict[str, Any]:
        """The schema of a field, with its bounds and default."""
        schema = dict(self.of(kind))
        if bounds.doc:
            schema["description"] = bounds.doc
        if bounds.minimum is not None:
            schema["minimum"] = bounds.minimum
        if bounds.maximum is not None:
            schema["maximum"] = bounds.maximum
        if one.default is not dataclasses.MISSING and one.default not in (None, ()):
            schema["default"] = one.default
        return schema

    def _of(self, kind: Any) -> dict[str, Any]:
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if kind in _PLAIN:
            return {"type": _PLAIN[kind]}
        if origin is typing.Literal:
            return {"type": "string", "enum": list(inner)}
        if origin in (tuple, list):
            return {"type": "array", "items": self.of(inner[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(inner[1])}
        if dataclasses.is_dataclass(kind):
            return self._named(typing.cast(type, kind))
        return {}

    def _named(self, shape: type) -> dict[str, Any]:
        name = shape.__name__
        if name not in self.named:
            self.named[name] = {}  # a shape that holds itself ends here
            fields = fields_of(shape)
            self.named[name] = {
                "type": "object",
                "properties": {one.name: self.field(one, kind, b) for one, kind, b in fields},
                "required": [one.name for one, _, _ in fields if required(one)],
            }
        return {"$ref": f"#/components/schemas/{name}"}
