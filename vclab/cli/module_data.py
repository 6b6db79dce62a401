"""What only a module knows of an image or an endpoint, as an administrator says it and reads it."""

from collections.abc import Mapping, Sequence

from vclab.cli.errors import Usage
from vclab.model.catalog import Endpoint, Image
from vclab.model.errors import StepFailed
from vclab.provisioning import registry
from vclab.provisioning.data import ModuleData
from vclab.provisioning.kind import Kind

Said = Mapping[str, str]
"""What was said, by the name of the field; what was not said is not there."""

_OPTIONS = {"master_path": "master", "datastore": "master"}
"""Options that are not called as their field is."""


def kind_of(module: str) -> Kind:
    """The kind of that name. Raises ``StepFailed`` for one that this release does not have."""
    kind = registry.kind(module)
    if kind is None:
        raise StepFailed(f"this release of vclab has no provisioning module {module}")
    return kind


def of_image(image: Image) -> dict[str, str]:
    """What the module knows of an image. Raises ``StepFailed`` when that can't be read."""
    return kind_of(image.module).image_data.of(image.module_data, f"the image {image.name}").fields()


def of_endpoint(endpoint: Endpoint) -> dict[str, str]:
    """What the module knows of an endpoint. Raises ``StepFailed`` when that can't be read."""
    return kind_of(endpoint.module).endpoint_data.of(endpoint.module_data, f"the endpoint {endpoint.name}").fields()


def laid_over(data: type[ModuleData], before: str, said: Said, whose: str, module: str) -> str:
    """What is kept: what was said over what was there. Raises ``Usage`` for options that the module does not have or
    that are missing, ``Refused`` for what it does not take."""
    strange = [name for name in said if name not in data.model_fields]
    if strange:
        raise Usage(f"{options(strange)} is not for the module {module}")
    values = {**_readable(data, before, whose), **said}
    missing = [name for name, field in data.model_fields.items() if field.is_required() and name not in values]
    if missing:
        raise Usage(f"{whose} needs {options(missing)} too")
    return data.checked(values, whose).encoded()


def _readable(data: type[ModuleData], text: str, whose: str) -> dict[str, str]:
    """Nothing, if it can't be read: then it is said anew."""
    if not text:
        return {}
    try:
        return data.of(text, whose).fields()
    except StepFailed:
        return {}


def options(names: Sequence[str]) -> str:
    """The options by which these fields are said, each once."""
    return ", ".join(dict.fromkeys(f"--{_OPTIONS.get(name, name).replace('_', '-')}" for name in names))
