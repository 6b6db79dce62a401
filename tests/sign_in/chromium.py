"""A real browser without a screen: Debian's Chromium, driven by its chromedriver over the WebDriver protocol (W3C)."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.temporal_server import free_ports

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The name that the protocol has for a reference to an element."""


class Chromium:
    """One window. Each call waits up to ten seconds for what it looks for."""

    def __init__(self, driver: str, profile: Path, arguments: tuple[str, ...]) -> None:
        self._http = httpx.Client(base_url=driver, timeout=60)
        # In a container or as root there is no sandbox. It is a test's browser, and sees our own pages only.
        words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        words += ["--disable-background-networking", f"--user-data-dir={profile}", *arguments]
        options = {"binary": "/usr/bin/chromium", "args": words}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "timeouts": {"implicit": 10_000}}}
        self._session = "/session/" + str(self._ask("POST", "/session", {"capabilities": wanted})["sessionId"])

    def open(self, url: str) -> None:
        """Load a page."""
        self._ask("POST", f"{self._session}/url", {"url": url})

    @property
    def url(self) -> str:
        """Of the page that is shown."""
        return str(self._ask("GET", f"{self._session}/url"))

    def text(self, css: str = "body") -> str:
        """What a person reads there."""
        return str(self._ask("GET", f"{self._element(css)}/text"))

    def type(self, css: str, text: str) -> None:
        """Type into a field."""
        self._ask("POST", f"{self._element(css)}/value", {"text": text})

    def click(self, css: str) -> None:
        """Click, and wait for the page that this leads to."""
        self._ask("POST", f"{self._element(css)}/click", {})

    def cookie(self, name: str) -> dict[str, Any]:
        """A cookie."""
        found: dict[str, Any] = self._ask("GET", f"{self._session}/cookie/{name}")
        return found

    def run(self, script: str) -> Any:
        """What a script on the page returns."""
        return self._ask("POST", f"{self._session}/execute/sync", {"script": script, "args": []})

    def close(self) -> None:
        """Close it."""
        self._ask("DELETE", self._session)

    def _element(self, css: str) -> str:
        found = self._ask("POST", f"{self._session}/element", {"using": "css selector", "value": css})
        return f"{self._session}/element/{found[ELEMENT]}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, path, json=body)
        value = answer.json()["value"]
        assert answer.status_code == 200, value
        return value


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Chromium]:
    """A browser with a profile of its own."""
    (port,) = free_ports(1)
    home = folder / "home"
    home.mkdir(parents=True)
    environment = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    with (folder / "chromedriver.log").open("ab") as log:
        command = ["chromedriver", f"--port={port}"]
        driver = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        _await(f"http://127.0.0.1:{port}/status", driver)
        browser = Chromium(f"http://127.0.0.1:{port}", folder / "profile", arguments)
        try:
            yield browser
        finally:
            browser.close()
    finally:
        driver.terminate()
        driver.wait(20)


def _await(url: str, driver: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if httpx.get(url).json()["value"]["ready"]:
                return
        except httpx.HTTPError:
            if driver.poll() is not None or time.monotonic() > deadline:
                raise
        time.sleep(0.05)
