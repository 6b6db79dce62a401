"""What has no operating system is reserved, handed out and taken back as anything else: a toy that hands out a text."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

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
