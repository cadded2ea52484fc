"""What ``workbench check`` looks at; each finding says what is so and what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench import runs
from workbench.cli.output import local
from workbench.errors import CredentialsError, WorkbenchError
from workbench.export.client import Outcome
from workbench.settings import Settings
from workbench.store.ingest.run import users_without_profile
from workbench.workspace import Workspace, open_workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the check."""

    subject: str
    state: Literal["ok", "warning", "problem"]
    message: str


def findings(config: Path | None) -> list[Finding]:
    """Look at settings, store, data, campaigns and destination, as far as each stands on the one before."""
    try:
        settings = Settings.load(config)
    except WorkbenchError as error:
        return [Finding(subject="settings", state="problem", message=str(error))]
    found = [Finding(subject="settings", state="ok", message=str(settings.home / "workbench.toml"))]
    try:
        workspace = open_workspace(config)
    except WorkbenchError as error:
        return [*found, Finding(subject="store", state="problem", message=str(error))]
    found.append(Finding(subject="store", state="ok", message=workspace.database.told))
    for look in (_data, _campaigns, _destination):
        found += _guarded(look, workspace)
    return found


def _guarded(look: Callable[[Workspace], list[Finding]], workspace: Workspace) -> list[Finding]:
    try:
        return look(workspace)
    except WorkbenchError as error:
        return [Finding(subject=look.__name__.strip("_"), state="problem", message=str(error))]


def _data(workspace: Workspace) -> list[Finding]:
    version = workspace.lake.at()
    events = version.rows("events", own=False)
    if not events:
        message = "no events yet; workbench ingest events FILES"
        return [Finding(subject="data", state="warning", message=message)]
    catalogue = version.catalogue
    last = local(catalogue.last_ts, workspace.zone) or "never"
    text = f"{events:,} events, {version.rows('users'):,} users, last event {last}"
    label = "; history is reconstructed" if version.reconstructed else ""
    found = [Finding(subject="data", state="ok", message=text + label)]
    without = users_without_profile(version)
    if without:
        message = (
            f"{without:,} users have no profile and qualify for nothing; ingest profiles (--from-events)"
        )
        found.append(Finding(subject="profiles", state="warning", message=message))
    workspace.check_attributes(version)
    return found


def _campaigns(workspace: Workspace) -> list[Finding]:
    saved = workspace.campaigns.newest()
    text = ", ".join(item.campaign.id for item in saved) or "none yet; workbench campaign save FILE"
    return [Finding(subject="campaigns", state="ok" if saved else "warning", message=text)]


def _destination(workspace: Workspace) -> list[Finding]:
    url, environment = workspace.settings.mparticle_url, workspace.settings.mparticle.environment
    try:
        client = runs.connect(workspace)
    except CredentialsError as error:
        return [Finding(subject="destination", state="warning", message=f"{url}: {error}")]
    with client:
        answer = client.probe()
    if answer.outcome is Outcome.REFUSED_KEY:
        message = f"{url} refused the key ({answer.message}); set the right one"
        return [Finding(subject="destination", state="problem", message=message)]
    if answer.outcome is Outcome.NOT_TAKEN:
        hint = "; start it: workbench sandbox serve" if "127.0.0.1" in url else ""
        message = f"{url} does not answer ({answer.message}){hint}"
        return [Finding(subject="destination", state="problem", message=message)]
    if answer.outcome not in {Outcome.ACCEPTED, Outcome.REJECTED}:
        message = f"{url} does not answer as mParticle does ({answer.message}); check [mparticle] url"
        return [Finding(subject="destination", state="problem", message=message)]
    return [Finding(subject="destination", state="ok", message=f"{url} answers; environment {environment}")]
