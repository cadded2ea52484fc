"""Commands that open a browser's side: lab for analysts, dashboards for stakeholders."""

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.output import Config, out
from workbench.errors import InputError
from workbench.settings import Settings

Port = Annotated[int, typer.Option(help="On this machine only.", min=1, max=65535)]


def lab(port: Port = 8888, config: Config = None) -> None:
    """Open JupyterLab in the folder of the notebooks."""
    settings = Settings.load(config)
    folder = settings.home / "notebooks"
    arguments = [
        "jupyterlab", f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={folder if folder.is_dir() else settings.home}",
        "--KernelManager.transport=ipc", "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    raise typer.Exit(_run(arguments, settings, config))


def dashboards(
    port: Port = 8866,
    token: Annotated[
        str | None, typer.Option(envvar="WORKBENCH_DASHBOARD_TOKEN", help="[default: a new one]")
    ] = None,
    config: Config = None,
) -> None:
    """Serve the read-only dashboards; a token is asked for."""
    settings = Settings.load(config)
    folder = settings.home / "dashboards"
    if not folder.is_dir():
        raise InputError("there is no dashboards folder beside workbench.toml")
    token = token or secrets.token_urlsafe(24)
    arguments = [
        "voila", str(folder), "--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1",
        "--KernelManager.transport=ipc", "--token", f"--Voila.token={token}",
    ]  # fmt: skip
    out.print(
        f"dashboards at http://127.0.0.1:{port}/voila/render/overview.ipynb?token={token}", soft_wrap=True
    )
    raise typer.Exit(_run(arguments, settings, config))


def _run(arguments: list[str], settings: Settings, config: Path | None) -> int:
    environment = {
        **os.environ,
        "WORKBENCH_CONFIG": str((config or settings.home / "workbench.toml").resolve()),
    }
    module, *rest = arguments
    try:
        return subprocess.call([sys.executable, "-m", module, *rest], env=environment, cwd=settings.home)
    except KeyboardInterrupt:
        return 0
