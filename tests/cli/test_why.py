"""Why a reservation waits, or was refused; hosts that rest, and images that are suspect."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from tests.cli.conftest import Command
from tests.store.lab import RULES
from tests.store.test_failures import TARGET
from vclab.model.ids import new_id
from vclab.model.intents import Author
from vclab.model.inventory import DatastoreFacts, HostFacts, Inventory
from vclab.model.plans import Facts, StepInput
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.store import failures, load_log, placement
from vclab.store.engine import Store, open_store

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def opened(store: Path) -> Store:
    """The installation's store, to be written to."""
    return open_store(f"sqlite:///{store}")


def ask(opened: Store, user: str = "alice", hosts: int = 1, memory_mb: int = 512) -> tuple[str, Placed | Refusal]:
    """Reserve as an operator for the user; each host has room for ``memory_mb``."""
    found = tuple(HostFacts(f"esx{n}", 8, memory_mb, True, "", ("ds1",)) for n in range(1, hosts + 1))
    heard = Inventory("vc1", NOW, found, (DatastoreFacts("ds1", 200, 200),))
    request = ReserveRequest(new_id(), user, "debian-12", 3600)
    return request.id, opened.run(
        lambda s: placement.place(s, request, Author(user, operator=True), [heard], RULES, NOW - MINUTE)
    )


def failed(opened: Store, *loads: tuple[str, str, str]) -> None:
    """Loads that failed: host, image, step."""

    def note(session: Session) -> None:
        for number, (host, image, step) in enumerate(loads):
            target = replace(TARGET, reservation=f"r{number}", endpoint="vc1", host=host, image=image)
            failures.note(session, target, step, "no power", step.startswith("linux"), NOW - MINUTE)

    opened.run(note)


def rest(opened: Store) -> None:
    """esx1 rests."""
    ask(opened)  # so that it is known
    failed(opened, *(("esx1", image, "vsphere.power_on") for image in ("a", "b", "c")))


def test_a_refusal_names_each_candidate_and_the_earliest_time(vclab: Command, opened: Store) -> None:
    ask(opened)
    refused, outcome = ask(opened)
    assert isinstance(outcome, Refusal)
    said = vclab("why", refused)
    assert said.code == 0, said
    assert f"Request   {refused}: debian-12 for alice, 1 h" in said.out
    assert "Earliest  " in said.out
    assert "(in " in said.out
    assert "vc1/esx1\n    needs 512 MiB memory, has 0 free" in said.out
    found = vclab("why", refused, "--json").json
    assert (found["kind"], found["image"], found["seconds"]) == ("refused", "debian-12", 3600)
    assert found["earliest"].endswith("Z")
    assert found["candidates"] == [{"name": "vc1/esx1", "lacks": ["needs 512 MiB memory, has 0 free"]}]


def test_candidates_that_lack_the_same_are_told_together(vclab: Command, opened: Store) -> None:
    refused, _ = ask(opened, hosts=11, memory_mb=100)
    said = vclab("why", refused)
    assert said.out.count("needs 512 MiB memory") == 1
    assert "vc1/esx6 and 3 more\n" in said.out  # by name, esx10 and esx11 come second and third
    assert "Earliest  not known" in said.out


def test_what_others_asked_for_is_not_found(vclab: Command, opened: Store) -> None:
    refused, _ = ask(opened, user="bob", memory_mb=1)
    vclab("why", refused).one_line_error(4, "there is no reservation")
    assert vclab("--as", "olga", "why", refused).code == 0
    vclab("why", "../x").one_line_error(4, "there is no reservation")


def test_without_a_server_the_database_answers_with_its_age(vclab: Command, opened: Store) -> None:
    reservation, outcome = ask(opened)
    assert isinstance(outcome, Placed)
    step = StepInput("vsphere.copy_disk", "Copy the image's disk", outcome.target, Facts(), 2, 8)
    opened.run(lambda s: load_log.started(s, step, 3, NOW - MINUTE))
    opened.run(lambda s: load_log.ended(s, step, 3, "failed", "the datastore is full", NOW - MINUTE))
    opened.run(lambda s: failures.note(s, outcome.target, "vsphere.copy_disk", "full", False, NOW - MINUTE))
    said = vclab("why", reservation)
    assert said.code == 0, said
    assert "State           Preparing (2/8): Copy the image's disk" in said.out
    assert "does not answer" in said.out
    assert "Known from      the database, " in said.out
    assert "2/8 Copy the image's disk, attempt 3, started " in said.out
    assert "; failed " in said.out
    assert ": the datastore is full" in said.out
    assert "full (vsphere.copy_disk on esx1, " in said.out
    found = vclab("why", reservation, "--json").json
    assert (found["kind"], found["state"], found["now"]["answered"]) == ("reservation", "new", False)
    assert found["last_step"]["outcome"] == "failed"
    assert found["failures"][0]["step"] == "vsphere.copy_disk"
    assert found["known_at"].endswith("Z")


def test_a_resting_host_is_listed_told_and_woken(vclab: Command, opened: Store) -> None:
    assert "All hosts are in service." in vclab("host", "list").err
    rest(opened)
    (found,) = vclab("host", "list", "--json").json
    assert (found["endpoint"], found["host"], found["by"], found["checks"]) == ("vc1", "esx1", None, 0)
    assert "3 loads of 3 different images failed on it in a row" in vclab("host", "list").out
    parts = {part["name"]: part for part in vclab("status", "--json").json["parts"]}
    assert parts["hosts"]["ok"]
    assert "vc1/esx1 rests since" in parts["hosts"]["detail"]
    vclab("--as", "bob", "host", "wake", "esx1").one_line_error(3, "bob may not")
    vclab("--as", "olga", "host", "wake", "esx2").one_line_error(
        4, "no host 'esx2' out of service (did you mean esx1?)"
    )
    assert vclab("--as", "olga", "host", "wake", "esx1").out == "vc1/esx1 is in service again\n"
    assert vclab("host", "list", "--json").json == []


def test_an_operator_lets_a_host_rest(vclab: Command, opened: Store) -> None:
    _, outcome = ask(opened)
    assert isinstance(outcome, Placed)
    said = vclab("--as", "olga", "host", "rest", "esx1", "--reason", "new memory")
    assert (said.code, "vc1/esx1 rests since" in said.out) == (0, True)
    assert "by order of olga: new memory; `vclab host wake` brings it back" in said.out
    _, outcome = ask(opened, memory_mb=4096)
    assert isinstance(outcome, Refusal)
    assert "by order of olga: new memory" in outcome.text()
    vclab("--as", "olga", "host", "rest", "exs1").one_line_error(4, "did you mean esx1")
    vclab("--as", "olga", "host", "rest", "esx1", "--reason", "a\nb").one_line_error(2, "control character")


def test_a_suspect_revision_is_shown_and_trusted_again(vclab: Command, opened: Store) -> None:
    suspicion: Callable[[], bool] = lambda: vclab("image", "list", "--json").json[0]["suspect"]  # noqa: E731
    assert not suspicion()
    failed(opened, ("esx1", "debian-12", "linux.wait_ssh"), ("esx2", "debian-12", "linux.post_load"))
    assert suspicion()
    assert "suspect" in vclab("image", "list").out
    assert "its last loads failed inside the machine on esx1, esx2" in vclab("image", "show", "debian-12").out
    (revision,) = vclab("image", "show", "debian-12", "--json").json["revisions"]
    assert [failure["host"] for failure in revision["suspect"]["failures"]] == ["esx1", "esx2"]
    assert "Beware: revision 1 of debian-12 is suspect" in vclab("reserve", "debian-12").err
    reservation, _ = ask(opened, memory_mb=4096)
    assert "Beware          revision 1 of debian-12 is suspect" in vclab("show", reservation).out
    parts = {part["name"]: part for part in vclab("status", "--json").json["parts"]}
    assert "revision 1 of debian-12 is suspect" in parts["images"]["detail"]
    assert vclab("--as", "olga", "image", "edit", "debian-12", "--trusted").code == 0
    assert not suspicion()
