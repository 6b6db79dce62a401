"""What a new lab offers: hosts, images, endpoints' names, identities, lab machines."""

from dataclasses import dataclass

from vclab.model.catalog import IdentityPool, Image
from vclab.provisioning import bare_metal, standalone
from vclab.provisioning.vsphere.data import ImageData

ENDPOINT = "lab-vcenter"
PASSWORD_REF = f"endpoint/{ENDPOINT}"
VCENTER_USER = "vclab@vsphere.local"
HOSTS = "esx1=8:16384,esx2=8:16384"
"""Name = CPU threads : MiB. Both see the datastores."""
DATASTORE = "ds1"
DATASTORES = {DATASTORE: 500, "ds2": 500}
"""GiB."""
REPOSITORY = "main"
OPERATOR = "olga"
FIRST_UID = 20001
POOL = IdentityPool(prefix="vm", count=40)

METAL_ENDPOINT = "metal"
METAL_IMAGE = Image(
    name="debian-12-metal",
    title="Debian 12 on bare metal",
    revision=1,
    module=bare_metal.NAME,
    guest="linux",
    cpus=1,
    memory_mb=1024,
    disk_gb=2,
)
NODE_DISK_BYTES = 4 << 30

NO_SSH = "debian-12-no-ssh"
"""A root file system for tests: it boots and has addresses, but never answers SSH."""


def image(name: str, title: str, cpus: int, memory_mb: int, disk_gb: int, dedicated: bool = False) -> Image:
    """An image of the lab, in its first revision."""
    return Image(
        name=name,
        title=title,
        revision=1,
        module="vsphere",
        guest="linux",
        cpus=cpus,
        memory_mb=memory_mb,
        disk_gb=disk_gb,
        dedicated=dedicated,
        module_data=ImageData(
            master_path=f"vclab-images/{name}/1/disk.vmdk", datastore=DATASTORE, guest_id="debian12_64Guest"
        ).encoded(),
    )


IMAGES = (
    image("debian-12", "Debian 12", 1, 1024, 8),
    image("debian-12-large", "Debian 12, large", 4, 8192, 16),
)

LAB_ENDPOINT = "lab-machines"
LAB_IMAGE = Image(
    name="lab-debian",
    title="Debian 12 on a lab machine",
    revision=1,
    module=standalone.NAME,
    guest="linux",
    cpus=1,
    memory_mb=1024,
    disk_gb=8,
    root_access=False,  # what root has changed only a load makes good again, and a lab machine can't be loaded
)


@dataclass(frozen=True)
class LabMachine:
    """A machine that no vCenter knows: on from `up` on, with addresses of its own (outside those that DHCP gives)."""

    name: str
    private_mac: str
    public_mac: str
    private_address: str
    public_address: str


LAB_MACHINES = tuple(
    LabMachine(
        f"lab{n:02}", f"02:76:62:00:00:{n:02}", f"02:76:62:01:00:{n:02}", f"10.77.0.{10 + n}", f"203.0.113.{20 + n}"
    )
    for n in (1, 2)
)


@dataclass(frozen=True)
class StockNode:
    """A node of bare metal: off until somebody needs it."""

    name: str
    redfish: bool  #: else its BMC speaks IPMI
    bmc_address: str  #: in the management namespace
    private_mac: str  #: on the provisioning network, from which it boots
    public_mac: str
    private_address: str
    public_address: str
    serial: str  #: of its disk

    @property
    def bmc_port(self) -> int:
        """The usual one."""
        return 443 if self.redfish else 623

    @property
    def bmc_url(self) -> str:
        """As vclab writes it, always with the port: its password is bound to this text."""
        return f"{'redfish' if self.redfish else 'ipmi'}://{BMC_USER}@{self.bmc_address}:{self.bmc_port}"

    @property
    def password_ref(self) -> str:
        """Of its BMC, among the secrets."""
        return f"power/{self.name}/lab"


BMC_USER = "admin"
NODES = tuple(
    StockNode(
        f"metal{n:02}",
        n == 4,
        f"127.78.0.{n}",
        f"02:76:6d:00:00:{n:02}",
        f"02:76:6d:01:00:{n:02}",
        f"10.78.0.{10 + n}",
        f"203.0.113.{30 + n}",
        f"VC{n:04}",
    )
    for n in (1, 2, 3, 4)
)
