"""The target of a load: what is made, where, and on which computer; and a reservation's target in its row."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from vclab.model import catalog as model
from vclab.model.inventory import Amounts
from vclab.model.plans import Target, lasting_uuid
from vclab.model.revisions import Hardware
from vclab.model.rules import Rules
from vclab.model.traits import Operation, Traits
from vclab.placement import Choice
from vclab.store.models import Computer, Reservation
from vclab.store.search import Found, Search


def recorded(values: Mapping[str, Any]) -> Target:
    """A recorded target."""
    traits = values["traits"]
    operations = tuple(map(Operation, traits["operations"]))
    hardware = Hardware(**values["hardware"])
    return Target(**{**values, "hardware": hardware, "traits": Traits(**{**traits, "operations": operations})})


def of(row: Reservation) -> Target:
    """The reservation's target."""
    return recorded(row.target)


def shown(row: Reservation) -> dict[str, bool]:
    """What a view has of it. A list has hundreds of them, and to make each of them whole costs as much as the rest."""
    return {"has_guest": row.target["traits"]["guest"], "dedicated": row.target.get("dedicated", False)}


def amounts_of(target: Target) -> Amounts:
    """What it claims of its place."""
    return Amounts(target.cpus, target.memory_mb, target.claimed_gb or target.disk_gb)


def as_promised(image: model.Image, target: Target) -> model.Image:
    """The image as the target's reservation gets it: where a full copy of its disk was promised, it stays one."""
    return dataclasses.replace(image, dedicated=image.dedicated or target.dedicated)


def of_image(holder: str, image: model.Image, endpoint: model.Endpoint, choice: Choice, rules: Rules) -> Target:
    """What is made from the image, and where, but on no computer yet."""
    return Target(
        reservation=holder,
        computer="",
        generation=0,
        installation=rules.installation,
        module=image.module,
        guest=image.guest,
        endpoint=choice.endpoint,
        host=choice.host,
        storage=choice.storage,
        image=image.name,
        revision=image.revision,
        cpus=image.cpus,
        memory_mb=image.memory_mb,
        disk_gb=image.disk_gb,
        private_mac="",
        public_mac="",
        site=endpoint.site,
        traits=dataclasses.replace(rules.traits(image.module), guest=bool(image.guest)),
        hardware=image.hardware,
        dedicated=image.dedicated,
        image_data=image.module_data,
        endpoint_data=endpoint.module_data,
    )


def of_idle(holder: str, row: Computer, endpoint: model.Endpoint, generation: int, rules: Rules) -> Target:
    """A computer that is lent and that nobody has, as its endpoint switches it: nothing is made of it."""
    target = Target(
        reservation=holder,
        computer="",
        generation=0,
        installation=rules.installation,
        module=endpoint.module,
        guest="",
        endpoint=endpoint.name,
        host=row.name,
        storage="",
        image=row.image,
        revision=row.revision,
        cpus=0,
        memory_mb=0,
        disk_gb=0,
        private_mac="",
        public_mac="",
        site=endpoint.site,
        traits=rules.traits(endpoint.module),
        endpoint_data=endpoint.module_data,
    )
    return on(target, row, generation)


def for_search(search: Search, found: Found, generation: int, rules: Rules) -> Target:
    """What is made for a search at the place that it found; ``generation``: 0 while no computer is held."""
    endpoint = search.endpoint(found.choice.endpoint)
    target = on(of_image(search.holder, search.image, endpoint, found.choice, rules), found.computer, generation)
    if found.spare is None:
        return dataclasses.replace(target, claimed_gb=search.amounts_at(found.choice).disk_gb, kept=found.kept)
    there = found.spare
    return dataclasses.replace(
        target, spare=there.instance_uuid, dedicated=there.dedicated, claimed_gb=there.claimed_gb
    )


def at(target: Target, endpoint: model.Endpoint, choice: Choice, claimed_gb: int) -> Target:
    """The same, made in another place, of which its disk claims so much."""
    return dataclasses.replace(
        target,
        endpoint=choice.endpoint,
        host=choice.host,
        storage=choice.storage,
        site=endpoint.site,
        endpoint_data=endpoint.module_data,
        claimed_gb=claimed_gb,
        copy="",
        awaits_copy=False,
    )


def on(target: Target, computer: Computer | None, generation: int = 0) -> Target:
    """The same on a computer, under the tenure of that generation. None: on any identity."""
    reloaded = computer is not None and target.traits.reloadable
    return dataclasses.replace(
        target,
        computer=computer.name if computer else "",
        generation=generation,
        private_mac=(computer and computer.private_mac) or "",
        public_mac=(computer and computer.public_mac) or "",
        # A computer that stays keeps its UUID through all loads.
        spare=lasting_uuid(target.installation, computer.name) if computer and reloaded else "",
    )


def columns(target: Target) -> dict[str, Any]:
    """The columns of a reservation that say where it is placed."""
    held = target.generation > 0
    return {
        "computer": target.computer if held else None,
        "generation": target.generation,
        "endpoint": target.endpoint,
        "host": target.host,
        "target": dataclasses.asdict(target),
        "password_ref": f"tenure/{target.computer}/{target.generation}/login" if held else "",
    }


def record(row: Reservation, target: Target) -> None:
    """Record that the reservation is placed there."""
    for name, value in columns(target).items():
        setattr(row, name, value)


def forget_machine(row: Reservation) -> None:
    """Clear the addresses and the host key of the machine that the reservation had."""
    row.private_address = row.public_address = row.boot_id = row.handover = ""
    row.host_key = row.host_key_from = ""
    row.remote_addresses, row.access_open = [], False
