"""Settings that change while a worker runs."""

import os
from pathlib import Path

import pytest

from vclab import settings


def test_a_changed_file_is_read_again_and_a_wrong_one_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vclab.toml"
    file.write_text("[waits]\nacknowledge = 100\n")
    monkeypatch.setenv("VCLAB_CONFIG", str(file))
    live = settings.Live(settings.load())
    assert live().waits.acknowledge == 100

    file.write_text("[waits]\nacknowledge = 50\n")
    os.utime(file, (1, 1))
    assert live().waits.acknowledge == 50

    file.write_text("[waits]\nacknowledge = 'soon'\n")
    assert live().waits.acknowledge == 50

    file.unlink()
    assert live().waits.acknowledge == 50
