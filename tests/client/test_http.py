"""Use cases over HTTP: what is sent, what is understood, and what happens when connections break."""

import asyncio
import json
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr

from tests.client.scripted import LOST, Answer, Asked, Script, scripted
from vclab.client import bounded, http
from vclab.client.certificates import fingerprint_of, is_trusted, shown_by
from vclab.client.contexts import Chosen, Context
from vclab.client.feed import events
from vclab.client.http import Http
from vclab.client.transfers import fetched
from vclab.contract.progress import nobody
from vclab.contract.use_case import Content, Question, UseCase, get, needs, post, put, users
from vclab.contract.views import View
from vclab.model.access import Permission, ResourceKind
from vclab.model.errors import Failed, Forbidden, Invalid, NotFound, Refused, Unreachable, VclabError

TOKEN = "vct_" + "a1B2" * 8


class Thing(View):
    """What is answered."""

    name: str
    size: int = 0


class Ask(Question):
    """What is asked."""

    name: str
    tags: tuple[str, ...] = ()
    deep: bool = False
    limit: int = 1000
    size: float = 0.0
    password: SecretStr | None = None


LOOK = UseCase("things.look", users(), False, Ask, Thing, get("/things/{name}"), "Look.")
LIST = UseCase("things.list", users(), False, Ask, tuple[Thing, ...], get("/things/of/{name}"), "List.")
POKE = UseCase("things.poke", users(), True, Ask, Thing, post("/things/{name}/poke"), "Poke.")
LONG = replace(POKE, long=True)
OF_IMAGE = replace(LOOK, rule=needs(Permission.KEEP, ResourceKind.IMAGE))
ADD = replace(POKE, route=put("/things/{name}"))
SEND = replace(POKE, content=Content.SENT)
FETCH: UseCase[Ask, AsyncIterator[bytes]] = UseCase(
    "things.fetch",
    users(),
    False,
    Ask,
    AsyncIterator[bytes],
    get("/things/{name}/c"),
    "F.",
    content=Content.ANSWERED,
)
THING = {"name": "x", "size": 1}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pauses as long as nothing else needs."""
    monkeypatch.setattr(http, "PAUSES", (0.01,) * 5)
    yield


def client(url: str, token: str = TOKEN, **context: str) -> Http:
    return Http(Chosen("campus", Context(url=url, **context), token))


def problem(status: int, code: str, detail: str = "no", hint: str = "do", **headers: str) -> Answer:
    document = {"type": f"urn:vclab:problem:{code}", "title": "T", "status": status, "detail": detail}
    return Answer(document | {"code": code, "hint": hint, "errors": []}, status, headers)


async def asked_by(use_case: UseCase[Ask, Any], question: Ask, script: Script) -> tuple[Any, list[Asked]]:
    async with scripted(script) as server:
        return await client(server.url).call(use_case, question), server.asked


async def error_at(script: Script, use_case: UseCase[Ask, Any] = POKE) -> tuple[VclabError, list[Asked]]:
    async with scripted(script) as server:
        with pytest.raises(VclabError) as raised:
            await client(server.url).call(use_case, Ask(name="x"))
        return raised.value, server.asked


async def test_a_read_is_said_in_path_and_query() -> None:
    answer, asked = await asked_by(LOOK, Ask(name="a/b ?ü", tags=("1", "2 3"), deep=True), lambda _: THING)
    assert answer == Thing(name="x", size=1)
    path, _, query = asked[0].target.partition("?")
    assert (asked[0].method, path) == ("GET", "/api/v1/things/a%2Fb%20%3F%C3%BC")
    assert parse_qs(query) == {"tags": ["1", "2 3"], "deep": ["true"]}
    assert asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "idempotency-key" not in asked[0].headers


async def test_an_act_is_said_in_path_and_body_with_its_secrets_and_a_key() -> None:
    _, asked = await asked_by(POKE, Ask(name="..", password=SecretStr("geheim")), lambda _: THING)
    assert (asked[0].method, asked[0].target) == ("POST", "/api/v1/things/%2E%2E/poke")
    assert asked[0].json == {"password": "geheim"}
    assert len(asked[0].headers["idempotency-key"]) == 32


async def test_each_act_has_a_key_of_its_own() -> None:
    async with scripted(lambda _: THING) as server:
        one = client(server.url)
        for _ in range(2):
            await one.call(POKE, Ask(name="x"))
        assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 2


async def test_pages_become_one_list() -> None:
    def page(asked: Asked) -> Any:
        if "cursor=" not in asked.target:
            return {"items": [THING], "next": "a b"}
        return {"items": [THING] * 2, "next": None}

    answer, asked = await asked_by(LIST, Ask(name="x"), page)
    assert answer == (Thing(name="x", size=1),) * 3
    assert len(asked) == 2
    answer, _ = await asked_by(LIST, Ask(name="x", limit=2), page)
    assert len(answer) == 2


async def test_what_a_later_server_adds_is_passed_over() -> None:
    answer, _ = await asked_by(LOOK, Ask(name="x"), lambda _: THING | {"new": 1})
    assert answer == Thing(name="x", size=1)


async def test_an_act_whose_answer_is_lost_is_sent_again_with_its_key() -> None:
    answers = iter((LOST, LOST, THING))
    answer, asked = await asked_by(POKE, Ask(name="x"), lambda _: next(answers))
    assert answer == Thing(name="x", size=1)
    assert len(asked) == 3
    assert len({each.headers["idempotency-key"] for each in asked}) == 1
    assert len({each.body for each in asked}) == 1


async def test_it_is_not_sent_again_for_ever() -> None:
    error, asked = await error_at(lambda _: LOST)
    assert isinstance(error, Unreachable) and "was lost" in error.message
    assert "may have been done all the same" in error.hint
    assert len(asked) == 6


async def test_a_busy_server_and_an_act_under_way_are_waited_for() -> None:
    answers = iter(
        (
            problem(409, "in_progress", **{"Retry-After": "0"}),
            problem(503, "busy", **{"Retry-After": "0"}),
            problem(429, "too_many", **{"Retry-After": "0"}),
            THING,
        )
    )
    answer, asked = await asked_by(POKE, Ask(name="x"), lambda _: next(answers))
    assert answer == Thing(name="x", size=1) and len(asked) == 4
    assert len({each.headers["idempotency-key"] for each in asked}) == 1


async def test_who_has_to_wait_for_long_is_told() -> None:
    error, asked = await error_at(lambda _: problem(429, "too_many", "slow down", **{"Retry-After": "600"}))
    assert (type(error), error.code, error.message, len(asked)) == (Refused, "too_many", "slow down", 1)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (422, "invalid", Invalid),
        (400, "not_json", Invalid),
        (422, "key_reused", Invalid),
        (413, "too_large", Invalid),
        (409, "refused", Refused),
        (403, "forbidden", Forbidden),
        (412, "changed", Refused),
        (404, "not_found", NotFound),
        (409, "failed", Failed),
        (503, "unreachable", Unreachable),
        (500, "internal", Failed),
        (418, "of_tomorrow", Refused),
    ],
)
async def test_what_is_told_is_the_same_error_again(status: int, code: str, kind: type[VclabError]) -> None:
    error, asked = await error_at(lambda _: problem(status, code, "why not", "what to do"))
    assert (type(error), error.code, error.message, error.hint) == (kind, code, "why not", "what to do")
    assert len(asked) == 1
    assert "code" not in vars(kind("another"))


async def test_who_is_not_known_is_told_to_log_in() -> None:
    async with scripted(lambda _: problem(401, "unauthenticated", "the token is not valid")) as server:
        with pytest.raises(Refused) as raised:
            await client(server.url, token="").call(LOOK, Ask(name="x"))
        assert raised.value.hint == f"run `vclab login {server.url}`"
        assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer({"detail": "Not Found"}, 404), "is the URL right"),
        (Answer(b"<html>", 200), "is not understood"),
        (Answer([1], 200), "is not understood"),
        (Answer({"name": 5}, 200, {"vclab-version": "9.9.9"}), "the server is vclab 9.9.9"),
        (Answer({"code": "not_found", "detail": "there is no route"}, 404, {"vclab-version": "9.9.9"}), "vclab 9.9.9"),
        (Answer(b"<html>", 502), "the server of vclab behind it does not"),
        (Answer(b"", 302, {"location": "https://elsewhere.example.org"}), "has moved"),
        (Answer(b"<html>", 500), "is the URL right"),
        (Answer({"code": 1, "detail": 2}, 400), "is the URL right"),
    ],
)
async def test_another_kind_of_server_is_told(answer: Answer, says: str) -> None:
    error, _ = await error_at(lambda _: answer, LOOK)
    assert says in str(error)


@pytest.mark.parametrize("cut", [0, 1, 2])
async def test_progress_is_told_line_by_line(cut: int) -> None:
    """A stream that ends before its answer is a connection that was lost."""
    told: list[tuple[str, int, int]] = []
    lines: list[Any] = [{"progress": {"what": "reading", "done": n, "size": 2}} for n in (1, 2)]
    lines.insert(1, {})
    whole = "".join(json.dumps(line) + "\n" for line in [*lines, {"answer": THING}]).encode()
    answers = iter([whole[: cut * len(whole) // 3], whole])
    kind = {"content-type": "application/x-ndjson"}
    async with scripted(lambda _: Answer(next(answers), 200, kind)) as server:
        context = Chosen("campus", Context(url=server.url), TOKEN)
        answer = await Http(context, lambda *said: told.append(said)).call(LONG, Ask(name="x"))
        assert len(server.asked) == 2
        assert len({each.headers["idempotency-key"] for each in server.asked}) == 1
    assert answer == Thing(name="x", size=1)
    assert told[-2:] == [("reading", 1, 2), ("reading", 2, 2)]
    assert server.asked[0].headers["accept"] == "application/x-ndjson, application/json"


async def test_what_goes_wrong_in_the_middle_is_told() -> None:
    refused = problem(409, "refused", "no room").document | {"more": {"report": [1]}}
    text = json.dumps({"progress": {"what": "x", "done": 1, "size": 0}}) + "\n" + json.dumps({"problem": refused})
    error, _ = await error_at(lambda _: Answer(text.encode(), 200, {"content-type": "application/x-ndjson"}), LONG)
    assert (type(error), error.message, error.more) == (Refused, "no room", {"report": [1]})


LINES = {"content-type": "application/x-ndjson"}


@pytest.mark.parametrize(
    ("use_case", "body", "headers"),
    [
        (LOOK, b'{"name": "' + b"x" * 5000 + b'"}', {}),
        (LOOK, b"x" * 5000, {"content-type": "text/html"}),
        (LONG, b'{"answer": "' + b"x" * 5000, LINES),
        (LOOK, zlib.compress(b" " * 5000), {"content-encoding": "deflate"}),
    ],
    ids=["body", "page", "line", "compressed"],
)
async def test_an_answer_without_end_fills_no_memory(
    use_case: UseCase[Ask, Thing], body: bytes, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "LARGEST", 4096)
    error, asked = await error_at(lambda _: Answer(body, 200, headers), use_case)
    assert (type(error), len(asked)) == (Failed, 1) and "answers with more than 4,096 bytes" in error.message


async def test_a_list_without_end_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_ITEMS", 5)
    error, _ = await error_at(lambda _: {"items": [THING] * 2, "next": "more"}, LIST)
    assert type(error) is Failed


async def test_what_is_nested_without_end_is_not_understood() -> None:
    error, _ = await error_at(lambda _: Answer(b"[" * 200_000), LOOK)
    assert type(error) is Failed


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"data: " + b"x" * 5000, "answers with more than 4,096 bytes"),
        (b"event: change\ndata: [[\n\n", "is not understood"),
        (b"event: change\ndata: 1\n\n", "is not understood"),
    ],
)
async def test_events_without_end_fill_no_memory(sent: bytes, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "LARGEST_EVENT", 4096)
    async with scripted(lambda _: Answer(sent, 200, {"content-type": "text/event-stream"})) as server:
        one = client(server.url)
        with pytest.raises(Failed, match=says):
            await anext(events(one))
        await one.close()


async def test_a_file_without_end_fills_no_disk(tmp_path: Path) -> None:
    what = {"transfer": "t1", "name": "disk", "repository": "main", "size": 10, "received": 10, "sha256": "0" * 64}
    there = what | {"by": "olga", "until": "2026-01-01T00:00:00Z"}

    def script(asked: Asked) -> Any:
        return Answer(b"x" * 100_000) if asked.target.partition("?")[0].endswith("/content") else there

    async with scripted(script) as server:
        with pytest.raises(Failed, match="more than its 10 bytes"):
            await fetched(client(server.url), "t1", tmp_path / "disk", nobody)
    assert list(tmp_path.iterdir()) == []


async def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(Unreachable, match="does not answer: Connection refused; is the URL right"):
        await client(url).call(POKE, Ask(name="x"))
    with pytest.raises(Unreachable, match="does not answer"):
        await client("http://nowhere.invalid").call(LOOK, Ask(name="x"))


@pytest.mark.parametrize(
    ("use_case", "name", "kind", "message"),
    [
        (LOOK, "", NotFound, "there is nothing called ''"),
        (OF_IMAGE, "", NotFound, "there is no image ''"),
        (OF_IMAGE, "\udcff", NotFound, r"there is no image '\\udcff'"),
        (ADD, "", Invalid, "name is empty"),
        (ADD, "\udcff", Invalid, "name is not valid Unicode"),
    ],
)
async def test_names_that_no_path_can_say(
    use_case: UseCase[Ask, Thing], name: str, kind: type[VclabError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        await client("http://127.0.0.1:1").call(use_case, Ask(name=name))


@pytest.mark.parametrize(
    ("tags", "size", "message"), [("\udcff", 0.0, "not valid Unicode"), ("", float("nan"), "not finite")]
)
async def test_values_that_no_request_can_say(tags: str, size: float, message: str) -> None:
    for use_case in (POKE, LOOK) if tags else (POKE,):
        with pytest.raises(Invalid, match=message):
            await client("http://127.0.0.1:1").call(use_case, Ask(name="x", tags=(tags,), size=size))


async def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ACT", 0.3)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(Unreachable, match="may have been done all the same"),
    ):
        await client(f"http://127.0.0.1:{silent.getsockname()[1]}").call(POKE, Ask(name="x"))


def test_it_may_be_used_in_one_loop_after_the_other() -> None:
    async def two() -> None:
        async with scripted(lambda _: THING) as server:
            one = client(server.url)
            await one.call(LOOK, Ask(name="x"))
            first = one._open
            await one.call(LOOK, Ask(name="x"))
            assert one._open is first
            await asyncio.to_thread(asyncio.run, one.call(LOOK, Ask(name="x")))
            assert one._open is not first

    asyncio.run(two())


# --- who the server is -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and a certificate of it for 127.0.0.1; another one of nobody, for another name."""
    folder = tmp_path_factory.mktemp("certificates")
    _certify(folder)
    return folder


def _certify(folder: Path) -> None:
    import subprocess

    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    ca = [*new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority"]
    own = [*new, "-keyout", "own.key", "-out", "own.pem", "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]
    own += ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"]
    alone = [*new, "-keyout", "alone.key", "-out", "alone.pem", "-subj", "/CN=elsewhere"]
    for words in (ca, own, alone):
        subprocess.run(words, cwd=folder, check=True, capture_output=True)


def serving(folder: Path, name: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return made


async def test_a_certificate_of_nobody_is_refused_before_anything_is_sent(certificates: Path) -> None:
    async with scripted(lambda _: THING, serving(certificates, "own")) as server:
        with pytest.raises(Refused, match=f"certificate of {server.url} is not trusted: .*--ca FILE"):
            await client(server.url).call(LOOK, Ask(name="x"))
        with pytest.raises(Refused, match="is not trusted"):
            await client(server.url, ca_file=str(certificates / "alone.pem")).call(LOOK, Ask(name="x"))
        assert server.asked == []
        trusting = client(server.url, ca_file=str(certificates / "ca.pem"))
        assert await trusting.call(LOOK, Ask(name="x")) == Thing(name="x", size=1)


@pytest.mark.parametrize("name", ["own", "alone"])
async def test_a_certificate_that_was_confirmed_is_enough_and_no_other_is(certificates: Path, name: str) -> None:
    async with scripted(lambda _: THING, serving(certificates, name)) as server:
        shown = await asyncio.to_thread(shown_by, server.url)
        assert shown.fingerprint == fingerprint_of((certificates / f"{name}.pem").read_text())
        assert not await asyncio.to_thread(is_trusted, server.url, Context(url=server.url))
        pinned = Context(url=server.url, certificate=shown.pem)
        assert await asyncio.to_thread(is_trusted, server.url, pinned)
        assert await client(server.url, certificate=shown.pem).call(LOOK, Ask(name="x"))
        other = (certificates / f"{'alone' if name == 'own' else 'own'}.pem").read_text()
        with pytest.raises(Refused, match="not the one that was confirmed"):
            await client(server.url, certificate=other).call(LOOK, Ask(name="x"))


# Files.


async def pieces(*held: bytes) -> AsyncIterator[bytes]:
    for each in held:
        yield each


async def test_a_file_is_the_body_and_the_question_stands_beside() -> None:
    async with scripted(lambda asked: THING) as server:
        made = client(server.url)
        found = await made.send(SEND, Ask(name="x y", limit=7), pieces(b"ab", b"c" * 100_000))
        await made.close()
    (asked,) = server.asked
    assert (found.size, asked.method, asked.target) == (1, "POST", "/api/v1/things/x%20y/poke?limit=7")
    assert (len(asked.body), asked.headers["content-type"]) == (100_002, "application/octet-stream")
    assert "idempotency-key" not in asked.headers


async def test_a_file_is_sent_once_and_a_problem_is_told() -> None:
    problem = Answer({"code": "refused", "detail": "no", "more": {"received": 3}}, 409)
    answers = iter([problem, LOST])
    async with scripted(lambda asked: next(answers)) as server:
        made = client(server.url)
        with pytest.raises(Refused, match="no") as error:
            await made.send(SEND, Ask(name="x"), pieces(b"abc"))
        assert error.value.more == {"received": 3}
        with pytest.raises(Unreachable, match="was lost"):
            await made.send(SEND, Ask(name="x"), pieces(b"abc"))
        await made.close()
    assert len(server.asked) == 2


async def test_a_file_is_fetched_in_pieces() -> None:
    answers = iter([Answer(b"x" * 200_000), Answer({"code": "not_found", "detail": "none"}, 404), LOST])
    async with scripted(lambda asked: next(answers)) as server:
        made = client(server.url)
        found = [piece async for piece in await made.call(FETCH, Ask(name="x", limit=3))]
        assert b"".join(found) == b"x" * 200_000 and len(found) > 1
        assert (server.asked[0].target, server.asked[0].body) == ("/api/v1/things/x/c?limit=3", b"")
        with pytest.raises(NotFound, match="none"):
            [piece async for piece in await made.call(FETCH, Ask(name="x"))]
        with pytest.raises(Unreachable, match="was lost"):
            [piece async for piece in await made.call(FETCH, Ask(name="x"))]
        await made.close()
