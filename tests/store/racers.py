"""What each of eight processes does to get past the store; run at the same moment by ``race``."""

import multiprocessing
import random
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from typing import Any

from tests.store.lab import HOUR, NOW, inventory, reserve
from vclab.model.errors import Refused
from vclab.model.reservations import Placed, Refusal
from vclab.model.revisions import Place, Wanted
from vclab.model.states import Purpose
from vclab.store import Store, claims, copies, open_store, tenures

PROCESSES = 8
SECONDS = 120.0

Racer = Callable[[Store, int], Any]


def race(racer: Racer, url: str) -> list[Any]:
    """Run the racer in eight processes that begin together, each with its number and a store of its own.

    They are forked from a server that has imported everything: it has neither threads nor open databases.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])
    barrier, answers = context.Barrier(PROCESSES), context.SimpleQueue()
    processes = [context.Process(target=_run, args=(racer, url, n, barrier, answers)) for n in range(PROCESSES)]
    for process in processes:
        process.start()
    try:
        return _collect(answers)
    finally:
        for process in processes:
            process.join(5)
            process.kill()


def _collect(answers: "SimpleQueue[tuple[str, Any]]") -> list[Any]:
    found: list[Any] = []
    until = time.monotonic() + SECONDS
    while len(found) < PROCESSES:
        if not answers.empty():
            error, answer = answers.get()
            assert not error, error
            found.append(answer)
        elif time.monotonic() > until:
            raise AssertionError(f"only {len(found)} of {PROCESSES} processes answered")
        else:
            time.sleep(0.01)
    return found


def _run(racer: Racer, url: str, number: int, barrier: Barrier, answers: "SimpleQueue[tuple[str, Any]]") -> None:
    try:
        store = open_store(url)
        store.check()
        barrier.wait(SECONDS)
        answers.put(("", racer(store, number)))
        store.close()
    except BaseException:
        answers.put((traceback.format_exc(), None))


def claim_and_move(store: Store, number: int) -> int:
    """Claims of one computer at random times; some are released, some extended. Answers how many were made."""
    rng, won = random.Random(number), 0
    for attempt in range(24):
        holder = f"p{number}-{attempt}"
        starts = NOW + timedelta(minutes=rng.randrange(600))
        ends = starts + timedelta(minutes=rng.randrange(1, 40))
        try:
            store.run(lambda s: claims.claim_computer(s, "lab1", holder, starts, ends))  # noqa: B023
            won += 1
            if attempt % 3 == 0:
                store.run(lambda s: claims.move_end(s, holder, ends + timedelta(minutes=5)))  # noqa: B023
            elif attempt % 5 == 0:
                store.run(lambda s: claims.release(s, holder, starts))  # noqa: B023
        except claims.ClaimHeld as held:
            assert held.holder != holder
    return won


def take_and_release(store: Store, number: int) -> list[int]:
    """The same computer, five times. Answers the generations."""
    got: list[int] = []
    while len(got) < 5:
        try:
            generation = store.run(lambda s: tenures.take(s, "lab1", f"p{number}", Purpose.LOAD, NOW + HOUR, NOW))
        except tenures.TenureHeld as held:
            assert held.holder != f"p{number}"
            continue
        with store.read() as session:
            tenures.check(session, "lab1", generation)
        got.append(generation)
        store.run(lambda s: tenures.release(s, "lab1", generation, NOW))  # noqa: B023
    return got


def place_three(store: Store, number: int) -> list[tuple[str, str]]:
    """Three small machines for different users. Answers (computer, host) of those that found a place."""
    users, found = ("alice", "bob", "carol", "olga"), []
    for attempt in range(3):
        outcome = reserve(store, users[(number + attempt) % 4], inventories=(inventory(hosts=3),))
        if isinstance(outcome, Placed):
            found.append((outcome.target.computer, outcome.target.host))
    return found


def place_big(store: Store, number: int) -> bool:
    """A machine that needs the whole of the only host. Answers whether it found a place."""
    return isinstance(reserve(store, image="big", inventories=(inventory(hosts=1),)), Placed)


def place_limited(store: Store, number: int) -> bool:
    """One user's reservation within the limits. Answers whether it was made."""
    return isinstance(reserve(store, operator=False), Placed)


def place_same_id(store: Store, number: int) -> str:
    """A reservation whose id all have. Answers the computer."""
    outcome = reserve(store, id="r1")
    assert isinstance(outcome, Placed)
    return outcome.target.computer


DS1 = Wanted("debian-12", 1, Place("lab-vcenter", "ds1"))


def place_or_delete(store: Store, number: int) -> str:
    """One deletes the copy that all others' machines are to be made from."""
    if number == 0:
        try:
            store.run(lambda s: copies.leave_use(s, DS1, NOW))
        except Refused:
            return "refused"
        return "deleted"
    outcome = reserve(store)
    assert isinstance(outcome, (Placed, Refusal)), outcome
    if isinstance(outcome, Refusal):
        return "refused"
    return "child" if outcome.target.copy else "waits"


def place_and_wait(store: Store, number: int) -> bool:
    """Place, where the image must be brought first."""
    outcome = reserve(store)
    assert isinstance(outcome, Placed), outcome
    return outcome.target.awaits_copy
