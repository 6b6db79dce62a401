"""What only vSphere knows of an image and of an endpoint."""

import re
from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from vclab.model.errors import StepFailed
from vclab.model.inventory import Policies, Policy
from vclab.model.plans import Target
from vclab.provisioning.data import Line, ModuleData, Name


class ImageData(ModuleData):
    """Where an image's master is, and what vSphere calls its operating system."""

    master_path: Line = ""  #: inside a datastore, e.g. "vclab-images/debian-12/1/disk.vmdk"; empty: in the library
    datastore: Line = ""  #: that holds the master; empty: the one on which the machine is placed
    guest_id: Name = "otherLinux64Guest"
    content: ClassVar[tuple[str, ...]] = ("master_path", "datastore")
    added_with: ClassVar[tuple[str, ...]] = ("master_path",)

    @field_validator("master_path")
    @classmethod
    def _inside(cls, path: str) -> str:
        if not path:
            return path
        if any(part in ("", ".", "..") for part in path.split("/")) or "\\" in path or "[" in path:
            raise ValueError(f"the master disk {path!r} must be a path inside a datastore, like folder/disk.vmdk")
        if not path.endswith(".vmdk") or path.endswith("-flat.vmdk"):
            raise ValueError(f"the master disk {path!r} must be the disk's description, which ends in .vmdk")
        return path

    @field_validator("guest_id")
    @classmethod
    def _guest_id(cls, text: str) -> str:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,60}", text, re.ASCII):
            raise ValueError(f"{text!r} is not a guest id of vSphere; write it like debian12_64Guest")
        return text

    def source(self) -> str:
        """The master disk."""
        if not self.master_path:
            return "the library"
        return f"[{self.datastore}] {self.master_path}" if self.datastore else self.master_path

    def without_content(self) -> "ImageData":
        """Of what is in the library alone: copies hold it."""
        return self.model_copy(update=dict.fromkeys(self.content, ""))

    def master(self, storage: str) -> str:
        """The master disk for a machine on that datastore: "[ds1] vclab-images/debian-12/1/disk.vmdk"."""
        return f"[{self.datastore or storage}] {self.master_path}"


class EndpointData(ModuleData):
    """How an endpoint is used."""

    folder: Name = "vclab"  #: for our machines
    private_network: Name = "private"
    public_network: Name = "public"
    imaging_network: Line = ""  #: for sealing: DHCP and the management node only; empty: nothing can be captured
    datacenter: Line = ""  #: empty: the only one
    resource_pool: Line = ""  #: of each host or cluster, in which machines are made; empty: the root pool
    free_floor: Annotated[int, Field(ge=0, le=90)] = 15  #: percent of each datastore that stay free: nothing is placed
    host_policy: Policy = Policies().hosts
    datastore_policy: Policy = Policies().datastores

    @model_validator(mode="after")
    def _imaging_apart(self) -> Self:
        if self.imaging_network in self.networks:  # what is sealed has its source's MACs, and that may be on
            raise ValueError(
                f"the imaging network {self.imaging_network!r} must be neither the private nor the public network"
            )
        return self

    @property
    def networks(self) -> tuple[str, str]:
        """Each machine has a card in both."""
        return self.private_network, self.public_network

    @property
    def policies(self) -> Policies:
        """How machines are placed."""
        return Policies(self.host_policy, self.datastore_policy)


def image_data(target: Target) -> ImageData:
    """Of the image that a machine is made from. Raises ``StepFailed``."""
    return ImageData.of(target.image_data, f"the image {target.image}, revision {target.revision},")


def endpoint_data(target: Target) -> EndpointData:
    """Of the endpoint, as it was when the machine was placed. Raises ``StepFailed``."""
    return EndpointData.of(target.endpoint_data, f"the endpoint {target.endpoint}")


def master(target: Target) -> str:
    """The image's copy that the machine's own disk is made from. Raises ``StepFailed``."""
    data = image_data(target)
    if not target.copy and not data.master_path:
        raise StepFailed(f"{target.image}, revision {target.revision}, has no copy on {target.storage}")
    return target.copy or data.master(target.storage)
