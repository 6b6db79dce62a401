"""All activities of a management node, made of what they work with."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client

from activities.captures import CaptureActivities, CaptureRecords
from activities.computer_checks import CheckActivities, CheckRecords
from activities.copies import CopyActivities, CopyRecords
from activities.drivers import Drivers
from activities.enquiries import EnquiryActivities
from activities.evidence import EvidenceActivities
from activities.failed_steps import FailedStepRecords
from activities.fence import TenureFence
from activities.guest import GuestActivities
from activities.inspections import InspectionActivities, InspectionRecords
from activities.inventories import StoreInventories
from activities.load_log import StoreLoadLog
from activities.loads import LoadRecords
from activities.looks import LookActivities
from activities.places import PlaceActivities
from activities.power import PowerActivities, PowerRecords
from activities.provisioning import ProvisioningActivities
from activities.reach import Reach
from activities.reader import Reader
from activities.reconcile import RowReconciler, SiteReconciler
from activities.records import RecordActivities
from activities.reinstalls import ReinstallRecords
from activities.retention import RetentionActivities
from activities.senders import Senders
from activities.spares import SpareActivities
from activities.steps import step_activities
from activities.verified import VerifiedAccess
from activities.watch import Watch
from vclab.model.catalog import Endpoint
from vclab.model.errors import Refused
from vclab.settings import Live, Settings
from vclab.store.engine import Store

Activities = Sequence[Callable[..., Any]]

MARK = "__temporal_activity_definition"
"""The SDK's attribute of what ``@activity.defn`` has marked; it has no public way to ask."""


@dataclass(frozen=True)
class Exports:
    """What is to be registered, by where it is called."""

    records: Activities  #: as local activities, by the workflows' own worker
    rounds: Activities  #: on the workflows' queue
    survey: Activities  #: on the workflows' queue and on those of sites
    hardware: Activities  #: on the queue of a site: all that is short, steps included
    steps: Activities  #: what may be long: steps, and copies
    looks: Activities  #: on the queue of a site's looks


def export(client: Client, settings: Settings, store: Store, drivers: Drivers, executor: Executor) -> Exports:
    """Everything. ``executor`` runs the hardware work that blocks."""
    fence, reader, live, verified = TenureFence(store), Reader(store), Live(settings), VerifiedAccess(store)
    site = settings.site if "site" in settings.roles else ""
    modules, guests, rules = drivers.modules, drivers.guests, settings.rules()
    provisioning = ProvisioningActivities(
        modules, reader.endpoints, reader.medians, fence, executor, guests, reader.spare, StoreInventories(store), site
    )
    network = settings.netboot.root if settings.netboot.interface else None
    reach, watch = Reach(guests, drivers.whereabouts), Watch(settings.looks.kept, settings.looks.at_once)
    tables = [driver.steps() for each in (modules, guests) for driver in each.values()]
    steps = step_activities(tables, fence, StoreLoadLog(store), executor, drivers.whereabouts)
    return Exports(
        records=activities_of(
            RecordActivities(store, live, Senders(client, asyncio.get_running_loop())),
            LoadRecords(store, live),
            FailedStepRecords(store, live),
            CopyRecords(store, live),
            CaptureRecords(store, live),
            ReinstallRecords(store, live),
            PowerRecords(store, live),
            CheckRecords(store, live),
            InspectionRecords(store, live),
        ),
        rounds=activities_of(
            RowReconciler(
                client,
                store,
                reader.endpoints,
                settings.temporal.workflow_queue,
                lambda: live().rules(),
                drivers.secrets,
            ),
            RetentionActivities(client, store, live),
        ),
        survey=(provisioning.survey,),
        hardware=[
            *activities_of(
                provisioning,
                CaptureActivities(modules, reader.capture_medians, fence, executor),
                PlaceActivities(provisioning.survey, store, live),
                EvidenceActivities(modules, guests, executor),
                CheckActivities(guests),
                PowerActivities(modules, drivers.power, store, executor, settings.tenant_networks),
                InspectionActivities(modules, fence, executor),
                SpareActivities(guests, fence, verified),
                GuestActivities(reach, fence, verified),
                EnquiryActivities(_password(drivers), settings.installation, executor),
                SiteReconciler(store, modules, reader.endpoints, settings.reconcile, executor, rules.health, network),
            ),
            *steps,
        ],
        steps=[*steps, *activities_of(CopyActivities(modules, store, executor))],
        looks=activities_of(LookActivities(reach, fence, watch)),
    )


def _password(drivers: Drivers) -> Callable[[Endpoint], str]:
    """That of an endpoint, for where it is now. Raises ``Refused`` where a worker has no secrets: in tests."""

    def password(endpoint: Endpoint) -> str:
        if drivers.secrets is None:
            raise Refused("this worker has no secrets")
        return drivers.secrets.endpoint_password(endpoint)

    return password


def activities_of(*objects: object) -> list[Callable[..., Any]]:
    """The methods of these objects that ``@activity.defn`` marks."""
    return [
        getattr(one, name)
        for one in objects
        for kind in reversed(type(one).__mro__)
        for name, method in vars(kind).items()
        if hasattr(method, MARK)
    ]
