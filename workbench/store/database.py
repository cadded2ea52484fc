"""One SQL database for decisions: SQLite in the state folder by default, PostgreSQL by URL."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from workbench.errors import DamagedError, InputError, StoreError

BUSY_SECONDS = 30
# SQLite's words, which go on with the text.
NO_TEXT = re.compile("Could not decode to UTF-8 column '([^']*)'")
MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """Short transactions on one URL; every failure of the driver becomes a ``StoreError``."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """Prepare an engine; nothing is opened until the first transaction."""
        self.read_only = read_only
        try:
            self.url = sa.make_url(url)
            if "@" in (self.url.host or ""):
                raise ValueError("what stands before the last @ is of a password")
            self._engine = _engine(self.url, read_only=read_only)
        except (SQLAlchemyError, ImportError, ValueError):
            # The text itself may hold a password, and a notebook shows what an error comes from.
            raise InputError(
                "the ledger's URL cannot be used: one is written as "
                "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE (an @ of a password as %40), or sqlite:///FILE"
            ) from None

    def __repr__(self) -> str:
        """Show no password."""
        return f"Database({self.url.set(query={}).render_as_string(hide_password=True)!r})"

    @property
    def told(self) -> str:
        """Say which database it is: its file, or its server; neither a user nor a password."""
        if self.is_sqlite:
            return f"SQLite, {self.url.database or 'in memory'}"
        kind = {"postgresql": "PostgreSQL"}.get(self.url.get_backend_name(), self.url.get_backend_name())
        at = (
            f"{self.url.host}{f':{self.url.port}' if self.url.port else ''}"
            if self.url.host
            else "a local socket"
        )
        return f"{kind} at {at}, database {self.url.database or 'of the same name as the user'}"

    def close(self) -> None:
        """Close the connections that no transaction holds; the next transaction opens a new one."""
        self._engine.dispose()

    def watch(
        self, around: Callable[[str, Callable[..., Any]], Callable[..., Any]], begun: Callable[[], None]
    ) -> None:
        """Let every commit go through a call of ``around``, and tell of every transaction that begins."""
        dialect = self._engine.dialect
        dialect.do_commit = around("commit", dialect.do_commit)  # type: ignore[method-assign]
        sa.event.listen(self._engine, "begin", lambda _: begun())

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database of one machine."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def transaction(self, on: sa.Connection | None = None, *, alone: bool = False) -> Iterator[sa.Connection]:
        """One short write transaction; SQLite takes its write lock at once (BEGIN IMMEDIATE).

        Args:
            on: a connection that is open already, such as that of ``advisory_lock``.
            alone: whether no other transaction that asks for the same is at work meanwhile.

        Raises:
            StoreError: the database is unreachable, locked, full or read-only.
        """
        if on is not None:
            with self._errors(), on.begin():
                self._wait(on, alone=alone)
                yield on
            return
        with self._errors(), self._engine.begin() as connection:
            self._wait(connection, alone=alone)
            yield connection

    def _wait(self, connection: sa.Connection, *, alone: bool) -> None:
        if alone and not self.is_sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7209312)"))

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One read transaction; it takes no write lock and blocks nobody.

        Raises:
            StoreError: the database is unreachable.
        """
        with self._errors(), self._engine.connect().execution_options(reading=True) as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """One read transaction that sees the rows of one instant, whatever others write meanwhile.

        Raises:
            StoreError: the database is unreachable.
        """
        if self.is_sqlite:
            with self.reading() as connection:
                yield connection
            return
        with self._errors(), self._engine.connect() as connection:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    def migrate(self) -> None:
        """Bring the tables to this version of the workbench.

        Raises:
            StoreError: unreachable, or written by a newer workbench.
        """
        if self.is_sqlite and self.url.database:
            try:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"the state folder cannot be made: {error.strerror}") from error
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        head = ScriptDirectory.from_config(config).get_current_head()
        with self._errors(), self._engine.begin() as connection:
            if self._revision(connection) == head:
                return
            if not self.is_sqlite:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7209311)"))
                if self._revision(connection) == head:
                    return
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def stamp(self) -> None:
        """Say that the tables are those of this version of the workbench; whoever made them knows.

        Raises:
            StoreError: unreachable.
        """
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._errors(), self._engine.begin() as connection:
            MigrationContext.configure(connection).stamp(ScriptDirectory.from_config(config), "head")

    def check(self) -> None:
        """Refuse a database that this version cannot read.

        Raises:
            StoreError: unreachable, empty, or of another version.
        """
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        head = ScriptDirectory.from_config(config).get_current_head()
        with self._errors(), self._engine.begin() as connection:
            found = self._revision(connection)
        if found != head:
            raise StoreError(
                f"the ledger is at version {found or 'none'}, this workbench needs {head}; "
                "run `workbench check` once with write access to bring it up to date"
            )

    def advisory_lock(self, key: int) -> sa.Connection | None:
        """Take PostgreSQL's session lock ``key``; the lock ends with the returned connection."""
        with self._errors():
            connection = self._engine.connect()
            taken = connection.scalar(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": key})
            connection.commit()
            if not taken:
                connection.close()
                return None
            return connection

    @staticmethod
    def _revision(connection: sa.Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.IntegrityError:
            raise
        except DBAPIError as error:
            if found := NO_TEXT.match(_reason(error)):
                raise DamagedError(
                    f"a row of the ledger is damaged: {found[1]} is no text in UTF-8"
                ) from None
            raise StoreError(f"the ledger ({self._place()}) failed: {_reason(error)}") from error
        except SQLAlchemyError as error:
            raise StoreError(f"the ledger ({self._place()}) failed: {type(error).__name__}") from error
        except Exception as error:
            if type(error).__module__.startswith("alembic"):
                raise StoreError(f"the ledger was written by a newer workbench: {error}") from error
            raise

    def _place(self) -> str:
        if self.is_sqlite:
            return Path(self.url.database or ":memory:").name
        return f"{self.url.get_backend_name()} at {self.url.host}"


def _engine(url: sa.URL, *, read_only: bool) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        options = "-c default_transaction_read_only=on" if read_only else ""
        patience = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5,
                    "keepalives_count": 4, "tcp_user_timeout": 30_000}  # fmt: skip
        return sa.create_engine(
            url, pool_pre_ping=True, hide_parameters=True, connect_args={**patience, "options": options}
        )
    if read_only:
        url = url.set(database=f"file:{quote(url.database or '')}", query={"mode": "ro", "uri": "true"})
    engine = sa.create_engine(
        url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}, json_deserializer=_json
    )

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        if not read_only:
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        reading = read_only or connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _json(text: str | bytes) -> Any:
    """Read a column of JSON; PostgreSQL itself takes nothing else."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedError("the ledger has a text that is no JSON where it should have some") from error


def _reason(error: DBAPIError) -> str:
    text = str(error.orig).strip().splitlines()
    return text[0] if text else type(error.orig).__name__
