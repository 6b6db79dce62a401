"""Every registered module is what its kind declares, and importing the registry imports no driver's library."""

import re
import subprocess
import sys

from tests.provisioning.subjects import SURROUNDINGS, each_kind
from vclab.provisioning import registry
from vclab.provisioning.kind import Kind


@each_kind
def test_a_module_is_what_its_kind_declares(kind: Kind) -> None:
    module = kind.build(SURROUNDINGS)
    assert (module.name, module.traits) == (kind.name, kind.traits)
    assert registry.traits()[kind.name] == kind.traits


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
    for data in (kind.image_data, kind.endpoint_data, kind.computer_data):
        for name, field in data.model_fields.items():
            named = name.endswith("_ref") or not re.search("password|passphrase|token|secret|key|credential", name)
            assert named, f"{kind.name}: {name}"
            assert "Secret" not in repr(field.annotation), f"{kind.name}: {name}"


def test_names_are_given_once() -> None:
    names = [kind.name for kind in registry.KINDS]
    assert len(names) == len(set(names))


def test_the_pretended_world_is_offered_only_where_it_is_wanted() -> None:
    assert set(registry.build(SURROUNDINGS, pretended=False)) == {"vsphere", "standalone", "bare-metal"}
    assert set(registry.build(SURROUNDINGS, pretended=True)) == {kind.name for kind in registry.KINDS}


def test_importing_the_registry_imports_no_library() -> None:
    """The command line asks it for traits, and starts in 0.3 s."""
    code = "import sys, vclab.provisioning.registry; print(sorted({'pyVmomi', 'pyVim', 'asyncssh'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
