"""What is left behind: files of a crash, files that a compaction replaced, and when they go."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from workbench.store import tables
from workbench.store.lake import Lake

FOLDER = "ingest-"


def sweep(lake: Lake, *, now: datetime, keep_days: int) -> int:
    """Delete the files that no version knows or needs any more; call it while holding the lock.

    A file that a compaction replaced is deleted ``keep_days`` after it, unless a run that is not complete
    reads a version with that file. It is marked first, so that an old version says what became of it.

    Args:
        lake: whose folder is swept.
        now: the instant of the sweep.
        keep_days: how long replaced files stay for those who still read them.

    Returns:
        How many files were deleted.
    """
    file, version, run = tables.lake_files, tables.lake_versions, tables.runs
    due = sa.select(version.c.version).where(version.c.created_at <= now - timedelta(days=keep_days))
    needed = sa.exists().where(
        run.c.finished_at.is_(None), run.c.lake_version >= file.c.added, run.c.lake_version < file.c.removed
    )
    with lake.database.transaction() as connection:
        connection.execute(
            file.update()
            .where(file.c.deleted_at.is_(None), file.c.removed.in_(due), ~needed)
            .values(deleted_at=now)
        )
        kept = set(connection.scalars(sa.select(file.c.path).where(file.c.deleted_at.is_(None))))
    left = [
        path
        for path in lake.directory.rglob("*.parquet")
        if path.relative_to(lake.directory).as_posix() not in kept
    ]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """A folder for one writer; those that a crash left are deleted. Call it while holding the lock."""
    for left in parent.glob(f"{FOLDER}*"):
        shutil.rmtree(left, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=FOLDER, dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
