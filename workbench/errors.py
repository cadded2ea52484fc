"""Every error that a user can meet, with the exit code that a scheduler sees.

::

    WorkbenchError ................ 1  something broke
    ├── InputError ................ 3  a person can correct it: a file, a name, a value
    │   ├── SettingsError
    │   ├── NotFoundError
    │   ├── SegmentError ........... all problems of a tree at once
    │   ├── CampaignError .......... all problems of a campaign at once
    │   ├── IngestError
    │   └── PapermillError ......... a notebook parameter that does not exist or has the wrong type
    ├── StoreError ................ 4  lake, database or disk: nothing half-written is believed
    │   └── DamagedError .......... 4  a row that the workbench cannot have written
    ├── DestinationError .......... 5  the receiver did not answer; the run can be resumed
    │   └── CredentialsError ...... 6  the receiver refused the key, or there is none
    ├── BusyError ................. 7  another process holds this run or this lake
    ├── CancelledError ............ 130  a person stopped a long question; nothing was written
    └── UndeliveredError .......... 8  the run ended with rejected or unknown requests, was stopped, or was blocked
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where."""

    path: str
    message: str

    def __str__(self) -> str:
        """Path first, so that a list of problems reads like a list of places."""
        return f"{self.path}: {self.message}" if self.path else self.message


class WorkbenchError(Exception):
    """The root; its text is one line (or one line a problem) that a user can act on."""

    exit_code = 1


class InputError(WorkbenchError):
    """A file, a name or a value that a person can correct."""

    exit_code = 3


class SettingsError(InputError):
    """A key of workbench.toml that is missing or malformed."""


class CancelledError(WorkbenchError):
    """A person stopped a long question."""

    exit_code = 130


class NotFoundError(InputError):
    """A segment, campaign or run that does not exist."""


class IngestError(InputError):
    """A source that cannot be read as it was described; nothing was ingested."""


class PapermillError(InputError):
    """A notebook parameter that does not exist or has the wrong type."""


class ProblemsError(InputError):
    """Several problems, reported together."""

    subject = "input"

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        """Keep the problems as data and print one a line."""
        self.name = name
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f'{self.subject} "{name}" cannot be used:\n{lines}')

    def __reduce__(self) -> tuple[type, tuple[str, tuple[Problem, ...]]]:
        """Survive pickling: the arguments of ``__init__``, not the printed text."""
        return type(self), (self.name, self.problems)


class SegmentError(ProblemsError):
    """All problems of a condition tree."""

    subject = "segment"


class CampaignError(ProblemsError):
    """All problems of a campaign."""

    subject = "campaign"


class StoreError(WorkbenchError):
    """The lake, the database or the disk failed; nothing half-written is believed."""

    exit_code = 4


class DamagedError(StoreError):
    """A row of the database that the workbench cannot have written; the text names it, and no value of a person."""


class DestinationError(WorkbenchError):
    """The receiver cannot be reached or keeps failing; the run can be resumed."""

    exit_code = 5


class CredentialsError(DestinationError):
    """The receiver refused the key, or no key is configured."""

    exit_code = 6


class BusyError(WorkbenchError):
    """Another process holds this run or this lake."""

    exit_code = 7


class UndeliveredError(WorkbenchError):
    """The run went through and some requests were rejected or unknown; or it was stopped or blocked."""

    exit_code = 8


def nearest(name: str, names: Iterable[str], limit: int = 3) -> str:
    """Return the hint ``Did you mean "purchase"?``, or ``""`` when nothing is near."""
    by_lower: dict[str, str] = {}
    for known in names:
        by_lower.setdefault(known.lower(), known)
    close = difflib.get_close_matches(name.lower(), by_lower, n=limit, cutoff=0.6)
    if not close:
        return ""
    quoted = [f'"{by_lower[key]}"' for key in close]
    return f" Did you mean {' or '.join(quoted)}?"
