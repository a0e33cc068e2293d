"""The asset graph in a browser: it shows, without an error and without another host."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from dagster_ui import DagsterUi
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.slow

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1900,1200",
)  # fmt: skip
_STAGES = ("ingest", "stage", "unify", "journey", "measure", "decide", "gate", "publish")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Debian's Chromium, driven by Debian's driver; nothing is downloaded."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Debian's chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    yield started
    started.quit()


def test_the_asset_graph_shows_every_stage_without_an_error(
    ui: DagsterUi, browser: webdriver.Chrome
) -> None:
    browser.get(f"{ui.url}/asset-groups")
    _shows(browser, *_STAGES, "Materialize all")
    browser.get(f"{ui.url}/locations/journeyline/asset-groups/publish/lineage")
    _shows(browser, "current", "audit")
    browser.get(f"{ui.url}/runs")
    _shows(browser, ui.run["run_id"][:8], "Success")
    told = browser.find_element(By.TAG_NAME, "body").text
    assert "Some code locations failed" not in told
    assert "An error occurred" not in told
    severe = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert severe == []
    assert _hosts(browser) == {"127.0.0.1"}


def _shows(browser: webdriver.Chrome, *texts: str) -> None:
    def shown(driver: webdriver.Chrome) -> bool:
        body = driver.find_element(By.TAG_NAME, "body").text
        return all(text in body for text in texts)

    WebDriverWait(browser, 90).until(shown, f"{texts} at {browser.current_url}")


def _hosts(browser: webdriver.Chrome) -> set[str]:
    """Hosts of every request that the pages made."""
    messages = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    urls = [
        urlsplit(message["params"]["request"]["url"])
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    return {url.hostname or "" for url in urls if url.scheme in ("http", "https", "ws", "wss")}
