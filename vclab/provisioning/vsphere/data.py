"""What only vSphere knows of an image and of an endpoint."""

from typing import ClassVar

from vclab.model.plans import Target
from vclab.provisioning.data import ModuleData


class ImageData(ModuleData):
    """Where an image's master is, and what vSphere calls its operating system."""

    master_path: str  #: inside a datastore, e.g. "vclab-images/debian-12/1/disk.vmdk"
    datastore: str = ""  #: that holds the master; empty: the one on which the machine is placed
    guest_id: str = "otherLinux64Guest"
    content: ClassVar[tuple[str, ...]] = ("master_path", "datastore")

    def master(self, storage: str) -> str:
        """The master disk for a machine on that datastore: "[ds1] vclab-images/debian-12/1/disk.vmdk"."""
        return f"[{self.datastore or storage}] {self.master_path}"


class EndpointData(ModuleData):
    """How an endpoint is used."""

    folder: str = "vclab"  #: for our machines
    private_network: str = "private"
    public_network: str = "public"
    datacenter: str = ""  #: empty: the only one

    @property
    def networks(self) -> tuple[str, str]:
        """Each machine has a card in both."""
        return self.private_network, self.public_network


def image_data(target: Target) -> ImageData:
    """Of the image that a machine is made from. Raises ``StepFailed``."""
    return ImageData.of(target.image_data, f"the image {target.image}, revision {target.revision},")


def endpoint_data(target: Target) -> EndpointData:
    """Of the endpoint, as it was when the machine was placed. Raises ``StepFailed``."""
    return EndpointData.of(target.endpoint_data, f"the endpoint {target.endpoint}")


def master(target: Target) -> str:
    """The master disk that the machine's own disk is copied from. Raises ``StepFailed``."""
    return image_data(target).master(target.storage)
