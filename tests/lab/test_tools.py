"""Programs are built once, and built again when their sources change."""

import os
import threading
from pathlib import Path

import pytest

from vclab.lab import tools
from vclab.lab.errors import LabError

PROGRAM = tools._Program("prog", "prog", ".", "no time")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any of our programs, and a deploy/ with a small one."""
    go_cache = os.environ.get("GOCACHE") or str(Path.home() / ".cache" / "go-build")
    monkeypatch.setenv("GOCACHE", go_cache)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tools, "DEPLOY", tmp_path / "deploy")
    (tmp_path / "deploy" / "prog").mkdir(parents=True)
    (tmp_path / "deploy" / "prog" / "go.mod").write_text("module prog\n\ngo 1.21\n")
    (tmp_path / "deploy" / "prog" / "main.go").write_text("package main\n\nfunc main() {}\n")
    return tmp_path


def test_eight_callers_build_once(home: Path) -> None:
    said: list[str] = []
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(tools._build(PROGRAM, said.append))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert os.access(found[0], os.X_OK)
    assert len([text for text in said if text.startswith("built")]) == 1


def test_changed_sources_are_a_new_build(home: Path) -> None:
    first = tools._build(PROGRAM, lambda text: None)
    plain = first.with_name("prog")
    assert plain.resolve() == first
    main = home / "deploy/prog/main.go"
    main.write_text(main.read_text() + "// changed\n")
    second = tools._build(PROGRAM, lambda text: None)
    assert second != first
    assert plain.resolve() == second


def test_what_cannot_be_built_says_why(home: Path) -> None:
    (home / "deploy/prog/main.go").write_text("package main\n\nfunc main() { wrong }\n")
    with pytest.raises(LabError, match="undefined: wrong"):
        tools._build(PROGRAM, lambda text: None)
    assert not list((home / "cache/vclab/bin").iterdir())
    with pytest.raises(LabError, match="checkout"):
        tools.vcsim()
