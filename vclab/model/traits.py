"""What a provisioning module can do, as it says itself. Nobody asks which module it is."""

from dataclasses import dataclass
from enum import StrEnum


class Operation(StrEnum):
    """An optional operation of a provisioning module: the method that has this name."""

    POWER_STATUS = "power_status"
    POWER_ON = "power_on"
    POWER_OFF = "power_off"
    POWER_RESET = "power_reset"
    INSPECT = "inspect"
    CAPTURE = "capture"
    IMAGE_EXISTS = "does_image_exist"
    RETRIEVE_IMAGE = "retrieve_image"
    IMAGE_SIZE = "get_image_size"
    DELETE_IMAGE = "delete_image"


POWER = (Operation.POWER_STATUS, Operation.POWER_ON, Operation.POWER_OFF, Operation.POWER_RESET)
"""What most modules can do that can switch a computer at all."""


@dataclass(frozen=True)
class Traits:
    """Declared by each driver, and recorded in every target. What ``operations`` does not name is never called."""

    lent: bool = False  #: its computers are there without us: claimed as a whole; none is made or removed
    reloadable: bool = False  #: of lent ones: they can be loaded anew, and what they hold outlives a reservation
    identity: bool = True  #: needs a name and cards' addresses from an identity pool
    guest: bool = True  #: has an operating system that vclab enters; in a target: its image has one
    copies: bool = False  #: machines' disks are made from copies of the image, one on each storage, made when needed
    streams: bool = False  #: a load reads the image from a repository of its site
    seals: bool = False  #: what is captured is sealed, and tried, on a throw-away computer
    operations: tuple[Operation, ...] = ()

    @property
    def from_library(self) -> bool:
        """Its images are revisions of the library, whose bytes a repository has."""
        return self.copies or self.streams

    def can(self, operation: Operation) -> bool:
        """Whether it offers this operation."""
        return operation in self.operations
