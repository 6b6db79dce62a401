"""The pages by which people sign in, sign out, and let a program in. Plain HTML: they need no script."""

import hmac
import re
import secrets
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined

from vclab.api import cookies
from vclab.api.authentication import actor_of, address_of
from vclab.api.sign_in.providers import providers_of
from vclab.contract import tokens as contract
from vclab.contract.use_case import Nothing
from vclab.model.errors import Forbidden, NotFound, Refused, TooMany, Unauthenticated, VclabError
from vclab.model.people import PendingSignIn
from vclab.model.tokens import Scope
from vclab.service import sign_in
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.token_authentication import lacks_mfa
from vclab.service.use_case import perform
from vclab.store import sign_ins

BACK_WITHIN = timedelta(minutes=15)
"""Whoever is sent to a provider is awaited back so long."""
BROWSER_SECONDS = 24 * 3600.0
STATUS = {"unauthenticated": 401, "forbidden": 403, "not_found": 404, "too_many": 429, "unreachable": 503}
"""Of a page that says what is wrong; else 400."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # with none, browsers don't say that a form is ours
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HOME = "/signed-in"
MAY = {Scope.READ: "read", Scope.ACT: "do what you may do as a user", Scope.ADMIN: "use your other roles"}

_TEMPLATES = Environment(
    loader=PackageLoader("vclab.api.sign_in"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_CSS = Path(__file__).with_name("style.css")
_PATH = re.compile(r"/(?:[A-Za-z0-9_.~-][A-Za-z0-9_.~/-]*)?(?:\?[A-Za-z0-9_.~/%=&+-]*)?", re.ASCII)


class Page(APIRoute):
    """A route whose errors are pages, too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """With the errors of the house caught."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except VclabError as error:
                return _problem(request, error)
            except RequestValidationError:
                return _problem(request, Refused("what this page was sent is not understood"))

        return handled


def pages(backend: Backend) -> APIRouter:
    """All of them."""
    router = APIRouter(route_class=Page, include_in_schema=False)
    made = Pages(backend)
    router.add_api_route("/sign-in", made.sign_in, methods=["GET"])
    router.add_api_route("/sign-in", made.by_password, methods=["POST"])
    router.add_api_route("/sign-in/style.css", made.style, methods=["GET"])
    router.add_api_route("/sign-in/{provider}", made.to_provider, methods=["GET"])
    router.add_api_route("/sign-in/{provider}/callback", made.from_provider, methods=["GET"])
    router.add_api_route(HOME, made.home, methods=["GET"])
    router.add_api_route("/sign-out", made.sign_out, methods=["POST"])
    router.add_api_route("/device", made.device, methods=["GET"])
    router.add_api_route("/device", made.decide, methods=["POST"])
    return router


class Pages:
    """The pages of one installation."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def style(self) -> Response:
        """How they look."""
        return FileResponse(_CSS, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})

    async def sign_in(self, request: Request, then: str = "") -> Response:
        """The choice of providers, and the form of local accounts."""
        return self._sign_in_page(request, then)

    async def by_password(
        self,
        request: Request,
        login: Annotated[str, Form(max_length=256)],
        password: Annotated[str, Form(max_length=2000)],
        csrf: Annotated[str, Form()] = "",
        then: Annotated[str, Form()] = "",
    ) -> Response:
        """Sign in with a local account, or as the emergency administrator."""
        _confirm_form(request, csrf)
        try:
            who = await sign_in.by_password(self._backend, login.strip(), password, address_of(request))
        except (Unauthenticated, TooMany) as error:
            return self._sign_in_page(request, then, error, login.strip())
        return await self._let_in(request, *await sign_in.open_session(self._backend, who, address_of(request)), then)

    async def to_provider(self, request: Request, provider: str, then: str = "") -> Response:
        """Send a browser to a provider."""
        asked = providers_of(self._backend, request).get(provider)
        await sign_in.begin_at_provider(self._backend, address_of(request))
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = await asked.sign_in_url(_callback(request, provider), state, nonce, verifier)
        browser, now = cookies.read(request, cookies.BROWSER) or secrets.token_urlsafe(32), datetime.now(UTC)
        pending = PendingSignIn(provider, nonce, verifier, _local_path(then))
        await self._backend.write(lambda s: sign_ins.send(s, state, browser, pending, now, now + BACK_WITHIN))
        response = RedirectResponse(url, 303, HEADERS)
        cookies.write(request, response, cookies.BROWSER, browser, BROWSER_SECONDS)
        return response

    async def from_provider(
        self, request: Request, provider: str, state: str = "", code: str = "", iss: str | None = None, error: str = ""
    ) -> Response:
        """A browser comes back from a provider."""
        providers = providers_of(self._backend, request)
        asked = providers.get(provider)
        browser, now = cookies.read(request, cookies.BROWSER), datetime.now(UTC)
        pending = await self._backend.write(lambda s: sign_ins.take_back(s, state, browser, provider, now))
        if pending is None or not browser:
            raise Refused("this sign-in was not begun in this browser, is over, or took too long", "Begin it again")
        if not asked.is_issuer(iss):
            raise Refused(f"this answer is not from {provider}", "Begin the sign-in again")
        if error or not code:
            raise Refused(f"{provider} has not let you in: {error[:100] or 'it says no code'}", "Try again there")
        said = await asked.signed_in(code, pending.verifier, _callback(request, provider), pending.nonce)
        who = await sign_in.by_claims(self._backend, said.claims, address_of(request))
        await providers.keep(said)
        opened = await sign_in.open_session(self._backend, who, address_of(request))
        return await self._let_in(request, *opened, pending.then)

    async def home(self, request: Request) -> Response:
        """Who has signed in."""
        actor = await self._actor(request)
        return self._home_page(request, actor, "You are signed in.") if actor else to_sign_in("")

    async def sign_out(self, request: Request, csrf: Annotated[str, Form()] = "") -> Response:
        """End the browser's session."""
        _confirm_form(request, csrf)
        actor = await self._actor(request)
        if actor is not None:
            await perform(contract.sign_out, self._backend, actor, Nothing())
        response = _page(request, "signed_out.html", "Signed out")
        cookies.forget(request, response, cookies.SESSION)
        return response

    async def device(self, request: Request, user_code: str = "") -> Response:
        """A program asks to be let in."""
        actor = await self._actor(request)
        if actor is None:
            return to_sign_in(f"/device?{urlencode({'user_code': user_code})}" if user_code else "/device")
        if not user_code:
            return _page(request, "code.html", "Let a program in")
        try:
            waiting = await perform(contract.waiting, self._backend, actor, contract.Code(code=user_code))
        except NotFound as error:
            return _page(request, "code.html", "Let a program in", error)
        return _page(
            request,
            "confirm.html",
            "Let a program in?",
            login=actor.login,
            address=actor.address,
            waiting=waiting,
            may=", ".join(words for scope, words in MAY.items() if scope in waiting.scopes),
            since=waiting.since.strftime("%Y-%m-%d %H:%M"),
        )

    async def decide(
        self,
        request: Request,
        user_code: Annotated[str, Form(max_length=20)],
        decision: Annotated[str, Form(max_length=20)],
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        """Somebody has decided."""
        _confirm_form(request, csrf)
        actor = await self._actor(request)
        if actor is None:
            return to_sign_in(f"/device?{urlencode({'user_code': user_code})}")
        allow = decision == "allow"
        question = contract.Decision(code=user_code, allow=allow)
        waiting = await perform(contract.decide, self._backend, actor, question)
        done = f"{waiting.program} is let in. You can close this page." if allow else f"{waiting.program} was refused."
        return self._home_page(request, actor, done)

    async def _actor(self, request: Request) -> Actor | None:
        """Who has signed in with this browser; None: nobody (any more)."""
        try:
            return await actor_of(self._backend, request)
        except Unauthenticated:
            return None

    async def _let_in(self, request: Request, secret: str, seconds: float, then: str) -> Response:
        """A new session; what this browser was before is over."""
        if before := cookies.read(request, cookies.SESSION):
            await sign_in.close_session(self._backend, before)
        response = RedirectResponse(_local_path(then), 303, HEADERS)
        cookies.write(request, response, cookies.SESSION, secret, seconds)
        return response

    def _sign_in_page(
        self, request: Request, then: str, problem: VclabError | None = None, login: str = ""
    ) -> Response:
        settings, path = self._backend.settings.sign_in, _local_path(then)
        providers = [
            {"href": f"/sign-in/{name}?{urlencode({'then': path})}", "title": each.title or name}
            for name, each in settings.providers.items()
        ]
        given = {"providers": providers, "local": settings.local, "then": path, "login": login}
        return _page(request, "sign_in.html", "Sign in", problem, **given)

    def _home_page(self, request: Request, actor: Actor, message: str) -> Response:
        who = actor.signed_in
        return _page(
            request,
            "signed_in.html",
            "Signed in",
            message=message,
            login=actor.login,
            provider=(who.provider if who else "") or "one-time code",
            roles=", ".join(sorted(actor.roles)),
            lacks_mfa=who is not None
            and actor.login in self._backend.settings.operators
            and lacks_mfa(self._backend.settings, who),
        )


def _page(request: Request, template: str, title: str, problem: VclabError | None = None, **given: Any) -> Response:
    """A page with a form gets a cookie that tells which browser it is, by which its forms are known again."""
    browser = cookies.read(request, cookies.BROWSER) or secrets.token_urlsafe(32)
    shown = {"title": title, "lab": "vclab", "csrf": _csrf(browser), "problem": "", "hint": ""}
    status, headers = 200, dict(HEADERS)
    if problem is not None:
        shown |= {"problem": _sentence(problem.message), "hint": _sentence(problem.hint)}
        status = STATUS.get(problem.code, 400)
        headers |= {"Retry-After": str(_seconds(problem))} if status in (429, 503) else {}
    response = HTMLResponse(_TEMPLATES.get_template(template).render(**shown, **given), status, headers)
    cookies.write(request, response, cookies.BROWSER, browser, BROWSER_SECONDS)
    return response


def _problem(request: Request, error: VclabError) -> Response:
    return _page(request, "problem.html", "This did not work", error)


def _seconds(error: VclabError) -> int:
    return error.retry_after if isinstance(error, TooMany) else 10


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _confirm_form(request: Request, csrf: str) -> None:
    """The form was on a page of ours, in this browser. Raises ``Forbidden``."""
    browser = cookies.read(request, cookies.BROWSER)
    origin = request.headers.get("origin")
    if not browser or not hmac.compare_digest(csrf.encode(), _csrf(browser).encode()):
        raise Forbidden("this form is too old, or from another browser", "Go back, load the page again, and repeat it")
    if origin is not None and not cookies.is_same_origin(request):
        raise Forbidden("this form was sent by a page of another site", "Use the pages of this server")


def _csrf(browser: str) -> str:
    return hmac.digest(browser.encode(), b"vclab form", "sha256").hex()


def to_sign_in(then: str) -> Response:
    """Send a browser to the sign-in page; from there it goes on to ``then``, a page of this server."""
    return RedirectResponse(f"/sign-in?then={quote(then, safe='')}" if then else "/sign-in", 303, HEADERS)


def _callback(request: Request, provider: str) -> str:
    return f"{cookies.public_url(request)}/sign-in/{provider}/callback"


def _local_path(then: str) -> str:
    """A page of this server, wherever a link says that one should go."""
    return then if _PATH.fullmatch(then) and "//" not in then and then != "/" else HOME
