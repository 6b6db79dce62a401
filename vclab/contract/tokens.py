"""Tokens: what programs, the command line and browsers show instead of a password; and programs that wait for one."""

from vclab.contract.use_case import Nothing, Question, act, anybody, delete, get, post, read, users
from vclab.contract.views import Time, View


class Token(View):
    """A token, or a browser that has signed in. The secret itself is nowhere."""

    id: str
    kind: str  #: "login" (`vclab login`), "personal" or "session" (a browser)
    user: str
    name: str
    scopes: tuple[str, ...]  #: "read", "act", "admin"
    provider: str  #: by which its person signed in
    created: Time
    created_from: str  #: address
    expires: Time
    used: Time | None  #: last, to within ten minutes
    ended: Time | None
    why_ended: str | None


class Made(View):
    """A new token. ``secret`` is shown this once, and can't be read again."""

    token: Token
    secret: str


class Waiting(View):
    """A program that waits to be let in."""

    code: str
    program: str  #: what it calls itself: anybody can say anything
    scopes: tuple[str, ...]
    address: str  #: where it asks from, as the server sees it
    since: Time
    until: Time


class Whose(Question):
    """Whose tokens; empty: one's own. Those of others only for operators."""

    user: str = ""


class Create(Question):
    """A token of one's own, for a program. It may do no more than what one is signed in with, and makes no tokens
    itself; ``days``: until it expires."""

    name: str
    scopes: tuple[str, ...] = ("read",)
    days: float = 30.0


class One(Question):
    """One token, by its id."""

    id: str


class Code(Question):
    """The code that a program shows: ``BCDF-GHJK``."""

    code: str


class Decision(Code):
    """Whether it may have a token of whoever decides."""

    allow: bool


listing = read(
    "tokens.listing",
    anybody(),
    Whose,
    tuple[Token, ...],
    get("/tokens"),
    "Tokens, and browsers that have signed in, newest first; also those that have ended lately.",
)


create = act(
    "tokens.create",
    users(),
    Create,
    Made,
    post("/tokens"),
    "Make a token for a program. Its secret is shown once.",
)


revoke = act(
    "tokens.revoke",
    anybody(),
    One,
    Token,
    delete("/tokens/{id}"),
    "End a token: it is worth nothing from now on. Of one's own; administrators those of everybody.",
)


sign_out = act(
    "tokens.sign_out",
    anybody(),
    Nothing,
    None,
    post("/sign-out"),
    "End the token, or the browser's session, with which this is asked.",
)


waiting = read(
    "tokens.waiting",
    anybody(),
    Code,
    Waiting,
    get("/device-requests/{code}"),
    "The program that shows this code and waits to be let in.",
)


decide = act(
    "tokens.decide",
    anybody(),
    Decision,
    Waiting,
    post("/device-requests/{code}/decide"),
    "Let a program in, or refuse it. Only whoever has signed in with a browser can.",
)
