"""What every verb has in common: help, errors in one line, exit codes, streams."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperOption

from tests import believing
from tests.cli.conftest import Command, log_in
from vclab.cli.lazy import MAY_BE_EMPTY, Later
from vclab.cli.verbs import NOUNS, VERBS
from vclab.local.verbs import VERBS as LOCAL

NAMES = [verb.name for verb in (*VERBS, LOCAL[0]) if not verb.hidden]
GARBAGE = [
    "",
    " ",
    "-",
    "no\nsuch",
    "x" * 5000,
    "naïve-☃",
    "'; drop table users --",
    "../../etc/passwd",
    "%s%n",
    "\x1b[31m",
]


@pytest.mark.parametrize("name", NAMES)
def test_each_verb_has_help_with_examples(vclab: Command, name: str) -> None:
    said = vclab(name, "--help")
    assert said.code == 0
    assert "Examples:" in said.out
    assert f"  vclab {name}" in said.out or f" {name} " in said.out


def test_the_help_lists_all_verbs_and_the_exit_codes(vclab: Command) -> None:
    said = vclab("--help")
    assert said.code == 0
    for word in (*NAMES, "Exit codes", "not_found", "130", "--as", "--version", "completion"):
        assert word in said.out


def test_without_a_verb_there_is_help(vclab: Command) -> None:
    said = vclab()
    assert "reserve" in said.out + said.err
    assert said.code == 2


def test_version(vclab: Command) -> None:
    said = vclab("--version")
    assert (said.code, said.out.startswith("vclab ")) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("--frobnicate", "list"),
        ("list", "--frobnicate"),
        ("list", "too", "many"),
        ("show",),
        ("reserve",),
        ("reserve", "debian-12", "--count", "0"),
        ("reserve", "debian-12", "--count", "-1"),
        ("reserve", "debian-12", "--count", "ten"),
        ("reserve", "debian-12", "--count", "1000000"),
        ("reserve", "debian-12", "--for"),
        ("extend", "r1"),
        ("extend", "r1", "--by", "1h", "--to", "18:30"),
    ],
)
def test_usage_errors(vclab: Command, store: Path, arguments: tuple[str, ...]) -> None:
    vclab(*arguments).one_line_error(2)


@pytest.mark.parametrize(
    "typed", ["", "-1h", "0", "0h", "two hours", "1e9d", "99999w", "5", "1h\x001m", "☃", "9" * 5000]
)
def test_bad_durations_are_usage_errors(vclab: Command, store: Path, typed: str) -> None:
    vclab("reserve", "debian-12", f"--for={typed}").one_line_error(2, "reserve: ")


@pytest.mark.parametrize(("typed", "part"), [("1s", "15 min"), ("5h", "4 h"), ("9y", "9y"), ("3000d", "")])
def test_durations_beyond_the_limits(vclab: Command, store: Path, typed: str, part: str) -> None:
    vclab("reserve", "debian-12", "--for", typed).one_line_error(2 if typed == "9y" else 3, part)


@pytest.mark.parametrize("typed", [name for name in GARBAGE if name != "-"])
@pytest.mark.parametrize("verb", ["show", "watch", "connect", "end"])
def test_unknown_reservations(vclab: Command, store: Path, verb: str, typed: str) -> None:
    vclab(verb, "--", typed).one_line_error(4, f"{verb}: there is no reservation")


@pytest.mark.parametrize("typed", GARBAGE)
def test_unknown_images(vclab: Command, store: Path, typed: str) -> None:
    vclab("reserve", "--", typed).one_line_error(4, "there is no image")


@pytest.mark.parametrize("typed", [name for name in GARBAGE if name.strip()])
def test_unknown_users(vclab: Command, store: Path, typed: str) -> None:
    vclab(f"--as={typed}", "list").one_line_error(4, "there is no user")


def _options() -> Iterator[tuple[str, ...]]:
    """Each option of each verb that takes a value, with the words before it."""
    for entry in (*VERBS, *NOUNS):
        command = Later(entry).real()
        for words, inner in [
            ((entry.name,), command),
            *(((entry.name, name), inner) for name, inner in getattr(command, "commands", {}).items()),
        ]:
            for option in inner.params:
                if isinstance(option, TyperOption) and not option.is_flag and option.name not in MAY_BE_EMPTY:
                    yield (*words, option.opts[-1])


@pytest.mark.parametrize("words", [("--as",), *_options()], ids=" ".join)
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_value_is_never_no_value(vclab: Command, words: tuple[str, ...], value: str) -> None:
    vclab(*words[:-1], words[-1], value).one_line_error(2, words[-1])


def test_what_may_be_empty(vclab: Command, store: Path) -> None:
    assert vclab("--as", "olga", "computer", "edit", "vm01", "--notes", "").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("reserve", "debian-12", "--count", "101"), "--count must be at most 100, not 101"),
        (("reserve", "debian-12", "--count", "0"), "--count must be at least 1, not 0"),
        (("reserve", "debian-12", "--count", "ten"), "--count must be a whole number, not 'ten'"),
        (("list", "--limit", "0"), "--limit must be at least 1, not 0"),
    ],
)
def test_values_out_of_range_in_plain_words(vclab: Command, words: tuple[str, ...], message: str) -> None:
    vclab(*words).one_line_error(2, f"vclab: {words[0]}: {message}", f"; see `vclab {words[0]} --help`\n")


@pytest.mark.parametrize(
    ("words", "code", "name", "message"),
    [
        (("lsit",), 2, "invalid", "No such command 'lsit'. Did you mean 'list'?"),
        (("list", "--frobnicate"), 2, "invalid", "No such option: --frobnicate"),
        (("show",), 2, "invalid", "Missing argument 'R'"),
        (("up", "--frobnicate"), 2, "invalid", "No such option: --frobnicate"),
        (("reserve", "debian-12", "--count", "101"), 2, "invalid", "--count must be at most 100, not 101"),
        (("--as", "", "list"), 2, "invalid", "--as has an empty value"),
        (("show", "r1"), 4, "not_found", "there is no reservation 'r1'"),
        (("--as", "alice", "needs-help"), 3, "forbidden", ""),
        (("reserve", "debian-12", "--for", "1h"), 5, "unreachable", "does not answer"),
    ],
)
def test_an_error_is_a_document_with_json(
    vclab: Command, store: Path, words: tuple[str, ...], code: int, name: str, message: str
) -> None:
    said = vclab(*words, "--json")
    said.one_line_error(code, message)
    assert said.json["error"]["code"] == name
    assert message in said.json["error"]["message"]
    assert set(said.json["error"]) == {"code", "message", "hint"}


def test_what_follows_the_dashes_does_not_ask_for_json(vclab: Command, store: Path) -> None:
    assert vclab("connect", "r1", "--", "ls", "--json").out == ""


def test_a_fault_of_vclab_is_a_document_too(vclab: Command, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vclab.cli.images.table", lambda *_: 1 / 0)
    monkeypatch.setattr("vclab.cli.images.say_json", lambda *_: 1 / 0)
    said = vclab("images", "--json")
    said.one_line_error(1, "a fault in vclab: ZeroDivisionError")
    assert said.json["error"]["code"] == "internal"


def test_ctrl_c_is_a_document_too(vclab: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Later) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Later, "real", interrupted)
    said = vclab("list", "--json")
    assert (said.code, said.json["error"]["code"]) == (130, "interrupted")
    assert vclab("list").out == ""


def test_help_waits_for_no_library(vclab_process: Command) -> None:
    look = "import sys; from vclab.cli.app import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    heavy = {"pydantic", "sqlalchemy", "temporalio", "rich", "pyVmomi", "asyncssh", "vclab.settings", "vclab.service"}
    assert not heavy & set(done.stderr.split())


def test_near_names_are_proposed(vclab: Command, store: Path) -> None:
    vclab("reserve", "debain-12").one_line_error(4, "did you mean debian-12?")
    vclab("--as", "alcie", "list").one_line_error(4, "did you mean alice?")
    vclab("lsit").one_line_error(2, "Did you mean 'list'?")


def test_nobody_is_believed(vclab: Command, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server the account that keeps the secrets acts, as itself; whoever is named needs a token."""
    monkeypatch.setattr("vclab.cli.client.make_client", believing.REAL)
    assert vclab("computer", "list").code == 0
    vclab("list").one_line_error(4, "root is not a user of this lab")
    for name in ("alice", "olga", "root"):
        vclab("--as", name, "list").one_line_error(3, f"there is no token of {name} here")
        vclab("user", "add", "dora", "--as", name).one_line_error(3, f"there is no token of {name} here")
    monkeypatch.setattr("vclab.service.authentication.may_write", lambda folder: False)
    for words in (("images",), ("list",), ("user", "add", "dora")):
        vclab(*words).one_line_error(3, "root has not logged in at a server", "vclab login URL")


def test_an_account_that_is_a_user_acts_as_itself(vclab: Command, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(monkeypatch, "bob")
    vclab("list", "--everyone").one_line_error(3, "bob sees no other people")
    assert vclab("--as", "olga", "list", "--everyone").code == 0
    assert vclab("list", "--everyone", "--as", "olga").code == 0


@pytest.fixture
def at_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is root who asks, without a server between: all is told."""
    monkeypatch.setattr("vclab.cli.client.make_client", believing.REAL)


def test_without_a_database(vclab: Command, request: pytest.FixtureRequest) -> None:
    """People hear that it is away, and root where it is."""
    for words in (("list",), ("images",), ("reserve", "debian-12")):
        said = vclab(*words)
        said.one_line_error(5, "the database does not answer")
        assert "vclab.db" not in said.err
    request.getfixturevalue("at_the_machine")
    for words in (("list",), ("images",), ("reserve", "debian-12")):
        vclab(*words).one_line_error(5, "vclab.db does not exist")


@pytest.mark.usefixtures("at_the_machine")
def test_an_empty_database(vclab: Command, tmp_path: Path) -> None:
    (tmp_path / "vclab.db").touch()
    vclab("list").one_line_error(5, "schema version")


@pytest.mark.usefixtures("at_the_machine")
def test_a_database_that_is_something_else(vclab: Command, tmp_path: Path) -> None:
    (tmp_path / "vclab.db").write_text("Not a database, for sure. " * 100)
    vclab("list").one_line_error(5, "not a database")


@pytest.mark.parametrize(
    "text", ["nonsense = 1", "operators = 3", "not toml at all", "waits.acknowledge = -1", "\udcff"]
)
def test_wrong_settings(vclab: Command, installation: Path, text: str) -> None:
    installation.write_bytes(text.encode("utf-8", "surrogateescape"))
    vclab("list").one_line_error(3, "settings", str(installation))


def test_settings_that_are_not_there(vclab: Command, installation: Path) -> None:
    installation.unlink()
    vclab("list").one_line_error(3, f"the settings file {installation} does not exist")


def test_temporal_down(vclab: Command, store: Path, nobody_listens: str) -> None:
    reserve = ("reserve", "debian-12", "--for", "1h")
    said = vclab(*reserve)
    said.one_line_error(5, "the Temporal server does not answer; lists and what is shown still work")
    assert nobody_listens not in said.err


def test_lists_do_not_need_temporal(vclab: Command, store: Path) -> None:
    assert vclab("list", "--json").json == []
    said = vclab("list")
    assert (said.code, said.out) == (0, "")
    assert "No reservations now" in said.err


def test_images(vclab: Command, store: Path) -> None:
    assert "debian-12" in vclab("images").out
    (image,) = vclab("images", "--json").json
    assert image["name"] == "debian-12"
    assert (image["revision"], image["cpus"], image["memory_mb"], image["disk_gb"]) == (1, 1, 512, 4)


def test_status_names_what_is_down(vclab: Command, store: Path, nobody_listens: str) -> None:
    said = vclab("status", "--json")
    assert said.code == 5
    parts = {part["name"]: part for part in said.json["parts"]}
    assert said.json["ok"] is False
    assert parts["database"]["ok"] is True
    assert parts["temporal"]["ok"] is False
    assert nobody_listens in parts["temporal"]["detail"]
    assert "Traceback" not in said.err


def test_status_without_a_database(vclab: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the management node it is told of all the same; a server knows nobody who could ask."""
    vclab("status").one_line_error(5, "does not answer")
    monkeypatch.setattr("vclab.cli.client.make_client", believing.REAL)
    said = vclab("status")
    assert said.code == 5
    assert "does not exist" in said.out


def test_a_fault_of_ours_is_one_line(vclab: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object) -> None:
        raise ZeroDivisionError("division by zero\nsecond line")

    monkeypatch.setattr("vclab.service.backend.Backend.store", property(broken))
    vclab("list").one_line_error(1, "a fault in vclab, which its log has as ", "; tell an operator that number")
    monkeypatch.setattr("vclab.cli.client.make_client", believing.REAL)
    vclab("list").one_line_error(1, "a fault in vclab: ZeroDivisionError: division by zero;")


def test_other_locales_and_bytes_that_are_no_text(vclab_process: Command, store: Path) -> None:
    vclab_process("reserve", "☃" * 100, PYTHONIOENCODING="ascii").one_line_error(4, "there is no image")
    vclab_process("show", b"\xff\xfe", LC_ALL="C").one_line_error(4, "there is no reservation")
    assert vclab_process("--help", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0").code == 0


def test_a_reader_that_goes_away(vclab_process: Command, store: Path) -> None:
    # The reader is gone before the first word; what the shell reports is vclab's own exit code.
    said = vclab_process("images", shell="| true; exit ${PIPESTATUS[0]}")
    assert said.err == ""
    assert said.code in (0, 141)  # 0: it was quicker than the reader
    assert vclab_process("images", shell=">&-").err == ""


def test_a_full_disk_is_one_line(vclab_process: Command, store: Path) -> None:
    said = vclab_process("images", "--json", shell="> /dev/full")
    said.one_line_error(1, "No space left on device")
