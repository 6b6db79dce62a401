"""The secret store on a disk that is full, and where somebody plants links."""

import errno
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import ENDPOINT
from tests.secret_store import secret_store
from vclab.model.errors import Refused, Unreachable
from vclab.secrets.references import of_tenure


def test_nothing_is_left_of_what_could_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = secret_store(tmp_path / "secrets")
    first = store.generate("tenure/vm01/1/root")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("os.fsync", full)
        with pytest.raises(Unreachable, match=f"{tmp_path}/secrets can't be written now: No space left on device"):
            store.generate("tenure/vm01/2/root")
    assert [path.name for path in (tmp_path / "secrets").rglob("*") if path.is_file()] == ["root"]
    assert store.generate("tenure/vm01/1/root") == first
    assert store.generate("tenure/vm01/2/root") != first


def test_a_planted_folder_leads_nowhere(tmp_path: Path) -> None:
    """The worker's account may write there; root follows it nowhere: not to read, to write or to remove."""
    elsewhere, store = tmp_path / "elsewhere", secret_store(tmp_path / "secrets")
    elsewhere.mkdir()
    (elsewhere / "vc").write_text("of others")
    store.put("tenure/vm01/1/root", "ours")
    (tmp_path / "secrets" / "endpoint").symlink_to(elsewhere)
    for act in (
        lambda: store.get("endpoint/vc"),
        lambda: store.put("endpoint/vc", "new"),
        lambda: store.forget("endpoint/vc"),
        lambda: store.under("endpoint", 1),
    ):
        with pytest.raises(Refused, match=r"symbolic link in .*/secrets/endpoint"):
            act()
    store.forget("endpoint")  # the link itself
    assert (elsewhere / "vc").read_text() == "of others" and not (tmp_path / "secrets" / "endpoint").exists()


def test_a_planted_file_is_neither_read_nor_written(tmp_path: Path) -> None:
    other, store = tmp_path / "shadow", secret_store(tmp_path / "secrets")
    other.write_text("of others")
    store.put("endpoint/vc", "ours")
    planted = tmp_path / "secrets" / "endpoint" / "vc"
    planted.unlink()
    planted.symlink_to(other)
    with pytest.raises(Refused, match="symbolic link"):
        store.get("endpoint/vc")
    store.put("endpoint/vc", "ours again")  # takes the link's place
    assert other.read_text() == "of others" and store.get("endpoint/vc") == "ours again"
    planted.unlink()
    planted.symlink_to(other)
    store.forget("endpoint/vc")
    assert other.exists() and not planted.is_symlink()


def test_a_secret_is_given_only_to_whom_it_belongs(tmp_path: Path) -> None:
    store = secret_store(tmp_path / "secrets")
    store.put("endpoint/vc", "the vCenter's")
    for reference in ("endpoint/vc", "tenure/vm01/11/login", "tenure/vm02/1/login", "tenure/vm01/1"):
        with pytest.raises(Refused, match="is no secret of generation 1 of vm01"):
            of_tenure(reference, "vm01", 1)
    assert of_tenure("tenure/vm01/1/login", "vm01", 1)
    with pytest.raises(Refused, match="no password of an endpoint"):
        store.endpoint_password(replace(ENDPOINT, password_ref="tenure/vm01/1/login"))
    with pytest.raises(Refused, match="no password of a BMC"):
        store.power_password("endpoint/vc", "ipmi://a@b", "")


def test_a_group_that_the_directory_is_given_to_gets_what_is_made_in_it(tmp_path: Path) -> None:
    """Worker and API as two accounts; nobody else reads a name."""
    folder, store = tmp_path / "secrets", secret_store(tmp_path / "secrets")
    store.put("tenure/vm01/1/root", "x")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))} == {0o700, 0o600}
    folder.chmod(0o2770)
    store.put("endpoint/vc", "x")
    assert stat.S_IMODE((folder / "endpoint").stat().st_mode) == 0o2770
    assert stat.S_IMODE((folder / "endpoint/vc").stat().st_mode) == 0o660
    folder.chmod(0o755)
    store.put("endpoint/vc", "y")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
