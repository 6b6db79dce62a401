"""Which bytes a load writes: those of an image, or what is being captured; all lie in repositories of the site."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vclab.library.block_map import BlockMap
from vclab.library.captures import Captures, Held
from vclab.library.content import Told
from vclab.library.repository import Repository
from vclab.model.errors import Refused, StepFailed, Unreachable
from vclab.model.plans import Becomes, StepInput
from vclab.provisioning.bare_metal.nodes import Nodes


@dataclass(frozen=True)
class Disk:
    """A disk in a repository. ``block_map``: made, by reading all of it, if it is missing."""

    repository: Repository
    file: Path
    block_map: Callable[[Told], BlockMap]


def becomes(given: StepInput) -> Becomes:
    """The revision that is made. Raises ``StepFailed`` for a step of no capture."""
    if given.becomes is None:
        raise StepFailed(f"{given.target.computer} is not being captured")
    return given.becomes


def written(nodes: Nodes, given: StepInput) -> Disk:
    """What a step's load writes: of a capture, to the computer that is sealed the raw disk, to another one the sealed
    one. Raises ``StepFailed`` when it is nowhere, ``Unreachable``."""
    target, made = given.target, given.becomes
    if made is None or target.computer == made.computer:
        repository = nodes.repository(target)
        return Disk(
            repository,
            repository.disk(target.image, target.revision),
            lambda told: repository.block_map(target.image, target.revision, told),
        )
    repository, captures = holding(nodes, made.capture)
    held = Held.RAW if target.isolated else Held.SEALED
    found = captures.find(made.capture, held)
    if found is None:
        raise StepFailed(f"there is no {held} disk of {made} in {repository.folder}")
    return Disk(repository, captures.disk(made.capture, held), lambda told: found)


def holding(nodes: Nodes, capture: str) -> tuple[Repository, Captures]:
    """The repository that holds what was captured. Raises ``StepFailed`` when none does, ``Unreachable``."""
    for repository, captures in everywhere(nodes):
        if captures.has(capture):
            return repository, captures
    raise StepFailed(f"no repository of the site holds what was captured by {capture}")


def everywhere(nodes: Nodes) -> Iterator[tuple[Repository, Captures]]:
    """All repositories of the site that answer; then raises ``Unreachable`` if another one does not: whoever has found
    what they look for asks no further."""
    away: Unreachable | None = None
    for folder in nodes.metal.all_repositories():
        try:
            repository = Repository(folder)
        except (Refused, Unreachable) as error:
            away = Unreachable(error.message, error.hint)
        else:
            yield repository, Captures(repository, nodes.installation)
    if away:
        raise away
