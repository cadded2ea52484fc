"""What a cell shows of the audit trail: who did what when; whom a flag is about stays out of a notebook."""

from collections.abc import Callable
from typing import Any

from workbench.store.audit import Entries, Entry, What
from workbench.widgets.markup import block, paragraph, table

INSTANT = "%Y-%m-%d %H:%M:%S %Z"
OF_A_USER = (What.NEVER_IN_CONTROL, What.IN_CONTROL_AGAIN, What.TESTER_ADDED, What.TESTER_REMOVED)


def _text(found: Entries) -> str:
    lines = [
        f"{entry.number}  {entry.at:{INSTANT}}  {entry.who}: {entry.what} {_subject(entry)}"
        for entry in found
    ]
    return "\n".join(lines) or "no such entries"


def _html(found: Entries) -> str:
    if not found:
        return block(paragraph("No such entries."))
    columns = [
        ("No.", "number"),
        ("At", "text"),
        ("Who", "text"),
        ("What", "text"),
        ("About", "text"),
        ("Details", "wrap"),
    ]
    rows = [
        (str(entry.number), f"{entry.at:{INSTANT}}", entry.who, entry.what, _subject(entry), entry.told)
        for entry in found
    ]
    return block(table(columns, rows, caption="Audit trail, the newest last"))


def _subject(entry: Entry) -> str:
    return "a user" if entry.what in OF_A_USER else entry.subject


SHOWN: dict[type, tuple[Callable[[Any], str], Callable[[Any], str], None]] = {Entries: (_text, _html, None)}
