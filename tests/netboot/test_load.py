"""The initramfs of a load: what is in it, and what is refused."""

from pathlib import Path

import asyncssh
import pytest

from tests.netboot.bench import run, unpack
from vclab.model.errors import Invalid
from vclab.netboot.load import load_initrd, new_host_key

PRIVATE, PUBLIC = new_host_key()
OTHER = new_host_key()[1]


def test_it_holds_the_keys_of_the_load_and_nothing_else() -> None:
    made = load_initrd(PRIVATE, [f"{PUBLIC} somebody@somewhere", OTHER], "load-7")
    members = {path: (oct(mode), data) for path, (mode, data) in unpack(made).items()}
    assert members == {
        "etc": ("0o40755", b""),
        "etc/vclab": ("0o40755", b""),
        "etc/vclab/load": ("0o40700", b""),
        "etc/vclab/load/authorized_keys": ("0o100600", f"{PUBLIC}\n{OTHER}\n".encode()),
        "etc/vclab/load/host_key": ("0o100600", PRIVATE.encode()),
        "etc/vclab/load/name": ("0o100644", b"load-7\n"),
    }
    assert len(made) % 512 == 0, "another archive may follow"
    assert made == load_initrd(PRIVATE, [PUBLIC, OTHER], "load-7")


def test_each_host_key_is_new_and_one_of_a_pair() -> None:
    assert len({new_host_key()[1] for _ in range(3)}) == 3
    key = asyncssh.import_private_key(PRIVATE)
    assert key.export_public_key("openssh").decode().split()[:2] == PUBLIC.split()


@pytest.mark.parametrize(
    "line",
    ["", "ssh-ed25519 AAAA", f'command="x" {PUBLIC}', f"@cert-authority {PUBLIC}", "#"],
    ids=["empty", "half", "options", "authority", "comment"],  # keys are new each time
)
def test_what_is_no_key_of_who_may_log_in(line: str) -> None:
    with pytest.raises(Invalid, match="is not a public key"):
        load_initrd(PRIVATE, [line], "load-7")


def test_a_key_with_more_lines_stays_one_line() -> None:
    made = load_initrd(PRIVATE, [f"{PUBLIC} x\n{OTHER}"], "load-7")
    assert unpack(made)["etc/vclab/load/authorized_keys"][1] == f"{PUBLIC}\n".encode()


def test_a_load_nobody_could_log_in_to() -> None:
    with pytest.raises(Invalid, match="at least one authorized key"):
        load_initrd(PRIVATE, [], "load-7")


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "../x", "x" * 101])
def test_names_of_loads_are_plain(name: str) -> None:
    with pytest.raises(Invalid, match="name of a load"):
        load_initrd(PRIVATE, [PUBLIC], name)


def test_host_keys_that_sshd_would_not_take(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", str(locked))
    ecdsa = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_private_key("openssh").decode()
    for key in ("", PUBLIC, locked.read_text(), ecdsa):
        with pytest.raises(Invalid, match="host key of the load") as refused:
            load_initrd(key, [PUBLIC], "load-7")
        assert "PRIVATE" not in str(refused.value)
