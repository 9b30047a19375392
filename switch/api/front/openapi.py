"""The OpenAPI document, made of the operations themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..wire.params import Param
from .operation import Operation

_ERROR = {
    "type": "object",
    "required": ["code", "message", "more_info", "status"],
    "properties": {
        "code": {"type": "integer"},
        "message": {"type": "string"},
        "more_info": {"type": "string"},
        "status": {"type": "integer"},
    },
}


def describe(operations: Iterable[Operation]) -> dict[str, Any]:
    """The document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Switchroom", "version": "1", "description": "REST for programs: see docs/api.md."},
        "paths": paths,
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "schemas": {"Error": _ERROR},
        },
        "security": [{"basic": []}],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": re.sub(r"\W+", "_", f"{operation.method}_{operation.path}").strip("_"),
        "tags": [operation.product],
        "x-scope": operation.scope,  # what a key needs; empty: only the account itself, or a key with main
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"\{(\w+)\}", operation.path)
        ],
        "responses": {
            str(204 if operation.method == "DELETE" else operation.status): {
                "description": "Done",
                **(
                    {}
                    if operation.method == "DELETE"
                    else {"content": {"application/json": {"schema": {"type": "object"}}}}
                ),
            },
            "default": {
                "description": "An error",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if operation.method in ("GET", "DELETE"):
        described["parameters"] += [
            {"name": name, "in": "query", "required": param.is_required, "schema": _schema(param)}
            for param in operation.params
            for name in _names(param)
        ]
    elif operation.params:
        required = [param.name for param in operation.params if param.is_required]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {param.name: _schema(param) for param in operation.params},
        }
        if required:
            schema["required"] = required
        content = {"application/x-www-form-urlencoded": {"schema": schema}}
        described["requestBody"] = {"required": bool(required), "content": content}
    return described


def _names(param: Param) -> list[str]:
    return [param.name + sign for sign in ("", "<", ">")] if param.is_range else [param.name]


def _schema(param: Param) -> dict[str, Any]:
    one: dict[str, Any] = {"type": param.kind, **param.schema}
    if param.choices:
        one["enum"] = list(param.choices)
    if param.kind == "string" and not param.choices:
        one["maxLength"] = param.max_size
    return {"type": "array", "items": one} if param.is_list else one
