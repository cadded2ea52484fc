"""The audit trail: who changed what and when. Entries are only ever added, each with the digest of the one before.

An entry's digest is the sha256 of the canonical JSON (sorted keys, no blanks, UTF-8) of its other seven fields:
``{"at":…,"details":…,"number":…,"previous":…,"subject":…,"what":…,"who":…}``, ``at`` as
``2026-06-30T18:00:00.000000Z``. The first entry's ``previous`` is ``GENESIS``.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from pydantic import Json, TypeAdapter

from workbench.errors import DamagedError, InputError
from workbench.settings import actor
from workbench.store import rows, tables
from workbench.store.canonical import content_digest
from workbench.store.database import Database
from workbench.store.lake import utc_now

GENESIS = "0" * 64
LONGEST_REASON = 500
MOST_FAULTS = 20
LOCK = 7209313
HEXADECIMAL = frozenset("0123456789abcdef")


class What(StrEnum):
    """The fixed words for what was done."""

    TRAIL_BEGUN = "trail begun"
    SEGMENT_SAVED = "segment saved"
    SEGMENT_ARCHIVED = "segment archived"
    CAMPAIGN_SAVED = "campaign saved"
    CAMPAIGN_ARCHIVED = "campaign archived"
    LIST_IMPORTED = "list imported"
    GROUP_ADDED = "control group added"
    GROUP_REMOVED = "control group removed"
    NEVER_IN_CONTROL = "user flagged never in control"
    IN_CONTROL_AGAIN = "user unflagged never in control"
    TESTER_ADDED = "test profile flagged"
    TESTER_REMOVED = "test profile unflagged"
    RUN_RESERVED = "run reserved"
    RUN_STARTED = "run started"
    RUN_RESUMED = "run resumed"
    RUN_KEY_CHANGED = "run key changed"
    RUN_INTERRUPTED = "run interrupted"
    RUN_STOPPED = "run stopped"
    RUN_ENDED = "run ended"
    RUN_SETTLED = "run settled"
    GIVEN_BACK = "rejected given back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was done.

    Attributes:
        number: 1, 2, 3, … without a gap.
        at: when the transaction wrote it, by the clock of the machine that did.
        what: one of ``What``, or a word of a newer workbench.
        subject: the id of what it was done to; of a flag the user's id.
        details: JSON values: versions, digests, counts, a person's reason; no person, no credential.
        previous: the digest of the entry before.
    """

    number: int
    at: rows.Instant
    who: str
    what: str
    subject: str
    details: Json[Mapping[str, Any]] = field(repr=False)
    previous: str = field(repr=False)
    digest: str = field(repr=False)

    @property
    def told(self) -> str:
        """The details in one line, digests by their beginning: ``version 2, digest 0c2a8c7bd8ab…, changed cap``."""
        said = {name: value for name, value in self.details.items() if value is not None}
        return ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in said.items())


_ENTRY = TypeAdapter(Entry)


class Entries(tuple[Entry, ...]):
    """Entries as a log has them, the newest last; a cell shows them as a table."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What a check of the trail has found.

    Attributes:
        entries: how many were looked at.
        digest: of the newest of them.
        faults: what is wrong, as sentences, the first ones only.
        expected: the number of the entry with the digest that was asked for; None where none has it.
    """

    entries: int
    digest: str
    faults: tuple[str, ...]
    expected: int | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def append(sql: sa.Connection, what: What, subject: str, details: Mapping[str, Any] | None = None) -> None:
    """Add an entry in the transaction that makes the change, as its last statement.

    On PostgreSQL whoever appends waits for whoever has appended and not yet committed; since nothing is waited
    for afterwards, two transactions never wait for each other.

    Args:
        sql: the open transaction.
        what: was done.
        subject: the id of what it was done to.
        details: JSON values; instants are written as text.
    """
    if sql.dialect.name != "sqlite":
        sql.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    table = tables.audit
    newest = sql.execute(
        sa.select(table.c.number, table.c.digest).order_by(table.c.number.desc()).limit(1)
    ).one_or_none()
    values: dict[str, Any] = {
        "number": newest.number + 1 if newest else 1, "at": utc_now(), "who": actor(), "what": what.value,
        "subject": subject, "details": _plain(details or {}), "previous": newest.digest if newest else GENESIS,
    }  # fmt: skip
    sql.execute(table.insert().values(**values, digest=entry_digest(values | {"at": text(values["at"])})))


def entry_digest(fields: Mapping[str, Any]) -> str:
    """Return the digest of an entry's other fields, ``at`` as text."""
    names = ("at", "details", "number", "previous", "subject", "what", "who")
    return content_digest({name: fields[name] for name in names})


def text(instant: datetime) -> str:
    """Return an instant as the trail has it: ``2026-06-30T18:00:00.000000Z``."""
    return tables.written(instant)


def reason(given: str | None) -> str | None:
    """Return a person's reason without blanks around it.

    Raises:
        InputError: blank, too long, or with signs that cannot be printed.
    """
    if given is None:
        return None
    said = given.strip()
    if not said or len(said) > LONGEST_REASON or not said.isprintable():
        raise InputError(
            f"a reason has 1 to {LONGEST_REASON} printable characters on one line, this one {len(said)}"
        )
    return said


class Trail:
    """Reads the entries, and checks that they are the ones that were written."""

    def __init__(self, database: Database) -> None:
        """Keep the database."""
        self._database = database

    def entries(
        self,
        *,
        about: str | None = None,
        who: str | None = None,
        what: Sequence[str] = (),
        since: datetime | None = None,
        limit: int | None = None,
    ) -> Entries:
        """Return entries as a log has them, the newest last.

        Args:
            about: only those with this subject; of a campaign those of its runs too.
            who: only what this person did.
            what: only these words.
            since: only from this instant on.
            limit: only the newest ones.

        Raises:
            DamagedError: an entry that cannot be read.
        """
        table, run = tables.audit.c, tables.runs.c
        query = tables.raw(tables.audit).order_by(table.number.desc())
        if about is not None:
            runs = sa.select(run.run_id).where(run.campaign_id == about)
            query = query.where(sa.or_(table.subject == about, table.subject.in_(runs)))
        if who is not None:
            query = query.where(table.who == who)
        if what:
            query = query.where(table.what.in_(what))
        if since is not None:
            query = query.where(table.at >= since)
        if limit is not None:
            query = query.limit(limit)
        with self._database.reading() as sql:
            return Entries(_entry(row) for row in reversed(sql.execute(query).mappings().all()))

    def subjects(self) -> list[str]:
        """Return what there are entries about, by name.

        Raises:
            StoreError: the database fails.
        """
        return self._distinct(tables.audit.c.subject)

    def people(self) -> list[str]:
        """Return who has done something, by name.

        Raises:
            StoreError: the database fails.
        """
        return self._distinct(tables.audit.c.who)

    def _distinct(self, column: "sa.Column[str]") -> list[str]:
        with self._database.reading() as sql:
            return sorted(sql.scalars(sa.select(column).distinct()))

    def check(self, *, up_to: int | None = None, expect: str | None = None) -> Chain:
        """Compute every digest anew, from the first entry on, in bounded memory.

        Args:
            up_to: the number of the last entry that is looked at.
            expect: a digest that was kept elsewhere and has to be that of an entry.

        Raises:
            InputError: ``expect`` is no digest.
        """
        if expect is not None and (len(expect) != 64 or set(expect) - HEXADECIMAL):
            raise InputError(f'"{expect}" is no digest: 64 characters 0-9, a-f, as `audit --check` prints it')
        query = tables.raw(tables.audit).order_by(tables.audit.c.number)
        if up_to is not None:
            query = query.where(tables.audit.c.number <= up_to)
        faults: list[str] = []
        number, entries, digest, expected = 0, 0, GENESIS, None
        with self._database.reading() as sql:
            for row in sql.execute(query, execution_options={"yield_per": 1000}).mappings():
                faults += _faults(row, number, digest)
                number, digest = row["number"], row["digest"]
                entries += 1
                if digest == expect:
                    expected = number
        if number < (up_to or 1):
            faults.append(f"entries from {number + 1} on are missing")
        if expect is not None and expected is None:
            faults.append(f"no entry has the digest {expect}: what was there was cut off or written anew")
        return Chain(entries=entries, digest=digest, faults=tuple(faults[:MOST_FAULTS]), expected=expected)


def _faults(row: sa.RowMapping, number: int, digest: str) -> Iterator[str]:
    """Compare an entry with its digest and with the one before, which has this number and digest."""
    found = row["number"]
    if found > number + 1:
        gone = f"entry {number + 1} is" if found == number + 2 else f"entries {number + 1} to {found - 1} are"
        yield f"{gone} missing"
    elif row["previous"] != digest:
        yield f"entry {found} does not follow {f'entry {number}' if number else 'the beginning'}"
    try:
        same = entry_digest({**row, "details": json.loads(row["details"])}) == row["digest"]
    except (ValueError, TypeError, RecursionError):
        same = False
    if not same:
        yield f"entry {found} is not what was written"


def _entry(row: sa.RowMapping) -> Entry:
    try:
        return rows.read(_ENTRY, row, f"entry {row['number']} of the audit trail")
    except DamagedError as error:
        raise DamagedError(f"{error}; see workbench audit --check") from None


def _plain(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details as they will be read back."""
    found: dict[str, Any] = json.loads(json.dumps(details, default=text, allow_nan=False))
    return found


def _short(value: object) -> str:
    if isinstance(value, dict):
        return f"({', '.join(f'{name} {_short(item)}' for name, item in value.items() if item)})"
    if isinstance(value, list):
        return " ".join(map(_short, value))
    is_digest = isinstance(value, str) and len(value) == 64 and not set(value) - HEXADECIMAL
    return f"{str(value)[:12]}…" if is_digest else str(value)
