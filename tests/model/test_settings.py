"""Settings: what an affiliation has otherwise, and what is refused."""

from pathlib import Path

import pytest

from vclab import settings
from vclab.model.errors import Refused


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file in force."""
    path = tmp_path / "vclab.toml"
    path.write_text("")
    monkeypatch.setenv("VCLAB_CONFIG", str(path))
    return path


def test_an_affiliation_has_what_it_names_otherwise(file: Path) -> None:
    """And the rest as all have it, also where that is set."""
    file.write_text("""
        [waits]
        acknowledge = 100
        [limits]
        first = 7200
        [affiliations.physics.waits]
        reconnect = 3600
        notices = [60]
        [affiliations.physics.limits]
        total = 86400
        [affiliations.nobody]
    """)
    found = settings.load()
    all_, physics = found.rules(), found.rules("physics")
    assert (all_.waits.acknowledge, all_.waits.reconnect, all_.limits.first, all_.limits.total) == (
        100,
        900,
        7200,
        21600,
    )
    assert (physics.waits.acknowledge, physics.waits.reconnect, physics.waits.notices) == (100, 3600, (60,))
    assert (physics.limits.first, physics.limits.total) == (7200, 86400)
    assert found.rules("nobody") == found.rules("unheard of") == all_
    file.write_text("[claims]\nchild_factor = 0.3")
    assert (all_.child_factor, settings.load().rules("physics").child_factor) == (1.0, 0.3)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[affiliations.physics.waits]\nreconnect = -1", "affiliations.physics.waits.reconnect"),
        ("[affiliations.physics.limits]\nfirst = 'long'", "affiliations.physics.limits.first"),
        ("[affiliations.physics.waits]\nreconect = 1", "affiliations.physics.waits.reconect"),
        ("[affiliations.physics]\nclaims = 1", "affiliations.physics.claims"),
        ("[waits]\nnotice = [1]", "waits.notice"),
        ("[limits]\nat_most = 1", "limits.at_most"),
        ("[limits]\nhorizon = inf", "limits.horizon"),
        ("[claims]\nchild_factor = 0.04", "claims.child_factor"),
        ("[claims]\nchild_factor = 1.1", "claims.child_factor"),
        ("[limits]\nfirst = 1e300", "limits.first"),
        ("[waits]\nnotices = [nan]", "waits.notices.0"),
        ("[reconcile]\ngrase = 1", "reconcile.grase"),
        ("[people.anna]\nvia = 1", "people.anna.via"),
        ("roles = []", "roles"),
        ("roles = ['all']", "roles.0"),
        ("site = 'Nord'", "site"),
        ("temporal.workflow_queue = ''", "temporal.workflow_queue"),
    ],
)
def test_what_is_wrong_is_refused_with_file_and_field(file: Path, text: str, field: str) -> None:
    """Nothing misspelt is left out in silence."""
    file.write_text(text)
    with pytest.raises(Refused) as refused:
        settings.load()
    assert str(refused.value).startswith(f"settings ({file}): {field} ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("waits.late = -1", "waits.late must be at least 0, not -1"),
        ("health.images = 0", "health.images must be at least 1, not 0"),
        ("limits.first = 'long'", "limits.first must be a number, not 'long'"),
        ("limits.at_once = 1.5", "limits.at_once must be a whole number, not 1.5"),
        ("limits.horizon = inf", "limits.horizon must be a finite number, not inf"),
        ("roles = []", "roles must have 1 or more entries, not []"),
        ("roles = ['all']", "roles.0 must be 'workflows' or 'site', not 'all'"),
        ("operators = 3", "operators must be a list, not 3"),
        ("waits = 1", "waits must be a table, not 1"),
        ("waits.reconect = 1", "waits.reconect is unknown"),
        ("site = 'Nord'", "site must be 1 to 31 small letters, digits and hyphens, not 'Nord'"),
    ],
)
def test_what_is_allowed_is_said_in_plain_words(file: Path, text: str, words: str) -> None:
    """No reader of a message has to know the library that found the mistake."""
    file.write_text(text)
    with pytest.raises(Refused) as refused:
        settings.load()
    assert str(refused.value) == f"settings ({file}): {words}"


def test_a_wrong_environment_variable_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is not to blame for it."""
    monkeypatch.setenv("VCLAB_WAITS__LATE", "-1")
    with pytest.raises(Refused, match=r"^settings \(VCLAB_WAITS__LATE\): waits.late must be at least 0, not -1$"):
        settings.load()
    monkeypatch.setenv("VCLAB_OPERATORS", "olga")
    with pytest.raises(Refused, match=r"operators.*write lists and tables as JSON"):
        settings.load()


@pytest.mark.parametrize("text", [b"not toml at all", b"\xff"])
def test_a_file_that_is_no_settings(file: Path, text: bytes) -> None:
    """Whoever loads settings is told, not only the command line."""
    file.write_bytes(text)
    with pytest.raises(Refused, match=f"the settings file {file} can't be read"):
        settings.load()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("site = 'a-long'", 'site "a-long": its queue would be that of another site'),
        ("roles = ['workflows']", "site-default is also the queue of site default: give this worker both roles"),
        ("roles = ['site']", "site-default is also the queue of site default: give this worker both roles"),
        ("site = 'north'", "site-default is not the queue of this worker's site north (site-north)"),
        ("temporal.workflow_queue = 'site-default-long'", "is not the queue of this worker's site"),
    ],
)
def test_roles_that_do_not_fit_the_queues_are_refused(file: Path, text: str, words: str) -> None:
    """A worker must be able to do all the work on each queue that it polls."""
    file.write_text(text)
    with pytest.raises(Refused) as refused:
        settings.load()
    assert str(refused.value).startswith(f"settings ({file}): ")
    assert words in str(refused.value)
    assert "Value error" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "site = 'north'\nroles = ['site']",
        "site = 'north'\ntemporal.workflow_queue = 'site-north'",
        "roles = ['workflows']\ntemporal.workflow_queue = 'lives'",
        "roles = ['site']\ntemporal.workflow_queue = 'lives'",
        "temporal.workflow_queue = 'lives'",
    ],
)
def test_roles_that_fit(file: Path, text: str) -> None:
    """Both on one queue, or each on its own."""
    file.write_text(text)
    settings.load()
