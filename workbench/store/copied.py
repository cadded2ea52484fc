"""A second database with the same rows; the first one is only read."""

import sqlalchemy as sa

from workbench.errors import InputError
from workbench.store import tables
from workbench.store.database import Database

ROWS = 1000


def copy(source: Database, target: Database) -> None:
    """Make this version's tables in an empty database, and copy every row as of one instant.

    Args:
        source: has this version's tables; SQLite or PostgreSQL.
        target: an empty database, of either kind.

    Raises:
        StoreError: either database fails.
    """
    # Not by the migrations: what these write of their own is not in the source.
    with target.transaction() as sql:
        tables.metadata.create_all(sql)
    target.stamp()
    with source.snapshot() as reading, target.transaction() as writing:
        for table in tables.metadata.sorted_tables:
            for rows in reading.execute(sa.select(table)).mappings().partitions(ROWS):
                writing.execute(table.insert(), [dict(row) for row in rows])


def refuse_full(database: Database) -> None:
    """Refuse a database that has a table.

    Raises:
        InputError: it has one.
        StoreError: the database fails.
    """
    with database.reading() as sql:
        found = sorted(sa.inspect(sql).get_table_names())
    if found:
        raise InputError(f'the database has tables already, "{found[0]}" among them: give an empty one')


def empty(database: Database) -> None:
    """Drop this version's tables with all that they hold.

    Raises:
        StoreError: the database fails.
    """
    with database.transaction() as sql:
        tables.metadata.drop_all(sql)
        sql.execute(sa.text("DROP TABLE IF EXISTS alembic_version"))
