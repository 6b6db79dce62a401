"""What ``vclab doctor`` looks at where people come in: the API server, and the identity providers."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from vclab.local.check import Check, Finding, checking
from vclab.model.errors import Unreachable

if TYPE_CHECKING:
    from vclab.client.contexts import Context
    from vclab.settings import ApiSettings, Settings
    from vclab.settings_sign_in import ProviderSettings

SECONDS = 10.0
SOON = timedelta(days=14)
"""A certificate that ends within is told."""


async def front_door(settings: "Settings") -> list[Check]:
    """The API server as people reach it, and each identity provider."""
    providers = settings.sign_in.providers.items()
    looks = (_provider(name, provider, settings.sign_in.clock_skew) for name, provider in providers)
    return list(await asyncio.gather(asyncio.to_thread(_api, settings.api), *looks))


def _api(settings: "ApiSettings") -> Check:
    from vclab.settings_sign_in import is_private_url

    with checking("API") as finding:
        if not settings.url:
            finding.tell(True, "not looked at: where people reach it (`api.url`) is not set")
        elif not is_private_url(settings.url):
            todo = "set `api.tls_cert` and `.tls_key`, or put a proxy before it, and an https:// `api.url`"
            finding.tell(False, f"{settings.url}: passwords and tokens go over the network in plain text", todo)
        else:
            _ask_api(finding, settings)
    return finding.check


def _ask_api(finding: Finding, settings: "ApiSettings") -> None:
    """Raises ``Unreachable``, ``Refused``, ``OSError``."""
    import httpx

    from vclab.client.certificates import trusting

    try:
        context, warning, wrong, todo = _trusted(settings)
        if wrong:
            finding.tell(False, f"{settings.url} shows {wrong}", todo)
            return
        answer = httpx.get(f"{settings.url}/api/v1/health/ready", timeout=SECONDS, verify=trusting(context))
    except (httpx.HTTPError, Unreachable) as error:
        finding.tell(
            False, f"{settings.url} does not answer: {error}", "systemctl start vclab-api, or correct `api.url`"
        )
        return
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        finding.tell(False, f"what answers at {settings.url} is not vclab-api", "correct `api.url`, or the proxy there")
    elif answer.status_code == 200 and said.get("status") == "ready":
        away = "; it does not reach Temporal, so acts can't be done" * (said.get("temporal") != "ok")
        finding.tell(not away, f"{settings.url} answers{away}{warning}", "see its log" if away else "")
    else:
        finding.tell(False, f"{settings.url} answers with the status {answer.status_code}", "see the log of vclab-api")


def _trusted(settings: "ApiSettings") -> "tuple[Context, str, str, str]":
    """By what to trust the server; what its users have to know; what is wrong with its certificate, and what to do.

    Raises ``Unreachable``, ``OSError``.
    """
    from cryptography import x509

    from vclab.client.certificates import fingerprint_of, is_trusted, shown_by
    from vclab.client.contexts import Context

    context = Context(url=settings.url)
    if not settings.url.startswith("https:"):
        return context, "", "", ""
    shown = shown_by(settings.url)
    ends = x509.load_pem_x509_certificate(shown.pem.encode()).not_valid_after_utc
    if ends - datetime.now(UTC) < SOON:
        return context, "", f"a certificate that ends on {ends:%Y-%m-%d}", "renew it, and restart vclab-api"
    if is_trusted(settings.url, context):
        return context, "", "", ""
    if settings.tls_cert is not None and shown.fingerprint != fingerprint_of(_first(settings.tls_cert)):
        return context, "", "another certificate than `api.tls_cert`", "restart vclab-api"
    said = f"; no authority that this system knows has signed its certificate: people need `vclab login {settings.url}"
    return context.model_copy(update={"certificate": shown.pem}), f"{said} --ca FILE` or its fingerprint", "", ""


def _first(file: Path) -> str:
    """The server's own certificate of a chain. Raises ``OSError``."""
    end = "-----END CERTIFICATE-----"
    return file.read_text().partition(end)[0] + end


async def _provider(name: str, settings: "ProviderSettings", skew: float) -> Check:
    """Whether it answers, is the one that the settings name, and signs as they allow."""
    from vclab.api.sign_in.openid import Provider

    with checking(f"sign-in by {name}") as finding:
        try:
            await Provider(name, settings, skew).check()
        except Unreachable as error:
            finding.tell(False, error.message, f"correct `sign_in.providers.{name}` in the settings, or have it answer")
        except ssl.SSLError as error:
            todo = f"correct `sign_in.providers.{name}.ca_file` in the settings"
            finding.tell(False, f"{settings.ca_file} is no authority's certificate: {error.reason}", todo)
        else:
            finding.tell(True, f"{settings.issuer} answers, and signs as the settings allow")
    return finding.check
