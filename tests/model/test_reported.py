"""What machines report: whatever it is, only what is harmless comes out of it."""

import ipaddress
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vclab.model import reported

ANYTHING = st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.lists(st.text()), st.binary())


@pytest.mark.parametrize(
    "text",
    [
        "-oProxyCommand=touch /tmp/evil",
        "10.77.0.9; reboot",
        "10.77.0.9\n",
        "10.77.0.09",
        "10.77.0.9/24",
        "localhost",
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "240.0.0.1",
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "2001:db8::1%-oProxyCommand=x",
        "fec0::1",
        "2130706433",
        "1" * 100_000,
        "",
        None,
        42,
    ],
)
def test_no_address_of_another_computer(text: object) -> None:
    assert reported.address(text) == ""


@pytest.mark.parametrize(
    ("text", "address"),
    [("10.77.0.9", "10.77.0.9"), ("2001:DB8:0::9", "2001:db8::9"), ("::ffff:203.0.113.9", "203.0.113.9")],
)
def test_addresses(text: str, address: str) -> None:
    assert reported.address(text) == address


@given(st.one_of(ANYTHING, st.ip_addresses().map(str)))
def test_an_address_is_one_or_nothing(text: object) -> None:
    found = reported.address(text)
    if found:
        known = ipaddress.ip_address(found)
        assert str(known) == found == reported.address(found)
        assert not (known.is_loopback or known.is_multicast or known.is_unspecified or known.is_link_local)


@pytest.mark.parametrize("text", ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "02:00:00:00:00", "x"])
def test_no_mac_of_one_card(text: str) -> None:
    assert reported.mac(text) == ""


@given(st.one_of(ANYTHING, st.from_regex(r"\A[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}\Z")))
def test_a_mac_is_one_or_nothing(text: object) -> None:
    found = reported.mac(text)
    assert not found or (len(found) == 17 and found == reported.mac(found.upper()))


@given(ANYTHING)
def test_a_line_is_short_and_printable(text: object) -> None:
    found = reported.line(text)
    assert len(found) <= reported.LONGEST_TEXT and len(found.splitlines()) <= 1
    assert not {unicodedata.category(c) for c in found} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert reported.line(found) == found


def test_escapes_and_changes_of_direction_are_left_out() -> None:
    assert reported.line("a\x1b]0;evil\x07\x9b2J\u202eb\u200b\r\nc\x00") == "a ]0;evil 2J b c"


@given(st.one_of(ANYTHING, st.integers(min_value=0).map(str), st.just("9" * 5000), st.just("٣"), st.just(True)))
def test_a_number_is_bounded(text: object) -> None:
    found = reported.number(text)
    assert found is None or (0 <= found <= reported.HIGHEST and str(found) == str(text).lstrip("0").zfill(1))


@given(st.recursive(st.none() | st.integers(-(10**9), 10**9) | st.text(), lambda inner: st.lists(inner), max_leaves=20))
def test_json_of_bounded_depth_is_read(value: object) -> None:
    text = json.dumps(value)
    try:
        assert reported.json_of(text) == value
    except ValueError:
        assert text.count("[") > reported.DEEPEST_JSON


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 5000 + "1" + "}" * 5000,
        '"' + "x" * (reported.LONGEST_JSON + 1) + '"',
        "9" * 5000,
        "NaN",
        "[Infinity]",
        "{",
        "",
        '"\\' * 1000,
    ],
)
def test_json_that_is_too_much(text: str) -> None:
    with pytest.raises(ValueError):
        reported.json_of(text)


def test_what_is_no_object_is_left_out() -> None:
    assert reported.objects([{"a": 1}, 2, "x", None]) == [{"a": 1}]
    assert reported.objects({"k": [{"a": 1}]}, "k") == [{"a": 1}]
    assert reported.objects("k", "k") == reported.objects({"k": "x"}, "k") == reported.objects(None) == []
