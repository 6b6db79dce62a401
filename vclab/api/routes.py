"""Where the use cases are, until the contract says it."""

from dataclasses import dataclass

_GET = {
    "people.me": "/me",
    "reservations.listing": "/reservations",
    "reservations.look": "/reservations/{reservation}/status",
    "reservations.show": "/reservations/{reservation}",
    "reservations.why": "/reservations/{reservation}/why",
    "reservations.needs_help": "/needs-help",
    "reservations.images": "/offers",
    "audit.listing": "/acts",
    "computers.listing": "/computers",
    "computers.show": "/computers/{name}",
    "endpoints.listing": "/endpoints",
    "endpoints.show": "/endpoints/{name}",
    "health.status": "/status",
    "hosts.listing": "/hosts/resting",
    "hosts.names": "/hosts",
    "images.listing": "/images",
    "images.show": "/images/{name}",
    "library.history": "/images/{name}/revisions",
    "users.listing": "/users",
    "users.show": "/users/{name}",
}
_POST = {
    "acts.reserve": "/reservations",
    **{
        f"acts.{verb}": f"/reservations/{{reservation}}/{verb}"
        for verb in (
            *("extend", "reschedule", "connect", "password", "reboot", "reinstall"),
            *("capture", "resolve", "end", "dismiss"),
        )
    },
    "computers.reload": "/reloads",
    "computers.disable": "/computers/{name}/disable",
    "computers.enable": "/computers/{name}/enable",
}
_PUT = {"users.add": "/users/{name}", "endpoints.add": "/endpoints/{name}"}
_PATCH = {"users.edit": "/users/{name}", "computers.edit": "/computers/{name}"}
_DELETE = {"users.remove": "/users/{name}", "computers.remove": "/computers/{name}"}


@dataclass(frozen=True)
class Route:
    """Where the HTTP API has a use case."""

    method: str
    path: str


ROUTES = {
    name: Route(method, path)
    for method, paths in (("GET", _GET), ("POST", _POST), ("PUT", _PUT), ("PATCH", _PATCH), ("DELETE", _DELETE))
    for name, path in paths.items()
}
