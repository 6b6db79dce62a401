"""``vclab host …``: hosts out of service, on which nothing is placed."""

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli.asking import asker, given
from vclab.cli.nouns import group
from vclab.cli.output import note, say, table
from vclab.cli.params import AsUser, HostName, Json
from vclab.cli.tables import Column, Fit
from vclab.cli.times import clock, utc_now
from vclab.contract import hosts
from vclab.contract.failures import RestingHost
from vclab.contract.use_case import Nothing

COLUMNS = (
    Column("HOST"),
    Column("SINCE", drop=2),
    Column("BY", drop=3),
    Column("NEXT CHECK", drop=4),
    Column("LAST CHECK", drop=5, fit=Fit.CUT),
    Column("WHY", drop=1, fit=Fit.FOLD),
)

app = group("host", "Hosts out of service: list, rest, wake.")


@app.command("list")
def list_(context: typer.Context, json: Json = False, as_user: AsUser = "") -> None:
    """List the hosts out of service: since when, why, and when they are checked.

    Failed loads of three different images in a row take a host out of service. The reconciler asks its endpoint after
    a pause, longer each time, and returns the host to service when it can be used; so does a good load.

    \b
    Examples:
      vclab host list
      vclab host list --json
    """
    ask = asker(context)
    ask.tell(hosts.listing, Nothing(), json, lambda found: _list(found, ask.zone()))


@app.command("rest")
def rest(
    context: typer.Context,
    name: HostName,
    reason: Annotated[str, typer.Option("--reason", help="Reason shown to users.")] = "maintenance",
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Take a host out of service: nothing is placed on it until `vclab host wake`. What runs there goes on.

    \b
    Examples:
      vclab host rest esx1 --reason "new memory on Monday"
    """
    ask = asker(context)
    ask.tell(hosts.rest, given(context, hosts.Rest), json, lambda rest: say(_line(rest, ask.zone())))


@app.command("wake")
def wake(context: typer.Context, name: HostName, json: Json = False, as_user: AsUser = "") -> None:
    """Return a host to service at once. The loads that failed on it no longer count.

    \b
    Examples:
      vclab host wake esx1
      vclab host wake vc1/esx1
    """
    question = given(context, hosts.Named)
    asker(context).tell(hosts.wake, question, json, lambda h: say(f"{h.endpoint}/{h.host} is in service again"))


def _line(rest: RestingHost, zone: ZoneInfo) -> str:
    return f"{rest.endpoint}/{rest.host} {rest.text(lambda moment: clock(moment, zone))}"


def _list(found: tuple[RestingHost, ...], zone: ZoneInfo) -> None:
    now = utc_now()
    rows = [
        (
            f"{rest.endpoint}/{rest.host}",
            clock(rest.since, zone, now),
            rest.by or "",
            clock(rest.next_check, zone, now) if rest.next_check else "never",
            rest.last_check or "",
            rest.why,
        )
        for rest in found
    ]
    if found:
        table(COLUMNS, rows)
    else:
        note("All hosts are in service.")
