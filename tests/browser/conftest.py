"""A real JupyterLab, a real Voila and a real Chromium, over a small account after one real run."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from accounts import NOW, Account
from browser.servers import ROOT, TOKEN, Watched, serving
from playwright.sync_api import sync_playwright

from workbench import runs
from workbench.export.sandbox import Receiver

CHROMIUM = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
LAB_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}


@pytest.fixture
def watched() -> Iterator[Watched]:
    """An empty page of 1280 x 1000 in Chromium."""
    path = next(
        found for found in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if found
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM))
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(60_000)
        seen = Watched(page)
        page.on("request", seen.requested)
        page.on("console", seen.logged)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        yield seen
        browser.close()


@pytest.fixture
def sent(shop: Account, receiver: Receiver) -> Account:
    """The shop after one real run of ``hello``: 500 accepted, 100 held out, 400 over the cap."""
    runs.execute(shop.workspace, runs.plan(shop.workspace, "hello", as_of=NOW, now=NOW), clock=lambda: NOW)
    return shop


@pytest.fixture
def lab(sent: Account, tmp_path: Path) -> Iterator[str]:
    """A JupyterLab over a copy of the notebooks; its address."""
    folder = tmp_path / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns(".*"))
    config = tmp_path / "jupyter" / "labconfig"
    config.mkdir(parents=True)
    (config / "default_setting_overrides.json").write_text(json.dumps(LAB_SETTINGS), encoding="utf-8")
    arguments = (
        "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={TOKEN}", "--KernelManager.transport=ipc",
    )  # fmt: skip
    with serving(arguments, "--ServerApp.port", sent, tmp_path, "/api") as url:
        yield url


@pytest.fixture
def voila(sent: Account, tmp_path: Path) -> Iterator[str]:
    """The dashboards as ``dashboards/voila.json`` serves them; their address."""
    arguments = ("voila", str(ROOT / "dashboards"), "--no-browser", f"--token={TOKEN}")
    with serving(arguments, "--port", sent, tmp_path, "/login") as url:
        yield url
