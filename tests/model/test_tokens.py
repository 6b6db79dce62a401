"""The text of tokens."""

import pytest

from vclab.model.tokens import Kind, digest, is_well_formed, make


@pytest.mark.parametrize("kind", Kind)
def test_a_token_is_told_by_its_checksum(kind: Kind) -> None:
    text, browser = make(kind), kind is Kind.SESSION
    assert is_well_formed(text, browser) and not is_well_formed(text, not browser)
    assert len(text) == 53 and text[3] == "_"
    for place in (4, 20, 46, 52):
        other = "A" if text[place] != "A" else "B"
        assert not is_well_formed(text[:place] + other + text[place + 1 :], browser)


@pytest.mark.parametrize("text", ["", "vct_", "vct_" + "0" * 48, "vct_" + "é" * 49, "x" * 100_000])
def test_what_is_no_token(text: str) -> None:
    assert not is_well_formed(text, browser=False)


def test_no_two_are_the_same() -> None:
    made = {make(Kind.LOGIN) for _ in range(100)}
    assert len(made) == len({digest(each) for each in made}) == 100
