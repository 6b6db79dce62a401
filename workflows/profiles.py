"""How activities are run: time-outs, heartbeats, retries, cancellation and queue, in one table.

``summary`` is what the Temporal UI shows beside the activity.
"""

from datetime import timedelta
from types import MappingProxyType

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType, ActivityConfig, LocalActivityConfig

from vclab.model.messages import looks_queue, site_queue
from vclab.model.plans import Profile, Step

WAIT = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
HEARTBEAT = timedelta(seconds=6)
"""Activities send one every 2 s: after a worker's death its work is taken up again so much later."""


LOOK_HEARTBEAT = timedelta(minutes=5)
"""At most, of looks: ten thousand of them send 42 a second."""


def record(summary: str) -> LocalActivityConfig:
    """A short database write, repeated until the database answers: half as long after it is back as it was away, and
    no longer than 5 min. A day without a database takes 1,400 of a history's 51,200 events.

    On a busy machine many wait for their turn to write, so an attempt has time.
    """
    return LocalActivityConfig(
        summary=summary,
        start_to_close_timeout=timedelta(seconds=60),
        retry_policy=RetryPolicy(
            initial_interval=timedelta(milliseconds=200), backoff_coefficient=1.5, maximum_interval=timedelta(minutes=5)
        ),
        local_retry_threshold=timedelta(seconds=5),
    )


RECORDS = MappingProxyType(
    {
        "place": "write down: placed, or refused",
        "begin": "write down: a computer is taken, or none is free",
        "reschedule": "write down: the start is moved",
        "preloaded": "write down: loaded before the start",
        "put_off": "write down: the computer is given back until the start",
        "ready": "write down: ready for its user",
        "ready_late": "write down: ready, later than promised",
        "acknowledged": "write down: Connect was pressed",
        "access_opened": "write down: who is let in",
        "not_let_in": "write down: the user could not be let in",
        "connected": "write down: the user is connected",
        "disconnected": "write down: the user is not connected any more",
        "handed_out": "write down: handed out to its user",
        "reboot_asked": "write down: a restart is asked for",
        "rebooted": "write down: where the computer is now",
        "extend": "write down: the new end, or why it can't be moved",
        "refusal_noted": "write down: a signal was refused",
        "end": "write down: ended by a person",
        "ended": "write down: ended",
        "finished": "write down: the computer is taken back",
        "kept": "write down: the computer is kept as a spare",
        "help_needed": "write down: an operator's help is needed",
        "resolved": "write down: what the operator decided",
        "step_failed": "write down: a step failed, with the evidence",
        "find_other_place": "claim another place",
        "relocated": "write down: moved to the other place",
        "load_begins": "write down: a background load begins",
        "load_ended": "write down: the background load has ended",
        "capture_begins": "write down: a capture begins, or can't",
        "capture_taken": "write down: its raw copy is taken",
        "throw_away_taken": "write down: a throw-away computer is held, or none is free",
        "throw_away_left": "write down: the throw-away computer is gone",
        "capture_ended": "write down: captured, or given up",
        "reinstall_asked": "write down: a reinstall is asked for, or can't be",
        "reinstall_begins": "write down: the computer is taken anew",
        "check_begins": "write down: an idle computer is checked, or not now",
        "check_ended": "write down: what its check found",
        "power_begins": "write down: it is to be switched, or can't be",
        "power_ended": "write down: what was seen of its power",
        "inspection_begins": "write down: its hardware is to be read, or can't be",
        "inspection_ended": "write down: what hardware it has",
        "copy_awaited": "look up: the copy that its disk is made from",
        "copy_begins": "look up: what the copy is made from",
        "copy_leaves": "look up: the copy that is to be deleted",
        "copy_gone": "write down: the copy is deleted, or stays",
        "verification_begins": "look up: the copy that is read",
        "copy_verified": "write down: the copy is right, or broken",
        "copy_ended": "write down: the copy is made, or not",
        "dismissed": "write down: dismissed from the list",
        "held": "look up: which computer it holds",
        "spare_leaves": "write down: the spare is removed",
        "spare_removed": "write down: the spare is gone",
    }
)
"""What each record activity does, for the Temporal UI: its timeline shows nothing else of a local activity."""


def record_of(what: object) -> LocalActivityConfig:
    """That of a record activity, by its name."""
    name = getattr(what, "__name__", "record")
    return record(RECORDS.get(name, f"write down: {name.replace('_', ' ')}"))


def step_ceiling(step: Step, setting: float) -> float:
    """Seconds after which a step is given up: the setting (long work: 12 times that, VCL's 7,200 s for a copy), or
    twice its usual time if that is longer, or what it needs for its bytes."""
    return max(setting * (12 if step.profile is Profile.LONG else 1), 2 * step.usual_seconds, step.least_seconds)


def step(summary: str, step: Step, site: str, ceiling: float) -> ActivityConfig:
    """A step of a plan: retried within its ceiling."""
    limit = timedelta(seconds=ceiling)
    return ActivityConfig(
        summary=summary,
        task_queue=site_queue(site, long=step.profile is Profile.LONG),
        schedule_to_close_timeout=limit,
        start_to_close_timeout=limit,
        heartbeat_timeout=HEARTBEAT,
        cancellation_type=WAIT,
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30)),
    )


def copy(summary: str, site: str) -> ActivityConfig:
    """A copy of an image: hours for a large one, and whatever is away meanwhile. Nobody's time runs out by it."""
    return ActivityConfig(
        summary=summary,
        task_queue=site_queue(site, long=True),
        schedule_to_close_timeout=timedelta(hours=24),
        start_to_close_timeout=timedelta(hours=12),
        heartbeat_timeout=HEARTBEAT,
        cancellation_type=WAIT,
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30)),
    )


def survey(summary: str, site: str) -> ActivityConfig:
    """Asking endpoints: a person waits for the answer. Without a ``site``, whoever runs the workflow is asked."""
    return ActivityConfig(
        summary=summary,
        task_queue=site_queue(site) if site else None,
        schedule_to_close_timeout=timedelta(seconds=45),
        start_to_close_timeout=timedelta(seconds=20),
        heartbeat_timeout=HEARTBEAT,
        cancellation_type=WAIT,
        retry_policy=RetryPolicy(maximum_attempts=3),
    )


def survey_elsewhere(summary: str, site: str) -> ActivityConfig:
    """The same at a further site: nobody waits long for one whose worker is away."""
    config = survey(summary, site)
    config["schedule_to_start_timeout"] = timedelta(seconds=5)
    config["schedule_to_close_timeout"] = timedelta(seconds=20)
    return config


def short(summary: str, site: str, ceiling: float) -> ActivityConfig:
    """Short hardware work outside a plan: access, planning. A dozen commands on a computer that takes 10 s for each
    are short work too."""
    return ActivityConfig(
        summary=summary,
        task_queue=site_queue(site),
        schedule_to_close_timeout=timedelta(seconds=ceiling),
        start_to_close_timeout=timedelta(seconds=min(ceiling, 300)),
        heartbeat_timeout=HEARTBEAT,
        cancellation_type=WAIT,
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=15)),
    )


def briefly(summary: str, site: str) -> ActivityConfig:
    """Worth a few tries and no more: a notice, which must not come late; closing what is removed next anyway."""
    return ActivityConfig(
        summary=summary,
        task_queue=site_queue(site),
        schedule_to_close_timeout=timedelta(seconds=60),
        start_to_close_timeout=timedelta(seconds=60),
        heartbeat_timeout=HEARTBEAT,
        cancellation_type=WAIT,
        retry_policy=RetryPolicy(maximum_attempts=3),
    )


def power(summary: str, site: str, limit: float) -> ActivityConfig:
    """A person waits for it: what a BMC says is told at once. Only what a worker that died has begun is done again."""
    return ActivityConfig(
        summary=summary,
        task_queue=site_queue(site),
        schedule_to_start_timeout=timedelta(seconds=30),
        start_to_close_timeout=timedelta(seconds=limit),
        schedule_to_close_timeout=timedelta(seconds=2 * limit),
        heartbeat_timeout=HEARTBEAT,
        cancellation_type=WAIT,
        retry_policy=RetryPolicy(
            maximum_interval=timedelta(seconds=5), non_retryable_error_types=["Unreachable", "LoginRefused"]
        ),
    )


def check(summary: str, site: str) -> ActivityConfig:
    """A look at a computer that nobody waits for: bounded, so that it is soon free again."""
    return ActivityConfig(
        summary=summary,
        task_queue=site_queue(site),
        schedule_to_start_timeout=timedelta(seconds=60),
        start_to_close_timeout=timedelta(seconds=90),
        schedule_to_close_timeout=timedelta(minutes=5),
        heartbeat_timeout=HEARTBEAT,
        cancellation_type=WAIT,
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=5), maximum_attempts=2),
    )


def search(summary: str, site: str, every: float, within: float) -> ActivityConfig:
    """A search, repeated ``every`` seconds for at most ``within`` seconds: retries cost no history.

    The server gives up as soon as the next one would come too late, so one more is allowed for.
    """
    pause = timedelta(seconds=every)
    return ActivityConfig(
        summary=summary,
        task_queue=site_queue(site),
        schedule_to_close_timeout=timedelta(seconds=within + every),
        start_to_close_timeout=timedelta(seconds=180),
        heartbeat_timeout=HEARTBEAT,
        cancellation_type=WAIT,
        retry_policy=RetryPolicy(initial_interval=pause, maximum_interval=pause, backoff_coefficient=1.0),
    )


def look(summary: str, site: str, every: float, within: float | None) -> ActivityConfig:
    """Looks every ``every`` seconds for at most ``within`` seconds, in one activity that lasts as long.

    A look changes nothing, so nobody waits for one that is not wanted any more: it learns that with its next heartbeat.
    """
    pause = timedelta(seconds=every)
    config = ActivityConfig(
        summary=summary,
        task_queue=looks_queue(site),
        start_to_close_timeout=timedelta(days=30),  # then it is begun anew
        heartbeat_timeout=look_heartbeat(every),
        cancellation_type=ActivityCancellationType.TRY_CANCEL,
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=min(1, every)), maximum_interval=pause),
    )
    if within is not None:
        config["schedule_to_close_timeout"] = timedelta(seconds=within + every)
    return config


def look_heartbeat(every: float) -> timedelta:
    """After a worker's death its looks are taken up again so much later: soon where a person is about to come."""
    return min(max(timedelta(seconds=2 * every), LOOK_HEARTBEAT / 5), LOOK_HEARTBEAT)


def spare(summary: str, site: str) -> ActivityConfig:
    """Worth a second try: a machine that can't be kept is removed, which is no harm."""
    return ActivityConfig(
        summary=summary,
        task_queue=site_queue(site),
        schedule_to_close_timeout=timedelta(minutes=10),
        start_to_close_timeout=timedelta(minutes=5),
        heartbeat_timeout=HEARTBEAT,
        cancellation_type=WAIT,
        retry_policy=RetryPolicy(maximum_attempts=2),
    )


def reclaim(summary: str, site: str, longest_pause: float) -> ActivityConfig:
    """Taking back is never given up."""
    return ActivityConfig(
        summary=summary,
        task_queue=site_queue(site),
        start_to_close_timeout=timedelta(minutes=15),
        heartbeat_timeout=HEARTBEAT,
        cancellation_type=WAIT,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=max(1.0, longest_pause))
        ),
    )


def round_of_rows(summary: str) -> ActivityConfig:
    """The reconciler's own part of a round, on its own queue; what fails is left to the next round."""
    return ActivityConfig(
        summary=summary,
        start_to_close_timeout=timedelta(minutes=10),
        # A round whose worker died would else hold up all rounds after it: the schedule skips while one runs.
        heartbeat_timeout=HEARTBEAT,
        retry_policy=RetryPolicy(maximum_attempts=1),
    )


def removal_of_records(summary: str) -> ActivityConfig:
    """What is too old is deleted batch by batch: cut off, the next attempt goes on where this one was."""
    return ActivityConfig(
        summary=summary,
        start_to_close_timeout=timedelta(hours=6),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=5), maximum_attempts=20),
    )


def round_of_site(summary: str, site: str) -> ActivityConfig:
    """A site's part of it. A site without a worker must not hold up the next round."""
    return ActivityConfig(
        **round_of_rows(summary), task_queue=site_queue(site), schedule_to_start_timeout=timedelta(seconds=30)
    )
