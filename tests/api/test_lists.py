"""Long lists come in parts, and the store looks for no more than is sent."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.api.conftest import Ask
from tests.service.conftest import NOW, Lab
from vclab.contract import USE_CASES
from vclab.contract.use_case import Paged
from vclab.model.ids import new_id
from vclab.model.states import Ending, Purpose, ReservationState
from vclab.store import history
from vclab.store.models import Reservation, Tenure


def more(lab: Lab, count: int, ended: int = 0) -> list[str]:
    """So many reservations like alice's first one, a minute apart; the oldest ones have ended. Newest first."""
    first = lab.reserved().id

    def add(session: Session) -> list[str]:
        columns = list(Reservation.__table__.columns.keys())
        row = session.get_one(Reservation, first)
        same = {name: getattr(row, name) for name in columns}
        rows = [same | {"id": new_id(), "created": NOW + timedelta(minutes=n)} for n in range(1, count)]
        over = {"state": ReservationState.COMPLETE, "ending": Ending.RELEASED, "ended_at": NOW}
        rows = [row | (over if n < ended else {}) for n, row in enumerate(rows)]
        session.execute(sa.insert(Reservation), rows)
        return [first, *(row["id"] for row in rows)][::-1]

    return lab.store.run(add)


async def test_a_list_goes_on_where_it_ended(ask: Ask, lab: Lab) -> None:
    made, cursor = more(lab, 7), ""
    found: list[str] = []
    for expected in (3, 3, 1):
        query = f"?limit=3&cursor={cursor}" if cursor else "?limit=3"
        answer = (await ask("alice", "GET", f"/reservations{query}")).json()
        found += [each["id"] for each in answer["items"]]
        assert len(answer["items"]) == expected
        cursor = answer["next"]
    assert found == made and cursor is None


async def test_what_comes_in_between_moves_nothing(ask: Ask, lab: Lab) -> None:
    made = more(lab, 4)
    first = (await ask("alice", "GET", "/reservations?limit=2")).json()
    newest = sa.update(Reservation).where(Reservation.id == made[-1]).values(created=NOW + timedelta(days=9))
    lab.store.run(lambda session: session.execute(newest) and None)
    rest = (await ask("alice", "GET", f"/reservations?limit=9&cursor={first['next']}")).json()
    assert [each["id"] for each in rest["items"]] == [made[2]]


async def test_how_much_comes_at_once(ask: Ask, lab: Lab) -> None:
    more(lab, 1200)
    for query, count in (("", 100), ("?limit=5000", 1000), ("?limit=150", 150)):
        assert len((await ask("alice", "GET", f"/reservations{query}")).json()["items"]) == count


@pytest.mark.parametrize(("query", "most"), [("?limit=10", 11), ("?everyone=true&limit=10", 11), ("?ended=true", 101)])
async def test_no_more_is_read_than_is_sent(ask: Ask, lab: Lab, query: str, most: int) -> None:
    """Of 2,000 in the store, and one more, which says that the list goes on."""
    more(lab, 2000, ended=1000)
    read = 0

    def count(row: Reservation, context: object) -> None:
        nonlocal read
        read += 1

    event.listen(Reservation, "load", count)
    try:
        answer = await ask("olga" if "everyone" in query else "alice", "GET", f"/reservations{query}")
    finally:
        event.remove(Reservation, "load", count)
    assert len(answer.json()["items"]) == most - 1
    assert read == most


async def test_lists_by_name_go_on_too(ask: Ask) -> None:
    whole = [each["name"] for each in (await ask("alice", "GET", "/computers")).json()["items"]]
    first = (await ask("alice", "GET", "/computers?limit=2")).json()
    rest = (await ask("alice", "GET", f"/computers?cursor={first['next']}")).json()
    assert [each["name"] for each in (*first["items"], *rest["items"])] == whole == sorted(whole)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 4),
        ("?ended=true", 6),
        ("?image=debian-12", 4),
        ("?image=windows", 0),
        ("?computer=vm01&ended=true", 6),
        ("?everyone=true&user=bob", 0),
        ("?everyone=true&user=alice", 4),
    ],
)
async def test_what_is_asked_for(ask: Ask, lab: Lab, query: str, count: int) -> None:
    more(lab, 6, ended=2)
    who = "olga" if "everyone" in query else "alice"
    assert len((await ask(who, "GET", f"/reservations{query}")).json()["items"]) == count


@pytest.mark.parametrize(
    ("query", "status"), [("?limit=0", 422), ("?limit=-1", 422), ("?cursor=nothing", 404), ("?user=bob", 422)]
)
async def test_what_can_not_be_asked(ask: Ask, lab: Lab, query: str, status: int) -> None:
    lab.reserved()
    assert (await ask("alice", "GET", f"/reservations{query}")).status_code == status


def test_what_goes_on_is_declared() -> None:
    for each in USE_CASES.values():
        assert bool(each.pages) == issubclass(each.question, Paged), each.name


@pytest.mark.parametrize(("path", "field", "count"), [("/groups?", "name", 5), ("/grants?user=olga&", "id", 2 + 5)])
async def test_groups_and_grants_go_on_too(ask: Ask, lab: Lab, path: str, field: str, count: int) -> None:
    """What the settings give is listed before what is stored: olga has two such roles."""
    for number in range(5):
        made = await ask("olga", "PUT", f"/groups/class-{number}", json={"kind": "people"})
        assert made.status_code == 200, made.text
        grant = {"role": "teacher", "person": "olga", "on": f"class-{number}"}
        assert (await ask("olga", "POST", "/grants", json=grant)).status_code == 200
    whole = [each[field] for each in (await ask("olga", "GET", path)).json()["items"]]
    assert len(whole) == count and whole == sorted(whole)
    found, more = [], ""
    for _ in range(count):
        part = (await ask("olga", "GET", f"{path}limit=1{more}")).json()
        found += [each[field] for each in part["items"]]
        more = f"&cursor={part['next']}"
    assert found == whole and part["next"] is None


async def test_who_had_which_computer_goes_on_too(ask: Ask, lab: Lab) -> None:
    """Also where an address is asked for at a moment: what does not fit takes no place in a part."""
    first = lab.reserved().id

    def add(session: Session) -> None:
        for number in range(2, 8):
            at = NOW + timedelta(hours=number)
            over = {"holder": first, "purpose": Purpose.RESERVATION, "expected_end": at, "released_at": at}
            session.add(Tenure(computer="vm01", generation=number + 1000, taken_at=NOW, **over))
            for minute, address in ((0, "10.0.0.7"), (number, "10.0.0.8")):
                since = NOW + timedelta(minutes=minute)
                history.note_addresses(session, "vm01", number + 1000, address, "", since)

    lab.store.run(add)
    moment = (NOW + timedelta(minutes=4, seconds=30)).isoformat().replace("+00:00", "Z")
    for query, count in (("user=alice", 7), (f"address=10.0.0.7&at={moment}", 3), (f"address=10.0.0.8&at={moment}", 3)):
        whole = [each["id"] for each in (await ask("olga", "GET", f"/stays?{query}")).json()["items"]]
        assert len(whole) == count and whole == sorted(whole, reverse=True), query
        found, more = [], ""
        for _ in range(count):
            part = (await ask("olga", "GET", f"/stays?{query}&limit=1{more}")).json()
            found += [each["id"] for each in part["items"]]
            more = f"&cursor={part['next']}"
        assert found == whole and part["next"] is None
    for cursor in ("x", "1" * 30, "999999"):
        assert (await ask("olga", "GET", f"/stays?user=alice&cursor={cursor}")).status_code == 404


async def test_a_cursor_of_grants_is_the_number_of_one(ask: Ask) -> None:
    for cursor in ("x", "1" * 30):
        assert (await ask("olga", "GET", f"/grants?cursor={cursor}")).status_code == 404
