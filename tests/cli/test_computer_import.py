"""``vclab computer import FILE``: what is printed, exit codes, and where passwords come from."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.test_nodes import metal
from tests.power import nodes as bmcs
from tests.power.nodes import PASSWORD

__all__ = ["metal"]  # a fixture
HEADING = "name,module,mac,address,bmc,disk\n"
LINES = tuple(f"m{n},fake-metal,52:54:00:00:00:0{n},10.9.0.{n},{{}},serial=S{n}\n" for n in range(1, 4))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rack-3.csv"


def names(vclab: Command) -> list[str]:
    return [each["name"] for each in vclab("computer", "list", "--json").json if each["kind"] == "lab"]


def test_a_dry_run_and_then_in_earnest(vclab: Command, file: Path) -> None:
    file.write_text(HEADING + "".join(LINES).format(*[""] * 3))
    tried = vclab("computer", "import", str(file), "--dry-run")
    assert (tried.code, tried.err) == (0, "3 to add, 0 to change, 0 as they are. Nothing was written.\n")
    assert tried.out.splitlines()[:2] == ["LINE  COMPUTER  GROUP  WHAT  DETAILS", "   2  m1        metal  add"]
    assert names(vclab) == []
    done = vclab("computer", "import", str(file))
    assert (done.code, done.err) == (0, "3 added, 0 changed, 0 as they were.\n")
    assert names(vclab) == ["m1", "m2", "m3"]
    file.write_text("name,disk\nm2,size=1TB\nm3,serial=S3\n")
    changed = vclab("computer", "import", str(file), "--json").json
    assert [(each["what"], each["changes"]) for each in changed["lines"]] == [
        ("change", ["disk size=1TB"]),
        ("same", []),
    ]
    assert (changed["written"], changed["change"], changed["same"]) == (True, 1, 1)


def test_all_that_is_wrong(vclab: Command, file: Path) -> None:
    file.write_text(HEADING + LINES[0].format("") + LINES[1].format("").replace("S2", "S 2\x07") + LINES[0].format(""))
    said = vclab("computer", "import", str(file))
    assert said.code == 3
    first, second, third = said.out.splitlines()[1:]
    assert first.split() == ["2", "m1", "metal", "add"]
    assert second.split()[:3] == ["3", "m2", "wrong"] and "control characters" in second
    assert third.split()[:3] == ["4", "m1", "wrong"] and third.endswith("m1 is on line 2 already")
    assert said.err.splitlines() == [
        "1 to add, 0 to change, 0 as they are, 2 wrong.",
        "vclab: computer import: 2 of 3 lines (3, 4) are wrong; nothing was written",
    ]
    told = vclab("computer", "import", str(file), "--json")
    assert (told.code, told.json["wrong"], told.json["lines"][2]["error"]["code"]) == (3, 2, "invalid")
    assert names(vclab) == []


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "does not name its columns"),
        (b"name,adress\nm1,\n", "did you mean address?"),
        (b"name\n\xff\n", "not UTF-8 (line 2)"),
        (None, "can't be read: No such file or directory"),
    ],
)
def test_what_is_no_file(vclab: Command, file: Path, content: bytes | None, part: str) -> None:
    if content is not None:
        file.write_bytes(content)
    vclab("computer", "import", str(file)).one_line_error(2, "computer import: ", part)
    vclab("computer", "import", str(file.parent)).one_line_error(2, "Is a directory")


def test_passwords_in_a_file_that_others_can_read(vclab: Command, file: Path) -> None:
    file.write_text(f"name,module,mac,address,bmc,password\n{LINES[0].format('none').replace('serial=S1', PASSWORD)}")
    for mode in (0o644, 0o640, 0o604):
        file.chmod(mode)
        said = vclab("computer", "import", str(file))
        said.one_line_error(3, "others than its owner may read it", f"chmod 600 {file}")
        assert PASSWORD not in said.err
    file.chmod(0o600)
    assert vclab("computer", "import", str(file), "--dry-run").code == 0


def test_who_can_not_keep_passwords_types_none(vclab: Command, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vclab.service.endpoints.may_write", lambda folder: False)
    file.write_text(HEADING + LINES[0].format("none"))
    assert vclab("--as", "olga", "computer", "import", str(file)).code == 0
    file.write_text(HEADING + LINES[0].format("ipmi://vclab@127.9.9.9"))
    bmc = ("m1", "--bmc", "ipmi://vclab@127.9.9.9")
    for words in (("import", str(file)), ("edit", *bmc), ("add", *bmc)):
        vclab("--as", "olga", "computer", *words).one_line_error(3, "where passwords are kept")


def test_one_password_for_all(vclab: Command, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bmcs.running(tmp_path / "bmcs", "ipmi") as one, bmcs.running(tmp_path / "bmcs", "ipmi", "n2") as two:
        file.write_text(HEADING + "".join(LINES).format(one.bmc().address, two.bmc().address, "none"))
        typed = tmp_path / "typed"
        for word, code in (("", 2), ("battery-staple", 3), (PASSWORD, 0)):
            typed.write_text(f"{word}\n")
            with typed.open() as opened:
                monkeypatch.setattr("sys.stdin", opened)
                said = vclab("computer", "import", str(file))
            assert said.code == code, said
            assert not word or word not in said.out + said.err
    assert names(vclab) == ["m1", "m2", "m3"]
    assert vclab("computer", "import", str(file), "--json").json["same"] == 3


def test_ctrl_c_writes_nothing(vclab: Command, file: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.settimeout(60)
        place = f"ipmi://vclab@127.0.0.1:{silent.getsockname()[1]}"
        file.write_text(f"name,module,mac,address,bmc\nm1,fake-metal,52:54:00:00:00:01,10.9.0.1,{place}\n")
        words = [sys.executable, "-c", "from tests.command import main; main()", "computer", "import", str(file)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(words, text=True, env=os.environ, **pipes) as running:  # type: ignore[call-overload]
            assert running.stdin is not None
            running.stdin.write(f"{PASSWORD}\n")
            running.stdin.flush()
            silent.recv(1000)  # its BMC is asked
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=60)
    assert (running.returncode, err.strip().count("\n")) == (130, 0), err
    assert names(vclab) == []
    assert not list((tmp_path / "secrets").rglob("*"))
