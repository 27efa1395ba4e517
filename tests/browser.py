"""A headless Chromium driven over WebDriver's HTTP interface, for the tests of the web pages."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

import pytest

CHROMEDRIVER = shutil.which("chromedriver")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

# On a person's machine a browser may be missing; where a change is judged, its tests must not be.
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER) and "CI" not in os.environ,
    reason="chromium and chromedriver are not installed",
)

SAYS_READY = "document.body.dataset.ready === 'true'"
HAS_LOADED = "document.readyState === 'complete'"


class Browser:
    """One window, with the network off but for what is on the disk."""

    def __init__(self) -> None:
        self.driver = subprocess.Popen(
            [str(CHROMEDRIVER), "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        says = (
            re.search(r"started successfully on port (\d+)", line) for line in self.driver.stdout
        )
        self.address = f"http://127.0.0.1:{next(filter(None, says))[1]}"
        options = {
            "binary": CHROMIUM,
            "args": [
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1100,1400"),
            ],
        }
        logs = {"browser": "ALL", "performance": "ALL"}
        always = {"goog:chromeOptions": options, "goog:loggingPrefs": logs}
        wanted = {"capabilities": {"alwaysMatch": always}}
        self.session = f"/session/{self._send('POST', '/session', wanted)['sessionId']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._send("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()

    def open(self, page: Path, ready: str = SAYS_READY) -> None:
        """Load a page from the disk and wait until it is ready."""
        self._send("POST", f"{self.session}/url", {"url": page.resolve().as_uri()})
        end = time.monotonic() + 60
        while not self.run(f"return {ready}"):
            if time.monotonic() > end:
                raise RuntimeError(f"{page}: not ready; {self.log('browser')}")
            time.sleep(0.1)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script's body returns."""
        body = {"script": script, "args": list(arguments)}
        return self._send("POST", f"{self.session}/execute/sync", body)

    def emulate(self, command: str, **options: Any) -> None:
        """Another screen or medium, by a command of Chromium's domain Emulation."""
        body = {"cmd": f"Emulation.{command}", "params": options}
        self._send("POST", f"{self.session}/goog/cdp/execute", body)

    def log(self, kind: str) -> list[dict[str, Any]]:
        """Entries since the last call: `browser` for the console, `performance` for requests."""
        entries: list[dict[str, Any]] = self._send("POST", f"{self.session}/se/log", {"type": kind})
        return entries

    def errors(self) -> list[dict[str, Any]]:
        """What failed or was refused since the last look at the console."""
        return [entry for entry in self.log("browser") if entry["level"] == "SEVERE"]

    def requested_schemes(self) -> set[str]:
        """What the addresses of all requests since the last call begin with."""
        return {
            scheme
            for entry in self.log("performance")
            for scheme in re.findall(r'"url":"([a-z]+):', entry["message"])
            if "requestWillBeSent" in entry["message"]
        }

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]
