"""Compares what is sent to Google with the REST discovery documents that ship in google-api-python-client.

The documents are Google's own description of its APIs, and independent of pulumi-gcp.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import googleapiclient
import pulumi

from tests.contract.apis import Call

Json = dict[str, Any]

DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"


@functools.cache
def document(name: str) -> Json:
    """The discovery document of an API, as in compute.v1."""
    content: Json = json.loads((DOCUMENTS / f"{name}.json").read_text())
    return content


def unknown(call: Call, inputs: Mapping[str, Any]) -> Iterator[str]:
    """Each value that the API has no place for, or sets itself, or not of its type, or not among its choices."""
    for path, value in _leaves(inputs):
        if path in call.address or path in call.not_sent:
            continue
        found = definition(call, renamed(call, path))
        if found is None:
            yield f"{path}: the API has no such field"
        elif found.get("readOnly"):
            yield f"{path}: the API sets it itself"
        elif not _fits(call, found, value):
            yield f"{path}: {value!r} is not {found.get('enum') or found.get('type')}"


def renamed(call: Call, path: str) -> str:
    """The API's name for what Pulumi calls `path`, below the call's body."""
    for prefix in sorted(call.renamed, key=len, reverse=True):
        if path == prefix or path.startswith(f"{prefix}."):
            return call.renamed[prefix] + path.removeprefix(prefix)
    return path


def definition(call: Call, path: str) -> Json | None:
    """The API's description of the field at `path` below the call's body; None if there is none."""
    schema = dict(_method(call)["request"])
    for name in ".".join(filter(None, (call.body, path))).split("."):
        schema = _resolved(call, schema)
        if "additionalProperties" in schema:
            return dict(schema["additionalProperties"])
        known = schema.get("properties", {})
        if name.removesuffix("[]") not in known:
            return None
        schema = known[name.removesuffix("[]")]
        if name.endswith("[]"):
            schema = _resolved(call, schema)
    return schema


def parameters(call: Call) -> set[str]:
    """What the request's address is made of."""
    method = _method(call)
    in_query = {name for name, each in method["parameters"].items() if each["location"] == "query"}
    return in_query | set(re.findall(r"{(\w+)}", method.get("flatPath") or method["path"]))


def _method(call: Call) -> Json:
    *resources, name = call.method.split(".")
    found = document(call.document)
    for each in resources:
        found = found["resources"][each]
    method: Json = found["methods"][name]
    return method


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for each in value:
            yield from _leaves(each, path)
    elif not isinstance(value, pulumi.Output):
        yield path, value


def _resolved(call: Call, schema: Json) -> Json:
    schema = schema["items"] if schema.get("type") == "array" else schema
    return document(call.document)["schemas"][schema["$ref"]] if "$ref" in schema else schema


def _fits(call: Call, definition: Json, value: Any) -> bool:
    if definition.get("type") == "array":
        return isinstance(value, list) and all(_fits(call, _resolved(call, definition), each) for each in value)
    if "$ref" in definition or definition.get("type") == "object":
        return isinstance(value, Mapping)
    if "enum" in definition:
        return value in definition["enum"]
    if definition["type"] == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if definition["type"] == "integer" or definition.get("format") in ("int64", "uint64"):
        return isinstance(value, int | float) and value == int(value)
    return isinstance(value, int | float) if definition["type"] == "number" else isinstance(value, str)
