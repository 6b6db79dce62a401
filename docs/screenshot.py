"""Makes the pictures in docs/images from the real stack: reservations as the Temporal UI shows them to olga, who asks
for it through the API, with her token.

    vclab up && uv run --with playwright==1.65.2 docs/screenshot.py

It slows the lab's copies down and lets its hosts refuse for a moment, so reserve nothing else meanwhile. It takes about
two minutes, with Debian's Chromium.
"""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

from vclab.client.certificates import trusting
from vclab.client.contexts import Chosen, chosen
from vclab.lab import lab
from vclab.lab.control import Vcsim
from vclab.lab.layout import Layout
from vclab.lab.stock import HOSTS

IMAGES = Path(__file__).with_name("images")
SWITCHES = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
RESERVATIONS = 'WorkflowType="Reservation"'
COLUMNS = ("Status", "Workflow ID", "LabImage", "LabUser", "LabState", "LabComputer", "Start")
PATIENCE = 180.0


def olga() -> Chosen:
    """Her token and the server's certificate, as the command line has them here."""
    found = chosen("olga")
    assert found is not None and found.token, "olga has no token here; run `vclab up`"
    return found


def main() -> None:
    """Bring reservations into each state, take a picture of each, and end them."""
    layout = Layout.of()
    vcsim, ui = Vcsim(layout.control_socket), f"{lab.addresses(layout).ui}"
    with browser(ui) as page:
        try:
            refused(page, ui)
            loads(page, ui, vcsim)
            vcsim.mend()
            in_use(page, ui)
            needs_help(page, ui, vcsim)
            the_list(page, ui)
        finally:
            vcsim.mend()
            end_all()


# --- reservations in each state -----------------------------------------------------------------------------------


def refused(page: Page, ui: str) -> None:
    """More of them than there is room for."""
    vclab("--as", "carol", "reserve", "debian-12-large", "--count", "4", "--no-wait", "--json", may_fail=True)
    picture(page, ui, newest(ui, f'{RESERVATIONS} AND ExecutionStatus="Completed"'), "refused")
    end_all()


def loads(page: Page, ui: str, vcsim: Vcsim) -> None:
    """While its disk is copied."""
    vcsim.slow_copies(40)
    name = reserve("alice")
    time.sleep(6)
    picture(page, ui, f"reservation-{name}", "loading-timeline", tab="timeline")
    picture(page, ui, f"reservation-{name}", "loading")
    vclab("end", name)
    picture(page, ui, f"reservation-{name}", "ended")


def in_use(page: Page, ui: str) -> None:
    """With a session that is open."""
    name = reserve("alice")
    until(name, "reserved")
    with subprocess.Popen(["vclab", "connect", name, "--", "sleep", "45"], stdout=subprocess.DEVNULL) as session:
        until(name, "inuse")
        time.sleep(20)  # a look or two
        picture(page, ui, f"reservation-{name}", "in-use")
        picture(page, ui, f"reservation-{name}", "in-use-history", tab="timeline")
        session.terminate()


def needs_help(page: Page, ui: str, vcsim: Vcsim) -> None:
    """Both hosts refuse to power it on."""
    for host in (text.partition("=")[0] for text in HOSTS.split(",")):
        vcsim.refuse_power_on(host)
    name = reserve("bob")
    deadline = time.monotonic() + PATIENCE
    while not show(name).get("needs_help") and time.monotonic() < deadline:
        time.sleep(1)
    picture(page, ui, f"reservation-{name}", "needs-help")


def the_list(page: Page, ui: str) -> None:
    """Reservations only, with the columns of vclab."""
    columns = json.dumps({"default": [{"label": label} for label in COLUMNS]})
    page.evaluate("columns => localStorage.setItem('namespace-workflow-table-columns', columns)", columns)
    page.goto(f"{ui}/namespaces/default/workflows?query={quote(RESERVATIONS)}")
    shoot(page, "list")


def reserve(user: str) -> str:
    """The id."""
    return str(json.loads(vclab("--as", user, "reserve", "debian-12", "--no-wait", "--json"))["id"])


def show(name: str) -> dict[str, object]:
    """What vclab knows of it; nothing until it has a place."""
    return dict(json.loads(vclab("--as", "olga", "show", name, "--json", may_fail=True) or "{}"))


def until(name: str, state: str) -> None:
    """Wait for a state."""
    deadline = time.monotonic() + PATIENCE
    while show(name).get("state") != state and time.monotonic() < deadline:
        time.sleep(1)


def running() -> list[str]:
    """All open reservations."""
    return [each["id"] for each in json.loads(vclab("--as", "olga", "list", "--everyone", "--json"))]


def end_all() -> None:
    """End all open reservations."""
    if found := running():
        vclab("--as", "olga", "end", *found, may_fail=True)


def vclab(*words: str, may_fail: bool = False) -> str:
    """What it prints."""
    return subprocess.run(["vclab", *words], check=not may_fail, stdout=subprocess.PIPE, text=True).stdout


# --- pictures -----------------------------------------------------------------------------------------------------


@contextmanager
def browser(ui: str) -> Iterator[Page]:
    """A page of a browser that has been to the UI."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=SWITCHES)
        page = chromium.new_page(
            viewport={"width": 1400, "height": 900},
            ignore_https_errors=True,  # the lab's certificate
            extra_http_headers={"Authorization": f"Bearer {olga().token}"},
        )
        page.goto(ui)
        yield page
        chromium.close()


def newest(ui: str, query: str) -> str:
    """The newest workflow that the query finds."""
    found = asked(f"{ui}/api/v1/namespaces/default/workflows?query={quote(query)}")
    return str(found["executions"][0]["execution"]["workflowId"])


def asked(url: str) -> Any:
    """What the UI's own API says."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {olga().token}"})
    with urllib.request.urlopen(request, context=trusting(olga().context)) as answer:
        return json.load(answer)


def picture(page: Page, ui: str, workflow: str, name: str, tab: str = "user-metadata") -> None:
    """A page of a workflow."""
    found = asked(f"{ui}/api/v1/namespaces/default/workflows/{workflow}")
    run = found["workflowExecutionInfo"]["execution"]["runId"]
    page.goto(f"{ui}/namespaces/default/workflows/{workflow}/{run}/{tab}")
    shoot(page, name)


def shoot(page: Page, name: str) -> None:
    """As it looks once it is drawn."""
    page.get_by_text("Workflow ID" if name == "list" else "Workflow Type").first.wait_for(timeout=60_000)
    page.wait_for_timeout(3000)
    IMAGES.mkdir(exist_ok=True)
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
