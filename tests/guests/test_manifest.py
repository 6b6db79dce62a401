"""Sealing changes what it says, and nothing else: a machine's disk before and after it, by a manifest."""

from pathlib import Path

import pytest

from tests.guests.bench import Bench
from tests.guests.manifest import PATTERNS, difference, different, manifest, unexpected, unused
from tests.guests.test_linux_seal import make_dirty, seal
from vclab.model.plans import Access
from vclab.model.sealing import EndState


@pytest.mark.lab
def test_sealing_changes_nothing_but_what_may_differ(bench: Bench, user_key: Path) -> None:
    alice = Access("alice", 3001, (user_key.with_suffix(".pub").read_text(),), ("203.0.113.11",), "", sudo=True)
    place = bench.machine("manifest").load()
    make_dirty(place, alice, user_key)
    before = manifest(place)
    seal(place, alice, EndState.ON)
    after = manifest(place)
    paths = different(before, after, "file")
    assert unexpected(paths) == []
    assert unused(paths) == []
    assert different(before, after, "account") == {"alice"}
    assert different(before, after, "unit") == {"/etc/rc2.d/S01vclab-firewall"}
    rules = different(before, after, "firewall")
    assert len(rules) > 20 and all(rule.startswith("/etc/vclab/firewall.nft: ") for rule in rules)
    assert len(after) > 5000


def test_what_may_not_differ_is_named() -> None:
    before = {"file /etc/motd": "f 644 0:0 sha256:aa", "file /tmp/x": "f 644 0:0 sha256:aa", "account bob": "1000:1000"}
    after = {"file /etc/motd": "f 644 0:0 sha256:bb", "file /usr/bin/new": "f 755 0:0 sha256:cc"}
    paths = different(before, after, "file")
    assert paths == {"/etc/motd", "/tmp/x", "/usr/bin/new"}
    assert unexpected(paths) == ["/etc/motd", "/usr/bin/new"]
    assert unused(paths) == [pattern for pattern in PATTERNS if pattern != "/tmp/*"]
    assert difference(before, after) == [
        "- account bob",
        "~ file /etc/motd  f 644 0:0 sha256:aa -> f 644 0:0 sha256:bb",
        "- file /tmp/x",
        "+ file /usr/bin/new  f 755 0:0 sha256:cc",
    ]
