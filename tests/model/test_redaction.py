"""No secret stays in a text, in whatever form a library or a machine puts it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vclab.model.redaction import HIDDEN, redacted

VISIBLE = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\"'<>\\")
SECRETS = st.text(VISIBLE, min_size=1, max_size=20).map(lambda text: f"Zq7{text}9xK")
FORMS = (
    "login failed: pwd={}",
    "password={} at host",
    "Password: {}",
    "DB_PASSWORD={}",
    "passphrase = '{}'",
    '{{"api_key": "{}", "user": "x"}}',
    "the password is {} and was refused",
    "<password>{}</password>",
    "Authorization: Basic {}",
    "authorization: Bearer {}",
    "'Cookie': 'session={}'",
    "https://vclab:{}@vc.example.org/sdk answered 401",
    "postgresql://vclab:{}@db/vclab",
)


@pytest.mark.parametrize("form", FORMS)
@given(secret=SECRETS)
def test_no_part_of_a_secret_stays(form: str, secret: str) -> None:
    shown = redacted(form.format(secret))
    assert HIDDEN in shown
    assert "Zq7" not in shown and "9xK" not in shown


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("https://vclab:p@ss@word@vc.example.org/sdk", "vc.example.org/sdk"),
        ("a line\nAuthorization: Basic dXNlcjpwYXNz\nnext line", "next line"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNza\n-----END OPENSSH PRIVATE KEY-----\nand so on", "and so on"),
    ],
)
def test_what_stands_beside_stays(text: str, stays: str) -> None:
    shown = redacted(text)
    assert stays in shown and not any(secret in shown for secret in ("p@ss", "word@", "dXNl", "b3Bl"))


@pytest.mark.parametrize(
    "text",
    [
        "its password is not stored; set it with `vclab endpoint edit`",
        "the password was refused by lab-vcenter",
        "host esx1 refuses to power on vm01: InsufficientResourcesFault",
        "basic checks passed",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert redacted(text) == text
