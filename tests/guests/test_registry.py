"""The list of guests, which is read without importing any of them, names what there is."""

from vclab.guests.fake import FakeGuest
from vclab.guests.linux import Linux
from vclab.guests.registry import FAMILIES


def test_each_family_is_named_as_its_class() -> None:
    assert [family.name for family in FAMILIES] == [Linux.name, FakeGuest.name]
    assert [family.name for family in FAMILIES if family.pretended] == [FakeGuest.name]
