"""Examples for the description of the API, made from its schemas: a value that stands for each field."""

from typing import Any

Schema = dict[str, Any]

_KNOWN: dict[str, Any] = {
    "reservation": "434abxamsyx",
    "id": "434abxamsyx",
    "name": "debian-12",
    "login": "alice",
    "transfer": "5c0e7a3b9d2f4e61a8b7c6d5e4f30211",
    "user": "alice",
    "image": "debian-12",
    "computer": "vm01",
    "host": "esx1",
    "endpoint": "vc1",
    "seconds": 7200,
    "by": 3600,
    "revision": 4,
    "address": "198.51.100.7",
    "title": "Debian 12",
    "word": "ready",
    "module": "vsphere",
    "guest": "linux",
    "zone": "Europe/Berlin",
    "why": "a disk is replaced",
    "reason": "a disk is replaced",
    "private_mac": "02:76:63:00:00:01",
    "public_mac": "02:76:63:00:00:02",
    "url": "https://vcenter.example.org/sdk",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}
_FORMATS = {"date-time": "2026-12-01T10:00:00Z", "password": "…", "binary": ""}
_TYPES: dict[str, Any] = {"string": "", "integer": 1, "number": 1.0, "boolean": False, "null": None, "object": {}}
_DEEPEST = 6


def of(name: str, schema: Schema, schemas: Schema, depth: int = 0) -> Any:
    """An example of the schema, for a field of this name."""
    if "$ref" in schema:
        return of(name, schemas[schema["$ref"].rpartition("/")[2]], schemas, depth)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return of(name, schema[choice][0], schemas, depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    return _plain(name, schema, schemas, depth)


def _plain(name: str, schema: Schema, schemas: Schema, depth: int) -> Any:
    kind = schema.get("type")
    if name in _KNOWN and _fits(_KNOWN[name], kind):
        return _KNOWN[name]
    if kind == "object" and "properties" in schema and depth < _DEEPEST:
        wanted = schema.get("required", ()) or list(schema["properties"])[:1]
        return {each: of(each, schema["properties"][each], schemas, depth + 1) for each in wanted}
    if kind == "array":
        items = schema.get("items")
        return [of(name.removesuffix("s"), items, schemas, depth + 1)] if items and depth < _DEEPEST else []
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    return _TYPES.get(str(kind))


def _fits(value: object, kind: object) -> bool:
    return kind == ("string" if isinstance(value, str) else "integer" if isinstance(value, int) else "number") or (
        kind == "number" and isinstance(value, (int, float))
    )
