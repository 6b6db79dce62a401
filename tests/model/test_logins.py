"""Linux logins and uids out of what a provider calls people."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vclab.model.logins import LONGEST, NOBODY, RESERVED, first_free, free_uid, login_of

LINUX = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


@pytest.mark.parametrize(
    ("claim", "login"),
    [
        ("alice@uni.edu", "alice"),
        ("Alice@UNI.edu", "alice"),
        ("Zoë.Müller@uni.de", "zoe-muller"),
        ("Jürgen Weiß", "jurgen-weiss"),
        ("ØYSTEIN@ntnu.no", "oystein"),
        ("łukasz", "lukasz"),
        ("ａｎｎ", "ann"),
        ("o'neill+lab@x", "o-neill-lab"),
        ("42", "user-42"),
        ("3d-printer", "u3d-printer"),
        ("王小明", "user"),
        ("@uni.edu", "user"),
        ("", "user"),
        ("_svc", "_svc"),
        ("a" * 40, "a" * 32),
        ("../../etc/passwd", "etc-passwd"),
        ("x\n; rm -rf /", "x-rm-rf"),
    ],
)
def test_the_login_of_a_claim(claim: str, login: str) -> None:
    assert login_of(claim) == login


@given(st.text(max_size=80), st.sets(st.sampled_from(["user", "a", "a-2", "alice"])))
def test_any_unicode_becomes_a_valid_login_that_nobody_has(claim: str, taken: set[str]) -> None:
    login = first_free(login_of(claim), taken)
    assert LINUX.fullmatch(login) and len(login) <= LONGEST and not login.endswith("-")
    assert login not in taken and login not in RESERVED


def test_a_collision_gets_a_stated_suffix() -> None:
    assert first_free("alice", {"alice"}) == "alice-2"
    assert first_free("alice", {"alice", "alice-2"}) == "alice-3"
    assert first_free("a" * 32, {"a" * 32}) == "a" * 30 + "-2"
    assert first_free("root", set()) == "root-2"


def test_a_uid_is_the_wanted_one_only_when_it_may_be() -> None:
    assert free_uid([], 30_000) == 30_000
    for taken_or_reserved in (30_000, 0, 999, NOBODY[0], 2**31, -5):
        assert free_uid([30_000, 20_001], taken_or_reserved) == 20_002
