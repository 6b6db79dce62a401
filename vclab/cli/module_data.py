"""What only a module knows of an image or an endpoint, as an administrator says it and reads it.

``--set FIELD=VALUE`` says any field of any module; some fields have options of their own besides, for convenience.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import typer

from vclab.cli.errors import Usage, quoted
from vclab.cli.output import JsonValue
from vclab.model.catalog import Endpoint, Image
from vclab.model.errors import Refused, StepFailed
from vclab.provisioning import registry
from vclab.provisioning.data import ModuleData
from vclab.provisioning.kind import Kind

Said = Mapping[str, str]
"""What was said, by the name of the field; what was not said is not there."""

Fields = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="A field of its module; repeat it.", show_default=False),
]

_OPTIONS = {"master_path": "--master", "datastore": "--master", "guest_id": "--guest-id"} | {
    field: f"--{field.replace('_', '-')}" for field in ("folder", "private_network", "public_network", "datacenter")
}
"""Fields that have an option of their own."""


def said(words: Iterable[str] | None, options: Said) -> dict[str, str]:
    """What ``--set`` and the options say. Raises ``Usage`` when a field is said twice."""
    found = dict(options)
    for word in words or ():
        field, equals, value = word.partition("=")
        if not field or not equals:
            raise Usage(f"--set takes FIELD=VALUE, not {quoted(word)}")
        if field in found:
            raise Usage(f"the field {field} is given twice")
        found[field] = value
    return found


def kind_of(module: str) -> Kind:
    """The kind of that name. Raises ``StepFailed`` for one that this release does not have."""
    kind = registry.kind(module)
    if kind is None:
        raise StepFailed(f"this release of vclab has no provisioning module {module}")
    return kind


def of_image(image: Image) -> ModuleData:
    """What the module knows of an image. Raises ``StepFailed`` when that can't be read."""
    return kind_of(image.module).image_data.of(image.module_data, f"the image {image.name}")


def of_endpoint(endpoint: Endpoint) -> ModuleData:
    """What the module knows of an endpoint. Raises ``StepFailed`` when that can't be read."""
    return kind_of(endpoint.module).endpoint_data.of(endpoint.module_data, f"the endpoint {endpoint.name}")


def rows(data: ModuleData) -> list[tuple[str, str]]:
    """What is in it, to be shown."""
    return [(field.replace("_", " ").capitalize(), str(value)) for field, value in data.fields().items() if value]


def json(item: Image | Endpoint) -> dict[str, JsonValue]:
    """For programs. Of what can't be read, why it can't."""
    try:
        data = of_image(item) if isinstance(item, Image) else of_endpoint(item)
    except StepFailed as error:
        return {"module_data": None, "error": str(error)}
    return {"module_data": data.fields()}


def laid_over(data: type[ModuleData], before: str, said: Said, whose: str, module: str) -> str:
    """What is kept: what was said over what was there. Raises ``Usage`` for what the module does not take, and for what
    is missing."""
    strange = [name for name in said if name not in data.known()]
    if strange:
        there = f"its fields are {', '.join(data.known())}" if data.known() else "it has no fields of its own"
        raise Usage(f"{options(strange)} is not for the module {module}: {there}")
    values = {**_readable(data, before, whose), **said}
    if missing := [name for name in data.needed() if name not in values]:
        raise Usage(f"{whose} needs {options(missing)} too")
    try:
        return data.checked(values, whose).encoded()
    except Refused as error:
        raise Usage(str(error)) from None


def _readable(data: type[ModuleData], text: str, whose: str) -> dict[str, str]:
    """Nothing, if it can't be read: then it is said anew."""
    if not text:
        return {}
    try:
        return data.of(text, whose).fields()
    except StepFailed:
        return {}


def options(names: Sequence[str]) -> str:
    """How these fields are said."""
    return ", ".join(dict.fromkeys(_OPTIONS.get(name, f"--set {name}=…") for name in names))
