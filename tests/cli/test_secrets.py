"""The secret store on a disk that is full."""

import errno
from pathlib import Path

import pytest

from vclab.model.errors import Unreachable
from vclab.secrets.store import SecretStore


def test_nothing_is_left_of_what_could_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SecretStore(tmp_path / "secrets")
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
