"""What a BMC shows without a login."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.power.nodes import Context, password_of, running
from vclab.model.errors import Unreachable
from vclab.power import control
from vclab.power.address import Address, Scheme, parse
from vclab.power.base import LoginRefused, PowerState
from vclab.power.control import Power
from vclab.power.findings import Probed
from vclab.power.probe import ANSWER_SECONDS, TRIES, probe


@pytest.mark.parametrize("anonymous", [True, False])
def test_what_ipmi_sim_shows(tmp_path: Path, anonymous: bool) -> None:
    with running(tmp_path, "ipmi", anonymous=anonymous) as node:
        assert probe(node.bmc().address) == Probed(anonymous, nameless=False, cipher_zero=True)


CAPABILITIES = bytes.fromhex("0600ff07" + "00" * 9 + "10" + "811c63200038" + "00019704000000000000")
"""Without a session: only users with names and passwords (bits 0 to 2: 100)."""


@pytest.mark.parametrize(
    ("session", "agrees"),
    [
        (bytes.fromhex("0600ff07" + "0611" + "00" * 8 + "0800" + "0011000062616c76"), False),
        (bytes.fromhex("0600ff07" + "0611" + "00" * 8 + "0800" + "0000000062616c76"), True),
        (b"", None),
        (b"\xff" * 1024, None),
    ],
)
def test_cipher_suite_0_is_told_only_by_a_status(session: bytes, agrees: bool | None) -> None:
    with answering(CAPABILITIES, session) as port:
        assert probe(parse(f"ipmi://admin@127.0.0.1:{port}")) == Probed(False, False, agrees)


def test_who_does_not_answer_is_told() -> None:
    with answering() as port:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="does not answer to IPMI"):
            probe(parse(f"ipmi://admin@127.0.0.1:{port}"))
        assert time.monotonic() - began < TRIES * ANSWER_SECONDS + 1


@pytest.mark.parametrize("answer", [b"\x06\x00\xff\x07", b"\xff" * 1024])
def test_nonsense_tells_nothing(answer: bytes) -> None:
    with answering(answer, answer) as port:
        assert probe(parse(f"ipmi://admin@127.0.0.1:{port}")) == Probed()


@contextlib.contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """A port where each packet is answered with the next of these; an empty one is no answer."""

    def answer_each() -> None:
        for answer in answers:
            _, asker = bmc.recvfrom(1024)
            if answer:
                bmc.sendto(answer, asker)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bmc:
        bmc.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=answer_each)
        thread.start()
        yield bmc.getsockname()[1]
        thread.join()


# --- what a check tells of it ---------------------------------------------------------------------------------------


def test_a_bmc_that_is_asked_by_redfish_is_probed_for_ipmi_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path, "redfish") as one, running(tmp_path, "ipmi", "n2", anonymous=True) as other:
        behind = Address(Scheme.IPMI, other.node.address, other.node.port)
        monkeypatch.setattr(control, "probe", lambda address: probe(behind) if address.port == 623 else None)
        seen, warnings = Power(password_of).check(one.bmc(), [], Context())
    assert seen.state is PowerState.OFF
    assert [text.partition(":")[0] for text in warnings[:2]] == [
        "it accepts cipher suite 0",
        "anybody may log in without a user and a password",
    ]


def test_a_refused_password_hides_no_warning(tmp_path: Path) -> None:
    told = r"refuses the password .*cipher suite 0.*; anybody may log in"
    with running(tmp_path, "ipmi", anonymous=True) as one, pytest.raises(LoginRefused, match=told):
        Power(password_of).check(one.bmc("endpoint/wrong"), [], Context())


def test_one_that_has_no_ipmi_is_not_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "probe", none_answers)
    with running(tmp_path, "redfish") as one:
        assert Power(password_of).check(one.bmc(), [], Context())[1] == []


def none_answers(address: Address) -> Probed:
    raise Unreachable("it does not answer to IPMI")
