"""An endpoint with which something is wrong that nobody has thought of: the others go on being used."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.provisioning import ProvisioningActivities, SurveyInput
from activities.reconcile import SiteInput, SiteReconciler
from tests.activities.test_clear import NoFence
from tests.fakes import FakeInventories, FakeModule, World
from vclab.model.catalog import Endpoint
from vclab.model.errors import Unreachable
from vclab.model.inventory import Inventory, MachineFacts, Machines
from vclab.model.plans import Facts
from vclab.provisioning.base import ProvisioningModule
from vclab.settings import ReconcileSettings
from vclab.store.engine import open_store

MODULES = ("fake-metal", "standalone", "ok")
ENDPOINTS = [Endpoint(name, module, "", "", "", "") for name, module in zip("abc", MODULES, strict=True)]


class Broken(FakeModule):
    """A mistake of ours, or of a library."""

    def survey(self, endpoint: str) -> Inventory:
        """It does not know how."""
        raise KeyError("summary.hardware")

    def machines(self, endpoint: str) -> Machines:
        """It does not know how."""
        raise KeyError("summary.hardware")


class Away(FakeModule):
    """Nobody can reach it."""

    def survey(self, endpoint: str) -> Inventory:
        """For a while."""
        raise Unreachable("no route")


class Well(FakeModule):
    """It has a machine that nobody holds."""

    def machines(self, endpoint: str) -> Machines:
        """One."""
        return Machines(endpoint, (MachineFacts(endpoint, "vm01-g1", "uuid-1", "r1", "vm01", 1, True),))


@pytest.fixture
def modules() -> dict[str, ProvisioningModule]:
    """Of ``a`` this worker has none, and that of ``b`` is broken."""
    return {"standalone": Broken(World()), "ok": Well(World())}


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


async def test_a_survey(modules: dict[str, ProvisioningModule], executor: ThreadPoolExecutor) -> None:
    kept = FakeInventories()
    activities = ProvisioningActivities(
        modules, lambda: ENDPOINTS, lambda _: {}, NoFence(), executor, {}, lambda _: Facts(), kept
    )
    survey = await ActivityEnvironment().run(activities.survey, SurveyInput("default"))
    missing, broken, well = kept.said
    assert [answered.error for answered in survey.answers] == [missing.error, broken.error, ""]
    assert "this worker has no provisioning module fake-metal" in missing.error
    assert broken.error == "KeyError: 'summary.hardware'"
    assert (well.error, [host.name for host in well.hosts]) == ("", ["esx1"])


@pytest.mark.parametrize(("site", "asked", "others"), [("", 0, ("default", "north")), ("default", 3, ("north",))])
async def test_a_survey_of_the_workers_own_site(
    modules: dict[str, ProvisioningModule],
    executor: ThreadPoolExecutor,
    site: str,
    asked: int,
    others: tuple[str, ...],
) -> None:
    """A worker that reaches no hardware asks nobody; what was not asked is named."""
    endpoints = [*ENDPOINTS, Endpoint("d", "ok", "", "", "", "", site="north")]
    activities = ProvisioningActivities(
        modules, lambda: endpoints, lambda _: {}, NoFence(), executor, {}, lambda _: Facts(), FakeInventories(), site
    )
    survey = await ActivityEnvironment().run(activities.survey, SurveyInput())
    assert (len(survey.answers), tuple(other.site for other in survey.others)) == (asked, others)


async def test_a_survey_of_one_endpoint_whose_answer_is_needed(executor: ThreadPoolExecutor) -> None:
    """Nobody else is asked; one that can't be reached is asked again, and one that is broken says so."""
    modules: dict[str, ProvisioningModule] = {"fake-metal": Away(World()), "standalone": Broken(World())}
    kept = FakeInventories()
    activities = ProvisioningActivities(
        modules, lambda: ENDPOINTS, lambda _: {}, NoFence(), executor, {}, lambda _: Facts(), kept
    )
    with pytest.raises(ApplicationError, match="no route") as away:
        await ActivityEnvironment().run(activities.survey, SurveyInput("default", "a"))
    assert not away.value.non_retryable
    await ActivityEnvironment().run(activities.survey, SurveyInput("default", "b"))
    assert [(said.endpoint, said.error) for said in kept.said] == [("b", "KeyError: 'summary.hardware'")]


async def test_a_round_of_the_reconciler(
    modules: dict[str, ProvisioningModule], executor: ThreadPoolExecutor, tmp_path: Path
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/vclab.db")
    store.migrate()
    reconcile = SiteReconciler(store, modules, lambda: ENDPOINTS, ReconcileSettings(), executor)
    found = await ActivityEnvironment().run(reconcile.reconcile_site, SiteInput("default"))
    assert found.reported == ("vm01-g1",)
    assert [text.partition(":")[0] for text in found.not_asked] == ["a", "b"]
    for endpoint in ENDPOINTS[:2]:
        assert all((await reconcile._problems(endpoint, ["h1", "h2"])).values())
    store.close()
