"""Accounts whose people carry tags: a segment is a letter, so that an expected answer can be read off."""

from datetime import datetime

from accounts import NOW, Account

from workbench.segments.build import Expression, user
from workbench.segments.model import Segment


def tag(account: Account, people: dict[str, str], *, at: datetime = NOW) -> None:
    """Record a profile for each user; the letters are its tags."""
    rows = [
        {"user_id": name, "tags": list(letters), "at": at.isoformat()} for name, letters in people.items()
    ]
    account.ingest("profiles", rows, recorded="at", types={"tags": "list"})


def has(letter: str) -> Expression:
    """Users with a tag."""
    return user("tags").contains_any(letter)


def letter(name: str) -> Segment:
    """The segment of a tag, called by it."""
    return has(name).named(name)
