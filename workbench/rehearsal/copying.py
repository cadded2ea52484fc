"""A throwaway copy of the state: the account with its lake and ledger, and another receiver.

Files of the lake and of earlier runs never change, so each is a link; what the copy writes or deletes is its own.
Nobody is alerted from it, for in place of every address it has one that is nobody's.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import SecretStr

from workbench.errors import InputError, StoreError
from workbench.export.client import Client
from workbench.export.signals import undisturbed
from workbench.rehearsal.faults import ATTEMPTS, CONNECT_SECONDS, READ_SECONDS
from workbench.settings import FILE_NAME, Credentials, Settings
from workbench.store import copied, tables
from workbench.store.canonical import content_digest
from workbench.store.database import Database
from workbench.workspace import Workspace, assemble

PREFIX = "workbench-rehearsal-"
STATE, HERE, BEFORE = "state", "localhost", "localhost before"
PACE = 1_000_000
# A safety check asks for an address; one with a variable that is not set tells nobody.
NOBODY = "json://${WORKBENCH_REHEARSAL_TELLS_NOBODY}"


class Apart(Settings):
    """Settings that no variable of the environment changes."""

    @property
    def database_url(self) -> str:
        """SQLite in the copy's own state folder."""
        return f"sqlite:///{self.directory / 'ledger.db'}"

    @property
    def mparticle_url(self) -> str:
        """The sandbox."""
        return self.mparticle.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One copy, and the receiver that it sends to.

    Attributes:
        folder: holds all of it.
        workspace: of the copy.
        credentials: of the receiver, made for it.
    """

    folder: Path
    workspace: Workspace
    credentials: Credentials

    def client(self) -> Client:
        """Return a client for the receiver of the copy."""
        settings = self.workspace.settings
        return Client(settings.mparticle_url, self.credentials, settings.mparticle)

    def environment(self) -> dict[str, str]:
        """Return the variables of a process that works on the copy, with nothing of the real account's."""
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("WORKBENCH_")}
        package = str(Path(__file__).parents[2])
        url = self.workspace.database.url.render_as_string(hide_password=False)
        return {
            **inherited,
            "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
            "WORKBENCH_DATABASE_URL": url,
            "WORKBENCH_MPARTICLE_KEY": self.credentials.key.get_secret_value(),
            "WORKBENCH_MPARTICLE_SECRET": self.credentials.secret.get_secret_value(),
        }


def throwaway() -> Credentials:
    """Return credentials that nobody else has."""
    return Credentials(key=SecretStr(secrets.token_hex(16)), secret=SecretStr(secrets.token_hex(16)))


@contextmanager
def folder(keep: Path | None) -> Iterator[Path]:
    """A folder that only its owner may look into, deleted at the end unless it is to be kept.

    Raises:
        InputError: the folder to keep holds something already.
        StoreError: it cannot be made.
    """
    try:
        if keep is None:
            found = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        else:
            found = keep.expanduser().resolve()
            found.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"the rehearsal's folder cannot be made: {error.strerror or error}") from error
    if any(found.iterdir()):
        raise InputError(f'"{found}" holds something already: a rehearsal is kept in a folder of its own')
    try:
        found.chmod(0o700)
        yield found
    finally:
        if keep is None:
            with undisturbed():
                shutil.rmtree(found, ignore_errors=True)


@contextmanager
def stage(
    original: Workspace,
    source: Database,
    folder: Path,
    *,
    url: str,
    credentials: Credentials,
    database: str | None,
) -> Iterator[Stage]:
    """A copy in a folder of its own.

    Args:
        original: the account; it is only read.
        source: its decisions, or a copy of them.
        folder: which does not exist yet.
        url: of the receiver.
        credentials: of the receiver.
        database: URL of an empty database for the copy; by default SQLite in the folder.

    Raises:
        StoreError: disk full, or a database fails.
    """
    folder.mkdir(mode=0o700)
    settings = _settings(original.settings, folder, url)
    _link(original.settings.directory, settings.directory)
    target = Database(database or settings.database_url)
    try:
        copied.copy(source, target)
        _translate(target, original.settings.receiver)
        yield Stage(folder=folder, workspace=assemble(settings, target), credentials=credentials)
    finally:
        if database is not None:
            with undisturbed():
                copied.empty(target)
        target.close()


def _settings(original: Settings, folder: Path, url: str) -> Apart:
    document: dict[str, Any] = original.model_dump(mode="json", exclude_none=True)
    document["store"] = {**_without(document["store"], "database"), "directory": STATE}
    document["mparticle"] |= {
        "url": url, "batches_per_second": PACE, "attempts": ATTEMPTS, "connect_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
    }  # fmt: skip
    path = folder / FILE_NAME
    path.write_text(tomlkit.dumps(document), encoding="utf-8")
    return Apart.load(path)


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def _link(original: Path, copy: Path) -> None:
    """Link the files of the lake and of earlier runs, each by itself."""
    copy.mkdir(mode=0o700)
    for part in ("lake", "runs"):
        for place, _, names in os.walk(original / part):
            here = copy / Path(place).relative_to(original)
            here.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in names:
                if Path(name).suffix in {".parquet", ".jsonl"}:
                    (here / name).symlink_to(Path(place) / name)


def _translate(database: Database, receiver: str) -> None:
    """Let earlier runs to the real receiver be runs to this one, for caps count per receiver; replace addresses."""
    run, campaign = tables.runs, tables.campaigns
    with database.transaction() as sql:
        if receiver != HERE:
            sql.execute(run.update().where(run.c.receiver == HERE).values(receiver=BEFORE))
            sql.execute(run.update().where(run.c.receiver == receiver).values(receiver=HERE))
        for row in sql.execute(campaign.select()).mappings().all():
            if "alert_to" in row["body"]:
                body = {**row["body"], "alert_to": [NOBODY] * len(row["body"]["alert_to"])}
                same = (campaign.c.id == row["id"], campaign.c.version == row["version"])
                sql.execute(campaign.update().where(*same).values(body=body, digest=content_digest(body)))
