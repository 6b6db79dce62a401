"""What the contract declares fits together, and can be asked for over HTTP."""

import re
import subprocess
import sys
from itertools import combinations

import pytest

from vclab.contract import USE_CASES
from vclab.contract.use_case import DECLARED, Nothing, Question, Route, anybody, get, post, read

FIELD = re.compile(r"{\w+}")


class Of(Question):
    """Names something."""

    thing: str


@pytest.mark.parametrize("name", USE_CASES)
def test_the_route_of_each(name: str) -> None:
    """Acts are no GET. A path is made of words in small letters, and of fields that have no default."""
    use_case = USE_CASES[name]
    route, fields = use_case.route, use_case.question.model_fields
    assert not (use_case.acts and route.method == "GET")
    assert use_case.acts or route.method in ("GET", "POST")
    assert re.fullmatch(r"(/[a-z-]+|/{[a-z]+})+", route.path)
    assert all(fields[field].is_required() for field in route.fields)


@pytest.mark.parametrize("name", [name for name, each in USE_CASES.items() if each.route.method == "GET"])
def test_no_secret_stands_in_an_address(name: str) -> None:
    """Servers and proxies log addresses."""
    assert "SecretStr" not in str(USE_CASES[name].question.model_fields)


def test_no_path_is_matched_by_two_routes() -> None:
    """``/hosts/{name}`` would take what is meant by ``/hosts/resting``."""
    for one, other in combinations(USE_CASES.values(), 2):
        if one.route.method == other.route.method:
            assert not _overlap(one.route.path, other.route.path), (one.name, other.name)


def _overlap(one: str, other: str) -> bool:
    ours, theirs = one.split("/"), other.split("/")
    pairs = zip(ours, theirs, strict=False)
    return len(ours) == len(theirs) and all(a == b or FIELD.fullmatch(a) or FIELD.fullmatch(b) for a, b in pairs)


@pytest.mark.parametrize(
    ("name", "question", "route", "why"),
    [
        ("people.me", Nothing, get("/elsewhere"), "there are two use cases people.me"),
        ("tests.one", Nothing, get("/me"), "tests.one and people.me have one route: GET /me"),
        ("tests.one", Of, get("/users/{thing}"), "tests.one and users.show have one route"),
        ("tests.one", Nothing, post("/tests/{thing}"), "names thing, which nobody asks"),
    ],
)
def test_what_can_not_be_declared(name: str, question: type[Question], route: Route, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(name, anybody(), question, str, route, "Tests.")
    assert "tests.one" not in DECLARED


def test_a_verb_imports_what_it_needs_and_no_library_but_pydantic() -> None:
    look = "import sys; import vclab.contract.reservations, vclab.contract.acts; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    there = set(done.stdout.split())
    assert not there & {"sqlalchemy", "temporalio", "pyVmomi", "pydantic_settings", "vclab.settings", "vclab.service"}
    assert not there & {"vclab.store", "vclab.provisioning", "vclab.contract.images", "vclab.model.reservations"}
