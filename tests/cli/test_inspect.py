"""``vclab computer inspect``: what it shows while it goes and at its end, and what Ctrl-C leaves."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Said, fill, log_in
from tests.cli.node import Node
from vclab.cli.app import run
from vclab.fake_world import Behaviour, Failure
from vclab.model.catalog import Endpoint
from vclab.store import catalog


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A node with one pretended computer."""
    monkeypatch.setenv("VCLAB_FAKE__ENABLED", "true")
    log_in(monkeypatch, "root")
    made = Node(tmp_path)
    monkeypatch.setenv("VCLAB_CONFIG", str(made.settings_file))
    made.store.run(fill)
    made.store.run(lambda s: catalog.put_endpoint(s, Endpoint("room", "fake-metal", "", "", "", "")))
    made.store.run(lambda s: catalog.put_lab_computer(s, "metal01", endpoint="room", address="10.77.0.31"))
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


def test_the_hardware_is_shown_and_what_differs(vclab: Command, node: Node) -> None:
    first = vclab("computer", "inspect", "metal01")
    assert first.code == 0, first
    assert "CPUs      8 Pretended" in first.out and "Disk      /dev/sda 447 GiB, serial metal01-disk" in first.out
    assert "This is the record from now on." in first.err
    shown = vclab("computer", "show", "metal01").out
    assert "CPUs      8 Pretended" in shown and "Hardware  recorded " in shown
    assert "It is as it is recorded." in vclab("computer", "inspect", "metal01").err
    bmc = {"accounts": ["2 vclab: administrator"], "version": "3.4"}
    node.pretended.behaviour = Behaviour(hardware={"metal01": {"cpus": 4, "bmc": bmc}})
    less = vclab("computer", "inspect", "metal01")
    assert less.code == 0 and "Differs: it has 4 CPUs, recorded are 8" in less.out
    assert "Account       2 vclab: administrator" in less.out and "BMC           firmware 3.4" in less.out
    assert "Not compared  the settings of its firmware" in less.out
    assert "metal01 is out of service: it has 4 CPUs" in less.err and "--accept" in less.err
    accepted = vclab("computer", "inspect", "metal01", "--accept", "--json").json
    assert (accepted["recorded"], accepted["hardware"]["cpus"]) == (True, 4)
    assert vclab("computer", "inspect", "metal01", "--last", "--json").json == accepted
    shown_to_all = vclab("computer", "show", "metal01", "--json").json["hardware"]
    assert {**shown_to_all, "bmc": accepted["hardware"]["bmc"]} == accepted["hardware"] != shown_to_all


def test_each_error_is_one_line(vclab: Command, node: Node) -> None:
    vclab("computer", "inspect", "metal99").one_line_error(4, "there is no computer 'metal99'")
    vclab("computer", "inspect", "vm01").one_line_error(3, "vm01 is a virtual machine's identity")
    vclab("computer", "inspect", "metal01", "--last").one_line_error(4, "no inspection of metal01 is known any more")
    vclab("computer", "inspect", "metal01", "--last", "--accept").one_line_error(2, "--last begins no inspection")
    broken = Failure("failed", times=1000, text="it does not boot")
    node.pretended.behaviour = Behaviour(failures={"fake-metal.inspect": broken})
    failed = vclab("computer", "inspect", "metal01", "--json")
    assert failed.code == 1 and "Read its hardware: it does not boot" in failed.json["why_not"]
    assert failed.err.splitlines()[-1].startswith("vclab: computer inspect: metal01 was not inspected: step 2")


def test_ctrl_c_leaves_it_running(vclab: Command, node: Node) -> None:
    node.pretended.behaviour = Behaviour(delays={"fake-metal.inspect": 300.0})
    words = (sys.executable, "-c", "from tests.command import main; main()", "computer", "inspect", "metal01")
    watching = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=os.environ, start_new_session=True)
    assert watching.stderr is not None
    while "(2/2): Read its hardware" not in (line := watching.stderr.readline()):
        assert line, "it ended"
    watching.send_signal(signal.SIGINT)
    said = watching.stderr.read()
    assert watching.wait(30) == 130
    assert "the inspection goes on: `vclab computer inspect metal01 --last` shows it" in said
    vclab("computer", "inspect", "metal01").one_line_error(3, "metal01 is being inspected already", "--last")
    node.pretended.behaviour = Behaviour()
    assert json.loads(vclab("computer", "show", "metal01", "--json").out)["holder"] == "inspection-metal01"
