"""``vclab status``: is everything there that reservations need?"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import typer

from vclab.cli.context import Lab, lab_of
from vclab.cli.errors import Code, code_of, text_of
from vclab.cli.output import say_json, table
from vclab.cli.params import Json
from vclab.cli.plugins import load_all
from vclab.cli.times import clock, utc_now
from vclab.model.durations import format_duration

GROUP = "vclab.status"
"""Entry points of this group name functions without arguments that return a list of parts."""


class PartLike(Protocol):
    """What a plug-in tells of one part: read only."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def ok(self) -> bool:
        """Whether it does what is needed of it."""

    @property
    def detail(self) -> str:
        """Where it is, or what is wrong and what to do."""


@dataclass(frozen=True)
class Part:
    """One part of the installation."""

    name: str
    ok: bool
    detail: str


def status(context: typer.Context, json: Json = False) -> None:
    """Tell whether all that reservations need is there.

    Temporal, the database, workers on every queue, no workflow whose task fails again and again,
    no machine of ours that nobody holds, hosts that rest, and images that are suspect.
    Exit code 5 when something that is needed is down.

    \b
    Examples:
      vclab status
      vclab status --json
    """
    parts = [*_parts(lab_of(context)), *_plugged()]
    well = all(part.ok for part in parts)
    if json:
        say_json({"ok": well, "parts": [{"name": p.name, "ok": p.ok, "detail": p.detail} for p in parts]})
    else:
        table(("", "PART", "DETAIL"), [("✓" if p.ok else "✗", p.name, p.detail) for p in parts])
    raise typer.Exit(Code.OK if well else Code.UNREACHABLE)


def _parts(lab: Lab) -> Iterable[PartLike]:
    """The product's own parts."""
    database = _database(lab)
    sites = lab.sites() if database.ok else (lab.settings.site,)
    found = [_strays(lab), _hosts(lab), _images(lab), _loads(lab)] if database.ok else []
    return [database, *asyncio.run(_temporal(lab, sites)), *found]


def _hosts(lab: Lab) -> Part:
    """Hosts that rest. That is how a lab goes on with a broken host: it is told, and is no fault of the set-up."""
    try:
        found, now = lab.records.resting(), utc_now()
    except Exception as error:  # as with the database
        return Part("hosts", False, text_of(error))
    each = [f"{rest.endpoint}/{rest.host} {rest.text(lambda at: clock(at, lab.zone, now))}" for rest in found]
    return Part("hosts", True, " | ".join(each) or "none rests")


def _images(lab: Lab) -> Part:
    """Revisions in production that failed in several places: they are to blame, and nothing of the set-up is."""
    try:
        production = {(image.name, image.revision) for image in lab.records.images()}
        found = [each for each in lab.records.suspects() if (each.image, each.revision) in production]
    except Exception as error:  # as with the database
        return Part("images", False, text_of(error))
    return Part("images", True, " | ".join(each.text() for each in found) or "none is suspect")


def _loads(lab: Lab) -> Part:
    """Loads that wait for an operator: each is a fault of something, but none of the set-up."""
    try:
        found, failed = lab.records.waiting_for_help(), lab.records.failed_loads()
    except Exception as error:  # as with the database
        return Part("loads", False, text_of(error))
    each = [f"{view.id} at {trouble.title} on {trouble.host}" for view, trouble in found]
    told = [f"{len(found)} need{'s' * (len(found) == 1)} help: {', '.join(each)}"] if found else []
    told += [f"{trouble.computer} failed at {trouble.title}" for trouble in failed]
    return Part("loads", True, f"{'; '.join(told)}; `vclab needs-help` shows why" if told else "none needs help")


def _strays(lab: Lab) -> Part:
    """Machines without a tenure, as the reconciler has seen them last."""
    try:
        found = lab.records.strays()
    except Exception as error:  # as with the database
        return Part("machines", False, text_of(error))
    if not found:
        return Part("machines", True, "none that nobody holds")
    grace, now = lab.settings.reconcile.grace, utc_now()
    each = [
        f"{stray.name} on {stray.endpoint} (for {format_duration((now - stray.since).total_seconds())})"
        for stray in found
    ]
    return Part("machines", False, f"nobody holds {', '.join(each)}; removed after {format_duration(grace)}")


def _database(lab: Lab) -> Part:
    try:
        lab.records.check()
        running = lab.records.count_open()
    except Exception as error:  # whatever it is, it is this part's state
        return Part("database", False, text_of(error))
    return Part("database", True, f"{lab.records.shown_url}, {running} open reservation{'s' * (running != 1)}")


async def _temporal(lab: Lab, sites: tuple[str, ...]) -> list[Part]:
    """The Temporal server, who polls the queues, and workflows whose task fails again and again."""
    settings = lab.settings.temporal
    try:
        client = await lab.client(5.0)
        from vclab.temporal.client import failing_workflows, queue_health

        queues = await queue_health(client, settings.workflow_queue, sites)
        failing = await failing_workflows(client)
    except Exception as error:  # as above
        return [Part("temporal", False, text_of(error))]
    return [
        Part("temporal", True, f"{settings.address}, UI {settings.ui}" if settings.ui else settings.address),
        *(
            Part(f"queue {queue.name}", queue.ok, queue.text() + ("" if queue.ok else "; start vclab-worker there"))
            for queue in queues
        ),
        Part("workflows", not failing.workflows, failing.text()),
    ]


def _plugged() -> Iterable[PartLike]:
    for name, collect in load_all(GROUP):
        try:
            yield from collect()
        except Exception as error:  # one plug-in's fault must not hide the rest
            yield Part(name, False, f"{text_of(error)} (exit code {code_of(error)})")
