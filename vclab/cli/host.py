"""``vclab host …``: the hosts on which nothing is placed for now."""

from typing import TYPE_CHECKING, Annotated

import typer

from vclab.cli import checks
from vclab.cli.administer import administration, group
from vclab.cli.context import Lab, lab_of, near
from vclab.cli.errors import quoted
from vclab.cli.output import JsonValue, note, say, say_json, table
from vclab.cli.params import AsUser, HostName, Json
from vclab.cli.times import clock, iso, utc_now
from vclab.model.errors import NotFound, Refused
from vclab.model.health import BY_FAILURES, Rest

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

app = group("host", "Hosts on which nothing is placed for now: list, rest, wake.")


@app.command("list")
def list_(context: typer.Context, json: Json = False, as_user: AsUser = "") -> None:
    """List the hosts that rest: since when, why, and when they are checked.

    A host rests after failed loads of three different images in a row. The reconciler asks its endpoint after a pause,
    later each time, and brings it back when it can be used; so does a load that ends well.

    \b
    Examples:
      vclab host list
      vclab host list --json
    """
    lab = lab_of(context, as_user)
    found = lab.records.resting()
    if json:
        say_json([rests_json(rest) for rest in found])
    elif found:
        zone, now = lab.zone, utc_now()
        rows = [
            (
                f"{rest.endpoint}/{rest.host}",
                clock(rest.since, zone, now),
                "" if rest.by == BY_FAILURES else rest.by,
                rest.why,
                clock(rest.next_check, zone, now) if rest.next_check else "never",
                rest.last_check,
            )
            for rest in found
        ]
        table(("HOST", "SINCE", "BY", "WHY", "NEXT CHECK", "LAST CHECK"), rows)
    else:
        note("No host rests.")


@app.command("rest")
def rest(
    context: typer.Context,
    name: HostName,
    reason: Annotated[str, typer.Option("--reason", help="Why; people are told it.")] = "maintenance",
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Place nothing on a host until it is woken. What runs there goes on.

    \b
    Examples:
      vclab host rest esx1 --reason "new memory on Monday"
    """
    lab = lab_of(context, as_user)
    admin = administration(lab)
    why = checks.line(reason, "the reason", 200)

    def change(session: "Session") -> Rest:
        from vclab.store import host_rests

        endpoint, host = _known(lab, session, name)
        host_rests.order(session, endpoint, host, why, admin.who, utc_now())
        return host_rests.resting(session)[endpoint, host]

    found = admin.write(change)
    if json:
        say_json(rests_json(found))
    else:
        say(f"{found.endpoint}/{found.host} {found.text(lambda moment: clock(moment, lab.zone))}")


@app.command("wake")
def wake(context: typer.Context, name: HostName, json: Json = False, as_user: AsUser = "") -> None:
    """Bring a resting host back at once. The loads that failed on it do not count any more.

    \b
    Examples:
      vclab host wake esx1
      vclab host wake vc1/esx1
    """
    lab = lab_of(context, as_user)
    admin = administration(lab)

    def change(session: "Session") -> tuple[str, str]:
        from vclab.store import failures, host_rests

        resting = [f"{endpoint}/{host}" for endpoint, host in host_rests.resting(session)]
        endpoint, host = _one(name, resting, "that rests", "`vclab host list` lists them")
        failures.wake(session, endpoint, host, admin.who, utc_now())
        return endpoint, host

    endpoint, host = admin.write(change)
    if json:
        say_json({"endpoint": endpoint, "host": host, "rests": False})
    else:
        say(f"{endpoint}/{host} does not rest any more")


def _known(lab: Lab, session: "Session", name: str) -> tuple[str, str]:
    """A host that an endpoint has named before. Raises ``NotFound``, and ``Refused`` for a lab machine."""
    from vclab.store import catalog, host_rests

    for endpoint in (each for each in catalog.endpoints(session) if checks.traits(each.module).lent):
        machines = {computer.name for computer in catalog.computers(session) if computer.pool == endpoint.name}
        if name.rpartition("/")[2] in machines:
            machine = name.rpartition("/")[2]
            raise Refused(f"{machine} is a lab machine: `vclab computer edit {machine} --maintenance` takes it out")
    hosts = [f"{endpoint}/{host}" for endpoint, host in host_rests.known_hosts(session)]
    return _one(name, hosts, "", "a host is known once something was reserved while its endpoint told of it")


def _one(name: str, hosts: list[str], which: str, where: str) -> tuple[str, str]:
    """The one host of that name. Raises ``NotFound``, and ``Refused`` when several are meant."""
    fitting = [each for each in hosts if name in (each, each.split("/", 1)[1])]
    if len(fitting) > 1:
        raise Refused(f"several hosts are called {quoted(name)}: write one of {', '.join(fitting)}")
    if not fitting:
        names = [*hosts, *(each.split("/", 1)[1] for each in hosts)]
        raise NotFound(f"there is no host {quoted(name)} {which}".rstrip() + f"{near(name, names)}; {where}")
    endpoint, host = fitting[0].split("/", 1)
    return endpoint, host


def rests_json(rest: Rest) -> dict[str, JsonValue]:
    """A resting host for programs. ``next_check`` is null when only somebody's order brings it back."""
    return {
        "endpoint": rest.endpoint,
        "host": rest.host,
        "since": iso(rest.since),
        "why": rest.why,
        "by": None if rest.by == BY_FAILURES else rest.by,
        "checks": rest.checks,
        "last_check": rest.last_check or None,
        "next_check": iso(rest.next_check),
    }
