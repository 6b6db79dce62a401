"""The servers that a command line knows, and who may read their tokens."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vclab.client.contexts import Context, Contexts, checked_token, checked_url, chosen
from vclab.model.errors import Invalid, NotFound, Refused

TOKEN = "vct_" + "a1B2" * 8
CAMPUS = Context(url="https://lab.example.org", login="alice")


@pytest.fixture
def contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contexts:
    """Those of a person who has none yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("VCLAB_CONTEXT", "VCLAB_URL", "VCLAB_TOKEN_FILE", "VCLAB_CA_FILE"):
        monkeypatch.delenv(name, raising=False)
    return Contexts.own()


def test_what_was_put_is_used_until_another_is_named(contexts: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen() is None
    contexts.put("campus", CAMPUS, TOKEN)
    contexts.put("other", Context(url="https://other.example.org"), "", use=False)
    used = chosen()
    assert used is not None and (used.name, used.context, used.token) == ("campus", CAMPUS, TOKEN)
    monkeypatch.setenv("VCLAB_URL", "https://ci.example.org")
    monkeypatch.setenv("VCLAB_CONTEXT", "other")
    other = chosen()
    assert other is not None and (other.name, other.token) == ("other", "")
    named = chosen("campus")
    assert named is not None and named.name == "campus"
    with pytest.raises(NotFound, match="there are campus, other"):
        chosen("nowhere")


def test_a_token_that_others_may_read_is_not_used(contexts: Contexts, tmp_path: Path) -> None:
    contexts.put("campus", CAMPUS, TOKEN)
    file = tmp_path / "vclab" / "tokens" / "campus"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(Refused, match=f"others may read the token file {file}.*chmod 600"):
        chosen()
    assert TOKEN not in (tmp_path / "vclab" / "contexts.json").read_text()


def test_the_environment_names_a_server_and_a_file(
    contexts: Contexts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts.put("campus", CAMPUS, TOKEN)
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    monkeypatch.setenv("VCLAB_URL", "https://ci.example.org/")
    monkeypatch.setenv("VCLAB_TOKEN_FILE", str(file))
    used = chosen()
    assert used is not None and (used.name, used.context.url, used.token) == ("", "https://ci.example.org", TOKEN)
    file.chmod(0o604)
    with pytest.raises(Refused, match="others may read"):
        chosen()
    file.unlink()
    with pytest.raises(Refused, match="does not exist"):
        chosen()


def test_what_is_removed_is_gone_with_its_token(contexts: Contexts, tmp_path: Path) -> None:
    contexts.put("campus", CAMPUS, TOKEN)
    contexts.remove("campus")
    assert chosen() is None
    assert not (tmp_path / "vclab" / "tokens" / "campus").exists()
    with pytest.raises(NotFound):
        contexts.remove("campus")


def test_a_file_that_is_not_understood_is_left_alone(contexts: Contexts, tmp_path: Path) -> None:
    contexts.put("campus", CAMPUS, TOKEN)
    file = tmp_path / "vclab" / "contexts.json"
    for damage in ("", "{", '{"contexts": {"campus": {}}}', "[]"):
        file.write_text(damage)
        with pytest.raises(Refused, match="can't be read"):
            contexts.put("more", CAMPUS, TOKEN)
        assert file.read_text() == damage


def test_what_a_later_version_wrote_is_read(contexts: Contexts, tmp_path: Path) -> None:
    contexts.put("campus", CAMPUS, TOKEN)
    file = tmp_path / "vclab" / "contexts.json"
    document = json.loads(file.read_text())
    document["new"] = document["contexts"]["campus"]["new"] = 1
    file.write_text(json.dumps(document))
    used = chosen()
    assert used is not None and used.context == CAMPUS


PUT = """
import sys
from pathlib import Path
from vclab.client.contexts import Context, Contexts
for number in range(10):
    Contexts(Path(sys.argv[1])).put(f"{sys.argv[2]}-{number}", Context(url="https://a.example.org"), "")
"""


def test_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-c", PUT, str(tmp_path)]
    running = [subprocess.Popen([*words, f"p{number}"]) for number in range(3)]
    assert [each.wait(60) for each in running] == [0, 0, 0]
    assert len(Contexts(tmp_path).all()) == 30
    assert sorted(file.name for file in tmp_path.iterdir()) == [".lock", "contexts.json", "tokens"]


def test_names_and_urls(contexts: Contexts) -> None:
    assert contexts.name_for("https://lab.example.org:8443") == "lab.example.org"
    contexts.put("lab.example.org", CAMPUS, TOKEN)
    assert contexts.name_for("https://lab.example.org") == "lab.example.org"
    assert contexts.name_for("https://lab.example.org:8443") == "lab.example.org-2"
    for name in ("", "../x", "a/b", "-x", ".lock", "a b", "x" * 64):
        with pytest.raises(Invalid):
            contexts.put(name, CAMPUS, TOKEN)
    assert checked_url("lab.example.org") == "https://lab.example.org"
    assert checked_url("https://lab.example.org:8443/") == "https://lab.example.org:8443"
    assert checked_url("http://127.0.0.1:8000") == "http://127.0.0.1:8000"
    assert checked_url("https://[2001:db8::1]:8443") == "https://[2001:db8::1]:8443"
    with pytest.raises(Refused, match="everybody on the way"):
        checked_url("http://lab.example.org")
    for text in ("", "ftp://x", "https://", "https://a:b@c", "https://lab/x", "https://lab:99999", "https://[::1"):
        with pytest.raises(Invalid):
            checked_url(text)


def test_what_is_no_token_is_not_repeated() -> None:
    assert checked_token(f" {TOKEN}\n", "here") == TOKEN
    with pytest.raises(Refused) as refused:
        checked_token("hunter2hunter2", "in standard input")
    assert "hunter2" not in str(refused.value)
