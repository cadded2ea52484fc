"""The account's test profiles: whom a test send goes to when nobody is named."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from workbench.errors import BusyError, InputError, NotFoundError, nearest
from workbench.settings import actor
from workbench.store import audit, engine, tables
from workbench.store.audit import What
from workbench.store.database import Database
from workbench.store.lake import Lake

MOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Tester:
    """A flagged profile."""

    user_id: str
    flagged_at: datetime
    flagged_by: str


class Testers:
    """Lists, adds and removes test profiles; only users with a profile are ever among them."""

    def __init__(self, database: Database, lake: Lake) -> None:
        """Keep the table, and the lake that knows the profiles."""
        self._database = database
        self._lake = lake

    def flagged(self) -> tuple[Tester, ...]:
        """Return the test profiles by id."""
        table = tables.test_profiles
        with self._database.reading() as sql:
            return tuple(
                Tester(**row) for row in sql.execute(sa.select(table).order_by(table.c.user_id)).mappings()
            )

    def add(self, user_id: str, *, now: datetime) -> None:
        """Flag a profile; one that is flagged stays as it is.

        Raises:
            NotFoundError: no profile of this user in the newest version of the lake.
            InputError: too many are flagged.
            BusyError: somebody else has just flagged it.
        """
        self._refuse_unknown(user_id)
        table = tables.test_profiles
        try:
            with self._database.transaction() as sql:
                flagged = set(sql.scalars(sa.select(table.c.user_id)))
                if user_id in flagged:
                    return
                if len(flagged) >= MOST:
                    raise InputError(
                        f"{len(flagged)} test profiles are flagged, which is the most; remove one first"
                    )
                sql.execute(table.insert().values(user_id=user_id, flagged_at=now, flagged_by=actor()))
                audit.append(sql, What.TESTER_ADDED, user_id)
        except sa.exc.IntegrityError as error:
            raise BusyError("the profile was flagged by somebody else just now") from error

    def remove(self, user_id: str) -> None:
        """Take the flag from a profile.

        Raises:
            NotFoundError: the user is not flagged; the message names near ones.
        """
        table = tables.test_profiles
        with self._database.transaction() as sql:
            if not sql.execute(table.delete().where(table.c.user_id == user_id)).rowcount:
                hint = nearest(user_id, sql.scalars(sa.select(table.c.user_id)))
                raise NotFoundError(f'"{user_id}" is not a test profile.{hint}')
            audit.append(sql, What.TESTER_REMOVED, user_id)

    def _refuse_unknown(self, user_id: str) -> None:
        sql = "SELECT 1 FROM users JOIN profile_versions USING (user_code) WHERE user_id = $user_id LIMIT 1"
        connection = self._lake.at().connect()
        known = engine.rows(connection, sql, {"user_id": user_id})
        connection.close()
        if not known:
            raise NotFoundError(f'no profile of user "{user_id}" in the lake: a test would reach nobody')
