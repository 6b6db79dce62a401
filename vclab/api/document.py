"""The description of the API (OpenAPI 3.1), made from the use cases. ``docs/openapi.json`` is a copy of it."""

import inspect
import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import DefsRef, GenerateJsonSchema

from vclab import contract
from vclab.api import examples
from vclab.api.idempotency import HEADER, LONGEST
from vclab.api.operations import BYTES, JSON, LARGEST_PAGE, PAGE, in_query, is_list, same_place, takes_key
from vclab.api.problems import MEDIA_TYPE, STATUS, Problem
from vclab.contract import acts
from vclab.contract.progress import LINES
from vclab.contract.use_case import MOST_LINES, Content, UseCase

Schema = dict[str, Any]
Mode = Literal["validation", "serialization"]

PREFIX = "/api/v1"
REFERENCE = "#/components/schemas/{model}"
PROBLEM = REFERENCE.format(model="problems.Problem")
VERSION = "1"

OF_BODIES = ("not_json", "not_json_type", "too_large", "too_slow")
OF_ACTS = ("key_reused", "in_progress", "changed")

_INTRODUCTION = """\
What vclab can do, for portals, scripts and other systems.

* Each request carries `Authorization: Bearer TOKEN`. A program gets one by the device flow of RFC 8628, with forms that
  are sent to `/api/v1/device` and `/api/v1/device/token`. Whoever may not see a thing is told that it is not there.
* An answer that is no success is a problem (`application/problem+json`) with a stable `code`, and a `hint` of what to
  change. 503 says what does not answer; reads of what is recorded go on. `Retry-After` says when to ask again.
* A list is `{"items": […], "next": …}`. Where `next` is not null, ask again with it as `cursor`.
* Each answer to a GET has an `ETag`; send it as `If-None-Match`, and an answer that is the same is 304 without a body.
* What may take minutes tells how far it is, line by line, to those who accept `application/x-ndjson`: the last line has
  the `answer` or the `problem`.
* Moments are ISO 8601 with a time zone; lengths of time are seconds.
"""

_LIMIT = {
    "type": "integer",
    "minimum": 1,
    "maximum": MOST_LINES,
    "default": PAGE,
    "description": f"At most so many; there are never more than {LARGEST_PAGE} in one part.",
}

_FILE: Schema = {BYTES: {"schema": {"type": "string", "contentMediaType": BYTES}, "example": ""}}

_PROGRESS = '{"progress":{"what":"importing","done":1048576,"size":8388608}}\n{"answer":{}}\n'

_FIELD = re.compile(r"^    (\w+): [^#\n]*#: (.+)$", re.MULTILINE)
_GRAMMAR = re.compile(r"``([^`]+)``")


def text(app: FastAPI) -> bytes:
    """The document, made once for each application."""
    found: bytes | None = getattr(app.state, "openapi", None)
    if found is None:
        found = app.state.openapi = json.dumps(document(app), ensure_ascii=False, separators=(",", ":")).encode()
    return found


def document(app: FastAPI) -> Schema:
    """The document: the use cases, and what the other routers of the application describe themselves."""
    made = get_openapi(
        title="vclab",
        version=VERSION,
        description=_INTRODUCTION,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    references, definitions = _schemas()
    schemas |= definitions
    made["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of a person: `vct_…`"},
    }
    made["security"] = [{"token": []}]
    paths = made.setdefault("paths", {})
    for operation in (each for path in paths.values() for each in path.values()):
        if operation["operationId"] == "events.listen":
            _describe_stream(operation)
        else:
            _complete(operation, schemas)
    for use_case in contract.USE_CASES.values():
        route = use_case.route
        operation = _operation(use_case, references, schemas)
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = operation
    made["paths"] = dict(sorted(paths.items()))
    made["components"]["responses"] = _problems()
    made["components"]["schemas"] = _used(made, schemas)
    return made


def _complete(operation: Schema, schemas: Schema) -> None:
    """Of what another router describes itself: it needs no token, and its problems are as everywhere."""
    contents = [each.get("content", {}) for each in operation["responses"].values()]
    for content in (*contents, operation.get("requestBody", {}).get("content", {})):
        for media in content.values():
            media.setdefault("example", examples.of("", media["schema"], schemas))
    operation["security"] = []
    own = {status: each for status, each in operation["responses"].items() if status != "422"}
    problems = _references(())
    for status in own.keys() & problems.keys():  # one of its own, or a problem
        problem = {"$ref": PROBLEM}
        own[status]["content"][MEDIA_TYPE] = {"schema": problem, "example": examples.of("", problem, schemas)}
    operation["responses"] = problems | own


_STREAM = """\
Server-sent events: `start` and `reset` (read the lists now), `change` (`{"kind", "thing", "owner"}`: read that again),
`look` (how far a reservation is that is watched) and `end` (`{"code", "detail", "hint"}`: the last one, and why)."""
_CHANGES = 'id: 4711\nevent: change\ndata: {"kind":"reservation","thing":"434abxamsyx","owner":"alice"}\n\n'
_LISTENED: Mapping[str, str] = {
    "kind": "Only things of this kind; may be given several times.",
    "thing": "Only this thing; may be given several times.",
    "reservation": "Also how far this one is; may be given several times.",
    "after": "The id of the last event that is known: it goes on there.",
    "last-event-id": "The same, as browsers send it.",
}


def _describe_stream(operation: Schema) -> None:
    """The stream of what changes: it takes a token, and what it answers with has no end."""
    operation["summary"], operation["description"] = "What changes, as it changes", _STREAM
    for parameter in operation["parameters"]:
        parameter["description"] = _LISTENED[parameter["name"]]
    content = {"text/event-stream": {"schema": {"type": "string"}, "example": _CHANGES}}
    answer = {"description": "Events, for as long as somebody listens.", "content": content}
    operation["responses"] = {"200": answer} | _references((*OF_BODIES, *OF_ACTS))


def _references(never: Collection[str]) -> Schema:
    """The problems that there may be, but for some codes."""
    statuses = sorted({status for code, status in STATUS.items() if code not in never})
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _used(made: Schema, schemas: Schema) -> Schema:
    """The definitions that something refers to, by name."""
    used: set[str] = set()
    new = _named_in([made["paths"], made["components"]["responses"]])
    while new:
        used |= new
        new = _named_in([schemas[name] for name in new]) - used
    return {name: schemas[name] for name in sorted(used)}


def _named_in(things: Any) -> set[str]:
    return set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(things)))


# --- schemas ---------------------------------------------------------------------------------------------------------


class _Generate(GenerateJsonSchema):
    """Names a class by its module and itself, ``users.Person``: names stay when others are added."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 (as the base has it)

    def get_defs_ref(self, core_mode_ref: Any) -> DefsRef:
        core_ref, mode = core_mode_ref
        plain = re.sub(r":\d+", "", core_ref)
        name = re.sub(r"(?:\w+\.)*(\w+)\.(\w+)", r"\1.\2", plain)
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("_")
        ref = DefsRef(name if mode == "serialization" else f"{name}.sent")
        self._prioritized_defsref_choices[ref] = [ref]
        return ref


@cache
def _schemas() -> tuple[Mapping[tuple[str, Mode], Schema], Schema]:
    """The schema of each question and answer, and the definitions that they refer to."""
    inputs: list[tuple[str, Mode, TypeAdapter[Any]]] = []
    for use_case in contract.USE_CASES.values():
        inputs.append((use_case.name, "validation", TypeAdapter(use_case.question)))
        if use_case.content is not Content.ANSWERED:
            inputs.append((use_case.name, "serialization", TypeAdapter(use_case.answer)))
    inputs.append(("problem", "serialization", TypeAdapter(Problem)))
    references, rest = TypeAdapter.json_schemas(inputs, ref_template=REFERENCE, schema_generator=_Generate)
    definitions: Schema = rest.get("$defs", {})
    _describe(definitions)
    return dict(references), definitions


def _describe(definitions: Schema) -> None:
    """Give fields the remarks that stand behind them in the source."""
    for model in _models(BaseModel):
        for name in (_name(model), f"{_name(model)}.sent"):
            if name not in definitions:
                continue
            properties = definitions[name].get("properties", {})
            for field, remark in _remarks(model).items():
                if field in properties:
                    properties[field].setdefault("description", _plain(remark))


def _models(base: type[BaseModel]) -> list[type[BaseModel]]:
    found = []
    for each in base.__subclasses__():
        found += [each, *_models(each)] if each.__module__.startswith("vclab.") else _models(each)
    return found


def _name(model: type[BaseModel]) -> str:
    return f"{model.__module__.rpartition('.')[2]}.{model.__name__}"


def _remarks(model: type[BaseModel]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each.__module__.startswith("vclab."):
            found |= dict(_FIELD.findall(inspect.getsource(each)))
    return found


def _plain(words: str) -> str:
    return _GRAMMAR.sub(r"`\1`", words)


# --- operations ------------------------------------------------------------------------------------------------------


def _operation(use_case: UseCase[Any, Any], references: Mapping[tuple[str, Mode], Schema], schemas: Schema) -> Schema:
    summary, _, more = _plain(use_case.summary).partition(". ")
    question = _resolved(references[use_case.name, "validation"], schemas)
    asked = examples.question(use_case, question, schemas)
    made: Schema = {
        "tags": [use_case.route.path.split("/")[1]],
        "summary": summary.rstrip("."),
        **({"description": more} if more else {}),
        "operationId": use_case.name,
        "parameters": [*_parameters(use_case, question, asked), *_headers(use_case)],
        "responses": _responses(use_case, references, schemas),
    }
    if use_case.content is Content.SENT:
        return made | {"requestBody": {"required": True, "content": _FILE}}
    return made if in_query(use_case) else made | _body(use_case, question, asked)


def _resolved(schema: Schema, schemas: Schema) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    return schemas[name] if name else schema


def _parameters(use_case: UseCase[Any, Any], question: Schema, asked: Schema) -> list[Schema]:
    properties, required = question.get("properties", {}), question.get("required", [])
    inside = use_case.route.fields
    made = [_parameter(name, "path", properties[name], True, asked) for name in inside]
    if use_case.pages:
        properties = properties | {"limit": _LIMIT}
    if in_query(use_case):
        rest = [name for name in properties if name not in inside]
        made += [_parameter(name, "query", properties[name], name in required, asked) for name in rest]
    return made


def _parameter(name: str, where: str, schema: Schema, required: bool, asked: Schema) -> Schema:
    bare = {key: value for key, value in schema.items() if key not in ("description", "title")}
    if where == "path":
        bare = {**bare, "minLength": 1} if bare.get("type") == "string" else bare
    words = {"description": schema["description"]} if "description" in schema else {}
    example = {"example": asked[name]} if name in asked else {}
    return {"name": name, "in": where, "required": required, "schema": bare, **words, **example}


def _headers(use_case: UseCase[Any, Any]) -> list[Schema]:
    made = []
    if use_case.route.method == "GET" and use_case.content is Content.NONE:
        made.append(_header("If-None-Match", "The `ETag` of the answer that is known."))
    if takes_key(use_case):
        words = "Any text, new for each act. With the same one it is not done twice: the first answer comes again."
        text = {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[ -~]+$"}
        made.append(_header(HEADER, words, text))
    if use_case.acts and use_case.content is Content.NONE and same_place(use_case) is not None:
        made.append(_header("If-Match", "The `ETag` of the thing as it was read; 412 if it is another one now."))
    return made


def _header(name: str, words: str, schema: Schema | None = None) -> Schema:
    text = schema or {"type": "string"}
    return {"name": name, "in": "header", "required": False, "schema": text, "description": words}


def _body(use_case: UseCase[Any, Any], question: Schema, asked: Schema) -> Schema:
    """The fields that are not in the path, as they are in the question."""
    elsewhere = use_case.route.fields
    properties = {name: value for name, value in question.get("properties", {}).items() if name not in elsewhere}
    optional = ("reservation",) if use_case is acts.reserve else ()
    required = [name for name in question.get("required", []) if name not in (*elsewhere, *optional)]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    if "description" in question:
        schema["description"] = _plain(question["description"])
    example = {name: value for name, value in asked.items() if name in properties and name not in optional}
    content = {JSON: {"schema": schema, "example": example}}
    return {"requestBody": {"required": bool(required), "content": content}}


def _responses(use_case: UseCase[Any, Any], references: Mapping[tuple[str, Mode], Schema], schemas: Schema) -> Schema:
    made: Schema = {}
    if use_case.content is Content.ANSWERED:
        made["200"] = {"description": "The file.", "content": _FILE}
    elif use_case.answer in (None, type(None)):
        made["204"] = {"description": "It is done."}
    else:
        schema = references[use_case.name, "serialization"]
        schema = _list(schema) if is_list(use_case) else schema
        content: Schema = {JSON: {"schema": schema, "example": examples.of("", schema, schemas)}}
        if use_case.long:
            content[LINES] = {"schema": {"type": "string"}, "example": _PROGRESS}
        made["200"] = {"description": "The answer.", "content": content}
    if use_case.route.method == "GET" and use_case.content is Content.NONE:
        made["200"]["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "Of this answer."}}
        made["304"] = {"description": "It is as the caller knows it."}
    never = (OF_BODIES if use_case.route.method in ("GET", "DELETE") else ()) + (() if use_case.acts else OF_ACTS)
    return made | _references(never)


def _list(items: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {
            "items": items,
            "next": {
                "type": ["string", "null"],
                "description": "The `cursor` of the next part; null: this is the end.",
            },
        },
        "required": ["items", "next"],
        "additionalProperties": False,
    }


def _problems() -> Schema:
    """The answers that are no success, by status."""
    made: Schema = {}
    for status in sorted(set(STATUS.values())):
        codes = [code for code, each in STATUS.items() if each == status]
        content = {MEDIA_TYPE: {"schema": {"$ref": PROBLEM}}}
        made[str(status)] = {"description": f"`code`: {', '.join(codes)}", "content": content}
    return made
