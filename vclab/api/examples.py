"""Examples for the description of the API, made from its schemas: a value that stands for each field."""

from typing import Any

from vclab.contract.use_case import UseCase

Schema = dict[str, Any]

_IMAGE, _COMPUTER, _ENDPOINT, _HOST, _RESERVATION = "debian-12", "vm01", "vc1", "esx1", "434abxamsyx"
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKG6nQhX8mhvk2H7wRk0Wb6sI1WbJvOqbtN5bU0m6Jcn"
_SOMEBODY = dict.fromkeys(("login", "user", "who", "actor", "by", "made_by", "to"), "alice")
_MACHINE: dict[str, Any] = {
    "computer": _COMPUTER,
    "host": _HOST,
    "endpoint": _ENDPOINT,
    "datastore": "ds1",
    "network": "vclab-public",
    "pool": _ENDPOINT,
    "site": "default",
    "address": "198.51.100.7",
    "remote_addresse": "198.51.100.7/32",  # of "remote_addresses"
    "host_key": _KEY,
    "host_key_from": "the image",
    "private_address": "10.77.0.11",
    "public_address": "203.0.113.17",
    "private_mac": "02:76:63:00:00:01",
    "public_mac": "02:76:63:00:00:02",
    "device": "disk",
    "url": "https://vcenter.example.org/sdk",
    "username": "vclab@vsphere.local",
    "password_ref": "endpoint/vc1",
    "fingerprint": _SHA256,
    "certificate": "-----BEGIN CERTIFICATE-----\n…",
    "product": "VMware vCenter Server 8.0.3",
    "line": "login:",
}
_KNOWN: dict[str, Any] = {
    **_SOMEBODY,
    **_MACHINE,
    "reservation": _RESERVATION,
    "holder": _RESERVATION,
    "id": _RESERVATION,
    "name": _IMAGE,
    "image": _IMAGE,
    "load_image": _IMAGE,
    "transfer": "5c0e7a3b9d2f4e61a8b7c6d5e4f30211",
    "seconds": 7200,
    "revision": 4,
    "group": "class-5b",
    "on": "class-5b",
    "needs_over": "class-5b",
    "affiliation": "local",
    "public_key": _KEY,
    "role": "user",
    "title": "Debian 12",
    "word": "ready",
    "module": "vsphere",
    "guest": "linux",
    "zone": "Europe/Berlin",
    "why": "a disk is replaced",
    "reason": "a disk is replaced",
    "why_out_of_service": "a disk is replaced",
    "cause": "no answer within 60 s",
    "why_not": "no answer within 60 s",
    "detail": "until 2026-12-01T12:00:00Z",
    "hint": "`vclab image list` lists them",
    "message": "there is no image debian-13",
    "what": "extended",
    "verb": "acts.extend",
    "outcome": "done",
    "authentication": "token",
    "purpose": "reservation",
    "kind": "login",
    "scope": "read",
    "step": "power_on",
    "step_title": "Power on",
    "waits_for": "the guest's network",
    "text": "teacher to dora over class-5b (grant 12)",
    "because": "reservation 434abxamsyx is alice's own",
    "thing": "reservation 434abxamsyx",
    "permission": "end",
    "program": "vclab on laptop",
    "subject": "248289761001",
    "provider": "uni",
    "created_from": "198.51.100.7",
    "pseudonym": "gone-1",
    "file": "debian-12-4.qcow2",
    "format": "qcow2",
    "firmware": "efi",
    "source": "[ds1] vclab-images/debian-12/4/disk.vmdk",
    "sha256": _SHA256,
    "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
    "user_code": "WDJB-MJHT",
    "access_token": "vct_…",
    "secret": "vct_…",
    "token_type": "Bearer",
    "verification_uri": "https://lab.example.org/device",
    "verification_uri_complete": "https://lab.example.org/device?user_code=WDJB-MJHT",
}
"""Values by the name of the field; of a list, without its last s."""
_NAMES = {
    "computers": _COMPUTER,
    "identities": _COMPUTER,
    "identity-pools": "vm",
    "lab-machines": "pc01",
    "endpoints": _ENDPOINT,
    "groups": "class-5b",
    "repositories": "main",
    "users": "alice",
    "tokens": "laptop",
    "transfers": "debian-12.qcow2",
    "hosts": f"{_ENDPOINT}/{_HOST}",
}
"""What is called ``name``, by the first part of the path."""
_MACHINES = {"rows": [{"line": 2, "values": {"name": "pc01", "group": "room-12", "address": "10.12.0.11"}}]}
_BMC = {"bmc": "redfish://vclab@bmc01.example.org", "password": "…"}
_ENTRY = {"url": _MACHINE["url"], "username": _MACHINE["username"], "password": "…", "fingerprint": _SHA256}
_ASKED: dict[str, dict[str, Any]] = {
    "access.explain": {"user": "alice", "action": "end", "thing": _RESERVATION},
    "acts.capture": {"capture": "434abxb7k2m", "notes": "with R 4.4"},
    "acts.extend": {"by": 3600},
    "acts.reboot": {"hard": True},
    "acts.resolve": {"how": "retry"},
    "computer_import.preview": _MACHINES,
    "computer_import.rehearse": _MACHINES,
    "computer_import.write": _MACHINES,
    "computers.add_pool": {"count": 20},
    "computers.edit": {"maintenance": True, "notes": "a disk is replaced"},
    "computers.preview_edit": _BMC,
    "computers.preview_reload": {"names": ["pc01", "pc02"], "image": _IMAGE},
    "computers.reload": {"names": ["pc01", "pc02"], "image": _IMAGE},
    "endpoints.add": _ENTRY,
    "endpoints.edit": {"cpu_overcommit": 4.0},
    "endpoints.preview_add": _ENTRY,
    "endpoints.preview_edit": {"url": _MACHINE["url"]},
    "grants.add": {"role": "teacher", "person": "alice", "on": "class-5b"},
    "grants.remove": {"id": 12},
    "groups.add": {"kind": "people", "title": "Class 5b, biology"},
    "groups.edit": {"title": "Class 5b, biology"},
    "groups.join": {"people": ["alice", "bob"]},
    "groups.leave": {"people": ["bob"]},
    "history.listing": {"computer": _COMPUTER},
    "images.add": {"master": _KNOWN["source"], "cpus": 2, "memory_mb": 4096, "disk_gb": 20},
    "library.copy": {"endpoint": _ENDPOINT, "datastore": "ds1"},
    "library.export_image": {"format": "qcow2"},
    "library.import_image": {"transfer": _KNOWN["transfer"], "cpus": 2, "memory_mb": 4096},
    "lab_machines.add": {"group": "room-12", "address": "10.12.0.11", "trust_first_contact": True},
    "lab_machines.preview": {"group": "room-12", "address": "10.12.0.11"},
    "power.preview": _BMC,
    "repositories.add": {"folder": "/srv/vclab/images"},
    "systems.of_host": {"host": "pc01"},
    "systems.reprovision": {"host": "pc01"},
    "tokens.create": {"scopes": ["read", "act"], "days": 30},
    "tokens.decide": {"code": "WDJB-MJHT", "allow": True},
    "tokens.waiting": {"code": "WDJB-MJHT"},
    "transfers.announce": {"size": 8589934592},
    "users.add": {"zone": "Europe/Berlin"},
    "users.edit": {"zone": "Europe/Berlin"},
}
"""What else a question says, where the names of its fields tell too little."""
_FORMATS = {"date-time": "2026-12-01T10:00:00Z", "password": "…", "binary": ""}
_TYPES: dict[str, Any] = {"string": "…", "integer": 1, "number": 1.0, "boolean": False, "null": None, "object": {}}
_DEEPEST = 6


def question(use_case: UseCase[Any, Any], schema: Schema, schemas: Schema) -> dict[str, Any]:
    """What can be asked of a use case: all that its question must say, and what makes sense with it. Where nothing must
    be said and nothing is known, the first field that is not in the path."""
    properties, path = schema.get("properties", {}), use_case.route.fields
    made = {each: of(each, properties[each], schemas) for each in schema.get("required", ())}
    if "name" in made:
        made["name"] = _NAMES.get(use_case.route.path.split("/")[1], _IMAGE)
    made |= _ASKED.get(use_case.name, {})
    first = next((each for each in properties if each not in path), "")
    if first and use_case.acts and not set(made) - set(path):
        made[first] = of(first, properties[first], schemas)
    return made


def of(name: str, schema: Schema, schemas: Schema, depth: int = 0) -> Any:
    """An example of the schema, for a field of this name."""
    if "$ref" in schema:
        return of(name, schemas[schema["$ref"].rpartition("/")[2]], schemas, depth)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            if name not in _KNOWN and {"type": "null"} in schema[choice]:
                return None
            return of(name, schema[choice][0], schemas, depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    return _plain(name, schema, schemas, depth)


def _plain(name: str, schema: Schema, schemas: Schema, depth: int) -> Any:
    kind = schema.get("type")
    if name in _KNOWN and _fits(_KNOWN[name], kind):
        return _KNOWN[name]
    if kind == "object" and "properties" in schema and depth < _DEEPEST:
        wanted = schema.get("required", ()) or list(schema["properties"])[:1]
        return {each: of(each, schema["properties"][each], schemas, depth + 1) for each in wanted}
    if kind == "array":
        items = schema.get("items")
        return [of(name.removesuffix("s"), items, schemas, depth + 1)] if items and depth < _DEEPEST else []
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    return _TYPES.get(str(kind))


def _fits(value: object, kind: object) -> bool:
    return kind == ("string" if isinstance(value, str) else "integer" if isinstance(value, int) else "number") or (
        kind == "number" and isinstance(value, (int, float))
    )
