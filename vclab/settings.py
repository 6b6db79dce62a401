"""Settings: defaults, then the TOML file, then ``VCLAB_*`` environment variables.

The file is ``$VCLAB_CONFIG``, else ``/etc/vclab/vclab.toml``, else that of the default embedded lab.
"""

import ipaddress
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from vclab.fake_world import Behaviour
from vclab.model.errors import Refused
from vclab.model.messages import site_queue
from vclab.model.nights import parse_night
from vclab.model.reservations import Waits
from vclab.model.retention import Periods
from vclab.model.rules import LEAST_CHILD_FACTOR, Health, Idle, Library, Limits, Rules
from vclab.model.wrong_values import complaint
from vclab.provisioning import registry
from vclab.settings_section import Length, Name, Section, Wait, matching
from vclab.settings_sign_in import SignInSettings
from vclab.temporal.connection import connection

log = logging.getLogger(__name__)

DEFAULT_LAB = Path("/var/lib/vclab/lab")
CONFIG_FILES = (Path("/etc/vclab/vclab.toml"), DEFAULT_LAB / "vclab.toml")


def config_file() -> Path | None:
    """The settings file in use, or None when there is none."""
    named = os.environ.get("VCLAB_CONFIG")
    if named:
        return Path(named)
    return next((p for p in CONFIG_FILES if p.is_file()), None)


Days = Annotated[float, Field(ge=1, le=36525)]


Role = Literal["workflows", "site"]
"""What a worker does: run workflows with their records, or the hardware work of its site."""


Queue = Annotated[
    str, matching("[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "1 to 100 letters, digits, dots, hyphens and underscores")
]


def _listen(text: str) -> str:
    """Raises ``ValueError``."""
    host, _, port = text.rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        fine = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    except ValueError:
        fine = False
    if text and not fine:
        raise ValueError(f"must be ADDRESS:PORT, such as 127.0.0.1:9464, not {text!r}")
    return text


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise ValueError(f"a network such as 203.0.113.0/24: {error}") from None


Network = Annotated[str, AfterValidator(_network)]
Listen = Annotated[str, AfterValidator(_listen)]


class TemporalSettings(Section):
    """Where the Temporal server is, and what it is shown (``vclab/temporal/connection.py``)."""

    address: str = "127.0.0.1:7233"
    namespace: str = "default"
    profile: str = ""  #: one of Temporal's own, for all of this that is not set here
    config_file: Path | None = None  #: with the profiles; else where Temporal's command line has them
    tls: bool | None = None  #: none: if one of tls_… is set, or the profile says so
    tls_ca: Path | None = None  #: the authority of the server's certificate; none: those of the system
    tls_server_name: str = ""  #: in its certificate, if not the host of ``address``
    tls_cert: Path | None = None  #: ours, where the server wants one
    tls_key: Path | None = None
    token_file: Path | None = None  #: an API key or JWT
    ui: str = ""  #: shown to people, e.g. "http://127.0.0.1:8233"
    workflow_queue: Queue = "site-default"
    """Where workflows run. On the queue of a site's short hardware work the server starts that work eagerly."""


class WaitSettings(Section):
    """Lengths of the waits, in seconds (down to 0.1). The defaults are Apache VCL's."""

    acknowledge: Wait = 900
    first_connection: Wait = 900
    first_connection_look: Wait = 15
    inuse_look: Wait = 300
    reconnect: Wait = 900
    notices: tuple[Wait, ...] = (1_209_600, 604_800, 172_800, 86_400, 600, 300)
    step_ceiling: Wait = 600
    load_ceiling: Wait = 9000  #: room for one copy that was never timed, and three other steps
    help: Length = 7200
    remove_retry: Wait = 60
    no_timeout_from: Wait = 86_400  #: one that lasts so long is not timed out (ignore_connections_gte)
    preload: Length = 2100
    preload_margin: Length = 600
    place_look: Wait = 60
    late: Length = 3600
    spare: Length = 1800  #: an unused machine is kept so long for the next reservation; 0: removed at once


class LookSettings(Section):
    """How a site's worker looks at the computers that people use."""

    at_once: int = Field(300, ge=1)  #: those that answered last time; as many more that did not
    kept: bool = True  #: by the worker between two looks; else by the server, which then shows failed attempts


class WorkerSettings(Section):
    """How much one worker does at a time."""

    cached_workflows: int = Field(200, ge=1, le=100_000)  #: kept ready, 160 KiB each; others are replayed when due
    workflow_tasks: int = Field(16, ge=2, le=1000)
    activities: int = Field(50, ge=1, le=1000)  #: short work: records, surveys, access, steps
    long_activities: int = Field(10, ge=1, le=1000)  #: copies of disks


class MetricsSettings(Section):
    """The worker's page for Prometheus (``docs/metrics.md``)."""

    address: Listen = ""  #: ADDRESS:PORT; empty: no page


def _url(text: str) -> str:
    """Raises ``ValueError``."""
    if text and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+", text):
        raise ValueError(f"must be a URL without a path, such as https://lab.example.org, not {text!r}")
    return text


class ApiLimitSettings(Section):
    """What the API server takes from those who ask it. Each server counts by itself."""

    body: int = Field(1 << 20, ge=1024, le=1 << 30)  #: bytes of a request's body
    head_seconds: Wait = 10  #: until all headers of a request have come
    body_seconds: Wait = 30  #: for each MiB of its body
    answer_seconds: Wait = 30  #: until a part of the answer is taken
    connections: int = Field(2000, ge=1, le=1_000_000)  #: open at one time
    address_connections: int = Field(500, ge=1, le=1_000_000)  #: of these, of one address; of a trusted proxy all
    address_bodies: int = Field(100, ge=1, le=100_000)  #: requests of one address that have sent a part of their body
    requests: int = Field(500, ge=1, le=100_000)  #: answered at one time; one whose body has not come is not
    person_rate: float = Field(20.0, gt=0, le=1e6)  #: requests a second of one person, on the average
    person_burst: int = Field(200, ge=1, le=1_000_000)  #: and at once
    address_rate: float = Field(100.0, gt=0, le=1e6)  #: of one address (IPv6: a /64), whoever is behind it
    address_burst: int = Field(2000, ge=1, le=1_000_000)
    stranger_rate: float = Field(1.0, gt=0, le=1e6)  #: of one address, with a token that is not known, or none
    stranger_burst: int = Field(60, ge=1, le=1_000_000)


class ApiSettings(Section):
    """The API server, ``vclab-api`` (docs/api.md)."""

    listen: Annotated[Listen, Field(min_length=1)] = "127.0.0.1:8080"
    url: Annotated[str, AfterValidator(_url)] = ""  #: as people reach it; empty: by TLS or not, at ``listen``
    tls_cert: Path | None = None  #: with the chain; none: plain HTTP, behind a proxy or on this machine only
    tls_key: Path | None = None
    trusted_proxies: tuple[Network, ...] = ()  #: whose word of where a request comes from is taken
    temporal_ui: Annotated[str, AfterValidator(_url)] = ""
    """Where Temporal's web UI listens; operators who are signed in see it below ``/temporal``. Empty: nobody does."""
    metrics: Listen = ""  #: ADDRESS:PORT of its page for Prometheus; empty: no page
    stop_seconds: Wait = 30  #: requests that run have so long when it is asked to stop
    limits: ApiLimitSettings = ApiLimitSettings()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Raises ``ValueError``."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("TLS needs both tls_cert and tls_key, or neither")
        return self


class LimitSettings(Section):
    """What a user may ask for, in seconds. Operators pass these, nobody passes a claim."""

    shortest: Length = 900
    first: Length = 4 * 3600
    total: Length = 6 * 3600
    extension: Length = 3600
    at_once: int = Field(1, ge=0)  #: reservations at one time
    horizon: Wait = 2 * 365 * 86400  #: nothing ends later than this from now, whoever asks


class AffiliationSettings(Section):
    """What is otherwise for the people of one affiliation; what is not named is as for all."""

    waits: WaitSettings = WaitSettings()
    limits: LimitSettings = LimitSettings()


class ClaimSettings(Section):
    """A claim is [start - lead, end + turnaround), in seconds."""

    lead: Length = 0
    turnaround: Length = 300
    child_factor: float = Field(1.0, ge=LEAST_CHILD_FACTOR, le=1)  #: of its virtual size a linked disk claims so much


class PersonSettings(Section):
    """How a person's own ``connect`` reaches computers: for people who sit at this machine."""

    via: tuple[str, ...] = ()  #: command put before ssh
    address: str = ""  #: the address they come from; empty: found out
    identity_file: str = ""


class ReconcileSettings(Section):
    """The reconciler, in seconds."""

    every: Annotated[Wait, Field(ge=1)] = 60
    grace: Length = 900  #: a machine of ours without a tenure is removed after this long


class HealthSettings(Section):
    """When failed loads speak against a host, and when a resting host is checked, in seconds."""

    images: int = Field(3, ge=1)  #: a host rests after failed loads of so many different images in a row
    check_after: Wait = 600  #: the first check; each one in vain doubles the pause
    check_longest: Wait = 21_600  #: the longest pause between two checks
    check_computers_every: Length = 3600  #: a computer that is lent is checked so often while nobody has it; 0: never


def _network_address(text: str) -> str:
    if text:
        try:
            ipaddress.IPv4Interface(text)
        except ValueError as error:
            raise ValueError(f"an address with the length of its prefix, such as 10.78.0.1/24: {error}") from None
    return text


class NetbootSettings(Section):
    """The provisioning network, from which bare metal is loaded (docs/bare-metal.md); as `vclab-netboot` was told."""

    interface: str = ""  #: this machine's card in it; empty: there is none
    address: Annotated[str, AfterValidator(_network_address)] = ""  #: this machine's there: 10.78.0.1/24
    root: Path = Path("/var/lib/vclab-netboot")
    proxy: bool = False  #: another DHCP server gives the addresses
    shared: bool = False  #: tenants are in it: nobody can tell who answers there, and each load says so
    log: Path | None = Path(
        "/var/log/vclab-netboot/log"
    )  #: the file with dnsmasq's log, which is evidence; none: it is not looked at
    streams_at_once: int = Field(2, ge=1, le=64)  #: disks that are sent from one repository at one time

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Raises ``ValueError``."""
        if bool(self.interface) != bool(self.address):
            raise ValueError("netboot needs both an interface and an address, or neither")
        return self


class IdleSettings(Section):
    """What is done with computers that nobody has."""

    loads_per_network: int = Field(8, ge=1)
    """Background loads at one time of computers whose BMCs are in one network (/24; of IPv6 /64)."""
    loads_per_site: int = Field(16, ge=1)  #: and at one site, which has its repositories
    off_after: Length = 900
    """Seconds: a computer that nobody has had for so long, and nobody is promised within as long, is switched off where
    its group says so."""


def _night(text: str) -> str:
    """Raises ``ValueError``."""
    if text:
        parse_night(text)
    return text


class LibrarySettings(Section):
    """How the library of images looks after itself."""

    keep: Length = 30 * 86400  #: seconds from a revision's retirement to its deletion
    keep_captured: Length = 30 * 86400
    """Seconds; what was captured at the end of its reservation is a test revision so long."""
    verify_every: Length = 30 * 86400  #: seconds; each copy is read back so often; 0: never
    rate: int = Field(0, ge=0, le=1_000_000)  #: MiB/s that reading back and sending take at most; 0: no limit
    largest_file: int = Field(1 << 40, ge=1)  #: bytes of a file that somebody sends
    night: Annotated[str, AfterValidator(_night)] = ""
    """"22:00-06:00 Europe/Berlin": when copies that nobody waits for are made and read back; empty: at any time."""

    def rules(self) -> Library:
        """The same for the store."""
        night = parse_night(self.night) if self.night else None
        return Library(self.keep, self.keep_captured, self.verify_every, self.rate << 20, night)


class RetentionSettings(Section):
    """For how many days records are kept (docs/retention.md says what of them goes, and why so long)."""

    audit: Days = 400  #: who asked for what: a year, and a month to ask about it
    loads: Days = 180  #: the load log: how long a load takes is told from the newest twenty
    reservations: Days = 400  #: whose a reservation was, and from where they came, from its end on
    feed: Days = 7  #: what has changed: who was away for longer reads the lists anew

    def periods(self) -> Periods:
        """The same for the store."""
        return Periods(**{name: timedelta(days=days) for name, days in self.model_dump().items()})


class Settings(BaseSettings):
    """All settings of one installation."""

    model_config = SettingsConfigDict(env_prefix="VCLAB_", env_nested_delimiter="__", extra="forbid")

    installation: Name = "vclab"
    roles: tuple[Role, ...] = Field(("workflows", "site"), min_length=1)  #: of this machine's worker
    site: Name = "default"  #: whose hardware this machine's worker reaches
    database: str = "sqlite:////var/lib/vclab/vclab.db"
    secrets_dir: Path = Path("/var/lib/vclab/secrets")
    secret_keys: Path | None = None  #: the folder of the keys to which they are sealed; none: "keys" beside them
    ssh_key: Path = Path("/var/lib/vclab/id_ed25519")  #: the management node's key to the computers
    management_addresses: tuple[str, ...] = ()  #: private addresses or prefixes that computers always let in
    tenant_networks: tuple[Network, ...] = ()  #: that users' computers are in; a BMC in one of them is warned of
    dhcp_leases: Path | None = None  #: dnsmasq's lease file of the private network
    operators: tuple[str, ...] = ()
    connect_from: dict[str, tuple[Network, ...]] = {}
    """By role ("user"): the prefixes that `vclab connect --from` may name. Whoever has a role that is not here may name
    any; the address that somebody comes from is always allowed."""
    temporal: TemporalSettings = TemporalSettings()
    worker: WorkerSettings = WorkerSettings()
    metrics: MetricsSettings = MetricsSettings()
    sign_in: SignInSettings = SignInSettings()
    api: ApiSettings = ApiSettings()
    looks: LookSettings = LookSettings()
    waits: WaitSettings = WaitSettings()
    limits: LimitSettings = LimitSettings()
    affiliations: dict[str, AffiliationSettings] = {}
    claims: ClaimSettings = ClaimSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    health: HealthSettings = HealthSettings()
    library: LibrarySettings = LibrarySettings()
    netboot: NetbootSettings = NetbootSettings()
    idle: IdleSettings = IdleSettings()
    retention: RetentionSettings = RetentionSettings()
    people: dict[str, PersonSettings] = {}
    fake: Behaviour = Behaviour()  #: the pretended world of rehearsals and benchmarks; off
    endpoint_calls_at_once: int = Field(4, ge=1)  #: per endpoint

    @model_validator(mode="after")
    def _queues(self) -> Self:
        """Whoever polls a queue must be able to do all the work on it. Raises ``ValueError``."""
        queue, own = self.temporal.workflow_queue, site_queue(self.site)
        if self.site.endswith("-long"):
            raise ValueError(f'site "{self.site}": its queue would be that of another site\'s long work; rename it')
        if queue == own and set(self.roles) != {"workflows", "site"}:
            raise ValueError(
                f"temporal.workflow_queue {queue} is also the queue of site {self.site}: give this worker both roles, "
                "or set another temporal.workflow_queue on all machines"
            )
        if queue != own and queue.startswith(("site-", "looks-")) and "workflows" in self.roles:
            raise ValueError(
                f"temporal.workflow_queue {queue} is not the queue of this worker's site {self.site} ({own}): set that "
                'or one that does not begin with "site-" or "looks-" on all machines, or leave out the role workflows'
            )
        return self

    @model_validator(mode="after")
    def _temporal(self) -> Self:
        """Its files are there, and fit together. Raises ``ValueError``."""
        connection(self.temporal)
        return self

    @property
    def keys_folder(self) -> Path:
        """Where the keys of the secrets are."""
        return self.secret_keys or self.secrets_dir.parent / "keys"

    def rules(self, affiliation: str = "") -> Rules:
        """The part of the settings that the store goes by, for people of this affiliation."""
        own = self.affiliations.get(affiliation, AffiliationSettings())
        return Rules(
            installation=self.installation,
            limits=Limits(**self.limits.model_dump() | own.limits.model_dump(exclude_unset=True)),
            waits=Waits(**self.waits.model_dump() | own.waits.model_dump(exclude_unset=True)),
            lead=self.claims.lead,
            turnaround=self.claims.turnaround,
            child_factor=self.claims.child_factor,
            health=Health(**self.health.model_dump()),
            library=self.library.rules(),
            idle=Idle(**self.idle.model_dump()),
            modules=registry.traits(),
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before file; no secrets directory and no dotenv."""
        file = TomlConfigSettingsSource(settings_cls, toml_file=config_file())
        return (init_settings, env_settings, file)


class Live:
    """Settings as they are now: the file is read again when it has changed, and kept as it was while it is wrong."""

    def __init__(self, first: Settings) -> None:
        self._settings = first
        self._read = self._stamp()

    def __call__(self) -> Settings:
        """The settings in force."""
        stamp = self._stamp()
        if stamp != self._read:
            self._read = stamp
            try:
                self._settings = load()
            except Refused as error:
                log.warning("%s; the settings stay as they were", error)
        return self._settings

    @staticmethod
    def _stamp() -> tuple[int, int]:
        file = config_file()
        try:
            found = file.stat() if file else None
        except OSError:
            found = None
        return (found.st_mtime_ns, found.st_size) if found else (0, 0)


def load() -> Settings:
    """Read the settings. Raises ``Refused`` with the source, the field and what is allowed when they are wrong."""
    file = config_file()
    if file is not None and not file.is_file():
        raise Refused(
            f"the settings file {file} does not exist", "unset VCLAB_CONFIG, or start the embedded lab with `vclab up`"
        )
    try:
        return Settings()
    except ValidationError as error:
        raise Refused(_wrong(error.errors()[0], file)) from None
    except SettingsError as error:
        raise Refused(f"settings (environment): {error}", "write lists and tables as JSON") from None
    except (OSError, ValueError) as error:  # ValueError: not TOML, not UTF-8
        raise Refused(f"the settings file {file} can't be read: {error}") from None


def _wrong(found: Mapping[str, Any], file: Path | None) -> str:
    """``settings (FILE): waits.acknowledge must be at least 0.1, not -1``."""
    names = [str(part) for part in found["loc"]]
    variable = next((name for name in _variables(names) if name in os.environ), "")
    field = ".".join(names)
    return f"settings ({variable or file or 'environment'}): {field}{' ' * bool(field)}{complaint(found)}"


def _variables(names: Sequence[str]) -> Iterator[str]:
    """The environment variables that may have set a field, the most special first."""
    for count in range(len(names), 0, -1):
        yield "VCLAB_" + "__".join(names[:count]).upper()
