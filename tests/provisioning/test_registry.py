"""Every registered module has just what its traits declare, and importing the registry imports no driver's library."""

import re
import subprocess
import sys
from typing import Any

import pytest

from tests.targets import target_of
from vclab.model.catalog import Endpoint
from vclab.model.errors import StepFailed
from vclab.model.plans import NodeStatus, Status
from vclab.model.traits import Operation, Traits
from vclab.provisioning import registry
from vclab.provisioning.base import maker, power
from vclab.provisioning.kind import Kind, Surroundings

ENDPOINT = Endpoint("e", "", "", "", "", "")
SURROUNDINGS = Surroundings(
    installation="vclab",
    endpoints=lambda name: ENDPOINT,
    password=lambda ref: "",
    group=lambda endpoint: [],
    why_not_free=lambda computer: "",
    sanitize=lambda target, fence: None,
)

each_kind = pytest.mark.parametrize("kind", registry.KINDS, ids=lambda kind: kind.name)


@each_kind
def test_a_module_is_what_its_kind_declares(kind: Kind) -> None:
    module = kind.build(SURROUNDINGS)
    assert (module.name, module.traits) == (kind.name, kind.traits)
    assert registry.traits()[kind.name] == kind.traits


@each_kind
def test_what_is_declared_is_there_and_nothing_else(kind: Kind) -> None:
    module: Any = kind.build(SURROUNDINGS)
    assert {each for each in Operation if callable(getattr(module, each, None))} == set(kind.traits.operations)
    for name in ("machines", "remove_machine"):
        assert hasattr(module, name) == (not kind.traits.lent), f"{name}: only what makes computers can list its own"
    assert (maker(module) is None) == kind.traits.lent
    for name in ("make_copy", "remove_copy", "fetch_copy", "verify_copy"):
        assert hasattr(module, name) == kind.traits.copies


@each_kind
def test_traits_fit_together(kind: Kind) -> None:
    traits = kind.traits
    assert traits.lent or not traits.reloadable, "what is made for each reservation is never loaded anew"
    # The store keeps a tenure of one row of `computers`: a lent computer, or the identity under which one is made. So
    # what is made without an identity would have nothing to be held by, and what is lent with one would need two.
    assert traits.lent != traits.identity, "what is made has a name from a pool; what is lent has its own"


@each_kind
def test_no_secret_is_kept_in_the_data_of_a_module(kind: Kind) -> None:
    """It is copied into targets, histories and JSON; a secret is named by its reference."""
    for data in (kind.image_data, kind.endpoint_data):
        for name, field in data.model_fields.items():
            named = name.endswith("_ref") or not re.search("password|passphrase|token|secret|key|credential", name)
            assert named, f"{kind.name}: {name}"
            assert "Secret" not in repr(field.annotation), f"{kind.name}: {name}"


@each_kind
def test_steps_of_the_guest_and_no_others_speak_of_the_guest(kind: Kind) -> None:
    """But for a machine that is on and never asks for an address: that has not booted."""
    guest = "linux" if kind.traits.guest else ""
    module, target = kind.build(SURROUNDINGS), target_of(module=kind.name, guest=guest, spare="x")
    for status in Status:
        for step in module.load_plan(target, NodeStatus(status)).steps:
            owner, _, verb = step.name.partition(".")
            inside = bool(guest and (owner == guest or verb == "find_address"))
            assert inside == (step.in_guest or step.blames_nobody), step


@pytest.mark.parametrize("name", ["vsphere", "fake", "fake-metal"])
def test_without_a_guest_nothing_speaks_of_one(name: str) -> None:
    plan = registry.build(SURROUNDINGS, pretended=True)[name].load_plan(target_of(guest=""), NodeStatus())
    assert not any(step.in_guest for step in plan.steps)


def test_names_are_given_once() -> None:
    names = [kind.name for kind in registry.KINDS]
    assert len(names) == len(set(names))


def test_the_pretended_world_is_offered_only_where_it_is_wanted() -> None:
    assert set(registry.build(SURROUNDINGS, pretended=False)) == {"vsphere", "standalone"}
    assert set(registry.build(SURROUNDINGS, pretended=True)) == {kind.name for kind in registry.KINDS}


def test_what_is_not_offered_is_never_called() -> None:
    """The guard goes by the recorded traits, and says what to do."""
    standalone = next(kind for kind in registry.KINDS if kind.name == "standalone").build(SURROUNDINGS)
    with pytest.raises(StepFailed, match=r"can't be switched from here: .* no power_reset; switch it by hand"):
        power(standalone, Operation.POWER_RESET, target_of(module="standalone"))


def test_importing_the_registry_imports_no_library() -> None:
    """The command line asks it for traits, and starts in 0.3 s."""
    code = "import sys, vclab.provisioning.registry; print(sorted({'pyVmomi', 'pyVim', 'asyncssh'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_traits_tell_what_they_can() -> None:
    traits = Traits(operations=(Operation.POWER_ON,))
    assert traits.can(Operation.POWER_ON) and not traits.can(Operation.CAPTURE)
