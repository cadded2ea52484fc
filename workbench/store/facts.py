"""Facts that a lake file carries about its rows, so that a question need not read them to know."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from workbench.store.catalogue import ANY_EVENT

Contents = Mapping[str, Any]

# The instant at which a row is recorded, and the one from which a version can be seen; NULL: since ever.
RECORDED = "greatest(ts, coalesce(received_at, ts))"
VISIBLE = "greatest(coalesce(recorded_at, valid_from), valid_from)"


def latest(instant: datetime | None) -> str | None:
    """Return an instant as it is kept in a file's contents."""
    return None if instant is None else instant.isoformat()


def own(file: Contents) -> bool:
    """Whether the workbench wrote the events of a file itself; all others were ingested."""
    return bool(file.get("own"))


def has_any(file: Contents, events: Iterable[str]) -> bool:
    """Whether a file has rows of one of some events."""
    return ANY_EVENT in events or not file["events"].keys().isdisjoint(events)


def recorded_until(events: Contents) -> datetime | None:
    """Return the instant by which all events of a file are recorded; None where it does not say."""
    return _instant(events.get("latest"))


def as_it_happened(events: Contents) -> bool:
    """Whether each row of a file counts as recorded when it happened; False where the file does not say."""
    return bool(events.get("as_it_happened"))


def single_profiles(profiles: Iterable[Contents], as_of: datetime) -> bool:
    """Say whether no user has two versions, and all versions are seen at ``as_of``.

    False where the files cannot tell: an older file without the facts, or two files whose codes overlap.
    """
    ranges = []
    for file in profiles:
        if not file.get("one_each") or "latest" not in file:
            return False
        seen = _instant(file["latest"])
        if seen is not None and seen > as_of:
            return False
        ranges.append(tuple(file["codes"]))
    return all(earlier[1] < later[0] for earlier, later in pairwise(sorted(ranges)))


def profile_codes(profiles: Iterable[tuple[Contents, int]], as_of: datetime) -> list[tuple[int, int]] | None:
    """Return the ranges of codes, both ends included, that have a profile; None where the files cannot tell.

    Args:
        profiles: the contents of each file, and its rows.
        as_of: the instant of the question.
    """
    files = list(profiles)
    if not single_profiles((contents for contents, _ in files), as_of):
        return None
    ranges = [(contents["codes"][0], contents["codes"][1], rows) for contents, rows in files]
    if any(last - first + 1 != rows for first, last, rows in ranges):
        return None
    return [(first, last) for first, last, _ in ranges]


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
