"""Redfish, by sushy. Only in a child process (``child.py``): sushy retries and waits on its own.

Exactly one certificate is trusted, the pinned one, on every connection, before anything is sent. Each call logs in by
HTTP basic authentication: a session would be left behind by a child that is killed, and BMCs have few.
"""

import hashlib
import hmac
import json
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from vclab.model import reported
from vclab.model.bmc_facts import MOST, UNREADABLE, BmcFacts, facts_of
from vclab.model.errors import StepFailed, Unreachable
from vclab.power.address import Address
from vclab.power.base import Boot, BootDevice, Command, LoginRefused, PowerState, Seen

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 600.0
"""More than anybody waits: the limit is that of whoever kills the child."""

_RESETS = {  # the first that the BMC offers
    Command.ON: ("On", "ForceOn"),
    Command.OFF: ("ForceOff",),
    Command.SOFT_OFF: ("GracefulShutdown",),
    Command.RESET: ("ForceRestart", "PowerCycle"),
}
_TARGETS = {
    BootDevice.DEFAULT: "None",
    BootDevice.DISK: "Hdd",
    BootDevice.NETWORK: "Pxe",
    BootDevice.CD: "Cd",
    BootDevice.SETUP: "BiosSetup",
}
_ACCOUNTS = "/redfish/v1/AccountService/Accounts"
_HAS_NONE = (404, 405, 501)
_FORBIDDEN = 403
_STATES = {"On": PowerState.ON, "Off": PowerState.OFF}


class Redfish:
    """A ``Driver``."""

    commands: ClassVar[frozenset[Command]] = frozenset(Command)
    boots: ClassVar[bool] = True
    has_facts: ClassVar[bool] = True
    sees_off: ClassVar[bool] = True

    def __init__(self, address: Address, password: str, fingerprint: str = "") -> None:
        """See that the certificate is the pinned one, log in, and find the system."""
        seen = certificate(address)
        if not hmac.compare_digest(seen, fingerprint):
            raise Unreachable(
                f"shows another certificate than the pinned one: SHA-256 {seen}, pinned {fingerprint}. "
                "The password was not sent"
            )
        logging.disable(logging.CRITICAL)  # sushy logs what it then raises
        with _said(address.user):
            self._system = _system(address, password, fingerprint)
        self._user = address.user

    def power(self) -> Seen:
        """sushy remembers the state until it is told to forget it."""
        with _said(self._user):
            self._system.refresh(force=True)
            state = self._system.power_state
        if state is None:
            return Seen(PowerState.UNKNOWN, "it does not say")
        found = _STATES.get(state.value)
        return Seen(found) if found else Seen(PowerState.UNKNOWN, f"it says {state.value}")

    def send(self, command: Command) -> None:
        """The reset action."""
        with _said(self._user):
            offered = {value.value: value for value in self._system.get_allowed_reset_system_values()}
            wanted = next((offered[name] for name in _RESETS[command] if name in offered), None)
            if wanted is None:
                raise StepFailed(f"offers no {command}, only {', '.join(sorted(offered)) or 'nothing'}")
            self._system.reset_system(wanted)

    def boot(self) -> Boot:
        """The boot source override."""
        import sushy

        with _said(self._user):
            self._system.refresh(force=True)
            target, enabled = self._system.boot.target, self._system.boot.enabled
        if target is None or enabled in (None, sushy.BOOT_SOURCE_ENABLED_DISABLED):
            return Boot(BootDevice.DEFAULT, once=False)
        named = {name: device for device, name in _TARGETS.items()}
        if target.value not in named:
            raise StepFailed(f"boots from a device that is not known here: {target.value}")
        return Boot(named[target.value], once=enabled == sushy.BOOT_SOURCE_ENABLED_ONCE)

    def set_boot(self, boot: Boot) -> None:
        """The override; none for the default."""
        import sushy

        enabled = sushy.BOOT_SOURCE_ENABLED_ONCE if boot.once else sushy.BOOT_SOURCE_ENABLED_CONTINUOUS
        with _said(self._user):
            if boot.device is BootDevice.DEFAULT:
                self._system.set_system_boot_options(enabled=sushy.BOOT_SOURCE_ENABLED_DISABLED)
            else:
                target = sushy.BootSource(_TARGETS[boot.device])
                self._system.set_system_boot_options(target=target, enabled=enabled)

    def listen(self, seconds: float, take: bool) -> bytes:
        """Never called: Redfish carries no serial console."""
        raise StepFailed("offers no serial console")

    def facts(self) -> BmcFacts:
        """Accounts (DSP0268, ManagerAccount), boot order and BIOS attributes of the system, version of the manager.
        What a BMC does not have, or does not show to this user, is not told."""
        with _said(self._user):
            system = self._get(self._system.path)
            settings = self._get(_link(system.get("Bios"))).get("Attributes")
            managers = _links(system.get("Links"), "ManagedBy")
            manager = self._get(managers[0]) if managers else {}
            boot = system.get("Boot")
            order = boot.get("BootOrder") if isinstance(boot, dict) else []
            plain = json.dumps(settings, sort_keys=True).encode() if isinstance(settings, dict) and settings else b""
            return facts_of(
                {
                    "accounts": self._accounts(),
                    "boot": order,
                    "settings": hashlib.sha256(plain).hexdigest() if plain else "",
                    "version": manager.get("FirmwareVersion"),
                }
            )

    def _accounts(self) -> list[str] | None:
        """Those that are enabled; None: it does not tell. One that this user may not read is told as that: an operator
        may read only its own account (DSP8011)."""
        members = _links(self._get(_ACCOUNTS), "Members")
        found = []
        for path in members[:MOST]:
            account = self._shown(path)
            if account is None:
                found.append(f"{reported.line(path.rpartition('/')[2], 40)}: {UNREADABLE}")
            elif account.get("UserName") and account.get("Enabled", True) is not False:
                name, role = (reported.line(account.get(key), 40) for key in ("UserName", "RoleId"))
                found.append(f"{name}: {role or 'no role'}")
        return sorted(found) if members else None

    def _get(self, path: str) -> dict[str, Any]:
        """A document of this BMC; empty: it has none, or this user may not read it."""
        return self._shown(path) or {}

    def _shown(self, path: str) -> dict[str, Any] | None:
        """A document of this BMC; empty: it has none; None: this user may not read it."""
        from sushy import exceptions

        if not path.startswith("/redfish/v1/"):
            return {}
        try:
            found = self._system._conn.get(path).json()
        except exceptions.HTTPError as error:
            if error.status_code in _HAS_NONE:
                return {}
            if error.status_code == _FORBIDDEN:
                return None
            raise
        return found if isinstance(found, dict) else {}

    def close(self) -> None:
        """Nothing is left at the BMC."""


def certificate(address: Address) -> str:
    """SHA-256 of the certificate that the BMC shows, lower-case hex; nothing is sent. Raises ``Unreachable``.

    To be compared by people with what the BMC's own page says, and then pinned.
    """
    try:
        pem = ssl.get_server_certificate((address.host, address.port), timeout=CONNECT_SECONDS)
    except TimeoutError:
        raise Unreachable("does not answer") from None
    except socket.gaierror as error:
        raise Unreachable(f"has a host name that can't be resolved: {error.strerror}") from None
    except OSError as error:
        raise Unreachable(f"accepts no TLS connection: {error.strerror or error}") from None
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def _link(said: object) -> str:
    return str(said.get("@odata.id", "")) if isinstance(said, dict) else ""


def _links(said: object, key: str) -> list[str]:
    return [_link(each) for each in reported.objects(said, key)]


def _system(address: Address, password: str, fingerprint: str) -> Any:
    import sushy
    from sushy.auth import BasicAuth

    url = f"https://{address.place}"
    root = sushy.Sushy(url, auth=BasicAuth(address.user, password), connector=_connector(url, fingerprint))
    if address.system:
        return root.get_system(address.system)
    members = root.get_system_collection().members_identities
    if len(members) != 1:
        raise StepFailed(f"has {len(members)} systems", "name one in the address: …/redfish/v1/Systems/ID")
    return root.get_system(members[0])


def _connector(url: str, fingerprint: str) -> Any:
    """sushy's, with nothing but the pinned certificate, this one server, and none of the environment's settings."""
    from requests.adapters import HTTPAdapter
    from sushy.connector import Connector

    class Pinned(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **settings: Any) -> None:
            super().init_poolmanager(*args, **settings, assert_fingerprint=fingerprint)

    made = Connector(
        url,
        verify=False,
        server_side_retries=1,
        connect_timeout=CONNECT_SECONDS,
        default_request_timeout=ANSWER_SECONDS,
    )
    made._session.trust_env = False  # proxies, .netrc
    made._session.adapters.clear()  # a redirect to another server finds no way there
    made._session.mount(f"{url}/", Pinned())
    return made


@contextmanager
def _said(user: str) -> Iterator[None]:
    """What sushy raises, in our errors."""
    from sushy import exceptions

    try:
        yield
    except exceptions.AccessError as error:
        if error.status_code == 401:
            raise LoginRefused(f"refuses the user {user} or the password kept for it") from None
        raise StepFailed(f"does not allow that to {user}") from None
    except exceptions.ServerSideError as error:
        raise Unreachable(f"fails: {error}") from None
    except exceptions.ConnectionError as error:
        raise Unreachable(f"does not answer: {error}") from None
    except exceptions.ResourceNotFoundError:
        raise StepFailed("has no such system", "see the address of its power") from None
    except (exceptions.SushyError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StepFailed(f"answers what can't be used: {error}") from None
