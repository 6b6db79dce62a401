"""Which endpoints have what images are made from."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from vclab.model.catalog import Endpoint, Image
from vclab.model.enquiries import AskEndpoint
from vclab.model.errors import Invalid, Refused, VclabError
from vclab.model.typed import near, quoted
from vclab.provisioning.enquiry import Answer
from vclab.provisioning.kind import Kind
from vclab.secrets.references import SecretSealed
from vclab.service import module_data
from vclab.service.backend import Backend
from vclab.store import catalog, copies

UNCHECKED = "use --unchecked to add it anyway"

Masters = Mapping[str, frozenset[str]]
"""Of each endpoint that could be asked, the datastores that have a master (as ``Answer.masters``)."""


async def check(backend: Backend, image: Image) -> Masters:
    """Ask all of the image's endpoints for its master.

    Raises ``Invalid`` for a value that the module's library does not list, ``Refused`` when no endpoint has the master
    or none could be asked.
    """
    kind = module_data.kind_of(image.module)
    _check_choices(kind, image)
    if kind.enquiry is None:
        return {}  # nothing can be asked: a load tells
    endpoints = await backend.read(lambda session: catalog.endpoints_of(session, image))
    if not endpoints:
        raise Refused(
            f"the master of {image.name} can't be checked: there is no endpoint of the module {image.module}",
            f"add the endpoint first, or {UNCHECKED}",
        )
    return await _ask_all(backend, image, endpoints)


def seen(session: Session, image: Image, masters: Masters) -> None:
    """Remember where its master is: it is placed only there."""
    now = datetime.now(UTC)
    for endpoint, storages in masters.items():
        copies.seen(session, image, endpoint, storages, now)


async def ask_with_kept_password(backend: Backend, endpoint: Endpoint, images: list[Image]) -> Answer:
    """Log in to an endpoint with the password that is kept for it, and look. Where it can't be opened, a worker of its
    site does. Raises ``Refused``, ``Unreachable``, ``SecretMissing``."""
    try:
        password = backend.secrets.endpoint_password(endpoint)
    except (SecretSealed, PermissionError):
        asked = AskEndpoint(endpoint, tuple(images))
        return TypeAdapter(Answer).validate_json(await (await backend.reservations()).ask_endpoint(asked))
    return await ask(backend, endpoint, password, images)


async def ask(backend: Backend, endpoint: Endpoint, password: str, images: list[Image]) -> Answer:
    """Log in to an endpoint and look. Raises ``Refused``, ``Unreachable``."""
    kind = module_data.kind_of(endpoint.module)
    assert kind.enquiry is not None
    return await asyncio.to_thread(kind.enquiry().ask, endpoint, password, backend.settings.installation, images)


def _check_choices(kind: Kind, image: Image) -> None:
    fields = module_data.of_image(image).fields()
    for field, listed in kind.choices.items():
        if fields[field] not in (names := listed()):
            option, similar = module_data.options([field]), near(fields[field], names)
            raise Invalid(f"{kind.name} does not know {option} {quoted(fields[field])}{similar}", UNCHECKED)


async def _ask_all(backend: Backend, image: Image, endpoints: list[Endpoint]) -> Masters:
    found, missing, failed = dict[str, frozenset[str]](), {}, {}
    for endpoint in endpoints:
        try:
            answer = await ask_with_kept_password(backend, endpoint, [image])
        except VclabError as error:
            failed[endpoint.name] = error.message
        else:
            found[endpoint.name] = answer.masters.get(image.name, frozenset())
            missing[endpoint.name] = ", ".join(text.removeprefix(f"{image.name}: ") for text in answer.missing)
    if not any(found.values()):
        raise _refusal(image, missing, failed)
    return found


def _refusal(image: Image, missing: Mapping[str, str], failed: Mapping[str, str]) -> Refused:
    whys = "; ".join(f"{name}: {why}" for name, why in {**missing, **failed}.items())
    if failed:
        return Refused(f"the master of {image.name} can't be checked: {whys}", f"mend that, or {UNCHECKED}")
    return Refused(f"no endpoint has the master of {image.name}: {whys}", f"copy it there first, or {UNCHECKED}")
