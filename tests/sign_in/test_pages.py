"""The pages: local accounts, the emergency administrator, forms, cookies, and where links may lead."""

import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa

from activities.reader import Reader
from tests.sign_in.installation import ME, URL, Installation, form_of, sign_in
from vclab.model.catalog import Thing
from vclab.model.intents import Outcome
from vclab.service import passwords
from vclab.service import sign_in as service
from vclab.store import intents, models, people, retirement, sign_ins, tokens
from vclab.store.sign_ins import Pauses

PASSWORD = "correct horse battery"


@pytest.fixture
async def alice(installation: Installation) -> Installation:
    """Where alice has a local account."""
    kept = await passwords.hashed(PASSWORD)
    installation.store(lambda s: people.put_password(s, "alice", kept, datetime.now(UTC)))
    return installation


async def test_somebody_signs_in_and_out(alice: Installation) -> None:
    async with alice.browser() as browser:
        assert (await browser.get(ME)).status_code == 401
        answer = await sign_in(browser, "alice", PASSWORD)
        assert (answer.status_code, answer.headers["location"]) == (303, "/signed-in")
        cookie = next(each for each in answer.headers.get_list("set-cookie") if "vclab-session" in each)
        assert cookie.startswith("__Host-vclab-session=vcs_")
        assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= {each.strip() for each in cookie.split(";")}
        assert "Domain" not in cookie
        page = await browser.get("/signed-in")
        assert page.status_code == 200 and "alice" in page.text
        assert (await browser.get(ME)).json()["login"] == "alice"
        secret = browser.cookies["__Host-vclab-session"]
        out = await browser.post("/sign-out", data=form_of(page.text))
        assert out.status_code == 200 and "__Host-vclab-session" not in browser.cookies
        assert (await browser.get(ME, headers={"Cookie": f"__Host-vclab-session={secret}"})).status_code == 401


async def test_each_page_forbids_what_it_does_not_need(alice: Installation) -> None:
    async with alice.browser() as browser:
        for path in ("/sign-in", "/sign-in/nobody", "/device", "/sign-in/x/callback", "/signed-in"):
            headers = (await browser.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "same-origin")
        page = await browser.get("/sign-in")
        assert "<script" not in page.text and "style=" not in page.text
        css = await browser.get("/sign-in/style.css")
        assert (css.status_code, css.headers["content-type"].split(";")[0]) == (200, "text/css")


async def test_whatever_is_wrong_is_answered_in_the_same_words(alice: Installation) -> None:
    alice.store(lambda s: people.put_password(s, "bob", "$argon2id$damaged", datetime.now(UTC)))
    seen: set[tuple[int, str]] = set()
    for login, password in (
        ("alice", "wrong"), ("nobody", "wrong"), ("carol", "wrong"), ("bob", "wrong"), ("emergency", "wrong"),
        ("alice'--", "wrong"), ("é", "x" * 1999), ("alice", PASSWORD.upper()),
    ):  # fmt: skip
        async with alice.client(f"192.0.2.{len(seen) + 1}") as browser:
            answer = await sign_in(browser, login, password)
            text = answer.text.replace(form_of(answer.text)["csrf"], "").replace(
                f'value="{login}"', ""
            ).replace('value="alice&#39;--"', "")  # fmt: skip
            seen.add((answer.status_code, text))
            assert "__Host-vclab-session" not in browser.cookies
    assert len(seen) == 1 and seen.pop()[0] == 401


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(alice: Installation) -> None:
    async def took(kept: str) -> float:
        """Of the processor, for other programs run too."""
        begun = time.process_time()
        assert not await passwords.matches("wrong password", kept)
        return time.process_time() - begun

    kept = await passwords.hashed(PASSWORD)
    await took("")  # makes the hash of nobody's password
    both = [(await took(kept), await took("")) for _ in range(9)]
    known, unknown = (min(times) for times in zip(*both, strict=True))
    assert 0.5 < known / unknown < 2


async def test_guessing_is_slowed_for_the_account_and_for_the_address(
    alice: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From other addresses, too; and nobody can tell by that which accounts there are."""
    for login in ("alice", "nobody"):
        statuses = []
        for number in range(7):
            async with alice.browser(f"198.51.100.{number}") as browser:
                answer = await sign_in(browser, login, "wrong")
                statuses.append(answer.status_code)
        assert statuses == [401] * 5 + [429] * 2
        assert int(answer.headers["retry-after"]) >= 1
    later = datetime.now(UTC) + timedelta(minutes=1)
    alice.store(lambda s: s.execute(sa.update(models.SignInAttempts).values(next_at=later)))
    async with alice.browser("203.0.113.77") as browser:
        assert (await sign_in(browser, "alice", PASSWORD)).status_code == 429, "not even with the right one"
    monkeypatch.setattr(service, "OF_ADDRESS", Pauses(free=3))
    async with alice.browser("203.0.113.78") as browser:
        statuses = [(await sign_in(browser, f"user{n}", "wrong")).status_code for n in range(5)]
    assert statuses == [401] * 3 + [429] * 2


async def test_who_is_disabled_does_not_get_in(alice: Installation) -> None:
    alice.store(lambda s: retirement.disable(s, Thing.USER, "alice", "", datetime.now(UTC)))
    async with alice.browser() as browser:
        assert (await sign_in(browser, "alice", PASSWORD)).status_code == 401


async def test_a_form_counts_only_in_the_browser_that_it_was_shown_in(alice: Installation) -> None:
    async with alice.browser() as browser, alice.browser() as another:
        await another.get("/sign-in")
        foreign = form_of((await another.get("/sign-in")).text)["csrf"]
        for csrf in ("", "0" * 64, foreign):
            assert (await sign_in(browser, "alice", PASSWORD, csrf=csrf)).status_code == 403
        page = await browser.get("/sign-in")
        data = form_of(page.text) | {"login": "alice", "password": PASSWORD}
        for origin in ("https://evil.test", "null", "http://lab.test"):
            assert (await browser.post("/sign-in", data=data, headers={"Origin": origin})).status_code == 403
        assert (await browser.post("/sign-in", data=data, headers={"Origin": URL})).status_code == 303


@pytest.mark.parametrize(
    "then",
    [
        "https://evil.test",
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/%2f/evil.test",
        "javascript:alert(1)",
        "/a//evil.test",
        "/\tevil",
        "/\r\nSet-Cookie: a=b",
        "evil",
        "/@evil.test:1",
        "",
    ],
)
async def test_a_link_leads_to_no_other_server(alice: Installation, then: str) -> None:
    async with alice.browser() as browser:
        answer = await sign_in(browser, "alice", PASSWORD, then=then)
        assert answer.headers["location"] == "/signed-in"
        assert "evil" not in (await browser.get("/sign-in", params={"then": then})).text


async def test_a_link_leads_to_a_page_of_this_server(alice: Installation) -> None:
    async with alice.browser() as browser:
        answer = await sign_in(browser, "alice", PASSWORD, then="/device?user_code=BCDF-GHJK")
        assert answer.headers["location"] == "/device?user_code=BCDF-GHJK"


async def test_signing_in_again_ends_what_the_browser_was_before(alice: Installation) -> None:
    async with alice.browser() as browser:
        await sign_in(browser, "alice", PASSWORD)
        first = browser.cookies["__Host-vclab-session"]
        await sign_in(browser, "alice", PASSWORD)
        assert browser.cookies["__Host-vclab-session"] != first
        assert (await browser.get(ME)).status_code == 200
        assert (await browser.get(ME, headers={"Cookie": f"__Host-vclab-session={first}"})).status_code == 401


async def test_markup_in_what_was_typed_is_text(alice: Installation) -> None:
    async with alice.browser() as browser:
        answer = await sign_in(browser, '"><script>alert(1)</script>', "wrong")
        assert "<script" not in answer.text


async def test_each_attempt_is_in_the_audit_without_what_was_typed(alice: Installation) -> None:
    async with alice.browser("192.0.2.9") as browser:
        await sign_in(browser, PASSWORD, "alice")  # the wrong way round, as happens
        await sign_in(browser, "alice", "wrong")
        await sign_in(browser, "alice", PASSWORD)
    with alice.backend.store.read() as session:
        found = sorted(intents.newest(session, 10), key=lambda each: each.at)
    noted = [each for each in found if each.verb == "sign_in"]
    assert [(each.actor, each.outcome, each.address) for each in noted] == [
        ("", Outcome.REFUSED, "192.0.2.9"),
        ("alice", Outcome.REFUSED, "192.0.2.9"),
        ("alice", Outcome.DONE, "192.0.2.9"),
    ]
    assert PASSWORD not in repr(noted)


# --- the emergency administrator --------------------------------------------------------------------------------------


def seal(installation: Installation, code: str, seconds: float = 3600) -> None:
    now = datetime.now(UTC)
    installation.store(lambda s: sign_ins.seal(s, code, "root", now, now + timedelta(seconds=seconds)))


async def test_the_emergency_code_lets_an_administrator_in_once(alice: Installation) -> None:
    seal(alice, "c0de")
    async with alice.browser() as browser, alice.browser() as thief:
        assert (await sign_in(browser, "emergency", "c0de")).status_code == 303
        me = (await browser.get(ME)).json()
        assert (me["login"], me["roles"]) == ("emergency", ["administrator"])
        assert (await sign_in(thief, "emergency", "c0de")).status_code == 401
        answer = await browser.post("/api/v1/users/bob/disable", json={"why": "left"})
        assert answer.status_code == 200, answer.text
    with alice.backend.store.read() as session:
        noted = intents.newest(session, 10)
    done = next(each for each in noted if each.verb == "users.disable")
    assert (done.actor, done.authentication, done.subject) == ("emergency", "emergency", "bob")


async def test_the_emergency_administrator_raises_an_alarm(
    alice: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log, and in the worker's metrics for a day."""
    reader = Reader(alice.backend.store)
    assert reader.emergencies_by_state() == {"made": 0, "used": 0}
    seal(alice, "c0de")
    assert reader.emergencies_by_state() == {"made": 1, "used": 0}
    async with alice.browser("203.0.113.9") as browser:
        assert (await sign_in(browser, "emergency", "guess")).status_code == 401
        assert "ALARM" not in caplog.text
        assert (await sign_in(browser, "emergency", "c0de")).status_code == 303
    (alarm,) = [each for each in caplog.records if "ALARM" in each.getMessage()]
    assert alarm.levelname == "WARNING" and "203.0.113.9" in alarm.getMessage() and "c0de" not in caplog.text
    assert reader.emergencies_by_state() == {"made": 0, "used": 1}
    past = datetime.now(UTC) - sign_ins.ALARM - timedelta(minutes=1)
    alice.store(lambda s: s.execute(sa.update(models.EmergencyCode).values(used_at=past, expires_at=past)))
    assert reader.emergencies_by_state() == {"made": 0, "used": 0}


async def test_the_emergency_session_ends_when_its_code_does(alice: Installation) -> None:
    seal(alice, "c0de", seconds=600)
    async with alice.browser() as browser:
        answer = await sign_in(browser, "emergency", "c0de")
        cookie = next(each for each in answer.headers.get_list("set-cookie") if "vclab-session" in each)
        assert 500 < int(cookie.split("Max-Age=")[1].split(";")[0]) <= 600
        with alice.backend.store.read() as session:
            found = tokens.find(session, browser.cookies["__Host-vclab-session"])
        assert found is not None and found.token.expires_at < datetime.now(UTC) + timedelta(seconds=601)
    seal(alice, "late", seconds=-1)
    async with alice.browser() as browser:
        assert (await sign_in(browser, "emergency", "late")).status_code == 401


async def test_nobody_can_lock_the_emergency_administrator_out(alice: Installation) -> None:
    for number in range(8):
        async with alice.browser(f"198.51.100.{number}") as browser:
            assert (await sign_in(browser, "emergency", "wrong")).status_code == 401
    seal(alice, "c0de")
    async with alice.browser() as browser:
        assert (await sign_in(browser, "emergency", "c0de")).status_code == 303


# --- the device flow, without a provider ------------------------------------------------------------------------------


async def begin(program: httpx.AsyncClient, **form: str) -> dict[str, str]:
    """A program asks to be let in."""
    answer = await program.post("/api/v1/device", data={"client_name": "laptop"} | form)
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


async def ask(program: httpx.AsyncClient, begun: dict[str, str]) -> httpx.Response:
    """It asks whether it was."""
    return await program.post("/api/v1/device/token", data={"device_code": begun["device_code"]})


async def test_a_program_is_let_in(alice: Installation) -> None:
    async with alice.client("198.51.100.20") as program, alice.browser() as browser:
        begun = await begin(program, scope="read act")
        assert begun["verification_uri_complete"] == f"{URL}/device?user_code={begun['user_code']}"
        answer = await ask(program, begun)
        assert (answer.status_code, answer.json()) == (400, {"error": "authorization_pending"})
        assert (await ask(program, begun)).json() == {"error": "slow_down"}
        page = await browser.get("/device", params={"user_code": begun["user_code"]})
        assert page.headers["location"].startswith("/sign-in?then=%2Fdevice")
        answer = await sign_in(browser, "alice", PASSWORD, then=f"/device?user_code={begun['user_code']}")
        page = await browser.get(answer.headers["location"])
        for shown in (begun["user_code"], "vclab on laptop", "198.51.100.20", "192.0.2.7", "alice"):
            assert shown in page.text
        assert "use your other roles" not in page.text
        done = await browser.post("/device", data=form_of(page.text) | {"decision": "allow"})
        assert "is let in" in done.text
        granted = (await ask(program, begun)).json()
        assert (granted["token_type"], granted["scope"]) == ("Bearer", "act read")
        bearer = {"Authorization": f"Bearer {granted['access_token']}"}
        assert (await program.get(ME, headers=bearer)).json()["login"] == "alice"
        assert (await ask(program, begun)).json() == {"error": "expired_token"}
        listed = (await program.get("/api/v1/tokens", headers=bearer)).json()
        kinds = {each["kind"]: each for each in listed["items"]}
        assert kinds["login"]["created_from"] == "198.51.100.20" and granted["access_token"] not in str(listed)
        assert (await program.post("/api/v1/sign-out", headers=bearer)).status_code == 204
        assert (await program.get(ME, headers=bearer)).status_code == 401


async def test_a_program_is_refused(alice: Installation) -> None:
    async with alice.client() as program, alice.browser() as browser:
        await sign_in(browser, "alice", PASSWORD)
        begun = await begin(program)
        page = await browser.get("/device", params={"user_code": begun["user_code"].lower().replace("-", " ")})
        await browser.post("/device", data=form_of(page.text) | {"decision": "refuse"})
        assert (await ask(program, begun)).json() == {"error": "access_denied"}


async def test_codes_can_not_be_guessed(alice: Installation) -> None:
    async with alice.browser() as browser:
        await sign_in(browser, "alice", PASSWORD)
        statuses = [(await browser.get("/device", params={"user_code": "BCDF-GHJK"})).status_code for _ in range(8)]
        assert statuses[:5] == [404] * 5 and statuses[-1] == 429


async def test_a_token_lets_no_program_in(alice: Installation) -> None:
    async with alice.client() as program:
        begun = await begin(program)
        answer = await program.post(
            f"/api/v1/device-requests/{begun['user_code']}/decide",
            json={"allow": True},
            headers={"Authorization": f"Bearer {alice.token('alice')}"},
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("form", [{"scope": "root"}, {"client_name": "a\nb"}, {"client_name": "x" * 300}])
async def test_what_a_program_may_not_ask(alice: Installation, form: dict[str, str]) -> None:
    async with alice.client() as program:
        assert (await program.post("/api/v1/device", data=form)).status_code == 422


async def test_a_browser_is_sent_to_the_sign_in_page_and_back(alice: Installation) -> None:
    """Only a page that somebody wants to see: what a script or a program asks is told that nobody has signed in."""
    there = "/temporal/namespaces/default/workflows?query=WorkflowType%3D%22Reservation%22"
    html, json = {"Accept": "text/html,*/*;q=0.8"}, {"Accept": "application/json"}
    async with alice.browser() as browser:
        sent = await browser.get(there, headers=html)
        assert sent.status_code == 303
        page = httpx.URL(sent.headers["location"])
        assert page.path == "/sign-in"
        answer = await sign_in(browser, "alice", PASSWORD, page.params["then"])
        assert (answer.status_code, answer.headers["location"]) == (303, there)
        assert (await browser.get(there, headers=html)).status_code == 403, "alice is no operator"
    async with alice.browser() as stranger:
        assert (await stranger.get(there, headers=json)).status_code == 401
        assert (await stranger.post("/temporal/api/v1/x", headers=html)).status_code == 401
