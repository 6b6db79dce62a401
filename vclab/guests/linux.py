"""The guest "linux": computers with Linux and OpenSSH, whose root account accepts the management key.

What it does follows VCL's Linux.pm: post_load, reserve, grant_access, is_user_connected, console notices.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncssh

from vclab.guests import (
    capture,
    linux_accounts,
    linux_capture,
    linux_health,
    linux_image,
    linux_lab,
    linux_look,
    linux_sanitize,
    linux_seal,
    linux_setup,
    linux_spare,
    ssh,
)
from vclab.guests.base import Connections, Fence
from vclab.guests.linux_firewall import Firewall, Network, apply, contains, networks, restore_at_boot
from vclab.guests.ssh import Patience, Shell
from vclab.model.computer_checks import Inside
from vclab.model.errors import NotYet, StepFailed, Unreachable
from vclab.model.plans import PUBLISHED, Access, Facts, NodeStatus, Status, StepInput, Target
from vclab.model.redaction import redacted
from vclab.model.sealing import EndState, SealedPart
from vclab.model.steps import AsyncStep, StepContext
from vclab.secrets.references import of_revision, of_tenure
from vclab.secrets.store import SecretStore

log = logging.getLogger(__name__)

NOBODY = Access("", 0)  #: of a computer that nobody was let in to

SSH_LOOK = 5.0  #: seconds between looks for SSH (VCL post_load: wait_for_response 5/600/5)
PUBLIC_ADDRESS_WAIT = 60.0  #: seconds (VCL wait_for_public_ip_address)
OFF_TRIES, OFF_PAUSE = 3, 2.0  #: so often, with seconds between, is a computer called that may be off already


class Linux:
    """An OS module (``vclab.guests.base.Guest``). Holds no connection: each call logs in anew and logs out."""

    name = "linux"

    def __init__(
        self,
        key: Path,
        secrets: SecretStore,
        management_addresses: Sequence[str],
        patience: Patience = Patience(),  # noqa: B008  # immutable
    ) -> None:
        """``management_addresses``: addresses or prefixes from which we come; empty: what the computer sees."""
        self._key = key
        self._secrets = secrets
        self._management = networks(management_addresses)
        self._patience = patience

    def steps(self) -> Mapping[str, AsyncStep]:
        """The load steps, by their recorded name. The names are forever."""
        return {
            "linux.wait_ssh": self._wait_ssh,
            "linux.post_load": self._post_load,
            "linux.check_free": self._check_free,
            "linux.prepare": self._prepare,
            "linux.read_public_address": self._read_public_address,
            "linux.check_capture": self._check_capture,
            "linux.shut_down": self._shut_down,
            "linux.seal": self._seal,
            "linux.try_login": self._try_login,
        }

    # Steps of a load

    async def _wait_ssh(self, context: StepContext, given: StepInput) -> Facts:
        """Look whether SSH answers and lets us in; pin the host key. Raises ``NotYet`` until it does.

        Whoever answers must have the key that the machine has published through its endpoint, if it has: anybody on
        the same network can answer for an address.
        """
        address, published = ssh.plain_address(given.facts.private_address), given.facts.published_key
        try:
            found = given.facts.host_key or published or await ssh.host_key(address, self._patience)
            async with ssh.connect(address, found, self._key, self._patience) as shell:
                await linux_look.check_card(shell, given.target.private_mac)
        except Unreachable as error:
            raise NotYet(str(error), SSH_LOOK) from None
        except ssh.WrongKey as error:
            if found != published:
                raise
            raise StepFailed(
                f"another machine answers at {address}: it shows host key {ssh.fingerprint(error.found)}, but "
                f"{given.target.computer} has published {ssh.fingerprint(published)} through its endpoint"
            ) from None
        context.progress(f"SSH answers at {address}")
        return Facts(host_key=found, host_key_from=PUBLISHED if found == published else given.facts.host_key_from)

    async def _post_load(self, context: StepContext, given: StepInput) -> Facts:
        """Make the computer safe to hand over. Raises ``NotOurs`` if it says that it is of a newer generation."""
        target = given.target
        async with self._connected(given.facts) as looking:
            shell = looking.fenced(context.fence)
            linux_image.refuse_newer(await linux_image.read(shell), target)
            await linux_setup.check_tools(shell)
            ours, management = await self._seen_from(shell)
            password = self._secrets.generate(f"tenure/{target.computer}/{target.generation}/root")
            context.progress("closing the firewall")
            await apply(shell, Firewall(management))
            await restore_at_boot(shell)
            context.progress("locking root")
            await linux_setup.set_root_password(shell, password)
            await linux_setup.restrict_sshd(shell, management, ours)
            await linux_setup.remove_private_keys(shell)
            await linux_setup.set_hostname(shell, target.computer)
            await linux_image.write(shell, target, datetime.now(UTC))
        return Facts()

    async def _check_free(self, context: StepContext, given: StepInput) -> Facts:
        """See that nobody sits at a lab machine, and that it is clean. Raises ``StepFailed`` if not, ``NotOurs``."""
        target = given.target
        async with self._connected(given.facts, self._long()) as looking:
            shell = looking.fenced(context.fence)
            tags = await linux_image.read(shell)
            linux_image.refuse_newer(tags, target)
            linux_sanitize.refuse_foreign(tags, target)
            why_not = await linux_lab.why_not_free(shell)
            if why_not:
                raise StepFailed(f"{target.computer} is not available now: {why_not}")
            await linux_lab.clean(shell, target)
        return Facts()

    async def _prepare(self, context: StepContext, given: StepInput) -> Facts:
        """Make a lab machine safe to hand over, leaving its owner's settings alone. Raises ``NotOurs``."""
        target = given.target
        async with self._connected(given.facts) as looking:
            shell = looking.fenced(context.fence)
            linux_image.refuse_newer(await linux_image.read(shell), target)
            await linux_setup.check_tools(shell)
            ours, management = await self._seen_from(shell)
            context.progress("closing the firewall")
            await apply(shell, Firewall(management))
            await restore_at_boot(shell)
            await linux_setup.restrict_sshd(shell, management, ours)
            await linux_image.write(shell, target, datetime.now(UTC))
        return Facts()

    async def _read_public_address(self, context: StepContext, given: StepInput) -> Facts:
        """Wait for the public address. Raises ``NotYet`` for about 60 s, then ``StepFailed``.

        Looks are counted, not seconds: a clock that is put right must not end a wait.
        """
        looks = int(context.remembered.get("looks", "0")) + 1
        context.remember(looks=str(looks))
        try:
            return await self.read_public_address(given.target, given.facts)
        except NotYet as error:
            if looks * error.next_look_seconds > PUBLIC_ADDRESS_WAIT:
                raise StepFailed(f"{error}, after {looks} looks") from None
            raise

    # Steps of a capture

    async def _check_capture(self, context: StepContext, given: StepInput) -> Facts:
        """See that the computer is this tenure's and can be sealed; tell who is logged in that it shuts down soon.

        Nothing is changed. ``Facts.unlike`` has what it is known by: a computer made from its image must not be like
        it. Raises ``StepFailed`` with what sealing would refuse, and ``NotOurs``.
        """
        target, made = given.target, capture.becomes(given)
        async with self._tenure(target, given.facts) as looking:
            shell = looking.fenced(context.fence)
            await linux_capture.why_not_sealable(shell, target.computer, made.access or NOBODY)
            known = await linux_capture.identity(shell, target, given.facts)
            text = f"This computer is being captured as {made}. Save your work now: it is about to shut down."
            there = await linux_capture.tell(shell, text)
        context.progress(f"it can be sealed; told: {there or 'nobody is logged in'}")
        return Facts(unlike=tuple(dict.fromkeys(value for _, value in known)))

    async def _shut_down(self, context: StepContext, given: StepInput) -> Facts:
        """Tell everybody on the computer's terminals, then have it shut down a second later.

        It has begun to when this is done; the next step looks whether it is off. One that does not answer is taken to
        be off already. Raises ``NotOurs``, and ``StepFailed`` for another host key.
        """
        text = f"This computer is being captured as {capture.becomes(given)} and shuts down now."
        for left in reversed(range(OFF_TRIES)):
            try:
                await asyncio.to_thread(context.fence)
            except Unreachable as error:  # nothing is known of the computer then, which may be off already
                raise NotYet(error.message, OFF_PAUSE) from None
            try:
                async with self._tenure(given.target, given.facts) as looking:
                    shell = looking.fenced(context.fence)
                    with suppress(StepFailed):  # a computer that is in trouble shuts down all the same
                        await linux_capture.tell(shell, text)
                    await linux_capture.shut_down(shell)
                context.progress("it shuts down")
                return Facts()
            except Unreachable:
                if left:
                    await asyncio.sleep(OFF_PAUSE)
        context.progress("it does not answer: it may be off already")
        return Facts()

    async def _seal(self, context: StepContext, given: StepInput) -> Facts:
        """Seal a throw-away computer, part by part, and have it shut down. It still says that it is the captured one.

        Raises ``StepFailed`` before anything is touched if it may be the captured computer itself: it is not isolated,
        or its address or boot id is that one's. Later with the part that failed. Once the last part has begun it can't
        be entered again: what is cut off then begins anew with another throw-away computer.
        """
        capture.refuse_unless_throw_away(given)
        source, made = capture.source(given), capture.becomes(given)
        async with self._connected(given.facts, self._long()) as looking:
            capture.refuse_source(given, await linux_capture.boot_id(looking))
            shell, access = looking.fenced(context.fence), made.access or NOBODY
            parts = await self._sealed(shell, source, access, EndState.OFF, made.password_ref, context.progress)
        for each in parts:
            log.info("%s, %s: %s", made, each.part, redacted("; ".join((each.did, *each.output))))
        return Facts()

    async def _try_login(self, context: StepContext, given: StepInput) -> Facts:
        """See that the computer is another one than that which was captured, and that a user can work on it.

        An account is made as for any user, with a key, a password and the firewall open to our own address; it logs in,
        runs a command, and is removed again. Raises ``StepFailed``: the computer's host key, machine-id, host name,
        boot id or address is the captured one's own, something of its users is left, or what the login has met.
        """
        target, facts, made = given.target, given.facts, capture.becomes(given)
        async with self._tenure(target, facts, self._long(), marked=True) as looking:
            shell, key = looking.fenced(context.fence), asyncssh.generate_private_key("ssh-ed25519")
            context.progress("comparing it with the captured computer")
            found = await linux_capture.identity(shell, target, facts)
            capture.refuse_likeness(facts, target.computer, found)
            await linux_capture.refuse_leftovers(shell, target.computer, made.access or NOBODY)
            ours = await linux_setup.own_address(shell)
            access = await linux_capture.made_up_user(shell, target, key, ours)
            context.progress(f"logging in as {access.login}")
            try:
                await self.grant_access(target, facts, access, context.fence)
                await linux_capture.log_in(target, facts, key, self._patience)
            finally:
                await self.close_access(target, facts, access, context.fence)
                await linux_capture.remove_test_account(shell, target, access)
        context.progress("a user can log in and work")
        return Facts()

    # What the reservation asks for

    async def grant_access(self, target: Target, facts: Facts, access: Access, fence: Fence = None) -> Facts:
        """Make the account, then open the connect ports to exactly ``access.addresses`` (none: to nobody).

        The one-time password must be, or is put, in the secret store before it is set. Raises ``StepFailed`` if the
        login or the user id exists in the image, ``NotOurs`` if the computer does not carry this tenure's mark.
        """
        linux_accounts.check(access)
        users = networks(access.addresses)
        password = self._login_password(target, access.password_ref)
        async with self._tenure(target, facts, marked=True) as looking:
            shell = looking.fenced(fence)
            _, management = await self._seen_from(shell)
            await linux_accounts.make(shell, target, access, password)
            await apply(shell, Firewall(management, users, access.ports))
            try:
                return await linux_look.public_address(shell, target.public_mac or target.private_mac)
            except (NotYet, Unreachable):
                return Facts()  # somebody is let in: what is known of its address stays

    def _login_password(self, target: Target, reference: str) -> str:
        """Empty without a reference. Raises ``Refused`` for a secret that is not of this tenure."""
        if not reference:
            return ""
        return self._secrets.generate(of_tenure(reference, target.computer, target.generation))

    async def close_access(self, target: Target, facts: Facts, access: Access, fence: Fence = None) -> None:
        """Open the connect ports to nobody; sessions that are open stand still from then on."""
        async with self._tenure(target, facts) as looking:
            shell = looking.fenced(fence)
            _, management = await self._seen_from(shell)
            await apply(shell, Firewall(management, (), access.ports))

    async def connections(self, target: Target, facts: Facts, access: Access, within: float = 0.0) -> Connections:
        """Addresses, other than the management node's, with an established connection to a connect port.

        Only ever raises ``Unreachable``: a user with root access who changes host keys or marks must not lose the
        reservation by it, and a computer that can't be looked at is not "disconnected" (design.md §5.6).
        """
        try:
            async with self._tenure(target, facts) as shell:
                _, management = await self._seen_from(shell)
                mac = target.public_mac or target.private_mac
                return await linux_look.connections(shell, access, management, within, mac)
        except StepFailed as error:
            raise Unreachable(f"can't tell who is connected: {error}") from None

    async def notify(self, target: Target, facts: Facts, text: str) -> None:
        """Show a notice on all open terminals. Control characters are left out."""
        async with self._tenure(target, facts) as shell:
            await linux_look.notify(shell, text)

    async def read_public_address(self, target: Target, facts: Facts) -> Facts:
        """Address of the public card (the private one if there is but one) and boot id. Raises ``NotYet``."""
        async with self._tenure(target, facts) as shell:
            return await linux_look.public_address(shell, target.public_mac or target.private_mac)

    async def reboot(self, target: Target, facts: Facts) -> None:
        """Ask the computer to restart (VCL: shutdown -r now); its ``boot_id`` tells when it has."""
        async with self._tenure(target, facts) as shell:
            await shell.act("reboot", linux_setup.REBOOT)

    async def console(self, target: Target, facts: Facts) -> Sequence[str]:
        """What the computer last wrote into its journal, or its kernel into its ring, and units that failed."""
        async with self._connected(facts) as shell:
            return await linux_look.last_words(shell)

    async def health(self, target: Target, facts: Facts) -> Inside:
        """Its clock beside ours, the lines of its kernel about the disks that its file systems are on, and those of its
        file systems that have become read-only."""
        async with self._connected(facts) as shell:
            return await linux_health.look(shell)

    async def taint(self, target: Target, facts: Facts, reason: str) -> None:
        """Write into ``currentimage.txt`` that someone was logged in; the first reason stays. VCL: vcld_tainted."""
        async with self._tenure(target, facts) as shell:
            await linux_image.taint(shell, reason)

    async def why_tainted(self, target: Target, facts: Facts, access: Access, opened_seconds: float) -> str:
        """Shut the users out, then read who has been connected or logged in; why that can't be ruled out, or ""."""
        try:
            async with self._tenure(target, facts, marked=True) as shell:
                return await linux_spare.why_tainted(shell, facts, access, opened_seconds)
        except StepFailed as error:
            return f"its records can't be read: {error}"

    async def node_status(self, target: Target, facts: Facts) -> NodeStatus:
        """What the computer with the pinned host key says it is. What can't be read is RELOAD, and says why."""
        if not facts.host_key or not facts.private_address:
            return NodeStatus(Status.RELOAD, why="its address and host key are not known")
        try:
            async with self._connected(facts) as shell:
                return await linux_spare.node_status(shell, target)
        except (StepFailed, Unreachable) as error:
            return NodeStatus(Status.RELOAD, why=f"what it holds can't be read: {error}")

    async def sanitize(
        self,
        target: Target,
        facts: Facts,
        access: Access | None = None,
        opened: bool = True,
        fence: Fence = None,
    ) -> None:
        """Remove all that the tenure's users could have left, close the computer, and verify that it is clean.

        ``access``: who was let in; ``opened``: that they were, or that it can't be ruled out. Raises ``StepFailed``,
        naming what stays, or when a user had root rights: then nothing that the computer says can be relied on, and
        only a load makes it clean again (design.md §5.6). ``NotOurs`` for another computer than the target's.
        """
        if access is not None and access.sudo and opened:
            raise StepFailed(linux_sanitize.had_root(target, access.login))
        tenure = linux_sanitize.mark(target)
        async with self._connected(facts, self._long()) as looking:
            shell = looking.fenced(fence)
            tags = await linux_image.read(shell)
            linux_image.refuse_newer(tags, target)
            linux_sanitize.refuse_foreign(tags, target)
            ours, management = await self._seen_from(shell)
            await apply(shell, Firewall(management))
            for account in await linux_sanitize.accounts(shell):
                if account.mark == tenure:  # others came with the image
                    await linux_sanitize.remove(shell, target, account)
            await linux_setup.restrict_sshd(shell, management, ours)
            await linux_sanitize.forget(shell, tenure)

    async def pre_capture(
        self,
        target: Target,
        facts: Facts,
        access: Access,
        end_state: EndState,
        password_ref: str,
        fence: Fence = None,
    ) -> tuple[SealedPart, ...]:
        """Seal the computer, part by part (``linux_seal.PARTS``), and leave it off, on or restarting.

        Raises ``StepFailed``, naming the part that failed, ``NotOurs`` for another computer than the target's, and
        ``Refused`` for a secret that is no revision's.
        """
        of_revision(password_ref)
        async with self._connected(facts, self._long()) as looking:
            return await self._sealed(looking.fenced(fence), target, access, end_state, password_ref)

    async def _sealed(
        self,
        shell: Shell,
        target: Target,
        access: Access,
        end_state: EndState,
        password_ref: str,
        progress: Callable[[str], None] = lambda text: None,
    ) -> tuple[SealedPart, ...]:
        key = ssh.public_line(self._key).split()[1]
        password = self._secrets.generate(of_revision(password_ref))
        linux_image.refuse_others(await linux_image.read(shell), target, marked=False)
        ours = await linux_setup.own_address(shell)
        sealing = linux_seal.Sealing(shell, target, access, end_state, password, key, ours)
        return await linux_seal.seal(sealing, progress)

    async def why_not_free(self, address: str, host_key: str = "") -> str:
        """Why nobody can have the lab machine at this address now: somebody sits at it; empty when it is free.

        Without a pinned ``host_key`` the one that it shows is taken: nothing is told to it. Raises ``Unreachable``
        and, for another host key, ``StepFailed``.
        """
        pinned = host_key or await ssh.host_key(ssh.plain_address(address), self._patience)
        async with self._connected(Facts(private_address=address, host_key=pinned)) as shell:
            return await linux_lab.why_not_free(shell)

    async def shut_down_lab_machine(self, address: str, host_key: str) -> None:
        """Have a lab machine that nobody holds shut down, a second from now. Raises ``Unreachable``, and ``StepFailed``
        for another host key."""
        async with self._connected(Facts(private_address=address, host_key=host_key)) as shell:
            await linux_capture.shut_down(shell)

    async def current_image(self, target: Target, facts: Facts) -> Mapping[str, str]:
        """The tags of ``currentimage.txt`` (VCL get_current_image); empty if there is no such file."""
        async with self._connected(facts) as shell:
            return await linux_image.read(shell)

    # Connecting

    def _long(self) -> Patience:
        return replace(self._patience, command=linux_sanitize.SECONDS)

    @asynccontextmanager
    async def _connected(self, facts: Facts, patience: Patience | None = None) -> AsyncIterator[Shell]:
        patience = patience or self._patience
        async with ssh.connect(facts.private_address, facts.host_key, self._key, patience) as shell:
            yield shell

    @asynccontextmanager
    async def _tenure(
        self, target: Target, facts: Facts, patience: Patience | None = None, marked: bool = False
    ) -> AsyncIterator[Shell]:
        """A connection to a computer that is not somebody else's by its own mark."""
        async with self._connected(facts, patience) as shell:
            linux_image.refuse_others(await linux_image.read(shell), target, marked)
            yield shell

    async def _seen_from(self, shell: Shell) -> tuple[str, tuple[Network, ...]]:
        """Our own address as the computer sees it, and the management networks. Never locks ourselves out."""
        ours = await linux_setup.own_address(shell)
        management = self._management or networks([ours])
        if not contains(management, ours):
            raise StepFailed(
                f"this worker reaches {shell.address} from {ours}, which is not among management_addresses "
                f"({', '.join(map(str, management))}): add it to the settings, else it would be locked out"
            )
        return ours, management
