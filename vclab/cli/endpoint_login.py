"""What the login at an endpoint needs, of a person: a confirmed certificate, and a password, never an argument."""

from typing import Any

from pydantic import SecretStr

from vclab.cli.asking import confirmed_certificate, typed_password
from vclab.contract.endpoints import Login
from vclab.contract.use_case import Q


def with_login(question: Q, login: Login) -> Q:
    """The question with what its login needs: a confirmed certificate, then a password."""
    more: dict[str, Any] = {}
    if login.certificate:
        more["fingerprint"] = confirmed_certificate(login.url, login.certificate)
    if login.password:
        more["password"] = SecretStr(typed_password(login.username))
    return question.model_copy(update=more)
