"""The module ``text-file``: a toy that hands out a text, and shows what a module needs not have.

Its computers are names of text files in its endpoint's folder. They are lent, have no guest, no disk and no power; a
load writes the image's text into one, and a person is given its URL. A file beside it says whose it is.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from pydantic import field_validator

from vclab.model.catalog import Computer, Endpoint
from vclab.model.errors import NotOurs, Refused, StepFailed, Unreachable
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.plans import Evidence, Facts, NodeStatus, Plan, Status, Step, StepInput, Target, Whereabouts
from vclab.model.steps import BlockingStep, StepContext
from vclab.model.traits import Operation, Traits
from vclab.provisioning.data import ModuleData, Text
from vclab.provisioning.kind import Kind, Surroundings

NAME = "text-file"
TRAITS = Traits(lent=True, identity=False, guest=False, operations=(Operation.CAPTURE,))
LONGEST = 40_000
"""Bytes of a text that is captured."""

_WRITE = Step("text-file.write", "Write the text")
_READ = Step("text-file.read", "Read the text", blames_nobody=True)


class ImageData(ModuleData):
    """What people are given."""

    text: Text
    content: ClassVar[tuple[str, ...]] = ("text",)


class EndpointData(ModuleData):
    """Where the files are."""

    folder: str

    @field_validator("folder")
    @classmethod
    def _absolute(cls, folder: str) -> str:
        if not Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise ValueError("write the folder as an absolute path, like /srv/texts")
        return folder


@dataclass(frozen=True)
class Mark:
    """The owner of a text: written before the text, and removed after it."""

    installation: str
    computer: str
    reservation: str
    generation: int


@dataclass(frozen=True)
class Place:
    """Where a computer's text is."""

    folder: Path
    computer: str

    @property
    def file(self) -> Path:
        """The text."""
        return self.folder / f"{self.computer}.txt"

    @property
    def mark(self) -> Path:
        """The file that names its owner."""
        return self.folder / f".{self.computer}.mark"


class TextFile:
    """A ``ProvisioningModule``. Thread-safe. ``endpoints`` gives an entry, ``group`` the computers of an endpoint."""

    name = NAME
    traits = TRAITS

    def __init__(
        self,
        installation: str,
        endpoints: Callable[[str], Endpoint],
        group: Callable[[str], Sequence[Computer]],
    ) -> None:
        self._installation = installation
        self._endpoints = endpoints
        self._group = group

    def survey(self, endpoint: str) -> Inventory:
        """The computers of the group; unusable while the folder is missing."""
        folder = _folder(self._endpoints(endpoint).module_data, endpoint)
        why_not = "" if folder.is_dir() else f"there is no folder {folder}"
        hosts = (HostFacts(each.name, 0, 0, not why_not, why_not) for each in self._group(endpoint))
        return Inventory(endpoint, datetime.now(UTC), tuple(hosts))

    def node_status(self, target: Target) -> NodeStatus:
        """Never ready: a text is written for each reservation."""
        return NodeStatus(Status.RELOAD, why="a text is written for each reservation")

    def whereabouts(self, target: Target) -> Whereabouts:
        """Whether the text is there."""
        with _explained(target):
            there = _place_of(target).file.exists()
        return Whereabouts() if there else Whereabouts(trouble=f"the text of {target.computer} is gone", gone=True)

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """One step."""
        return Plan((_WRITE,), status)

    def evidence(self, target: Target) -> Evidence:
        """The owner of the text that is there."""
        with _explained(target):
            place = _place_of(target)
            mark = _mark(place)
        whose = f"of {mark.reservation}, generation {mark.generation}" if mark else "nobody's"
        return Evidence(endpoint=(f"{place.file} is {whose if place.file.exists() else 'not there'}",))

    def steps(self) -> Mapping[str, BlockingStep]:
        """The steps by their recorded names."""
        return {_WRITE.name: self._write, _READ.name: self._read}

    def capture(self, target: Target) -> Plan:
        """One step, which changes nothing."""
        return Plan((_READ,), NodeStatus(Status.READY))

    def _read(self, context: StepContext, given: StepInput) -> Facts:
        """The text that is there now, as the data of an image. Raises ``StepFailed``, ``NotOurs``."""
        target = given.target
        with _explained(target):
            place = _place_of(target)
            if self._ours(place, target) != _mark_of(target):
                raise NotOurs(f"{place.file} is not that of {target.reservation}")
            with place.file.open("rb") as file:
                said = file.read(LONGEST + 1)
        if len(said) > LONGEST:
            raise StepFailed(f"{place.file} is longer than {LONGEST} bytes", "shorten it, and try again")
        try:
            return Facts(image_data=ImageData.checked({"text": said.decode()}, f"{place.file}").encoded())
        except (UnicodeDecodeError, Refused) as error:
            raise StepFailed(f"{place.file} is no text that an image can have: {error}") from None

    def _write(self, context: StepContext, given: StepInput) -> Facts:
        """Have the image's text in place, whole, and marked as this tenure's. Raises ``NotOurs``."""
        target = given.target
        text = ImageData.of(target.image_data, f"the image {target.image}, revision {target.revision},").text
        with _explained(target):
            place, mine = _place_of(target), _mark_of(target)
            mark = self._ours(place, target)
            if mark is None and place.file.exists():
                raise NotOurs(f"{place.file} was not made by vclab; it is not touched")
            if mark != mine or not _holds(place.file, text):
                context.fence()
                _put(place.mark, json.dumps(asdict(mine)))
                _put(place.file, text)
            if not _holds(place.file, text):
                raise Unreachable(f"{place.file} does not hold the text; it will be tried again")
        return Facts(handover=place.file.as_uri())

    def remove(self, context: StepContext, target: Target) -> None:
        """Remove the text, of this generation or an older one, and verify it. Harmless when it is gone."""
        with _explained(target):
            place = _place_of(target)
            if self._ours(place, target) is None:
                return
            context.fence()
            for file in (_fresh(place.file), _fresh(place.mark), place.file, place.mark):
                file.unlink(missing_ok=True)
            if place.file.exists() or place.mark.exists():
                raise Unreachable(f"{place.file} is still there; it will be tried again")

    def close(self) -> None:
        """Nothing is open."""

    def _ours(self, place: Place, target: Target) -> Mark | None:
        """The mark that is there. Raises ``NotOurs`` for another installation's, or a newer tenure's."""
        if target.installation != self._installation:
            raise NotOurs(f"{target.computer} is of the installation {target.installation}")
        mark = _mark(place)
        if mark is not None and (mark.installation, mark.computer) != (self._installation, target.computer):
            raise NotOurs(f"{place.file} is {mark.computer}'s of the installation {mark.installation}")
        if mark is not None and mark.generation > target.generation:
            raise NotOurs(f"{place.file} is of generation {mark.generation}, newer than {target.generation}")
        return mark


def _folder(data: str, endpoint: str) -> Path:
    return Path(EndpointData.of(data, f"the endpoint {endpoint}").folder)


def _place_of(target: Target) -> Place:
    return Place(_folder(target.endpoint_data, target.endpoint), target.computer)


def _mark_of(target: Target) -> Mark:
    return Mark(target.installation, target.computer, target.reservation, target.generation)


def _mark(place: Place) -> Mark | None:
    """Raises ``NotOurs`` for what we can't have written."""
    if not place.mark.exists():
        return None
    try:
        return Mark(**json.loads(place.mark.read_text()))
    except (ValueError, TypeError):
        raise NotOurs(f"{place.mark} is not a mark of vclab; the text beside it is not touched") from None


def _holds(file: Path, text: str) -> bool:
    return file.exists() and file.read_bytes() == text.encode()


def _fresh(file: Path) -> Path:
    """Where its new content is written first."""
    return file.with_name(f"{file.name}.new")


def _put(file: Path, text: str) -> None:
    """All of it or nothing: whoever reads sees the old content or the new one."""
    fresh = _fresh(file)
    with fresh.open("wb") as output:
        output.write(text.encode())
        output.flush()
        os.fsync(output.fileno())
    fresh.replace(file)


@contextmanager
def _explained(target: Target) -> Iterator[None]:
    """Turn the system's errors into the house's."""
    try:
        yield
    except FileNotFoundError as error:
        raise StepFailed(f"the text of {target.computer} can't be kept: there is no {error.filename}") from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise Unreachable(f"the text of {target.computer}: {why}; it will be tried again") from None


def build(surroundings: Surroundings) -> TextFile:
    """The driver."""
    return TextFile(surroundings.installation, surroundings.endpoints, surroundings.group)


KIND = Kind(NAME, TRAITS, build, image_data=ImageData, endpoint_data=EndpointData, pretended=True)
