"""Where everything of one lab is. All names, addresses and ports derive from the lab's folder, so labs never collide.

What must survive a power cut is in the folder; what only a running lab needs is in ``/run/vclab/<tag>``.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from vclab.settings import DEFAULT_LAB

RUN = Path("/run/vclab")
"""Short on purpose: a Unix socket's path may have 107 bytes."""

LAB_FILE = "lab.json"
CONTEXTS = "contexts"
TEMPORAL_PORT = 7233
UI_PORT = 8233
UI_PATH = "/temporal"
"""Below which the API shows operators Temporal's web UI."""
VCENTER_PORT = 8989
API_PORT = 8443
"""Of vclab's own API, on the public network."""

PRIVATE = "private"
PUBLIC = "public"
IMAGING = "imaging"
NETWORKS = (PRIVATE, PUBLIC, IMAGING)
"""Those of the vCenter."""
METAL = "metal"
"""The provisioning network: dnsmasq gives each node its own address there."""


@dataclass(frozen=True)
class Subnet:
    """One of the lab's networks: a bridge in the management namespace, with DHCP."""

    bridge: str
    management: str  #: the management namespace's own address on it
    prefix: int
    first: str  #: of the addresses given by DHCP; empty: it gives each machine its own
    last: str
    mac: str  #: of the bridge; fixed, else it would change with each machine that is plugged in


SUBNETS = (
    Subnet(PRIVATE, "10.77.0.1", 16, "10.77.1.1", "10.77.9.250", "0a:76:63:00:00:01"),
    # 203.0.113.0/24 is TEST-NET-3 (RFC 5737): never a real host's address.
    Subnet(PUBLIC, "203.0.113.1", 24, "203.0.113.100", "203.0.113.250", "0a:76:63:00:00:02"),
    # 198.18.0.0/15 is for tests of networks (RFC 2544): never a real host's address.
    Subnet(IMAGING, "198.18.0.1", 16, "198.18.1.1", "198.18.9.250", "0a:76:63:00:00:03"),
    Subnet(METAL, "10.78.0.1", 24, "", "", "0a:76:63:00:00:04"),
)

API_ADDRESS = next(net.management for net in SUBNETS if net.bridge == PUBLIC)
API_URL = f"https://{API_ADDRESS}:{API_PORT}"
"""As the lab's people reach it."""

PEOPLE = {"alice": "203.0.113.11", "bob": "203.0.113.12", "carol": "203.0.113.13", "olga": "203.0.113.14"}
"""The test users and the public addresses of their namespaces."""


@dataclass(frozen=True)
class Layout:
    """Names and paths of the lab in ``folder`` (absolute, symbolic links resolved)."""

    folder: Path

    @classmethod
    def of(cls, folder: Path | None = None) -> "Layout":
        """The lab in ``folder``, else in ``$VCLAB_LAB``, else the one whose settings are in use, else the default."""
        named = folder or os.environ.get("VCLAB_LAB")
        if named:
            return cls(Path(named).expanduser().resolve())
        used = Path(os.environ.get("VCLAB_CONFIG") or "/").resolve().parent
        return cls(used if (used / LAB_FILE).exists() else DEFAULT_LAB.resolve())

    @property
    def _hash(self) -> bytes:
        return hashlib.sha256(str(self.folder).encode()).digest()

    @property
    def default(self) -> bool:
        """True for the lab of a machine that has only one."""
        return self.folder == DEFAULT_LAB.resolve()

    @property
    def tag(self) -> str:
        """Short and unique on this machine; also the installation's id. The default lab's is "vclab"."""
        return "vclab" if self.default else f"vclab-{self._hash.hex()[:8]}"

    @property
    def usual_address(self) -> str:
        """The loopback address that derives from the folder."""
        if self.default:
            return "127.0.0.1"
        one, two, three = self._hash[8:11]
        return f"127.{one % 254 + 1}.{two}.{three % 254 + 1}"

    @property
    def address(self) -> str:
        """The loopback address where Temporal, its UI and the vCenter answer, inside and outside the lab."""
        try:
            return str(json.loads(self.lab_file.read_text())["address"])
        except (FileNotFoundError, ValueError, KeyError):
            return self.usual_address

    @property
    def management(self) -> str:
        """The management node's network namespace: the worker and all servers live in it."""
        return f"{self.tag}-mgmt"

    def person(self, login: str) -> str:
        """The network namespace of a test user."""
        return f"{self.tag}-{login}"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """All named network namespaces of this lab."""
        return (self.management, *(self.person(login) for login in PEOPLE))

    # What survives a power cut.

    @property
    def lab_file(self) -> Path:
        """What the lab itself must remember: its address."""
        return self.folder / LAB_FILE

    @property
    def settings_file(self) -> Path:
        """The installation's settings; written by each ``up``."""
        return self.folder / "vclab.toml"

    @property
    def local_settings_file(self) -> Path:
        """The user's own settings, laid over the lab's by each ``up``; never written."""
        return self.folder / "local.toml"

    @property
    def database(self) -> Path:
        """The product's SQLite database."""
        return self.folder / "vclab.db"

    @property
    def secrets(self) -> Path:
        """The product's secrets."""
        return self.folder / "secrets"

    @property
    def secret_keys(self) -> Path:
        """The keys to which they are sealed."""
        return self.folder / "keys"

    @property
    def ssh_key(self) -> Path:
        """The management node's key to the computers."""
        return self.folder / "id_ed25519"

    def person_key(self, login: str) -> Path:
        """A test user's SSH key."""
        return self.folder / "users" / login / "id_ed25519"

    @property
    def logs(self) -> Path:
        """One log per part."""
        return self.folder / "log"

    @property
    def temporal_database(self) -> Path:
        """Temporal's SQLite database."""
        return self.folder / "temporal" / "temporal.db"

    @property
    def tls(self) -> Path:
        """The lab's authority, and the certificates of its parts."""
        return self.folder / "tls"

    @property
    def contexts(self) -> Path:
        """The lab's people as the command line knows them, with their tokens."""
        return self.folder / CONTEXTS

    @property
    def temporal_profile(self) -> Path:
        """What Temporal's own command line needs to act as the lab's operator."""
        return self.tls / "temporal.toml"

    @property
    def vcenter(self) -> Path:
        """The vCenter's certificate, password and journal."""
        return self.folder / "vcenter"

    @property
    def datastore(self) -> Path:
        """The directory behind the datastore that has the masters."""
        return self.datastore_called("ds1")

    def datastore_called(self, name: str) -> Path:
        """The directory behind a datastore of the vCenter."""
        return self.folder / "datastores" / name

    @property
    def repository(self) -> Path:
        """The repository of the lab's site."""
        return self.folder / "repository"

    def lab_machine_disk(self, name: str) -> Path:
        """The disk's descriptor of a machine that no vCenter knows."""
        return self.folder / "lab-machines" / name / "disk.vmdk"

    @property
    def nodes(self) -> Path:
        """The nodes of bare metal: a folder each, with its disk and the state of its BMC."""
        return self.folder / "nodes"

    @property
    def netboot(self) -> Path:
        """What nodes boot over the network; closed to others, for it has the keys of loads."""
        return self.folder / "netboot"

    @property
    def netboot_configuration(self) -> Path:
        """Of the DHCP and TFTP server of bare metal; written by each ``up``."""
        return self.folder / "dhcp" / "metal.conf"

    @property
    def leases(self) -> Path:
        """dnsmasq's leases, of the private and the public network; kept, so that machines keep their addresses."""
        return self.folder / "dhcp" / "leases"

    @property
    def imaging_leases(self) -> Path:
        """The leases of the imaging network: machines there may have the MACs of machines on the private one."""
        return self.folder / "dhcp" / "imaging-leases"

    @property
    def layers(self) -> Path:
        """What each bootable root file system lays over the shared Debian tree, e.g. the authorized keys."""
        return self.folder / "layers"

    @property
    def machines(self) -> Path:
        """The content of the machines' disks, one directory a disk."""
        return self.folder / "machines"

    # What only a running lab has.

    @property
    def run(self) -> Path:
        """Sockets, state and mount points of the running lab."""
        return RUN / self.tag

    @property
    def state_file(self) -> Path:
        """What runs: written by the supervisor."""
        return self.run / "state.json"

    @property
    def control_socket(self) -> Path:
        """vcsim's control socket."""
        return self.run / "vcsim.sock"

    @property
    def nodes_link(self) -> Path:
        """Leads to the nodes: a path that ``ipmi_sim`` can read, whatever the lab's folder is called."""
        return self.run / "nodes"

    @property
    def netboot_link(self) -> Path:
        """Leads to what nodes boot: a path that may stand in dnsmasq's configuration."""
        return self.run / "netboot"

    @property
    def netboot_log_link(self) -> Path:
        """Leads to the log of DHCP and TFTP of bare metal."""
        return self.run / "netboot.log"

    @property
    def mount_point(self) -> Path:
        """Where each machine mounts its disk, in a mount namespace of its own."""
        return self.run / "root"
