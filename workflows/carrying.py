"""A long reservation goes on in a new run of its workflow before the history of the old one grows too long.

Only in use, between two looks: no activity, no record and no message is open then, and all that is known is in
``Carried``. The other phases need none. ``new`` and ``reclaim`` are a few steps. ``reserved`` lasts half an hour.
"""

from dataclasses import replace
from datetime import datetime

from temporalio import workflow

from vclab.model import messages
from vclab.model.messages import Reboot
from vclab.model.reservations import Carried, ReserveRequest
from vclab.model.states import ReservationState
from workflows.life import Life

REMEMBERED = 200
"""So many ids of acts are carried along. A client repeats an act for a minute, and the server takes ten at a time."""


class Carrying(Life):
    """What is so while a computer is used, and how it goes over to the next run."""

    def __init__(self, request: ReserveRequest) -> None:
        super().__init__(request)
        self._connected = False
        self._unseen = ""  #: why the computer can't be looked at
        self._back_by: datetime | None = None  #: the user is away, and has to be back by then
        self._told: datetime | None = None  #: notices that were due until then are not sent any more
        self._reboot: Reboot | None = None
        self._done_requests: tuple[str, ...] = ()
        self._signals = 0  #: to extend it, that have come
        if request.carried is not None:
            self._restore(request.carried)

    def _restore(self, carried: Carried) -> None:
        self._placed, self._facts, self._end = carried.placed, carried.facts, carried.end
        self._addresses, self._granted = carried.addresses, carried.granted
        self._connected, self._unseen = carried.connected, carried.unseen
        self._back_by, self._told, self._reboot = carried.back_by, carried.told, carried.reboot
        self._done_requests, self._signals = carried.requests, carried.signals
        progress = self._progress
        progress.state, progress.placed, progress.end = ReservationState.INUSE, carried.placed, carried.end
        progress.reason, progress.access_open = carried.reason, True
        progress.waits_for = "the end of the reservation"

    def _carried(self, runs: int) -> Carried:
        assert self._placed is not None
        return Carried(
            placed=self._placed,
            facts=self._facts,
            end=self._end,
            addresses=self._addresses,
            granted=self._granted,
            connected=self._connected,
            unseen=self._unseen,
            back_by=self._back_by,
            told=workflow.now() if self._moved else self._told,
            reboot=self._reboot,
            requests=self._done_requests,
            signals=self._signals,
            reason=self._progress.reason,
            runs=runs,
        )

    def _run_is_full(self) -> bool:
        """True when the history is so long that a new run should begin."""
        most, info = self._waits.run_events, workflow.info()
        return most > 0 and (info.get_current_history_length() >= most or info.is_continue_as_new_suggested())

    async def _go_on_in_a_new_run(self) -> None:
        """End this run and begin the next, unless the reservation ends meanwhile.

        A message that arrives while this run closes is given to the next one: by the server, or by the client that
        asks again (``vclab.temporal.client``). One that is being carried out is waited for.
        """
        await workflow.wait_condition(lambda: workflow.all_handlers_finished() or self._ending is not None)
        if self._ending is not None:
            return
        before = self._request.carried
        carried = self._carried(before.runs + 1 if before else 1)
        memo = {messages.TOLD: self._progress.told()} if self._waits.tells else {}
        workflow.continue_as_new(replace(self._request, carried=carried), memo=memo)

    def _is_done(self, request_id: str) -> bool:
        """True when the act with this id was done before: it is a repeat."""
        return bool(request_id) and request_id in self._done_requests

    def _remember(self, request_id: str) -> None:
        if request_id:
            self._done_requests = (*self._done_requests, request_id)[-REMEMBERED:]
