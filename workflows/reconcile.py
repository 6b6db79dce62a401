"""The reconciler's workflow: one round, started by a schedule."""

import dataclasses

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.reconcile import RowReconciler, SiteInput, SiteReconciler, Strays
from workflows import failures, profiles


@workflow.defn
class Reconcile:
    """Looks for what no workflow looks after any more."""

    @workflow.run
    async def run(self) -> Strays:
        """What was found and done; a round that fails is left to the next one.

        All sites are asked at once: one without a worker holds up no other one.
        """
        rows = await workflow.execute_activity_method(
            RowReconciler.reconcile_rows, **profiles.round_of_rows("find rows without a workflow")
        )
        asked = [self._ask(site) for site in rows.sites]
        found = rows.found
        for site, answer in zip(rows.sites, asked, strict=True):
            try:
                found = merged(found, await answer)
            except ActivityError as error:
                if failures.was_cancelled(error):
                    raise
                found = merged(found, Strays(not_asked=(f"site {site}: {why(error)}",)))
        return found

    def _ask(self, site: str) -> workflow.ActivityHandle[Strays]:
        return workflow.start_activity_method(
            SiteReconciler.reconcile_site,
            SiteInput(site),
            **profiles.round_of_site(f"find machines of site {site} without a tenure", site),
        )


def merged(rows: Strays, site: Strays) -> Strays:
    """Both together."""
    return dataclasses.replace(
        rows,
        reported=rows.reported + site.reported,
        removed=rows.removed + site.removed,
        not_asked=rows.not_asked + site.not_asked,
        woken=rows.woken + site.woken,
        moved=rows.moved + site.moved,
    )


def why(error: ActivityError) -> str:
    """Why a site was not asked."""
    return "no worker took it up" if failures.not_taken_up(error) else failures.reason(error)
