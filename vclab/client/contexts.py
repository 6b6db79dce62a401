"""Contexts: the servers that a person's command line knows, each with the token that its ``vclab login`` left.

``contexts.json`` in the person's configuration folder has the servers, ``tokens/NAME`` beside it one token each, which
nobody else may read. ``VCLAB_URL`` and ``VCLAB_TOKEN_FILE`` are a context for programs that have no such folder.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from vclab.client.private_files import locked, make_folder, read_private, write_whole
from vclab.model.errors import Invalid, NotFound, Refused

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
TOKEN = re.compile(r"vct_[0-9A-Za-z]{20,200}")
ENTER_NAMESPACE = ("ip", "netns", "exec")
LAB = Path("/var/lib/vclab/lab")
"""The embedded lab of a machine that has only one (``vclab/lab/layout.py``)."""
NO_CONTEXT = "`vclab login URL` makes one"


class Context(BaseModel):
    """A server, and how this person reaches its computers from here."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # a later version may have added something

    url: str  #: "https://lab.example.org", as ``checked_url`` returns it
    login: str = ""  #: who one is there, as the server said at login; for people to read
    ca_file: str = ""  #: the authority of the server's certificate; empty: those of the system
    certificate: str = ""  #: PEM: exactly this certificate is the server's, whoever has signed it
    network: str = ""  #: the network namespace in which one sits: the embedded lab's people do
    identity_file: str = ""  #: the key for ssh; empty: as ssh finds it

    @property
    def via(self) -> tuple[str, ...]:
        """The command put before ssh."""
        return (*ENTER_NAMESPACE, self.network) if self.network else ()


class _Known(BaseModel):
    """The file ``contexts.json``."""

    model_config = ConfigDict(extra="ignore")

    current: str = ""
    contexts: dict[str, Context] = {}


@dataclass(frozen=True)
class Chosen:
    """The server that a command talks to. ``name`` is empty for that of the environment."""

    name: str
    context: Context
    token: str  #: empty: nobody has signed in


class Contexts:
    """Those in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "contexts.json"

    @classmethod
    def own(cls) -> "Contexts":
        """Those of the person who runs this: in ``$XDG_CONFIG_HOME/vclab``, else in ``~/.config/vclab``.

        Root has also those of an embedded lab: of the one whose settings ``VCLAB_CONFIG`` names before its own, and
        of the machine's when it has none of its own.
        """
        own, named = cls(config_folder()), Path(os.environ.get("VCLAB_CONFIG") or LAB / "vclab.toml")
        labs = cls(named.parent / "contexts")
        if labs.is_there and (os.environ.get("VCLAB_CONFIG") or not own.is_there):
            return labs
        return own

    @property
    def is_there(self) -> bool:
        """Whether there is a file with contexts that this person may read."""
        return os.access(self._file, os.R_OK)

    def all(self) -> Mapping[str, Context]:
        """By name. Raises ``Refused`` when the file is not understood."""
        return dict(sorted(self._read().contexts.items()))

    @property
    def current(self) -> str:
        """The name of the one that is used unless another is named; empty: there is none. Raises ``Refused``."""
        return self._read().current

    def called(self, name: str) -> Context:
        """Raises ``NotFound`` with those there are, ``Refused``."""
        return self._one(self._read(), name)

    def token(self, name: str) -> str:
        """The token; empty: nobody has signed in. Raises ``Refused`` when others may read it."""
        try:
            return read_token(self._token_file(name))
        except FileNotFoundError:
            return ""

    def put(self, name: str, context: Context, token: str, use: bool = True) -> None:
        """Add or replace one with its token, and use it from now on. Raises ``Invalid``, ``Refused``."""
        if not NAME.fullmatch(name):
            raise Invalid(f"{name!r} can't be the name of a context", "use letters, digits, dots, - and _")
        with locked(self._folder):
            known = self._read()
            self._put_token(name, token)
            known.contexts[name] = context
            if use or not known.current:
                known.current = name
            self._write(known)

    def use(self, name: str) -> None:
        """From now on, this one. Raises ``NotFound``, ``Refused``."""
        with locked(self._folder):
            known = self._read()
            self._one(known, name)
            known.current = name
            self._write(known)

    def remove(self, name: str) -> None:
        """Forget a server and its token. Raises ``NotFound``, ``Refused``."""
        with locked(self._folder):
            known = self._read()
            self._one(known, name)
            self._token_file(name).unlink(missing_ok=True)
            del known.contexts[name]
            if known.current == name:
                known.current = ""
            self._write(known)

    def forget_token(self, name: str) -> None:
        """Raises ``Refused``."""
        with locked(self._folder):
            self._token_file(name).unlink(missing_ok=True)

    def name_for(self, url: str) -> str:
        """The name of the context of this server, or a free one: that of its host. Raises ``Refused``."""
        known = self._read().contexts
        same = next((name for name, context in known.items() if context.url == url), "")
        host = re.sub(r"[^A-Za-z0-9._-]", "-", urlsplit(url).hostname or "").strip("-._") or "server"
        names = (host, *(f"{host}-{number}" for number in range(2, len(known) + 3)))
        return same or next(name for name in names if name not in known)

    def _token_file(self, name: str) -> Path:
        return self._folder / "tokens" / name

    def _put_token(self, name: str, token: str) -> None:
        file = self._token_file(name)
        make_folder(file.parent)
        if token:
            write_whole(file, f"{token}\n".encode())
        else:
            file.unlink(missing_ok=True)

    def _read(self) -> _Known:
        try:
            return _Known.model_validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return _Known()
        except (OSError, ValidationError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not as `vclab login` writes it"
            raise Refused(f"{self._file} can't be read: {why}", "mend it, or remove it and log in again") from None

    def _write(self, known: _Known) -> None:
        text = known.model_dump_json(indent=2, exclude_defaults=True)
        write_whole(self._file, f"{text}\n".encode())

    @staticmethod
    def _one(known: _Known, name: str) -> Context:
        if name not in known.contexts:
            there = f"there are {', '.join(sorted(known.contexts))}" if known.contexts else NO_CONTEXT
            raise NotFound(f"there is no context {name!r}", there)
        return known.contexts[name]


def config_folder() -> Path:
    """Where the person's own files of vclab are."""
    config = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(config) if config.startswith("/") else Path.home() / ".config"
    return base / "vclab"


def chosen(named: str = "", contexts: Contexts | None = None) -> Chosen | None:
    """The server that ``--context`` names, else ``VCLAB_CONTEXT``, else ``VCLAB_URL``, else the one in use, if any.

    Raises ``NotFound``, ``Refused``, ``Invalid``.
    """
    contexts = contexts or Contexts.own()
    named = named or os.environ.get("VCLAB_CONTEXT", "")
    if not named and os.environ.get("VCLAB_URL"):
        return _of_environment()
    name = named or contexts.current
    return Chosen(name, contexts.called(name), contexts.token(name)) if name else None


def _of_environment() -> Chosen:
    """``VCLAB_URL``, with ``VCLAB_TOKEN_FILE`` and ``VCLAB_CA_FILE``. Raises ``Refused``, ``Invalid``."""
    context = Context(url=checked_url(os.environ["VCLAB_URL"]), ca_file=os.environ.get("VCLAB_CA_FILE", ""))
    file = os.environ.get("VCLAB_TOKEN_FILE", "")
    try:
        return Chosen("", context, read_token(Path(file)) if file else "")
    except FileNotFoundError:
        raise Refused(f"the token file {file} does not exist", "VCLAB_TOKEN_FILE names it") from None


def read_token(file: Path) -> str:
    """Raises ``FileNotFoundError``; ``Refused`` when others may read it, or no token is in it."""
    return checked_token(read_private(file, "the token file"), f"in {file}")


def checked_token(text: str, where: str) -> str:
    """A token, as it was given ``where``. Raises ``Refused``, which does not repeat it."""
    if not TOKEN.fullmatch(text.strip()):
        raise Refused(
            f"what is {where} is no token of vclab", "a token begins with vct_; `vclab token create` makes one"
        )
    return text.strip()


def checked_url(text: str) -> str:
    """The URL of a server without what is after its host. Raises ``Invalid``; ``Refused`` where a token could be read
    on its way."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.path.strip("/") or parts.query:
        raise Invalid(f"{text[:100]!r} is not the URL of a server", "write one like https://lab.example.org")
    if parts.scheme == "http" and not _is_here(host):
        raise Refused("over http everybody on the way can read your token", f"use https://{host}")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}"


def _is_here(host: str) -> bool:
    """It is this machine, where nobody is on the way."""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None
