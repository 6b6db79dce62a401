"""Placement is pure: from a need, the endpoints' room and the claims on it to a choice, or a refusal with reasons."""

from vclab.placement.capacity import Booking, first_shortage, levels, peak
from vclab.placement.choose import Choice, DatastoreRoom, EndpointRoom, HostRoom, Need, choose

__all__ = [
    "Booking",
    "Choice",
    "DatastoreRoom",
    "EndpointRoom",
    "HostRoom",
    "Need",
    "choose",
    "first_shortage",
    "levels",
    "peak",
]
