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
    assert str(refused.value).startswith(f"settings ({file}): {field}: ")


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
