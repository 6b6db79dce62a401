"""What a new lab offers: hosts, images, an endpoint's name, identities."""

from vclab.model.catalog import IdentityPool, Image

ENDPOINT = "lab-vcenter"
PASSWORD_REF = f"endpoint/{ENDPOINT}"
VCENTER_USER = "vclab@vsphere.local"
HOSTS = "esx1=8:16384,esx2=8:16384"
"""Name = CPU threads : MiB. Both see the datastore."""
DATASTORE = "ds1"
DATASTORE_GB = 500
OPERATOR = "olga"
FIRST_UID = 20001
POOL = IdentityPool(prefix="vm", count=40)

NO_SSH = "debian-12-no-ssh"
"""A root file system for tests: it boots and has addresses, but never answers SSH."""


def image(name: str, title: str, cpus: int, memory_mb: int, disk_gb: int) -> Image:
    """An image of the lab, in its first revision."""
    return Image(
        name=name,
        title=title,
        revision=1,
        module="vsphere",
        guest="linux",
        guest_id="debian12_64Guest",
        master_path=f"vclab-images/{name}/1/disk.vmdk",
        cpus=cpus,
        memory_mb=memory_mb,
        disk_gb=disk_gb,
        datastore=DATASTORE,
    )


IMAGES = (
    image("debian-12", "Debian 12", 1, 1024, 8),
    image("debian-12-large", "Debian 12, large", 4, 8192, 16),
)
