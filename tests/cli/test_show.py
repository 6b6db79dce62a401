"""``vclab show`` and ``vclab audit``: who did what, for whom, and how that is known."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.terminal import place
from vclab.model.intents import Intent, Outcome
from vclab.model.plans import GIVEN, PUBLISHED, Facts
from vclab.store import audit, intents, reservations
from vclab.store.engine import Store, open_store

ID = "3a4b5c6d7e8"
NOW = datetime.now(UTC)


@pytest.fixture
def acted(store: Path) -> Iterator[Store]:
    """Olga has rebooted alice's computer, as root said with --as."""
    opened = open_store(f"sqlite:///{store}")
    place(opened, ID, "alice")
    intent = Intent("i1", NOW, "olga", "--as", ("operator", "user"), "acts.reboot", ID, "alice", "root", {"hard": True})
    opened.run(lambda s: intents.write(s, intent))
    opened.run(lambda s: audit.note(s, ID, "olga", "reboot", "", NOW, act="i1"))
    opened.run(lambda s: intents.answer(s, "i1", Outcome.DONE, "", NOW))
    yield opened
    opened.close()


@pytest.mark.usefixtures("acted")
def test_the_history_says_who_acted_for_whom_and_how_that_is_known(vclab: Command) -> None:
    said = vclab("show", "3A4B5")
    assert said.code == 0, said
    assert "olga for alice (--as)  reboot" in said.out
    event = vclab("show", ID, "--json").json["history"][-1]
    assert (event["who"], event["for_user"], event["authentication"], event["what"]) == (
        "olga",
        "alice",
        "--as",
        "reboot",
    )
    made = vclab("show", ID, "--json").json["history"][0]
    assert (made["what"], made["authentication"]) == ("reserved", None)


@pytest.mark.usefixtures("acted")
def test_the_audit_is_for_operators(vclab: Command) -> None:
    vclab("--as", "alice", "audit").one_line_error(3, "alice may not audit the lab")
    said = vclab("--as", "olga", "audit", "--subject", "3a4b5")
    assert said.code == 0, said
    heading, row = said.out.splitlines()
    assert heading.split() == ["WHEN", "WHO", "KNOWN", "BY", "FROM", "ACT", "SUBJECT", "FOR", "OUTCOME", "DETAIL"]
    assert f"olga  --as, root        acts.reboot  {ID}  alice  done     hard True" in row
    (one,) = vclab("--as", "olga", "audit", "--user", "olga", "--json").json
    assert (one["id"], one["outcome"], one["arguments"], one["account"]) == ("i1", "done", {"hard": True}, "root")
    assert vclab("--as", "olga", "audit", "--user", "bob").err == "No acts, as far as is recorded.\n"
    vclab("--as", "olga", "audit", "--user", "").one_line_error(2, "--user has an empty value")


@pytest.mark.parametrize("known_by", ["", PUBLISHED, GIVEN])
def test_a_host_key_for_which_nobody_vouches_is_said_to_be_unverified(
    vclab: Command, acted: Store, known_by: str
) -> None:
    facts = Facts("10.77.0.9", "203.0.113.9", "ssh-ed25519 AAAA", host_key_from=known_by)
    acted.run(lambda session: reservations.ready(session, ID, facts, NOW))
    assert ("host key unverified (first contact)" in vclab("show", ID).out) is not bool(known_by)
    assert vclab("show", ID, "--json").json["host_key_verified"] is bool(known_by)
