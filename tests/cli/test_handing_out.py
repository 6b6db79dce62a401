"""What has no operating system is reserved, handed out and taken back as anything else: a toy that hands out a text."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command, Said, fill, log_in
from tests.cli.node import Node
from vclab.cli.app import run

TEXT = "Grüße aus dem Labor\n"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A node that offers the pretended modules too."""
    monkeypatch.setenv("VCLAB_FAKE__ENABLED", "true")
    log_in(monkeypatch, "root")
    made = Node(tmp_path)
    monkeypatch.setenv("VCLAB_CONFIG", str(made.settings_file))
    made.store.run(fill)
    made.start_worker()
    yield made
    made.stop()


@pytest.fixture
def vclab(node: Node, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""

    def call(*arguments: str) -> Said:
        capfd.readouterr()
        code = run(arguments)
        return Said(code, *capfd.readouterr())

    return call


def test_a_text_is_reserved_handed_out_and_taken_back(vclab: Command, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for command in (
        ("endpoint", "add", "texts", "--module", "text-file", "--folder", str(folder)),
        ("computer", "add", "text01", "--group", "texts"),
        ("image", "add", "greeting", "--module", "text-file", "--set", f"text={TEXT}"),
    ):
        assert vclab(*command).code == 0, command
    view = json.loads(vclab("reserve", "greeting", "--for", "1h", "--json").out)
    assert (view["state"], view["computer"], view["address"]) == ("reserved", "text01", None)
    handed = vclab("connect", view["id"])
    assert (handed.code, handed.out) == (0, f"file://{folder}/text01.txt\n")
    assert (folder / "text01.txt").read_text() == TEXT
    shown = json.loads(vclab("show", view["id"], "--json").out)
    assert (shown["state"], shown["handover"]) == ("inuse", f"file://{folder}/text01.txt")
    assert "no operating system" in vclab("connect", view["id"], "--", "ls").err
    assert "can't be restarted by force" in vclab("reboot", view["id"]).err
    assert vclab("extend", view["id"], "--by", "30m").code == 0
    assert vclab("end", view["id"]).code == 0
    deadline = time.monotonic() + 30
    while list(folder.iterdir()):
        assert time.monotonic() < deadline, list(folder.iterdir())
        time.sleep(0.1)


@pytest.fixture
def texts(vclab: Command, tmp_path: Path) -> Path:
    """A folder with one computer, and an image."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for command in (
        ("endpoint", "add", "texts", "--module", "text-file", "--folder", str(folder)),
        ("computer", "add", "text01", "--group", "texts"),
        ("image", "add", "greeting", "--module", "text-file", "--set", f"text={TEXT}"),
        ("grant", "add", "image-maker", "--person", "alice", "--everything"),
    ):
        assert vclab(*command).code == 0, command
    return folder


def until(vclab: Command, id: str, word: str) -> dict[str, Any]:
    """Wait until the reservation's word is that, as the store and its workflow say."""
    deadline = time.monotonic() + 60
    while True:
        shown: dict[str, Any] = json.loads(vclab("show", id, "--json").out)
        words = [shown["word"], *([shown["now"]["word"]] if shown["now"] else [])]
        if all(each is not None and each.startswith(word) for each in words):
            return shown
        assert time.monotonic() < deadline, shown
        time.sleep(0.1)


def handed_out(vclab: Command, *options: str) -> str:
    """The id of a reservation that was handed out."""
    view = json.loads(vclab("reserve", "greeting", "--for", "1h", "--json", *options).out)
    assert vclab("connect", view["id"]).code == 0, view
    return str(view["id"])


def test_what_was_written_is_captured_and_reserved_by_others(vclab: Command, texts: Path) -> None:
    id = handed_out(vclab, "--imaging")
    (texts / "text01.txt").write_text("Hallo aus dem Labor ☕\n")
    said = vclab("capture", id, "--as", "hallo", "--title", "Hallo", "--notes", "übersetzt")
    assert (said.code, "is being captured as hallo/1" in said.out) == (0, True), said
    until(vclab, id, "In use")
    made = json.loads(vclab("image", "history", "hallo", "--json").out)[0]
    assert (made["revision"], made["state"], made["parent"], made["notes"]) == (1, "test", "greeting/1", "übersetzt")
    assert (made["reservation"], made["made_by"]) == (id, "alice")
    assert "greeting/1" in vclab("image", "history", "hallo").out
    said = vclab("capture", id, "--revision")
    assert said.code == 0, said
    until(vclab, id, "In use")
    assert [each["revision"] for each in json.loads(vclab("image", "history", "greeting", "--json").out)] == [2, 1]
    assert vclab("end", id).code == 0
    until(vclab, id, "Ended")
    assert vclab("image", "promote", "hallo", "1").code == 0
    again = json.loads(vclab("reserve", "hallo", "--for", "1h", "--json").out)
    assert vclab("connect", again["id"]).code == 0
    assert (texts / "text01.txt").read_text() == "Hallo aus dem Labor ☕\n"


def test_what_can_not_be_captured(vclab: Command, texts: Path) -> None:
    role = "image-maker", "--person", "alice", "--everything"
    number = str(json.loads(vclab("grant", "add", *role, "--json").out)["id"])
    assert vclab("grant", "remove", number).code == 0
    assert "alice may not capture image greeting" in vclab("reserve", "greeting", "--imaging").err
    assert vclab("grant", "add", *role).code == 0
    id = handed_out(vclab)
    assert "was not reserved for imaging" in vclab("capture", id, "--revision").err
    assert "either a new image or --revision" in vclab("capture", id).err
    assert vclab("capture", id, "--as", "../x").code == 2
    assert vclab("end", id).code == 0
    until(vclab, id, "Ended")
    assert "has ended" in vclab("capture", id, "--revision").err
    id = handed_out(vclab, "--imaging")
    assert "there is an image greeting already" in vclab("capture", id, "--as", "greeting").err


def test_a_capture_that_fails_goes_on_with_help_or_is_given_up(vclab: Command, texts: Path) -> None:
    id = handed_out(vclab, "--imaging")
    (texts / "text01.txt").write_text("x" * 50_000)
    assert vclab("capture", id, "--as", "long").code == 0
    shown = until(vclab, id, "Needs help")
    assert "longer than 40000 bytes" in str(shown["now"])
    assert "can't go on elsewhere" in vclab("--as", "olga", "resolve", id, "elsewhere").err
    assert "is being captured" in vclab("reboot", id).err
    (texts / "text01.txt").write_text("shorter")
    assert vclab("--as", "olga", "resolve", id, "retry").code == 0
    until(vclab, id, "In use")
    assert json.loads(vclab("image", "history", "long", "--json").out)[0]["state"] == "test"
    (texts / "text01.txt").write_bytes(b"\xff\xfe")
    assert vclab("capture", id, "--revision").code == 0
    until(vclab, id, "Needs help")
    assert vclab("--as", "olga", "resolve", id, "give-up").code == 0
    shown = until(vclab, id, "In use")
    assert len(json.loads(vclab("image", "history", "greeting", "--json").out)) == 1, "nothing half made is there"
    assert "greeting/2 was given up" in str(shown["now"])
    assert "capture given up" in vclab("why", id).out + vclab("show", id).out
    assert vclab("end", id).code == 0


def test_one_that_is_ended_meanwhile_is_captured_first(vclab: Command, texts: Path) -> None:
    id = handed_out(vclab, "--imaging")
    (texts / "text01.txt").write_bytes(b"\xff")
    assert vclab("capture", id, "--as", "never").code == 0
    until(vclab, id, "Needs help")
    assert vclab("end", id).code == 0
    until(vclab, id, "Ended")
    assert vclab("image", "history", "never").code == 4
