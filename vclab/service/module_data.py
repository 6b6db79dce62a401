"""Module data of images, endpoints and computers, as administrators enter and read it.

``--set FIELD=VALUE`` sets any field of any module; some fields also have options of their own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vclab.model.catalog import Computer, Endpoint, Image
from vclab.model.errors import Invalid, Refused, StepFailed
from vclab.provisioning import registry
from vclab.provisioning.data import ModuleData, NoData
from vclab.provisioning.kind import Kind

Given = Mapping[str, str]
"""Values by field name; a field that was not given is not there."""

_OPTIONS = {"master_path": "--master", "datastore": "--master", "guest_id": "--guest-id"} | {
    field: f"--{field.replace('_', '-')}"
    for field in (
        "folder",
        "private_network",
        "public_network",
        "imaging_network",
        "datacenter",
        "resource_pool",
        "host_policy",
        "datastore_policy",
    )
}
"""Fields that have an option of their own."""


def united(given: Given, more: Given) -> dict[str, str]:
    """Both. Raises ``Invalid`` when a field is in both."""
    for field in more:
        if field in given:
            raise Invalid(f"the field {field} is given twice")
    return {**given, **more}


def kind_of(module: str) -> Kind:
    """The kind of that name. Raises ``StepFailed`` when this release does not have it."""
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


def of_computer(computer: Computer) -> ModuleData:
    """What its module knows of a lab machine. Raises ``StepFailed`` when that can't be read."""
    if not computer.module:
        return NoData()
    return kind_of(computer.module).computer_data.of(computer.module_data, f"the computer {computer.name}")


def document(item: Image | Endpoint | Computer) -> tuple[dict[str, Any] | None, str]:
    """The fields, or None and why they can't be read."""
    try:
        return _data_of(item).fields(), ""
    except StepFailed as error:
        return None, str(error)


def _data_of(item: Image | Endpoint | Computer) -> ModuleData:
    match item:
        case Image():
            return of_image(item)
        case Endpoint():
            return of_endpoint(item)
        case Computer():
            return of_computer(item)


def merged(data: type[ModuleData], before: str, given: Given, whose: str, module: str) -> str:
    """The data as it is stored: ``given`` over ``before``.

    Raises ``Invalid`` for a field that the module does not have, for a wrong value and for a missing one.
    """
    unknown = [name for name in given if name not in data.known()]
    if unknown:
        there = f"its fields are {', '.join(data.known())}" if data.known() else "it has no fields of its own"
        raise Invalid(f"{options(unknown)} is not for the module {module}", there)
    values = {**_readable(data, before, whose), **given}
    if missing := [name for name in data.needed() if name not in values]:
        raise Invalid(f"{whose} needs {options(missing)} too")
    try:
        return data.checked(values, whose).encoded()
    except Refused as error:
        raise Invalid(str(error)) from None


def _readable(data: type[ModuleData], text: str, whose: str) -> dict[str, str]:
    """The stored values; none when they can't be read: then all are entered again."""
    if not text:
        return {}
    try:
        return data.of(text, whose).fields()
    except StepFailed:
        return {}


def options(names: Sequence[str]) -> str:
    """The options that set these fields."""
    return ", ".join(dict.fromkeys(_OPTIONS.get(name, f"--set {name}=…") for name in names))
