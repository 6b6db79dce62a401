"""``vclab user|image|endpoint|computer disable|enable|remove``."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from vclab.model.states import Purpose
from vclab.store import tenures
from vclab.store.engine import open_store

EACH = [("user", "bob"), ("image", "debian-12"), ("endpoint", "vc1")]


@pytest.mark.parametrize(("noun", "name"), EACH)
def test_what_is_disabled_is_shown_with_the_reason(vclab: Command, store: Path, noun: str, name: str) -> None:
    disabled = vclab(noun, "disable", name, "--why", "moves to room 7", "--json").json
    assert disabled["disabled_at"].endswith("Z")
    assert disabled["disabled_why"] == "moves to room 7"
    assert "disabled: moves to room 7" in vclab(noun, "list").out
    assert "disabled: moves to room 7" in vclab(noun, "show", name).out
    assert vclab(noun, "disable", name, "--json").json["disabled_why"] == ""
    assert "moves" not in vclab(noun, "list").out
    enabled = vclab(noun, "enable", name, "--json").json
    assert (enabled["disabled_at"], enabled["disabled_why"]) == (None, "")
    assert "disabled" not in vclab(noun, "list").out


def test_the_users_list_says_that_an_image_is_disabled(vclab: Command, store: Path) -> None:
    vclab("image", "disable", "debian-12", "--why", "see debian-13")
    assert "disabled: see debian-13" in vclab("images").out
    assert vclab("images", "--json").json[0]["disabled_why"] == "see debian-13"


def test_a_disabled_computer_is_out_of_service(vclab: Command, store: Path) -> None:
    disabled = vclab("computer", "disable", "vm01", "--why", "its address answers", "--json").json
    assert (disabled["state"], disabled["why_out_of_service"]) == ("maintenance", "its address answers")
    assert "its address answers" in vclab("computer", "list").out
    enabled = vclab("computer", "enable", "vm01", "--json").json
    assert (enabled["state"], enabled["why_out_of_service"]) == ("available", "")


@pytest.mark.parametrize(("noun", "name"), [*EACH, ("computer", "vm01")])
def test_what_is_not_in_use_is_removed(vclab: Command, store: Path, noun: str, name: str) -> None:
    assert vclab(noun, "remove", name).out == f"{name} is removed\n"
    assert name not in vclab(noun, "list").out
    vclab(noun, "remove", name).one_line_error(4, f"{noun} remove: there is no {noun} {name!r}")
    vclab(noun, "disable", name).one_line_error(4, f"there is no {noun}")


@pytest.mark.parametrize(("noun", "name"), [*EACH, ("computer", "vm01")])
def test_only_keepers_remove_and_disable(vclab: Command, store: Path, noun: str, name: str) -> None:
    for verb in ("remove", "disable", "enable"):
        vclab("--as", "alice", noun, verb, name).one_line_error(3, "alice is not an operator")
    assert name in vclab(noun, "list").out


def test_what_is_in_use_stays(vclab: Command, store: Path) -> None:
    from tests.store.lab import HOUR, NOW

    opened = open_store(f"sqlite:///{store}")
    opened.run(lambda s: tenures.take(s, "vm02", "r7", Purpose.RESERVATION, NOW + HOUR, NOW))
    opened.close()
    vclab("computer", "remove", "vm02").one_line_error(
        3, "the computer vm02 can't be removed: it is used by r7; wait until they have ended"
    )
    vclab("computer", "disable", "vm02").one_line_error(3, "vm02 is held by r7")
    leaving = vclab("computer", "disable", "vm02", "--when-free", "--why", "a new fan", "--until", "2030-01-01T10:00Z")
    assert re.search(r"Leaves service +when it is free: a new fan\nReturns +2030-01-01 ", leaving.out)
    assert "a new fan" in vclab("computer", "list").out
    vclab("computer", "disable", "vm02", "--when-free", "--until", "2020-01-01T10:00Z").one_line_error(2, "in the past")
    vclab("computer", "enable", "vm02")
    assert not vclab("computer", "show", "vm02", "--json").json["leaving"]
    assert "vm02" in vclab("computer", "list").out


def test_what_was_removed_is_added_anew_and_enabled(vclab: Command, store: Path) -> None:
    uid = vclab("user", "show", "bob", "--json").json["uid"]
    vclab("user", "disable", "bob")
    vclab("user", "remove", "bob")
    added = vclab("user", "add", "bob", "--uid", str(uid), "--json").json
    assert (added["uid"], added["disabled_at"]) == (uid, None)


def test_an_endpoints_password_goes_with_it(vclab: Command, store: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secrets/endpoint/vc1"
    secret.parent.mkdir(parents=True)
    secret.write_text("secret")
    assert vclab("endpoint", "remove", "vc1", "--json").out == "null\n"
    assert not secret.exists()


def test_forgetting_somebody_is_confirmed(vclab: Command, store: Path) -> None:
    vclab("user", "forget", "bob").one_line_error(3, "would be gone for good; confirm it by --yes")
    vclab("user", "forget", "dora", "--yes").one_line_error(4, "there is no user dora")
    assert "bob" in vclab("user", "list").out
