"""Versioned documents in SQL: segments and campaigns are kept alike, and never overwritten."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from workbench.errors import BusyError, DamagedError, NotFoundError, StoreError, nearest
from workbench.settings import actor
from workbench.store import audit
from workbench.store.audit import What
from workbench.store.canonical import content_digest
from workbench.store.database import Database

ATTEMPTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One stored version of a document.

    Attributes:
        id: of the document.
        version: 1, 2, 3, …
        digest: sha256 of the canonical JSON of ``body``.
        body: the document as JSON values.
        created_at: when this version was saved.
        created_by: who saved it.
        archived_at: when the document was taken out of the lists; None while it is listed.
    """

    id: str
    version: int
    digest: str
    body: Mapping[str, Any] = field(repr=False)
    created_at: datetime
    created_by: str
    archived_at: datetime | None

    def refuse_changed(self, noun: str) -> None:
        """Refuse what is not what was saved.

        Raises:
            StoreError: its content has another digest.
        """
        if content_digest(self.body) != self.digest:
            raise StoreError(
                f'{noun} "{self.id}" version {self.version} is not what was saved: its content has another digest, '
                "so somebody changed it past the workbench; save it anew"
            )


class Versions:
    """The versions of one kind of document."""

    def __init__(self, database: Database, table: sa.Table, noun: str) -> None:
        """Keep the table and the word for its rows in messages."""
        self._database = database
        self._table = table
        self._noun = noun

    def save(self, key: str, body: Mapping[str, Any], *, now: datetime) -> Version:
        """Store ``body`` as the next version, unless the newest one already says it.

        Raises:
            BusyError: others keep saving the same document at the same time.
        """
        for _ in range(ATTEMPTS):
            try:
                return self.get(key, self._save(key, body, now))
            except sa.exc.IntegrityError:
                continue
        raise BusyError(f'{self._noun} "{key}" is being saved by others; try again')

    def _save(self, key: str, body: Mapping[str, Any], now: datetime) -> int:
        digest = content_digest(body)
        table = self._table
        with self._database.transaction(alone=True) as sql:
            newest = sql.execute(
                sa.select(table).where(table.c.id == key).order_by(table.c.version.desc()).limit(1)
            ).one_or_none()
            if newest is not None and newest.digest == digest and newest.archived_at is None:
                return int(newest.version)
            version = newest.version + 1 if newest else 1
            sql.execute(
                table.insert().values(
                    id=key, version=version, digest=digest, body=body, created_at=now, created_by=actor()
                )
            )
            details = {"version": version, "digest": digest}
            if newest is not None:
                changed = [
                    name for name in body.keys() | newest.body.keys() if _differ(name, body, newest.body)
                ]
                details |= {"before": newest.digest, "changed": sorted(changed)}
            audit.append(sql, What(f"{self._noun} saved"), key, details)
            return int(version)

    def get(self, key: str, version: int | None = None) -> Version:
        """Return a version, the newest by default.

        Raises:
            NotFoundError: no such document or version; the message names near ones.
        """
        found = self.find(key, version)
        if found is not None:
            return found
        keys = self.ids()
        if version is not None and key in keys:
            raise NotFoundError(f'{self._noun} "{key}" has no version {version}')
        raise NotFoundError(f'unknown {self._noun} "{key}".{nearest(key, keys)}')

    def find(self, key: str, version: int | None = None) -> Version | None:
        """Return a version or None; an archived document is found by its version only."""
        table = self._table
        query = sa.select(table).where(table.c.id == key)
        if version is None:
            query = query.order_by(table.c.version.desc()).limit(1)
        else:
            query = query.where(table.c.version == version)
        with self._database.reading() as sql:
            row = sql.execute(query).mappings().one_or_none()
        if row is None or (version is None and row["archived_at"] is not None):
            return None
        return Version(**row)

    def first_saved(self, key: str) -> datetime:
        """Return when the first version of a document was saved.

        Raises:
            DamagedError: it is gone.
        """
        table = self._table
        with self._database.reading() as sql:
            row = sql.execute(
                sa.select(table.c.created_at).where(table.c.id == key, table.c.version == 1)
            ).one_or_none()
        if row is None:
            raise DamagedError(f'version 1 of {self._noun} "{key}" is gone from the database')
        found: datetime = row.created_at
        return found

    def newest(self) -> list[Version]:
        """Return the newest version of every document that is not archived, by id."""
        table = self._table
        latest = (
            sa.select(table.c.id, sa.func.max(table.c.version).label("version"))
            .group_by(table.c.id)
            .subquery()
        )
        with self._database.reading() as sql:
            rows = (
                sql.execute(
                    sa.select(table)
                    .join(latest, sa.and_(table.c.id == latest.c.id, table.c.version == latest.c.version))
                    .where(table.c.archived_at.is_(None))
                    .order_by(table.c.id)
                )
                .mappings()
                .all()
            )
        return [Version(**row) for row in rows]

    def ids(self) -> list[str]:
        """Return the ids of the documents that are not archived."""
        return [version.id for version in self.newest()]

    def archive(self, key: str, *, now: datetime) -> None:
        """Take a document out of the lists; its versions stay.

        Raises:
            NotFoundError: no such document.
        """
        self.get(key)
        table = self._table
        with self._database.transaction() as sql:
            listed = table.update().where(table.c.id == key, table.c.archived_at.is_(None))
            if sql.execute(listed.values(archived_at=now)).rowcount:
                versions = sa.select(sa.func.max(table.c.version)).where(table.c.id == key)
                audit.append(sql, What(f"{self._noun} archived"), key, {"version": sql.scalar(versions)})


def _differ(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (name in one) != (name in other) or one.get(name) != other.get(name)
