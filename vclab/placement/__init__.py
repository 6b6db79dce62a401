"""Placement as pure functions: a need, the endpoints' room and the claims on it give a choice or a refusal."""

from vclab.placement.capacity import Booking, first_shortage, levels, peak
from vclab.placement.choose import Choice, DatastoreRoom, EndpointRoom, HostRoom, Need, choose
from vclab.placement.earliest import earliest, earliest_machine, ever, gaps
from vclab.placement.evict import SpareRoom, choose_evicting, fewest
from vclab.placement.machines import MachineRoom, Promise, choose_machine

__all__ = [
    "Booking",
    "Choice",
    "DatastoreRoom",
    "EndpointRoom",
    "HostRoom",
    "MachineRoom",
    "Need",
    "Promise",
    "SpareRoom",
    "choose",
    "choose_evicting",
    "choose_machine",
    "earliest",
    "earliest_machine",
    "ever",
    "fewest",
    "first_shortage",
    "gaps",
    "levels",
    "peak",
]
