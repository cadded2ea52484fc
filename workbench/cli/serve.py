"""Commands that open a browser's side: lab for analysts, dashboards for stakeholders."""

import os
import secrets
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.output import Config, out
from workbench.errors import InputError
from workbench.kernels import short_runtime
from workbench.settings import FILE_NAME, Settings

Port = Annotated[int, typer.Option(help="On this machine only.", min=1, max=65535)]


CREDENTIALS = frozenset({"WORKBENCH_MPARTICLE_KEY", "WORKBENCH_MPARTICLE_SECRET"})


def lab(port: Port = 8888, config: Config = None) -> None:
    """Open JupyterLab in the folder of the notebooks."""
    settings = Settings.load(config)
    folder = settings.home / "notebooks"
    root_folder = folder if folder.is_dir() else settings.home
    arguments = [
        "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={root_folder}", "--KernelManager.transport=ipc",
    ]  # fmt: skip
    if os.geteuid() == 0:
        arguments.append("--allow-root")
    raise typer.Exit(_run(arguments, settings, config, {}))


def dashboards(
    port: Port = 8866,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="WORKBENCH_DASHBOARD_TOKEN", help="What a browser is asked for (default: a new one)."
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Serve the read-only dashboards; a token is asked for."""
    settings = Settings.load(config)
    folder = settings.home / "dashboards"
    if not folder.is_dir():
        raise InputError("there is no dashboards folder beside workbench.toml")
    token = token or secrets.token_urlsafe(24)
    arguments = ["voila", str(folder), "--no-browser", f"--port={port}", f"--token={token}"]
    out.print(
        f"dashboards at http://127.0.0.1:{port}/voila/render/overview.ipynb?token={token}", soft_wrap=True
    )
    places = {"JUPYTER_CONFIG_PATH": str(folder), "JUPYTER_PATH": str(folder / "template")}
    raise typer.Exit(_run(arguments, settings, config, places, CREDENTIALS))


def _run(
    arguments: list[str],
    settings: Settings,
    config: Path | None,
    places: dict[str, str],
    hidden: frozenset[str] = frozenset(),
) -> int:
    path = (config or settings.home / FILE_NAME).resolve()
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    environment = {**kept, **places, "WORKBENCH_CONFIG": str(path)}
    module, *rest = arguments
    with short_runtime() as runtime, suppress(KeyboardInterrupt):
        return subprocess.call(
            [sys.executable, "-m", module, *rest], env={**environment, **runtime}, cwd=settings.home
        )
    return 0
