"""The stored histories: where they are, what is kept of one, and what a life did, in words."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

FOLDER = Path(__file__).parent
COMMANDS = FOLDER / "commands.txt"
"""What each life did: the part of a recording that people read."""

DROPPED = frozenset(
    {
        # names this machine, or the folders on it
        *("identity", "stackTrace", "workerVersion", "namespaceId", "workerInstanceKey"),
        # no replay needs it, and it is much, or another in each recording
        *("taskId", "requestId", "header", "priority", "meteringMetadata", "historySizeBytes", "sdkName", "sdkVersion"),
        "parentWorkflowNamespaceId",
        # what an activity or a memo is given the workflow makes anew, and how it is run is not compared
        *("upsertedMemo", "retryPolicy", "startToCloseTimeout", "scheduleToCloseTimeout", "scheduleToStartTimeout"),
        *("heartbeatTimeout", "workflowTaskTimeout"),
    }
)
"""Fields of events that are not kept."""

ATTRIBUTES = "EventAttributes"
VARIES = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?([.]\d+)?( UTC|Z|[+]00:00)?|(?<=reservation-)\w+|\b[0-9a-z]{11}\b(?=-g\d)"
)
"""In summaries: times and names of reservations, which are others in each recording."""


@dataclass(frozen=True)
class StoredHistory:
    """One run of a life's workflow."""

    name: str  #: of its file: that of the life, and the number of the run if there are several
    events: tuple[dict[str, Any], ...]

    @property
    def life(self) -> str:
        """The life that it is of."""
        return life_of(self.file())

    @property
    def started(self) -> dict[str, Any]:
        """Its beginning."""
        first: dict[str, Any] = self.events[0]["workflowExecutionStartedEventAttributes"]
        return first

    @property
    def workflow(self) -> str:
        """The workflow's type."""
        return str(self.started["workflowType"]["name"])

    @cached_property
    def history(self) -> WorkflowHistory:
        """For a replay."""
        return WorkflowHistory.from_json(self.started["workflowId"], {"events": list(self.events)})

    def of(self, kind: str) -> Iterator[dict[str, Any]]:
        """The attributes of all its events of a kind: "workflowExecutionSignaled"."""
        for event in self.events:
            if kind + ATTRIBUTES in event:
                yield event[kind + ATTRIBUTES]

    @property
    def messages(self) -> set[str]:
        """The signals that came, and the updates that were accepted."""
        signals = {str(event["signalName"]) for event in self.of("workflowExecutionSignaled")}
        accepted = self.of("workflowExecutionUpdateAccepted")
        return signals | {str(event["acceptedRequest"]["input"]["name"]) for event in accepted}

    @property
    def ending(self) -> str:
        """How the reservation ended; empty for other workflows, and when it has not."""
        if self.workflow != "Reservation":
            return ""
        for event in self.of("workflowExecutionCompleted"):
            return str(_payloads(event["result"])[0]["ending"])
        return "failed" if any(self.of("workflowExecutionFailed")) else ""

    @property
    def disturbed(self) -> bool:
        """A workflow task failed or came too late: the machine had too much to do, or two things happened at once."""
        return any(self.of("workflowTaskFailed")) or any(self.of("workflowTaskTimedOut"))

    def file(self) -> Path:
        """Where it is."""
        return FOLDER / f"{self.name}.json"

    def write(self) -> None:
        """An event a line: compact, and two recordings can be compared."""
        lines = ",\n".join(json.dumps(event, sort_keys=True, separators=(",", ":")) for event in self.events)
        self.file().write_text(f'{{"events":[\n{lines}\n]}}\n')

    def commands(self) -> list[str]:
        """What was asked of it and what it did, in order."""
        return [VARIES.sub("…", line) for event in self.events if (line := _told(event))]


def of_history(name: str, history: WorkflowHistory, folder: Path) -> StoredHistory:
    """What is kept of a history that was lived in a folder."""
    events = json.loads(history.to_json().replace(str(folder), "/var/lib/vclab"))["events"]
    return StoredHistory(name, tuple(_kept(event) for event in events))


def read(file: Path) -> StoredHistory:
    """One that is stored."""
    return StoredHistory(file.stem, tuple(json.loads(file.read_text())["events"]))


def files() -> list[Path]:
    """All that are stored."""
    return sorted(FOLDER.glob("*.json"))


def life_of(file: Path) -> str:
    """The life that a file is of."""
    return file.stem.partition(".")[0]


def all_commands(histories: list[StoredHistory]) -> str:
    """The text of ``COMMANDS``."""
    parts = []
    for each in histories:
        parts.append(f"{each.name} ({each.workflow})\n" + "".join(f"    {line}\n" for line in each.commands()))
    return "\n".join(parts)


def _kept(value: Any) -> Any:
    if isinstance(value, list):
        return [_kept(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _kept(item) for key, item in value.items() if key not in DROPPED}
    if "activityType" in kept:
        kept.pop("input", None)  # the same
    if kept.get("kind") == "TASK_QUEUE_KIND_STICKY":
        kept = {"name": kept["normalName"]}
    if "namespace" in kept:
        kept["namespace"] = "default"
    return kept


def _told(event: dict[str, Any]) -> str:
    kind = next((key for key in event if key.endswith(ATTRIBUTES)), "")
    tell = _TELLS.get(kind.removesuffix(ATTRIBUTES))
    if tell is None:
        return ""
    text, summary = tell(event[kind]), _text(event.get("userMetadata", {}).get("summary"))
    return f"{text}: {summary}" if summary else text


def _record(marker: dict[str, Any]) -> str:
    if marker["markerName"] != "core_local_activity":
        return f"marker {marker['markerName']}: {_payloads(marker.get('details', {}).get('patch-data'))}"
    about = _payloads(marker["details"]["data"])[0]
    return f"record {about['activity_type']}" + (" failed" if "failure" in marker else "")


def _attributes(event: dict[str, Any]) -> str:
    fields = event["searchAttributes"]["indexedFields"]
    state = f" {_text(fields['LabState'])}" if "LabState" in fields else ""
    return f"attributes {', '.join(sorted(fields))}{state}"


_TELLS: dict[str, Callable[[dict[str, Any]], str]] = {
    "workflowExecutionSignaled": lambda e: f"< signal {e['signalName']}",
    "workflowExecutionUpdateAccepted": lambda e: f"< update {e['acceptedRequest']['input']['name']}",
    "workflowExecutionUpdateCompleted": lambda e: f"> {'failure' if 'failure' in e['outcome'] else 'answer'}",
    "workflowExecutionCancelRequested": lambda _: "< cancel",
    "activityTaskScheduled": lambda e: f"activity {e['activityType']['name']}",
    "activityTaskCancelRequested": lambda _: "cancels the activity",
    "activityTaskFailed": lambda _: "the activity failed",
    "activityTaskTimedOut": lambda _: "the activity timed out",
    "markerRecorded": _record,
    "timerStarted": lambda e: "timer",
    "timerFired": lambda _: "the timer fired",
    "timerCanceled": lambda _: "cancels the timer",
    "upsertWorkflowSearchAttributes": _attributes,
    "workflowPropertiesModified": lambda _: "memo",
    "signalExternalWorkflowExecutionInitiated": lambda e: f"signals {e['signalName']}",
    "startChildWorkflowExecutionInitiated": lambda e: f"starts {e['workflowType']['name']}",
    "workflowExecutionContinuedAsNew": lambda _: "goes on in a new run",
    "workflowExecutionCompleted": lambda _: "completed",
    "workflowExecutionFailed": lambda _: "failed",
    "workflowExecutionCanceled": lambda _: "cancelled",
}


def _payloads(payloads: Any) -> list[Any]:
    if not payloads:
        return []
    return [json.loads(base64.b64decode(each["data"])) for each in payloads["payloads"]]


def _text(payload: Any) -> str:
    return str(json.loads(base64.b64decode(payload["data"]))) if payload and "data" in payload else ""
