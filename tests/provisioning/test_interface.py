"""The suite that every provisioning module passes: what ``vclab/provisioning/base.py`` says of each operation.

What is special to a module is tried in tests of its own.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import interface
from tests.provisioning.bench import FakeContext
from tests.provisioning.subjects import SUBJECTS, SURROUNDINGS, Subject, each_kind, subject_of
from tests.targets import target_of
from vclab.fake_world import World
from vclab.guests.base import Guest
from vclab.guests.fake import FakeGuest
from vclab.guests.linux import Linux
from vclab.model.errors import Fenced, NotOurs, StepFailed
from vclab.model.nodes import report_of
from vclab.model.plans import Becomes, NodeStatus, Plan, Status, Target
from vclab.model.traits import POWER, Operation, Traits
from vclab.provisioning import bare_metal, registry, standalone
from vclab.provisioning.base import ProvisioningModule, Sealer, capturer, copier, inspector, maker, power, sealer
from vclab.provisioning.kind import Kind
from vclab.secrets.store import SecretStore

BECOMES = Becomes("c1", "captured", 1, reservation="r", computer="vm01", generation=1)
WORDS = ("on", "off", "unknown")
GUESTS: dict[str, Guest] = {
    Linux.name: Linux(Path("key"), SecretStore(Path("secrets"), Path("keys"), "default"), []),
    FakeGuest.name: FakeGuest(World()),
}
STRANGE = {(standalone.NAME, FakeGuest.name): {"fake.check_free", "fake.prepare"}}
"""Steps that a guest lacks, of a module that nobody has with it: lab machines are real."""
ADDED: dict[str, Callable[[Traits], bool]] = {
    "Maker": lambda traits: not traits.lent,
    "Copier": lambda traits: traits.copies,
    "Sealer": lambda traits: traits.seals,
}
"""Protocols that a module has as a whole, or not at all."""


# --- as declared --------------------------------------------------------------------------------------------------


def test_the_page_is_that_of_the_docstrings() -> None:
    assert interface.PAGE.read_text() == interface.page(), f"run: {interface.COMMAND}"


def test_each_operation_is_told_of_in_the_same_form() -> None:
    """A sentence, then fields in their order; a field that is misspelt is none."""
    for protocol in interface.protocols():
        for operation in protocol.operations:
            told = f"{protocol.name}.{operation.name}"
            assert operation.text.partition("\n\n")[0].rstrip().endswith("."), told
            assert [name for name in interface.FIELDS if name in operation.fields] == list(operation.fields), told
            assert all(text.strip().endswith(".") for text in operation.fields.values()), told
            assert not re.search(r"^[A-Z][\w ]+: ", operation.text.partition("\n\n")[2], re.MULTILINE), told


def test_each_module_is_tried_here() -> None:
    assert set(SUBJECTS) == {kind.name for kind in registry.KINDS}


@each_kind
def test_what_is_declared_is_there_and_nothing_else(kind: Kind) -> None:
    module: Any = kind.build(SURROUNDINGS)
    there = {each for each in Operation if callable(getattr(module, each, None))}
    assert there == set(kind.traits.operations)
    for protocol in interface.protocols():
        if protocol.name in ("ProvisioningModule", *ADDED):
            wanted = protocol.name not in ADDED or ADDED[protocol.name](kind.traits)
            for operation in protocol.operations:
                assert callable(getattr(module, operation.name, None)) == wanted, f"{protocol.name}.{operation.name}"


@each_kind
def test_what_is_not_declared_is_refused(kind: Kind) -> None:
    """It is never called: whoever wants it asks one of these."""
    module, target, traits = kind.build(SURROUNDINGS), target_of(module=kind.name), kind.traits
    assert (maker(module) is None) == traits.lent
    asked: list[tuple[bool, Callable[[], object]]] = [
        (traits.can(Operation.CAPTURE), lambda: capturer(module)),
        (traits.can(Operation.INSPECT), lambda: inspector(module)),
        (traits.seals, lambda: sealer(module)),
        (traits.copies, lambda: copier(module)),
        *((traits.can(each), partial(power, module, each, target)) for each in POWER),
    ]
    for declared, ask in asked:
        if declared:
            assert ask() is module
        else:
            with pytest.raises(StepFailed, match=f"the provisioning module {kind.name} "):
                ask()


@each_kind
def test_steps_have_names_of_their_own(kind: Kind) -> None:
    """A name is an activity's, so no other module or guest may have it."""
    mine = set(kind.build(SURROUNDINGS).steps())
    assert mine and all(name.partition(".")[0] == kind.name and name.partition(".")[2] for name in mine)
    others = [each.build(SURROUNDINGS).steps() for each in registry.KINDS if each is not kind]
    assert mine.isdisjoint(name for steps in (*others, *(guest.steps() for guest in GUESTS.values())) for name in steps)


@each_kind
@pytest.mark.parametrize("guest", GUESTS)
def test_plans_name_steps_that_there_are(kind: Kind, guest: str) -> None:
    module = kind.build(SURROUNDINGS)
    known = {*module.steps(), *GUESTS[guest].steps()} | STRANGE.get((kind.name, guest), set())
    plans = list(_plans(module, guest if kind.traits.guest else ""))
    assert plans
    for plan in plans:
        names = [step.name for step in plan.steps]
        assert names and len(set(names)) == len(names)
        assert set(names) <= known
        assert {step.undo for step in plan.steps if step.undo} <= set(module.steps())
        assert all(step.title for step in plan.steps)


@each_kind
def test_steps_of_the_guest_and_no_others_speak_of_the_guest(kind: Kind) -> None:
    """But for a machine that is on and never asks for an address, or never answers: that has not booted."""
    guest = "linux" if kind.traits.guest else ""
    module, target = kind.build(SURROUNDINGS), target_of(module=kind.name, guest=guest, spare="x")
    for status in Status:
        for step in module.load_plan(target, NodeStatus(status)).steps:
            owner, _, verb = step.name.partition(".")
            inside = bool(guest and (owner == guest or verb in ("find_address", "await_system")))
            assert inside == (step.in_guest or step.blames_nobody), step


@each_kind
def test_without_a_guest_nothing_speaks_of_one(kind: Kind) -> None:
    """A module that needs one says so."""
    module, target = kind.build(SURROUNDINGS), target_of(module=kind.name, guest="")
    try:
        plan = module.load_plan(target, NodeStatus())
    except StepFailed as error:
        assert kind.name == standalone.NAME and "needs a guest" in str(error)
    else:
        assert {step.name for step in plan.steps} <= set(module.steps())
        assert not any(step.in_guest for step in plan.steps)
    if kind.traits.seals:
        with pytest.raises(StepFailed, match="without a guest"):
            capturer(module).capture(target)


@each_kind
def test_what_seals_can_put_it_back(kind: Kind) -> None:
    """What is taken, and what is published, names what puts it back."""
    module, target = kind.build(SURROUNDINGS), target_of(module=kind.name)
    if not kind.traits.seals:
        return
    assert kind.traits.can(Operation.CAPTURE) and kind.traits.guest
    for plan in (capturer(module).capture(target), sealer(module).publish(target)):
        assert any(step.undo for step in plan.steps)


@each_kind
def test_to_leave_twice_is_harmless(kind: Kind) -> None:
    module = kind.build(SURROUNDINGS)
    module.close()
    module.close()


def _plans(module: ProvisioningModule, guest: str) -> Iterator[Plan]:
    """All that the module can plan."""
    target = target_of(module=module.name, guest=guest)
    for of in (target, replace(target, spare="x"), replace(target, dedicated=True)):
        for status in Status:
            yield module.load_plan(of, NodeStatus(status))
    if module.traits.can(Operation.CAPTURE):
        yield capturer(module).capture(target)
    if module.traits.can(Operation.INSPECT):
        for word in WORDS:
            yield inspector(module).inspect(_without_image(target), NodeStatus(power=word))
    if module.traits.seals:
        yield from _sealing(sealer(module), target)


def _without_image(target: Target) -> Target:
    """The same computer, of which nobody says what it is to hold."""
    return replace(target, image="", revision=0, guest="", image_data="")


def _sealing(module: Sealer, target: Target) -> Iterator[Plan]:
    yield module.hand_back(target)
    yield module.seal(replace(target, isolated=True))
    yield module.boot_test(target)
    yield module.publish(target)


# --- as it behaves ------------------------------------------------------------------------------------------------

_tried = [
    pytest.param(name, marks=[pytest.mark.heavy] if name in ("vsphere", "bare-metal") else []) for name in SUBJECTS
]
marked = pytest.mark.parametrize(
    "subject", [each for each in _tried if each.values[0] not in (standalone.NAME, bare_metal.NAME)], indirect=True
)
"""Those that write a mark on what they make. Of a lab machine and a node the fence alone keeps others out."""


@pytest.fixture(params=_tried)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Each module in turn."""
    with subject_of(request.param, request) as made:
        yield made


def power_word(subject: Subject) -> str:
    """What it says of the power; empty: it can't be asked."""
    module, traits = subject.module, subject.module.traits
    if not traits.can(Operation.POWER_STATUS):
        return ""
    return power(module, Operation.POWER_STATUS, subject.target).power_status(subject.target)


def check(status: NodeStatus) -> None:
    """It answers with the words that there are, and says why."""
    assert isinstance(status.status, Status) and status.power in WORDS and status.ssh in (True, False, None)
    assert status.why or status.status is Status.READY


def test_a_survey(subject: Subject) -> None:
    found = subject.module.survey(subject.target.endpoint)
    assert (found.endpoint, found.error) == (subject.target.endpoint, "")
    assert subject.target.host in [host.name for host in found.hosts if host.usable]


def test_what_is_there_as_a_status(subject: Subject) -> None:
    """Nothing, then what was loaded, then something else than what is wanted."""
    nothing = subject.module.node_status(subject.target)
    subject.load()
    loaded = subject.module.node_status(subject.target)
    other = replace(subject.target, image="other", spare=subject.target.instance_uuid)
    another = subject.module.node_status(other)
    for status in (nothing, loaded, another):
        check(status)
    if subject.loads:
        assert nothing.status is Status.RELOAD and another.status is not Status.READY
        assert nothing.power != "on"
    if power_word(subject):
        assert loaded.power == power_word(subject) == "on"
        assert loaded.status is not Status.RELOAD


def test_what_is_off_is_not_ready(subject: Subject) -> None:
    traits = subject.module.traits
    if not traits.can(Operation.POWER_OFF):
        with pytest.raises(StepFailed, match="switch it by hand"):
            power(subject.module, Operation.POWER_OFF, subject.target)
        return
    subject.load()
    power(subject.module, Operation.POWER_OFF, subject.target).power_off(FakeContext(), subject.target)
    status, where = subject.module.node_status(subject.target), subject.module.whereabouts(subject.target)
    check(status)
    assert status.power == "off"
    if status.status is not Status.RELOAD:
        assert (traits.reloadable, status.status) == (True, Status.POST_LOAD)
        for step in subject.module.load_plan(subject.target, status).steps:
            if step.name in subject.module.steps():
                subject.step(step.name)
        assert power_word(subject) == "on", "its load switches it on"
    assert (where.off, where.gone) == (True, False) and where.trouble


def test_each_step_twice_is_as_once(subject: Subject) -> None:
    subject.load(times=2)
    check(subject.module.node_status(subject.target))
    assert not subject.module.whereabouts(subject.target).gone
    if making := maker(subject.module):
        mine = [m for m in making.machines(subject.target.endpoint).machines if m.computer == subject.target.computer]
        assert [m.instance_uuid for m in mine] == [subject.target.instance_uuid]


def test_it_is_taken_back_however_far_it_is(subject: Subject) -> None:
    """Not begun, half made, or loaded; and once more."""
    for steps in range(len(subject.own_steps) + 1):
        subject.load(steps=steps)
        for _ in range(2):
            subject.remove()
            where = subject.module.whereabouts(subject.target)
            check(subject.module.node_status(subject.target))
            if making := maker(subject.module):
                assert where.gone and where.trouble and not where.address
                there = making.machines(subject.target.endpoint).machines
                assert subject.target.instance_uuid not in [machine.instance_uuid for machine in there]


def test_evidence_of_what_is_there_and_of_what_is_not(subject: Subject) -> None:
    seen = [subject.module.evidence(subject.target)]
    subject.load()
    seen.append(subject.module.evidence(subject.target))
    subject.remove()
    seen.append(subject.module.evidence(subject.target))
    for evidence in seen:
        assert evidence.power in WORDS
        assert all(isinstance(line, str) and line for line in evidence.endpoint)
    assert seen[1].endpoint
    if power_word(subject):
        assert seen[1].power == "on" and seen[2].power != "on"


def test_it_is_switched(subject: Subject) -> None:
    """Off, on and anew, each twice; what is gone can be switched off, and not on."""
    module, target, traits = subject.module, subject.target, subject.module.traits
    assert set(POWER) <= set(traits.operations) or not set(POWER) & set(traits.operations)
    if not traits.can(Operation.POWER_ON):
        assert not power_word(subject)
        return
    subject.load()
    switch = power(module, Operation.POWER_ON, target)
    for verb, word in ((switch.power_off, "off"), (switch.power_on, "on"), (switch.power_reset, "on")):
        for _ in range(2):
            verb(FakeContext(), target)
            assert switch.power_status(target) == word
    switch.power_off(FakeContext(), target)
    switch.power_reset(FakeContext(), target)
    assert switch.power_status(target) == "on"
    if not traits.lent:
        subject.remove()
        switch.power_off(FakeContext(), target)
        assert switch.power_status(target) == "unknown"
        for verb in (switch.power_on, switch.power_reset):
            with pytest.raises(StepFailed):
                verb(FakeContext(), target)


def test_its_hardware_is_read(subject: Subject) -> None:
    """Each step twice; then what it holds and its power are as before."""
    module, target = subject.module, _without_image(subject.target)
    if not module.traits.can(Operation.INSPECT):
        with pytest.raises(StepFailed, match="reads no hardware"):
            inspector(module)
        return
    subject.load()
    before = module.node_status(subject.target)
    plan = inspector(module).inspect(target, module.node_status(target))
    assert all(step.blames_nobody for step in plan.steps)
    learned = [subject.step(step.name, target) for step in plan.steps if subject.tries(step) for _ in range(2)]
    assert not subject.tries(plan.steps[-1]) or report_of(json.loads(learned[-1].hardware)).cpus
    for undo in [step.undo for step in reversed(plan.steps) if step.undo]:
        for _ in range(2):
            subject.step(undo, target)
    assert module.node_status(subject.target) == before


def test_what_nobody_holds_is_removed(subject: Subject) -> None:
    making = maker(subject.module)
    if making is None:
        assert not hasattr(subject.module, "remove_machine")
        return
    subject.load()
    target = subject.target
    (mine,) = (m for m in making.machines(target.endpoint).machines if m.computer == target.computer)
    assert (mine.instance_uuid, mine.reservation) == (target.instance_uuid, target.reservation)
    assert (mine.generation, mine.powered_on) == (target.generation, True)
    for _ in range(2):
        making.remove_machine(target.endpoint, mine.instance_uuid)
    assert subject.module.whereabouts(target).gone


def test_the_fence_is_asked_before_it_is_taken_back(subject: Subject) -> None:
    subject.load()
    before = subject.module.node_status(subject.target)
    with pytest.raises(Fenced):
        subject.remove(context=FakeContext(allowed=0))
    assert subject.module.node_status(subject.target) == before


@marked
def test_what_is_newer_or_not_ours_is_untouched(subject: Subject) -> None:
    newer = replace(subject.target, generation=subject.target.generation + 1, reservation="newer")
    subject.load(newer)
    before = subject.module.node_status(newer), subject.module.whereabouts(newer)
    with pytest.raises(NotOurs):
        subject.remove()
    with pytest.raises(NotOurs):
        subject.remove(replace(newer, installation="other"))
    assert (subject.module.node_status(newer), subject.module.whereabouts(newer)) == before
    subject.remove(newer)


def test_to_put_back_what_was_not_done_is_harmless(subject: Subject) -> None:
    """Twice, too: a capture may be given up before anything was made."""
    traits, target = subject.module.traits, subject.target
    if not traits.can(Operation.CAPTURE):
        with pytest.raises(StepFailed, match="captures nothing"):
            capturer(subject.module)
        return
    subject.load()
    becomes = replace(BECOMES, computer=target.computer, generation=target.generation)
    plans = [capturer(subject.module).capture(target)]
    if traits.seals:
        plans += _sealing(sealer(subject.module), target)
    before = subject.module.node_status(target)
    for undo in [step.undo for plan in plans for step in plan.steps if step.undo]:
        for _ in range(2):
            subject.step(undo, becomes=becomes)
    assert subject.module.node_status(target) == before


def test_traits_tell_what_they_can() -> None:
    traits = Traits(operations=(Operation.POWER_ON,))
    assert traits.can(Operation.POWER_ON) and not traits.can(Operation.CAPTURE)
