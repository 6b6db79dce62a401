"""Asking endpoints what they hold, planning loads, and taking computers back."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import failures, redacted, text_of
from activities.runner import Fence, asking, heartbeating, in_thread, this_attempt, unfenced
from vclab.guests.base import Guest, known_guest
from vclab.model.catalog import Endpoint
from vclab.model.errors import StepFailed, Unreachable
from vclab.model.inventory import Answered, Inventory
from vclab.model.plans import Facts, NodeStatus, Plan, Status, Target
from vclab.model.traits import Operation
from vclab.provisioning.base import ProvisioningModule, known_module, power

SURVEY_SECONDS = 10.0
"""A person waits for the answer: an endpoint that takes longer is not asked now."""


GIVE_UP = 60.0
"""Seconds for which a lent computer that can't be reached is tried to be taken back before another one is taken."""


@dataclass(frozen=True)
class SurveyInput:
    """Ask all endpoints of a site, or one of them."""

    site: str = ""  #: empty: the site whose hardware the asked worker reaches, if it does
    endpoint: str = ""  #: only this one, and its answer is needed; empty: all, and what there is of answers


@dataclass(frozen=True)
class OtherSite:
    """A site whose endpoints were not asked, and these."""

    site: str
    endpoints: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """Where what they said is kept."""

    answers: tuple[Answered, ...] = ()
    others: tuple[OtherSite, ...] = ()  #: when no site was named


class Inventories(Protocol):
    """Keeps what endpoints say. Both block."""

    def epochs(self) -> Mapping[str, int]:
        """Those of all endpoints. To be read before the endpoints are."""

    def keep(self, said: Iterable[Inventory], epochs: Mapping[str, int]) -> tuple[Answered, ...]:
        """Keep each answer, and say where it is. Raises ``Unreachable`` when an endpoint was changed meanwhile."""


class ProvisioningActivities:
    """Hardware activities that are no step of a plan."""

    def __init__(
        self,
        modules: Mapping[str, ProvisioningModule],
        endpoints: Callable[[], list[Endpoint]],
        medians: Callable[[str], Mapping[str, float]],
        fence: Fence,
        executor: Executor,
        guests: Mapping[str, Guest],
        spare: Callable[[Target], Facts],
        inventories: Inventories,
        site: str = "",
    ) -> None:
        """``endpoints`` lists all; ``medians`` gives the usual seconds by step of an image; ``spare`` what is known of
        the machine that a target takes over. All block. ``inventories`` keeps answers. ``site``: whose hardware this
        worker reaches; empty: none."""
        self._guests = guests
        self._spare = spare
        self._modules = modules
        self._endpoints = endpoints
        self._inventories = inventories
        self._site = site
        self._medians = medians
        self._fence = fence
        self._executor = executor

    @activity.defn
    async def survey(self, given: SurveyInput) -> Survey:
        """Ask every endpoint of the site what it can hold. One that does not answer is a fact, not an error: the others
        can be placed on. Raises ``Unreachable`` when the only one that is wanted does not answer."""
        with failures():
            async with heartbeating(unfenced):
                epochs, site = await asyncio.to_thread(self._inventories.epochs), given.site or self._site
                endpoints = await asyncio.to_thread(self._endpoints)
                others = () if given.site else _others(endpoints, site)
                wanted = [e for e in endpoints if e.site == site and given.endpoint in ("", e.name)]
                asked = await asyncio.gather(*(self._survey_one(e, needed=bool(given.endpoint)) for e in wanted))
                return Survey(await asyncio.to_thread(self._inventories.keep, asked, epochs), others)

    async def _survey_one(self, endpoint: Endpoint, needed: bool) -> Inventory:
        """What it says, or what is wrong with it. Raises ``Unreachable`` when it is needed and does not answer."""
        try:
            return await self._surveyed(endpoint)
        except Exception as error:
            if needed and isinstance(error, Unreachable):
                raise
            return Inventory(endpoint.name, datetime.now(UTC), error=text_of(error))

    async def _surveyed(self, endpoint: Endpoint) -> Inventory:
        loop = asyncio.get_running_loop()
        survey = known_module(self._modules, endpoint.module).survey
        try:
            async with asyncio.timeout(SURVEY_SECONDS):
                return await loop.run_in_executor(self._executor, survey, endpoint.name)
        except TimeoutError:
            raise Unreachable(f"{endpoint.name} does not answer within {SURVEY_SECONDS:.0f} s") from None

    @activity.defn
    async def make_plan(self, target: Target) -> Plan:
        """Observe the computer and say what its load will do. The answer is recorded, and resumed from."""
        with failures():
            module = known_module(self._modules, target.module)
            async with heartbeating(asking(self._fence, target)) as context:
                status, known, medians = await in_thread(self._executor, context, self._observe, module, target)
                if _is_unknown(target):
                    why = "it is not recorded that it holds this image, and that nobody could have changed it"
                    status = replace(status, status=Status.RELOAD, why=why)
                elif target.spare and status.status is Status.POST_LOAD:
                    status = await self._inside(target, known, status)
                plan = module.load_plan(target, status).timed(medians)
                return replace(plan, facts=Facts() if status.status is Status.RELOAD else known)

    def _observe(self, module: ProvisioningModule, target: Target) -> tuple[NodeStatus, Facts, Mapping[str, float]]:
        """From outside: how it stands, what is known of it, and the usual seconds by step. Blocks."""
        status = module.node_status(target)
        return status, self._spare(target) if target.spare else Facts(), self._medians(target.image)

    async def _inside(self, target: Target, known: Facts, observed: NodeStatus) -> NodeStatus:
        """The module saw the machine from outside; what is inside is the guest's to say. Unknown is not READY. One that
        is off can't be asked: its host key is compared when it is on again."""
        if observed.power == "off" or not target.traits.guest:
            return observed
        inside = await known_guest(self._guests, target.guest).node_status(target, known)
        image = inside.current_image or observed.current_image
        return replace(observed, status=inside.status, ssh=inside.ssh, current_image=image, why=redacted(inside.why))

    @activity.defn
    async def reset_computer(self, target: Target) -> Facts:
        """Restart it by force; one that is off is powered on. Fails for a module that can't."""
        with failures():
            module = power(known_module(self._modules, target.module), Operation.POWER_RESET, target)
            async with heartbeating(asking(self._fence, target)) as context:
                await asyncio.to_thread(self._fence.begin, target, this_attempt())
                await in_thread(self._executor, context, module.power_reset, context, target)
                return Facts()

    @activity.defn
    async def clear_computer(self, target: Target) -> str | None:
        """Take away what a load has made that failed, and verify it. The answer is why nobody may get the computer.

        A lent computer that can't be reached for a minute is left as it is, for its owner to mend.
        """
        try:
            return await self.remove_computer(target)
        except ApplicationError as error:
            info = activity.info()  # by the server's clock: ours may jump
            since = info.current_attempt_scheduled_time - info.scheduled_time
            if target.traits.lent and error.type == "Unreachable" and since.total_seconds() > GIVE_UP:
                return error.message
            raise

    @activity.defn
    async def remove_computer(self, target: Target) -> str | None:
        """Take the computer back, and verify it. The answer is why nobody may get it now; none when it is well.

        What stands in the way of a removal may be put aside by an operator: until then it is tried again, and the
        tenure is kept. A computer that is lent has an owner, who has to mend it.
        """
        with failures():
            module = known_module(self._modules, target.module)
            async with heartbeating(asking(self._fence, target)) as context:
                try:
                    await asyncio.to_thread(self._fence.begin, target, this_attempt())
                    await in_thread(self._executor, context, module.remove, context, target)
                except StepFailed as error:
                    if target.traits.lent:
                        return redacted(str(error))
                    raise Unreachable(f"{error}; it will be tried again") from None
        return None


def _is_unknown(target: Target) -> bool:
    """Whether a computer that stays may hold anything, whatever it says: its last user may have been root there, and
    what root has left can say that it is clean, by the right host key."""
    return target.traits.lent and target.traits.reloadable and not target.kept


def _others(endpoints: list[Endpoint], site: str) -> tuple[OtherSite, ...]:
    sites = sorted({endpoint.site for endpoint in endpoints} - {site})
    return tuple(OtherSite(each, tuple(e.name for e in endpoints if e.site == each)) for each in sites)
