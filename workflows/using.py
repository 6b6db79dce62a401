"""reserved and inuse: Connect, the first connection, looks, notices, further addresses and restarts."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.types import MethodAsyncSingleParam

from activities.guest import GuestActivities, GuestInput, Seen
from activities.records import Event, RecordActivities
from activities.troubles import NotLetIn, TroubleRecords
from vclab.model import addresses, durations
from vclab.model.addresses import newest_last
from vclab.model.messages import Reboot
from vclab.model.plans import Facts
from vclab.model.reservations import Placed, Waits
from vclab.model.states import Ending, ReservationState
from workflows import failures, profiles
from workflows.carrying import Carrying
from workflows.life import Handle, T, result_after
from workflows.restart import BACK_SECONDS, LOOK_SECONDS, restart

DAY = 86400.0


class Using(Carrying):
    """From ready to whatever ends it."""

    async def _reserved(self, placed: Placed) -> None:
        """Wait for Connect, let the user in, wait for the first connection."""
        waits = await self._let_in(placed)
        seen = await self._first_connection(placed, waits) if waits is not None else None
        if seen is not None:
            self._heed(await self.record(RecordActivities.connected, self._event(addresses=seen.addresses)))
            self._connected = True
            await self._found(seen.facts)
            self._enter(ReservationState.INUSE)
            self._narrow(seen)

    async def _first_connection(self, placed: Placed, waits: Waits) -> Seen | None:
        """What the look saw that saw somebody; None when it has ended, because nobody came in time."""
        began, patience = workflow.now(), timedelta(seconds=waits.first_connection)
        while self._ending is None:
            until = min(began + patience, self._end)
            seen = await self._look_for_connection(placed, waits.first_connection_look, until)
            if seen is not None and not seen.unseen:
                return seen
            if seen is None and workflow.now() < min(began + patience, self._end):
                continue
            if waits.last_look and workflow.now() < self._end:
                seen = seen or await self._last_look(placed, began)
                if seen is not None and seen.connected:
                    return seen
                if seen is not None and seen.unseen:
                    began = await self._until_seen(placed, seen.unseen)
                if seen is None or seen.unseen:
                    continue
            ending = Ending.EOR if workflow.now() >= self._end else Ending.NOLOGIN
            await self._finish(ending, "nobody connected in time")
        return None

    async def _let_in(self, placed: Placed) -> Waits | None:
        """Wait for Connect, let the user in. One who can't be let in is told, and may press Connect again: a fault of
        ours ends nothing. None when it has ended."""
        while True:
            await self._await_connect(placed.waits.acknowledge)
            if self._ending is not None:
                return None
            tried = self._addresses
            try:
                return await self._grant(placed)
            except ActivityError as error:
                if placed.waits.help <= 0 or failures.was_cancelled(error) or failures.is_fenced(error):
                    raise  # reservations of earlier versions fail then
                await self._not_let_in(tried, failures.reason(error))

    async def _not_let_in(self, tried: tuple[str, ...], why: str) -> None:
        self._addresses = (*self._granted, *self._pressed_since(tried))
        text = f"{', '.join(tried)} could not be let in: {why}; press Connect again, or ask an operator"
        self._progress.says(text)
        wanted = newest_last(self._addresses, *self._asking)
        await self.record(TroubleRecords.not_let_in, NotLetIn(self._request.id, text, wanted, workflow.now()))

    def _pressed_since(self, tried: tuple[str, ...]) -> tuple[str, ...]:
        """From where Connect was pressed while these addresses were being let in, which failed: they are tried next."""
        return tuple(each for each in self._addresses if each not in tried) if self._waits.last_look else ()

    async def _inuse(self, placed: Placed) -> None:
        """Until its end, or until nobody comes back: looks, notices, addresses that come and go, restarts."""
        while self._ending is None:
            if self._run_is_full():
                await self._go_on_in_a_new_run()
            elif self._must_attend() and self._waits.run_events:
                await self._attend(placed)
            else:
                seen = await self._watch(placed)
                if self._ending is None and self._must_attend():
                    await self._attend(placed)
                elif self._ending is None and seen is not None:
                    await self._saw(placed, seen)

    async def _saw(self, placed: Placed, seen: Seen) -> None:
        """What a look saw goes to the record, if it is news."""
        if seen.unseen:
            self._progress.says(f"{seen.unseen}. If it is only off, `vclab reboot {placed.reservation}` starts it")
        elif self._unseen:
            self._progress.says("")
        self._unseen, self._back_by = seen.unseen, None
        await self._found(seen.facts)
        if seen.connected != self._connected or not (self._waits.run_events or seen.facts):
            record = RecordActivities.connected if seen.connected else RecordActivities.disconnected
            event = replace(self._event(addresses=seen.addresses), detail=seen.unseen)
            self._heed(await self.record(record, event))
        self._connected = seen.connected
        self._narrow(seen)

    async def _found(self, facts: Facts | None) -> None:
        """The computer is elsewhere than known, or was restarted by somebody else than us."""
        if facts is not None:
            self._facts = self._facts.merged(facts)
            self._heed(await self.record(RecordActivities.rebooted, self._event(facts=self._facts)))

    def _narrow(self, seen: Seen) -> None:
        """An older address that has no open session is let in no more (design.md §5.6)."""
        if self._waits.run_events and not seen.unseen:
            gone = addresses.left(self._addresses, seen.addresses)
            self._addresses = tuple(address for address in self._addresses if address not in gone)

    async def _await_connect(self, seconds: float) -> None:
        """Until Connect is pressed, or it has ended because nobody did."""
        self._progress.waits("Connect", seconds, "it ends as noack")
        deadline = workflow.now() + timedelta(seconds=seconds)
        while not self._addresses and self._ending is None:
            self._moved = False
            until = min(deadline, self._end)
            if not await self.until(lambda: bool(self._addresses) or self._moved, until, "Connect"):
                ending = Ending.NOACK if until == deadline else Ending.EOR
                await self._finish(ending, "nobody pressed Connect in time")

    async def _look_for_connection(self, placed: Placed, every: float, until: datetime) -> Seen | None:
        """The first connection seen, or that it could not be looked until then; or None: no time left, ended, or
        another address was let in meanwhile."""
        within = (until - workflow.now()).total_seconds()
        if within <= 0:
            return None
        self._progress.waits("the first connection", within, "it ends as nologin")
        look = self._start_look(GuestActivities.await_connection, placed, every, within, "is the user connected?")
        try:
            seen = await self.unless_ended(look, self._must_attend)
        except ActivityError as error:
            if not failures.timed_out(error):
                raise
            unseen = self._waits.last_look and failures.could_not_look(error)
            seen = Seen(False, unseen=_cannot_look(error)) if unseen else None
        if self._must_attend() and self._ending is None:
            await self._attend(placed)
        return seen

    async def _last_look(self, placed: Placed, since: datetime) -> Seen | None:
        """Before somebody is given up: the looks may have ended with the last worker, and the user be there by now, or
        have been since then. None: it has ended, or what somebody wanted came first."""
        self._progress.waits("a last look whether really nobody is connected")
        look = workflow.start_activity_method(
            GuestActivities.last_look,
            self._guest_input(placed, (workflow.now() - since).total_seconds()),
            **profiles.look("is really nobody connected?", placed.target.site, self._waits.first_connection_look, None),
        )
        if self._progress.state is ReservationState.INUSE:
            return await self._while_the_clock_runs(placed, look, self._must_attend)
        seen = await self.unless_ended(look, self._must_attend)
        if seen is None and self._ending is None:
            await self._attend(placed)
        return seen

    async def _until_seen(self, placed: Placed, why: str) -> datetime:
        """A computer that can't be looked at does not tell that nobody is there. Returns when it can be, or at the end:
        from when on the user is waited for anew."""
        self._unseen = why
        self._progress.says(why)
        while self._ending is None and self._unseen and workflow.now() < self._end:
            within = (self._end - workflow.now()).total_seconds()
            self._progress.waits("the computer to be seen again", within, "it ends")
            every, summary = self._waits.first_connection_look, "can the computer be looked at again?"
            look = self._start_look(GuestActivities.await_sight, placed, every, within, summary)
            try:
                seen = await self.unless_ended(look, self._must_attend)
            except ActivityError as error:
                if not failures.timed_out(error):
                    raise
                continue
            if seen is not None:
                self._unseen = ""
                self._progress.says("")
            elif self._ending is None:
                await self._attend(placed)
        self._unseen = ""
        return workflow.now()

    async def _watch(self, placed: Placed) -> Seen | None:
        """What the next look in use sees, while the clock runs on; None when it was broken off or could not look.

        In use, no fault of ours ends anything: a look that fails is shown, waited out and begun again.
        """
        look, known, began = self._look_in_use(placed), self._addresses, workflow.now()

        def broken_off() -> bool:
            return self._must_attend() or self._run_is_full() or self._addresses != known

        try:
            return await self._while_the_clock_runs(placed, look, broken_off)
        except ActivityError as error:
            seen = await self._no_answer(placed, error, began)
            self._back_by = None
            return seen

    async def _no_answer(self, placed: Placed, error: ActivityError, began: datetime) -> Seen | None:
        """A look was given up: the user stayed away for too long, or the computer can't be looked at."""
        away = not self._connected and failures.timed_out(error)
        if away and self._waits.last_look and not (failures.could_not_look(error) or self._never_times_out()):
            return await self._still_away(placed, began)
        if away and not failures.could_not_look(error):
            if not self._never_times_out():
                await self._finish(Ending.TIMEOUT, "the user was disconnected for too long")
        elif away and self._waits.run_events:
            self._unseen = _cannot_look(error)
            self._progress.says(self._unseen)
        else:
            await self._look_failed(placed, error)
        return None

    async def _still_away(self, placed: Placed, since: datetime) -> Seen | None:
        """It ends when the user was not seen in all that time, and is not; what is seen otherwise."""
        try:
            seen = await self._last_look(placed, since)
        except ActivityError as error:
            await self._look_failed(placed, error)
            return None
        if seen is None or seen.connected or seen.unseen:
            return seen
        await self._finish(Ending.TIMEOUT, "the user was disconnected for too long")
        return None

    async def _while_the_clock_runs(
        self, placed: Placed, handle: Handle[T], or_else: Callable[[], bool] = lambda: False
    ) -> T | None:
        """As ``unless_ended``; the notices are sent meanwhile, and the end is kept."""

        def enough() -> bool:
            return handle.done() or or_else()

        async def wait() -> None:
            while not enough() and self._ending is None:
                await self._tick(placed, enough)

        return await result_after(wait(), handle)

    def _look_in_use(self, placed: Placed) -> Handle[Seen]:
        """Every 5 min while connected (VCL general_inuse_check), or while it can't be looked at. After a disconnection
        every 15 s for as long as the user may stay away."""
        waits = self._waits
        if self._unseen:
            self._progress.waits_for_the_end()
            return self._start_look(
                GuestActivities.await_sight, placed, waits.inuse_look, None, "can the computer be looked at again?"
            )
        if self._connected:
            self._progress.waits_for_the_end()
            every, within, look = waits.inuse_look, None, GuestActivities.await_disconnection
            return self._start_look(look, placed, every, within, "is the user still connected?")
        within = None if self._never_times_out() else self._may_stay_away(waits.reconnect)
        self._progress.waits("the user to come back", within, "it ends as timeout" if within else "")
        every, look = waits.first_connection_look, GuestActivities.await_connection
        return self._start_look(look, placed, every, within, "has the user come back?")

    def _may_stay_away(self, seconds: float) -> float:
        """So many seconds are left to the user to come back. A look that was broken off does not begin them anew."""
        self._back_by = self._back_by or workflow.now() + timedelta(seconds=seconds)
        return max((self._back_by - workflow.now()).total_seconds(), 0.1)

    def _never_times_out(self) -> bool:
        """A reservation of a day or more needs no connection (VCL ignore_connections_gte). As there, what counts is its
        length as it is now, with all extensions."""
        if self._placed is None or not self._waits.no_timeout_from:
            return self._request.seconds >= DAY
        if self._placed.start is not None:
            return (self._end - self._placed.start).total_seconds() >= self._waits.no_timeout_from
        extended = (self._end - self._placed.end).total_seconds()
        return self._request.seconds + extended >= self._waits.no_timeout_from

    async def _look_failed(self, placed: Placed, error: ActivityError) -> None:
        self._progress.says(_cannot_look(error))
        again = workflow.now() + timedelta(seconds=self._waits.first_connection_look)
        while workflow.now() < again and self._ending is None and not self._must_attend():
            await self._tick(placed, self._must_attend, again)

    def _must_attend(self) -> bool:
        """Somebody wants something that interrupts a look: another address let in, a restart."""
        return set(self._addresses) != set(self._granted) or self._reboot is not None

    async def _attend(self, placed: Placed) -> None:
        """A restart goes first: it may be what the computer needs before it can let anybody in."""
        if self._reboot is not None and self._waits.run_events:
            await self._restart(placed, self._reboot)
        elif set(self._addresses) != set(self._granted):
            await self._grant_carefully(placed)
        elif self._reboot is not None:
            await self._restart(placed, self._reboot)

    async def _restart(self, placed: Placed, message: Reboot) -> None:
        """Restart the computer. Its failure is told, and ends nothing."""
        self._progress.waits(f"{placed.target.computer} to restart", 2 * BACK_SECONDS, "it is restarted by force")
        try:
            facts = await restart(
                self._guest_input(placed, LOOK_SECONDS),
                message.hard or bool(self._unseen),
                lambda handle: self._while_the_clock_runs(placed, handle),
                lambda: self._ending is not None,
            )
            if facts is not None:
                self._facts = self._facts.merged(facts)
                self._heed(await self.record(RecordActivities.rebooted, self._event(facts=self._facts)))
                self._unseen, self._back_by = "", None
                self._progress.says("")
        except ActivityError as error:
            self._progress.says(f"the restart failed: {failures.reason(error)}; try it again")
        self._reboot = None

    async def _grant_carefully(self, placed: Placed) -> None:
        """A further address that can't be let in is told, and not tried again until Connect is pressed again."""
        tried = self._addresses
        try:
            await self._grant(placed)
        except ActivityError as error:
            why = failures.reason(error)
            self._progress.says(f"the firewall could not be opened to just {', '.join(tried)}: {why}")
            self._addresses = (*self._granted, *self._pressed_since(tried))
            if self._waits.run_events:  # before, the records were left with what was wanted, and Connect waited on
                await self.record(RecordActivities.access_opened, self._opened_to(self._granted))

    async def _grant(self, placed: Placed) -> Waits | None:
        """Account and firewall for all acknowledged addresses. None when the reservation ended meanwhile, or, in use, a
        restart is wanted."""
        wanted = self._addresses
        self._grant_began = self._grant_began or workflow.now()
        self._progress.waits(f"access for {', '.join(wanted)}", placed.waits.step_ceiling, "")
        summary = f"let {placed.access.login} in from {', '.join(wanted)}"
        handle = workflow.start_activity_method(
            GuestActivities.grant_access,
            self._guest_input(placed, 0.0),
            **profiles.short(summary, placed.target.site, placed.waits.step_ceiling),
        )
        if self._progress.state is ReservationState.INUSE and self._waits.run_events:
            facts = await self._while_the_clock_runs(placed, handle, lambda: self._reboot is not None)
            if facts is None:
                return None
        else:
            facts = await self.unless_ended(handle)
        if self._ending is not None:
            return None
        self._granted = wanted
        self._facts = self._facts.merged(facts or Facts())
        waits: Waits = await self.record(RecordActivities.access_opened, self._opened_to(wanted, self._facts))
        self._heed(waits)
        self._progress.access_open = True
        return waits

    def _opened_to(self, addresses: tuple[str, ...], facts: Facts | None = None) -> Event:
        """What the computer lets in; Connect may have been pressed from elsewhere since."""
        pressed = newest_last(self._addresses, *self._asking)
        later = tuple(address for address in pressed if address not in addresses)
        return replace(self._event(facts, addresses), later=later)

    async def _tick(self, placed: Placed, fact: Callable[[], bool], at_most: datetime | None = None) -> None:
        """Wait for a fact, but no longer than to the next moment of the clock: a notice, or the end."""
        now = workflow.now()
        if now >= self._end:
            await self._finish(Ending.EOR, "the end of the reservation was reached")
            return
        if self._moved or not self._waits.run_events:
            self._told = now  # the notices of another end, from now on
        due = self._next_notice(now)
        if due <= now:  # its moment passed while nobody could tell the time: between two runs, without a worker
            self._told = now
            await self._notify(placed)
            return
        self._moved = False
        moment = min(due, at_most or due)
        came = await self.until(lambda: fact() or self._moved, moment, "end" if due == self._end else "notice")
        if not came and moment == due and due != self._end:
            self._told = due
            await self._notify(placed)

    def _next_notice(self, now: datetime) -> datetime:
        """When the next notice is due, or was; the end when there is none."""
        self._told = told = self._told or now
        notices = (self._end - timedelta(seconds=seconds) for seconds in self._waits.notices)
        return min((moment for moment in notices if moment > told), default=self._end)

    async def _notify(self, placed: Placed) -> None:
        left = durations.format_duration((self._end - workflow.now()).total_seconds())
        text = f"Your reservation ends in {left}. Save your work, or extend it: vclab extend {self._request.id} --by 1h"
        with suppress(ActivityError):
            await self.unless_ended(
                workflow.start_activity_method(
                    GuestActivities.notify_user,
                    replace(self._guest_input(placed, 0.0), text=text),
                    **profiles.briefly(f"tell the user: {left} left", placed.target.site),
                )
            )

    def _start_look(
        self,
        look: MethodAsyncSingleParam[GuestActivities, GuestInput, Seen],
        placed: Placed,
        every: float,
        within: float | None,
        summary: str,
    ) -> Handle[Seen]:
        in_use = self._progress.state is ReservationState.INUSE and self._waits.run_events > 0
        return workflow.start_activity_method(
            look,
            replace(self._guest_input(placed, every), in_use=in_use),
            **profiles.look(summary, placed.target.site, every, within),
        )


def _cannot_look(error: ActivityError) -> str:
    return f"the computer can't be looked at: {failures.reason(error)}"
