"""Accounts at providers, tokens, programs that wait, and pauses."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from tests.store.lab import HOUR, NOW
from vclab.model import tokens as text
from vclab.model.catalog import Thing, User
from vclab.model.errors import NotFound, Refused
from vclab.model.people import LOCAL, Claims, DeviceRequest, PendingSignIn, SignedIn
from vclab.model.tokens import Kind, Scope
from vclab.store import Store, catalog, models, people, retirement, sign_ins, tokens
from vclab.store.sign_ins import Pauses

ANN = Claims("uni", "subject-1", "ann@uni.edu", "uni", ("staff",))
LATER = NOW + HOUR


def signed_in(store: Store, claims: Claims = ANN, adopt: bool = False, make: bool = True) -> str:
    return store.run(lambda s: people.signed_in(s, claims, NOW, LATER, adopt, make))


def user(store: Store, login: str) -> User:
    with store.read() as session:
        return catalog.user(session, login)


def test_a_person_is_their_subject_whatever_they_are_called(store: Store) -> None:
    assert signed_in(store) == "ann"
    assert signed_in(store, replace(ANN, called="ann.smith@uni.edu", groups=("staff", "deans"))) == "ann"
    assert user(store, "ann").affiliation == "uni"
    with store.read() as session:
        assert people.provider_groups(session, "ann") == {"uni/staff", "uni/deans"}
        assert [each.called for each in people.accounts(session, "ann")] == ["ann.smith@uni.edu"]


def test_who_is_called_the_same_elsewhere_is_somebody_else(store: Store) -> None:
    assert [signed_in(store, replace(ANN, provider=p)) for p in ("uni", "college", "school")] == [
        "ann",
        "ann-2",
        "ann-3",
    ]
    assert {user(store, login).uid for login in ("ann", "ann-2", "ann-3")} == {20001, 20002, 20003}


def test_an_entry_is_taken_over_only_where_the_settings_say_so_and_once(lab: Store) -> None:
    assert signed_in(lab, replace(ANN, called="alice")) == "alice-2"
    assert signed_in(lab, replace(ANN, subject="2", called="alice"), adopt=True) == "alice"
    assert signed_in(lab, replace(ANN, subject="3", called="alice"), adopt=True) == "alice-3"
    lab.run(lambda s: people.put_password(s, "bob", "$argon2id$", NOW))
    assert signed_in(lab, replace(ANN, subject="4", called="bob"), adopt=True) == "bob-2"


def test_a_login_and_a_uid_are_never_given_again(store: Store) -> None:
    """Also when nothing in the history refers to who was removed, whose account leads nowhere from then on."""
    assert signed_in(store) == "ann"
    store.run(lambda s: retirement.remove(s, Thing.USER, "ann", NOW))
    with pytest.raises(Refused, match="was removed"):
        signed_in(store)
    other = replace(ANN, subject="subject-2", uid=20001)
    assert signed_in(store, other) == "ann-2"
    assert user(store, "ann-2").uid == 20002


def test_who_is_not_known_is_made_only_where_the_settings_say_so(store: Store) -> None:
    with pytest.raises(Refused, match=r"ann@uni.edu is not a user"):
        signed_in(store, make=False)
    store.run(lambda s: catalog.put_user(s, User("smith", 4000)))
    store.run(lambda s: people.link(s, "uni", "subject-1", "smith", NOW))
    assert signed_in(store, make=False) == "smith"
    with pytest.raises(Refused, match="belongs to smith"):
        store.run(lambda s: catalog.put_user(s, User("eve", 4001)))
        store.run(lambda s: people.link(s, "uni", "subject-1", "eve", NOW))


def test_many_sign_in_for_the_first_time_at_one_moment(store: Store) -> None:
    got: list[str] = []

    def first(number: int) -> None:
        got.append(signed_in(store, replace(ANN, subject=str(number))))

    threads = [threading.Thread(target=first, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == ["ann", *(f"ann-{n}" for n in range(2, 9))]


def test_one_caller_asks_the_provider_again(store: Store) -> None:
    signed_in(store)

    def claim(now: datetime) -> bool:
        return store.run(lambda s: people.claim_check(s, "uni", "subject-1", now, now + HOUR / 4))

    assert [claim(NOW), claim(LATER), claim(LATER), claim(LATER + HOUR / 4)] == [False, True, False, True]


# --- tokens -----------------------------------------------------------------------------------------------------------


def token(store: Store, user: str = "alice", provider: str = LOCAL, subject: str = "") -> str:
    secret = text.make(Kind.LOGIN)
    who = SignedIn(user, provider, subject)
    store.run(
        lambda s: tokens.put(s, secret, Kind.LOGIN, who, "laptop", [Scope.ACT], "192.0.2.7", NOW, NOW + 24 * HOUR)
    )
    return secret


def test_only_the_digest_of_a_token_is_kept(lab: Store) -> None:
    secret = token(lab)
    with lab.read() as session:
        found = tokens.find(session, secret)
        row = session.get(models.Token, found.token.id) if found else None
        assert tokens.find(session, text.make(Kind.LOGIN)) is None
    assert found is not None and row is not None and found.user is not None
    assert secret not in repr(vars(row)) and row.digest == text.digest(secret)
    assert (found.user.login, found.token.scopes) == ("alice", frozenset({Scope.READ, Scope.ACT}))


def test_tokens_end_one_by_one_by_provider_or_all(lab: Store) -> None:
    signed_in(lab, replace(ANN, called="alice"), adopt=True)
    local, uni, bobs = token(lab), token(lab, provider="uni", subject="subject-1"), token(lab, "bob")

    def why() -> list[str]:
        with lab.read() as session:
            return [found.token.why_ended for each in (local, uni, bobs) if (found := tokens.find(session, each))]

    lab.run(lambda s: tokens.end_all(s, "gone", NOW, "alice", "uni", "subject-1"))
    assert why() == ["", "gone", ""]
    lab.run(lambda s: tokens.end_all(s, "reset", NOW, "alice"))
    assert why() == ["reset", "gone", ""]
    lab.run(lambda s: retirement.remove(s, Thing.USER, "bob", NOW))
    assert why()[2] == "the person was removed"


# --- sign-ins that are under way --------------------------------------------------------------------------------------


def test_a_state_counts_once_and_in_its_browser(store: Store) -> None:
    pending = PendingSignIn("uni", "nonce", "verifier", "/device")
    store.run(lambda s: sign_ins.send(s, "state", "browser", pending, NOW, LATER))

    def back(state: str, browser: str, provider: str = "uni", now: datetime = NOW) -> PendingSignIn | None:
        return store.run(lambda s: sign_ins.take_back(s, state, browser, provider, now))

    assert back("state", "another browser") is None and back("another state", "browser") is None
    assert back("state", "browser") == pending
    assert back("state", "browser") is None, "it was replayed"
    store.run(lambda s: sign_ins.send(s, "state", "browser", pending, NOW, LATER))
    assert back("state", "browser", "college") is None, "from another provider"
    store.run(lambda s: sign_ins.send(s, "state", "browser", pending, NOW, LATER))
    assert back("state", "browser", now=LATER) is None, "too late"


def test_a_program_waits_until_somebody_decides(lab: Store) -> None:
    request = DeviceRequest("BCDF-GHJK", "vclab on laptop", frozenset({Scope.READ}), "192.0.2.7", NOW, LATER)
    alice = SignedIn("alice", "uni", "subject-1", mfa=True)

    def ask(seconds: float, code: str = "device") -> sign_ins.Asked:
        return lab.run(lambda s: sign_ins.ask(s, code, NOW + timedelta(seconds=seconds)))

    lab.run(lambda s: sign_ins.wait(s, "device", request, 5.0))
    assert [ask(n).answer for n in (0, 5, 7, 16, 31)] == [
        *("authorization_pending", "authorization_pending", "slow_down", "slow_down", "authorization_pending")
    ]
    lab.run(lambda s: sign_ins.decide(s, "BCDF-GHJK", alice, NOW))
    with pytest.raises(NotFound):
        lab.run(lambda s: sign_ins.decide(s, "BCDF-GHJK", None, NOW))
    got = ask(60)
    assert (got.answer, got.who, got.request) == ("", alice, request)
    assert ask(61).answer == "expired_token", "it hears that once"


def test_a_program_is_refused_or_comes_too_late(lab: Store) -> None:
    request = DeviceRequest("BCDF-GHJK", "x", frozenset({Scope.READ}), "192.0.2.7", NOW, LATER)
    lab.run(lambda s: sign_ins.wait(s, "device", request, 5.0))
    with pytest.raises(NotFound):
        lab.run(lambda s: sign_ins.waiting(s, "BCDF-GHJK", LATER))
    lab.run(lambda s: sign_ins.decide(s, "BCDF-GHJK", None, NOW))
    assert lab.run(lambda s: sign_ins.ask(s, "device", NOW)).answer == "access_denied"
    assert lab.run(lambda s: sign_ins.ask(s, "nothing", NOW)).answer == "expired_token"


def test_when_too_many_are_awaited_the_oldest_go(lab: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever begins so many keeps nobody else out."""
    monkeypatch.setattr(sign_ins, "MOST_OPEN", 3)
    pending = PendingSignIn("uni", "nonce", "verifier", "/device")

    def begin(number: int) -> None:
        until = LATER + timedelta(seconds=number)
        request = DeviceRequest(f"BCDF-{number}", "laptop", frozenset({Scope.READ}), "192.0.2.7", NOW, until)
        lab.run(lambda s: sign_ins.wait(s, f"device{number}", request, 5.0))
        lab.run(lambda s: sign_ins.send(s, f"state{number}", "browser", pending, NOW, until))

    def asked(number: int) -> str:
        return lab.run(lambda s: sign_ins.ask(s, f"device{number}", NOW)).answer

    def back(number: int) -> PendingSignIn | None:
        return lab.run(lambda s: sign_ins.take_back(s, f"state{number}", "browser", "uni", NOW))

    for number in range(5):
        begin(number)
    assert [asked(n) for n in range(5)] == ["expired_token"] * 2 + ["authorization_pending"] * 3
    assert [back(n) for n in range(5)] == [None, None, pending, pending, pending]


def test_pauses_grow_and_are_forgotten(store: Store) -> None:
    pauses = Pauses(free=3, longest=timedelta(seconds=5))

    def attempt(seconds: float) -> float:
        return store.run(lambda s: sign_ins.attempt(s, {"account:ann": pauses}, NOW + timedelta(seconds=seconds)))

    assert [attempt(0), attempt(0), attempt(0)] == [0, 0, 0]
    assert attempt(0.5) == 0.5, "the third one in vain costs a second"
    assert [attempt(1), attempt(1), attempt(3), attempt(7)] == [0, 2, 0, 0]
    assert attempt(7) == 5, "never longer than that"
    assert attempt(3700) == 0 and attempt(3700) == 0, "forgotten after an hour"
    store.run(lambda s: sign_ins.succeeded(s, "account:ann"))
    assert [attempt(3701) for _ in range(3)] == [0, 0, 0]


def test_of_an_address_attempts_are_forgiven_one_by_one_and_a_right_one_counts_for_nothing(store: Store) -> None:
    pauses = Pauses(free=3, forgiven=timedelta(seconds=60))

    def attempt(seconds: float, right: bool = False) -> float:
        now = NOW + timedelta(seconds=seconds)
        waits = store.run(lambda s: sign_ins.attempt(s, {"address:192.0.2.7": pauses}, now))
        if right:
            store.run(lambda s: sign_ins.not_in_vain(s, "address:192.0.2.7", now))
        return waits

    assert [attempt(0, right=True) for _ in range(9)] == [0] * 9
    assert [attempt(n, right=n % 2 == 1) for n in range(5)] == [0] * 5
    assert attempt(4.5) == 0.5, "three were in vain"
    assert [attempt(5, right=True), attempt(5, right=True)] == [0, 0]
    assert [attempt(n) for n in (59, 59.5)] == [0, 1.5], "the fourth one in vain costs two seconds"
    assert [attempt(n) for n in (130, 130.5, 190, 191)] == [0, 0.5, 0, 0], "two are forgiven, then one"


def test_the_emergency_code_is_sealed_and_counts_once(store: Store) -> None:
    def unseal(code: str, now: datetime = NOW) -> bool:
        return store.run(lambda s: sign_ins.unseal(s, code, "192.0.2.7", now)) is not None

    def seal(session: Session, code: str) -> None:
        sign_ins.seal(session, code, "root", NOW, LATER)

    store.run(lambda s: seal(s, "first"))
    store.run(lambda s: seal(s, "second"))
    assert [unseal("first"), unseal("second", LATER), unseal("second"), unseal("second")] == [False, False, True, False]
    with store.read() as session:
        assert [use.used_from for use in sign_ins.emergencies(session, NOW)] == ["192.0.2.7"]
