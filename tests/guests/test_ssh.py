"""Connecting and running, against real and against broken servers."""

import asyncio
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.guests.bench import MANAGEMENT, PATIENCE, Bench, Place
from vclab.guests import ssh
from vclab.guests.ssh import Patience
from vclab.model.errors import StepFailed, Unreachable

pytestmark = pytest.mark.lab

NOBODY = "10.77.200.200"


async def look(place: Place, script: str, *arguments: str, patience: Patience = PATIENCE) -> str:
    async with ssh.connect(place.facts.private_address, place.facts.host_key, place.bench.key, patience) as shell:
        return await shell.look("try something", script, *arguments)


def test_arguments_arrive_as_they_are(bench: Bench, loaded: Place) -> None:
    nasty = ["'; touch /tmp/x; '", "$(reboot)", "a b", "`id`", "", "ä\n-n"]
    said = bench.manage(look(loaded, 'printf "<%s>" "$@"', *nasty))
    assert said == "".join(f"<{text}>" for text in nasty)


def test_another_host_key_is_never_accepted(bench: Bench, loaded: Place) -> None:
    other = bench.new_key("other_host").with_suffix(".pub").read_text()
    place = Place(bench, loaded.machine)
    place.facts = replace(loaded.facts, host_key=other)
    with pytest.raises(StepFailed) as refusal:
        bench.manage(look(place, "touch /tmp/was-here"))
    assert ssh.fingerprint(other) in str(refusal.value)
    assert ssh.fingerprint(loaded.facts.host_key) in str(refusal.value)
    assert not loaded.inside("find", "/tmp", "-name", "was-here")


def test_a_pinned_key_of_another_kind_is_no_match_either(bench: Bench, loaded: Place, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(tmp_path / "k")], check=True)
    place = Place(bench, loaded.machine)
    place.facts = replace(loaded.facts, host_key=(tmp_path / "k.pub").read_text())
    with pytest.raises(StepFailed, match="another machine"):
        bench.manage(look(place, "true"))


@pytest.mark.parametrize("pinned", ["", "ssh-ed25519 AAAA", "nonsense"])
def test_nothing_is_done_without_a_pinned_key(bench: Bench, loaded: Place, pinned: str) -> None:
    with pytest.raises(StepFailed, match="no host key is pinned"):
        bench.manage(_enter(loaded.facts.private_address, pinned, bench.key, PATIENCE))


@pytest.mark.parametrize("address", ["", "vm01", "10.77.0.1; reboot", "-oProxyCommand=x"])
def test_only_an_address_is_dialled(bench: Bench, loaded: Place, address: str) -> None:
    with pytest.raises(StepFailed, match="address"):
        bench.manage(_enter(address, loaded.facts.host_key, bench.key, PATIENCE))


def test_a_key_that_the_machine_does_not_know(bench: Bench, loaded: Place) -> None:
    stranger = bench.new_key("stranger")
    with pytest.raises(Unreachable, match="does not accept the management key"):
        bench.manage(_enter(loaded.facts.private_address, loaded.facts.host_key, stranger, PATIENCE))


def test_a_management_key_that_is_not_there(bench: Bench, loaded: Place, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"nokey can't be read"):
        bench.manage(_enter(loaded.facts.private_address, loaded.facts.host_key, tmp_path / "nokey", PATIENCE))


async def _enter(address: str, pinned: str, key: Path, patience: Patience) -> None:
    async with ssh.connect(address, pinned, key, patience):
        pass


def test_a_dead_machine_is_unreachable_in_time(bench: Bench, loaded: Place) -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable, match=NOBODY):
        bench.manage(_enter(NOBODY, loaded.facts.host_key, bench.key, Patience(connect=1)))
    assert time.monotonic() - began < 15


def test_a_server_that_says_nothing_is_unreachable_in_time(bench: Bench, loaded: Place) -> None:
    async def silent() -> None:
        async with await asyncio.start_server(lambda reader, writer: asyncio.sleep(30), MANAGEMENT, 22):
            await _enter(MANAGEMENT, loaded.facts.host_key, bench.key, Patience(login=0.5))

    began = time.monotonic()
    with pytest.raises(Unreachable, match="no answer in time"):
        bench.manage(silent())
    assert time.monotonic() - began < 15


def test_a_script_that_hangs_is_given_up(bench: Bench, loaded: Place) -> None:
    with pytest.raises(Unreachable, match="no answer in time"):
        bench.manage(look(loaded, "sleep 20", patience=Patience(command=0.5)))


def test_a_machine_that_freezes_is_noticed_by_the_keepalive(bench: Bench, loaded: Place) -> None:
    freeze = "ps -o ppid= -p $PPID > /run/frozen; kill -STOP $(cat /run/frozen); sleep 20"
    began = time.monotonic()
    with pytest.raises(Unreachable):
        bench.manage(look(loaded, freeze, patience=Patience(keepalive=0.3)))
    assert time.monotonic() - began < 15
    loaded.inside("sh", "-c", "kill -CONT $(cat /run/frozen)")


def test_a_machine_can_not_flood_the_worker(bench: Bench, loaded: Place) -> None:
    for flood in ("yes", "yes >&2"):
        with pytest.raises(Unreachable, match="more than"):
            bench.manage(look(loaded, flood))


def test_a_long_answer_is_whole(bench: Bench, loaded: Place) -> None:
    assert len(bench.manage(look(loaded, "head -c 900000 /dev/zero | tr '\\0' x"))) == 900000


def test_a_failure_tells_its_end_and_no_control_characters(bench: Bench, loaded: Place) -> None:
    with pytest.raises(StepFailed, match=r"try something at 10\.[0-9.]+: one; \[31mtwo$"):
        bench.manage(look(loaded, "printf 'one\\n\\033[31mtwo\\n\\n' >&2; exit 9"))


def test_input_that_was_cut_off_is_not_acted_upon(bench: Bench) -> None:
    script = ssh._PRELUDE + 'printf "acted on <%s>" "$input"'
    whole, half = (
        subprocess.run(["sh", "-c", script], input=text, capture_output=True, text=True)
        for text in ("a\nb\n.\n", "a\nb")
    )
    assert (whole.returncode, whole.stdout) == (0, "acted on <a\nb>")
    assert (half.returncode, half.stdout) == (4, "")


def test_no_two_actions_at_once(bench: Bench, loaded: Place) -> None:
    async def both() -> list[str]:
        facts = loaded.facts
        async with ssh.connect(facts.private_address, facts.host_key, bench.key, PATIENCE) as shell:
            script = "date +%s%N; sleep 0.3; date +%s%N"
            return await asyncio.gather(*(shell.act("wait", script) for _ in range(2)))

    (first, second) = sorted([int(n) for n in times.split()] for times in bench.manage(both()))
    assert first[1] <= second[0]
