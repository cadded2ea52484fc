"""What every test may use, and which tests this machine can run."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from accounts import BUYERS, Account, copied, hide_outside, make_account, people, purchases
from command_line import Result, Run

from workbench.cli.app import main
from workbench.export.sandbox import Receiver

KEY, SECRET = "test-key", "test-secret"


def postgres_bin() -> Path | None:
    """Where PostgreSQL's server binaries are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def chromium() -> str | None:
    """Where a Chromium is."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def may_mount() -> bool:
    """Whether a process may have a small disk of its own."""
    line = ["unshare", "-rm", "true"]
    return (
        shutil.which(line[0]) is not None
        and subprocess.run(line, check=False, capture_output=True).returncode == 0
    )


ABSENT = {
    "postgres": ("PostgreSQL's server (Debian: apt-get install postgresql)", lambda: postgres_bin() is None),
    "mount": ("a mount namespace (unshare -rm)", lambda: not may_mount()),
    "browser": ("Chromium (Debian: apt-get install chromium)", lambda: chromium() is None),
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what this machine cannot run and say so; with CI=true its absence is an error."""
    for marker, (what, is_absent) in ABSENT.items():
        wanting = [item for item in items if item.get_closest_marker(marker)]
        if not wanting or not is_absent():
            continue
        if os.environ.get("CI") == "true":
            raise pytest.UsageError(f"{len(wanting)} tests need {what}, and nothing is skipped in CI")
        items[:] = [item for item in items if item not in wanting]
        config.hook.pytest_deselected(items=wanting)
        config.stash.setdefault(NOTES, []).append(f"deselected {len(wanting)} tests: they need {what}")


NOTES = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was deselected."""
    for note in terminalreporter.config.stash.get(NOTES, []):
        terminalreporter.write_line(note, yellow=True)


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see their own account only, and no keyring of this machine."""
    hide_outside(monkeypatch)


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """An empty account."""
    return make_account(tmp_path / "home")


def _make_shop(home: Path, **environment: str) -> Path:
    """Ingest and save what ``shop`` and ``team`` have; return the folder, closed."""
    with pytest.MonkeyPatch.context() as patch:
        hide_outside(patch)
        for name, value in environment.items():
            patch.setenv(name, value)
        account = make_account(home)
        account.ingest("profiles", people(1000))
        account.ingest("events", purchases(1000))
        account.save_segment("buyers", BUYERS)
        account.save_campaign("hello", "buyers", control={"share": 0.1}, cap={"per_run": 500})
        account.workspace.database.close()
    return home


@pytest.fixture(scope="session")
def shop_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that every ``shop`` is a copy of, with its decisions in SQLite."""
    return _make_shop(tmp_path_factory.mktemp("shop") / "home")


@pytest.fixture
def shop(shop_made: Path, tmp_path: Path) -> Account:
    """An account with 1,000 buyers, the segment ``buyers`` and the campaign ``hello`` (10 % control, cap 500)."""
    return copied(shop_made, tmp_path / "home")


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A real receiver on loopback; the environment points at it."""
    with Receiver(tmp_path / "sandbox", key=KEY, secret=SECRET) as server:
        monkeypatch.setenv("WORKBENCH_MPARTICLE_URL", server.url)
        monkeypatch.setenv("WORKBENCH_MPARTICLE_KEY", KEY)
        monkeypatch.setenv("WORKBENCH_MPARTICLE_SECRET", SECRET)
        yield server


def _as_server(command: list[str]) -> None:
    """Run a server command; PostgreSQL refuses root, so root hands it to ``postgres``."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *command], check=True, capture_output=True, timeout=120)


@contextmanager
def postgres_server() -> Iterator[tuple[str, Callable[[], None]]]:
    """A PostgreSQL server on loopback: the URL of its empty database, and what restarts it under its clients."""
    folder = postgres_bin()
    assert folder is not None
    home = Path(tempfile.mkdtemp(prefix="workbench-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(home, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = home / "data"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -c unix_socket_directories={home}"
    control = [str(folder / "pg_ctl"), "-D", str(data), "-w"]
    _as_server(
        [str(folder / "initdb"), "-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"]
    )
    _as_server([*control, "-o", options, "-l", str(home / "log"), "start"])
    try:
        yield (
            f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres",
            lambda: _as_server([*control, "-m", "fast", "-l", str(home / "log"), "restart"]),
        )
    finally:
        _as_server([*control, "-m", "immediate", "stop"])
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of the session; the URL of its empty database."""
    with postgres_server() as (url, _):
        yield url


def _at_server(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


@pytest.fixture
def postgres_database(postgres_url: str, request: pytest.FixtureRequest) -> str:
    """The URL of a fresh database for one test."""
    name = f"t{abs(hash(request.node.nodeid)):x}"
    _at_server(postgres_url, f'CREATE DATABASE "{name}"')
    return postgres_url.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line as the installed program does."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["workbench", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        code = stopped.value.code
        return Result(code=code if isinstance(code, int) else 0, out=printed.out, err=printed.err)

    return call


@pytest.fixture(scope="session")
def team_made(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that every ``team`` is a copy of; what it has in PostgreSQL is the database ``team``."""
    _at_server(postgres_url, "CREATE DATABASE team")
    url = postgres_url.rsplit("/", 1)[0] + "/team"
    return _make_shop(tmp_path_factory.mktemp("team") / "home", WORKBENCH_DATABASE_URL=url)


@pytest.fixture
def team(
    team_made: Path,
    tmp_path: Path,
    postgres_url: str,
    postgres_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Account]:
    """The shop of the SQLite tests, its decisions in PostgreSQL."""
    name = postgres_database.rsplit("/", 1)[1]
    _at_server(postgres_url, f'DROP DATABASE "{name}"', f'CREATE DATABASE "{name}" TEMPLATE team')
    monkeypatch.setenv("WORKBENCH_DATABASE_URL", postgres_database)
    account = copied(team_made, tmp_path / "home")
    yield account
    account.workspace.database.close()
