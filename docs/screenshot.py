"""Makes docs/images/temporal-ui.png from the real stack: a load that runs, as the Temporal UI shows it.

    vclab up && uv run --with playwright==1.65.2 docs/screenshot.py

It slows the lab's copies down for half a minute, reserves a computer, and takes a picture with Debian's Chromium.
"""

import json
import subprocess
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

from vclab.lab import lab
from vclab.lab.control import Vcsim
from vclab.lab.layout import Layout

PICTURE = Path(__file__).with_name("images") / "temporal-ui.png"
SWITCHES = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]


def main() -> None:
    """Take the picture; end the reservation."""
    layout = Layout.of()
    vcsim = Vcsim(layout.control_socket)
    vcsim.slow_copies(40)
    try:
        reserved = subprocess.check_output(["vclab", "reserve", "debian-12", "--no-wait", "--json"])
        name = f"reservation-{json.loads(reserved)['id']}"
        time.sleep(6)
        take(f"{lab.addresses(layout).ui}", name)
        subprocess.run(["vclab", "end", name.removeprefix("reservation-")], check=True)
    finally:
        vcsim.mend()


def take(ui: str, name: str) -> None:
    """The workflow's own page."""
    with urllib.request.urlopen(f"{ui}/api/v1/namespaces/default/workflows/{name}") as answer:
        run = json.load(answer)["workflowExecutionInfo"]["execution"]["runId"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=SWITCHES)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{ui}/namespaces/default/workflows/{name}/{run}/history")
        page.get_by_text("Copy the image").first.wait_for(timeout=30_000)
        page.wait_for_timeout(3000)
        PICTURE.parent.mkdir(exist_ok=True)
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
