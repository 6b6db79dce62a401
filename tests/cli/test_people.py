"""``vclab user password|link`` and ``vclab emergency``."""

import io
from pathlib import Path

import pytest

from tests.cli.conftest import Command, log_in
from vclab.store import models, people, sign_ins
from vclab.store.engine import Store, open_store
from vclab.store.people import password_hash

NEW = "several long words"


@pytest.fixture
def database(store: Path) -> Store:
    """The installation's."""
    return open_store(f"sqlite:///{store}")


def kept(database: Store, login: str) -> str:
    with database.read() as session:
        return password_hash(session, login)


def test_an_operator_gives_somebody_a_password(
    vclab: Command, database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{NEW}\n"))
    said = vclab("--as", "olga", "user", "password", "bob")
    assert (said.code, said.out) == (0, "bob has a new password\n")
    assert kept(database, "bob").startswith("$argon2id$") and NEW not in kept(database, "bob")
    audit = vclab("--as", "olga", "audit", "--json")
    assert "users.set_password" in audit.out and NEW not in audit.out


def test_people_change_their_own_with_the_current_one(
    vclab: Command, database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{NEW}\n"))
    vclab("--as", "olga", "user", "password", "bob")
    before = kept(database, "bob")
    monkeypatch.setattr("sys.stdin", io.StringIO("a wrong one\nother long words\n"))
    vclab("--as", "bob", "user", "password", "bob").one_line_error(3, "the current password is wrong")
    assert kept(database, "bob") == before
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{NEW}\nother long words\n"))
    assert vclab("--as", "bob", "user", "password", "bob").code == 0
    assert kept(database, "bob") != before


@pytest.mark.parametrize(
    ("who", "whose", "typed", "code", "why"),
    [
        ("bob", "alice", f"{NEW}\n", 3, "may not keep user alice"),
        ("bob", "bob", f"x\n{NEW}\n", 3, "has no password here"),
        ("olga", "bob", "short\n", 2, "shorter than 12 characters"),
        ("olga", "bob", "aaaaaaaaaaaaaaaa\n", 2, "easily guessed"),
        ("olga", "bob", "i am bob, am I not\n", 2, "easily guessed"),
        ("olga", "nobody", f"{NEW}\n", 4, "nobody"),
    ],
)
def test_passwords_that_are_not_set(
    vclab: Command,
    database: Store,
    monkeypatch: pytest.MonkeyPatch,
    who: str,
    whose: str,
    typed: str,
    code: int,
    why: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    vclab("--as", who, "user", "password", whose).one_line_error(code, why)
    with database.read() as session:
        assert people.with_password(session, ["alice", "bob"]) == set()


def test_an_account_at_a_provider_is_linked(vclab: Command, database: Store, installation: Path) -> None:
    link = ("--as", "olga", "user", "link", "bob", "--provider", "uni", "--subject", "s-1")
    vclab(*link).one_line_error(2, "there is no identity provider 'uni'")
    text = installation.read_text()
    installation.write_text(f'{text}\n[sign_in.providers.uni]\nissuer = "https://idp.uni.edu"\nclient_id = "vclab"\n')
    assert vclab(*link).out == "bob is s-1 at uni\n"
    assert vclab(*link).code == 0, "the same again changes nothing"
    vclab(*link[:4], "olga", *link[5:]).one_line_error(3, "belongs to bob")
    with database.read() as session:
        assert [each.subject for each in people.accounts(session, "bob")] == ["s-1"]


def test_the_emergency_code_is_shown_once_and_raises_an_alarm(vclab: Command, database: Store) -> None:
    assert _emergency(vclab)["ok"]
    said = vclab("emergency", "--json").json
    assert said["login"] == "emergency" and len(said["code"]) == 35
    with database.read() as session:
        rows = [vars(each) for each in session.query(models.EmergencyCode)]
    assert len(rows) == 1 and said["code"] not in repr(rows)
    alarm = _emergency(vclab)
    assert not alarm["ok"] and "root has made a code for the emergency administrator" in alarm["detail"]
    database.run(lambda s: sign_ins.unseal(s, said["code"], "192.0.2.9", rows[0]["made_at"]))
    alarm = _emergency(vclab)
    assert not alarm["ok"] and "came in at" in alarm["detail"] and "from 192.0.2.9" in alarm["detail"]
    assert "emergency" in vclab("--as", "olga", "audit").out


def _emergency(vclab: Command) -> dict[str, str]:
    parts: list[dict[str, str]] = vclab("status", "--json").json["parts"]
    return next(each for each in parts if each["name"] == "emergency")


def test_only_who_keeps_the_secrets_makes_one(vclab: Command, database: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(monkeypatch, "mallory")
    monkeypatch.setattr("vclab.local.emergency.may_write", lambda folder: False)
    vclab("emergency").one_line_error(3, "only root and the worker's account")
    with database.read() as session:
        assert session.query(models.EmergencyCode).count() == 0
