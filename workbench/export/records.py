"""What the ledger records: runs, their requests, alerts, and the states that they go through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self


class RunState(StrEnum):
    """Where a run stands; ``interrupted`` can be resumed, a stopped one cannot, a blocked one never sends.

    ``stopping`` is to stop: no further request is taken up, and those in flight are waited for.
    """

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    STOPPING = "stopping"
    STOPPED = "stopped"
    COMPLETED = "completed"
    BLOCKED = "blocked by safety check"


class RequestState(StrEnum):
    """Where a request stands. ``sent`` is being sent, or was when the process died."""

    RESERVED = "reserved"
    SENT = "sent"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Purpose(StrEnum):
    """What a run is for; a test is outside caps and reports.

    The occurrences of the two never meet: those of campaigns are whole seconds, those of tests are not.
    """

    CAMPAIGN = "campaign"
    TEST = "test"


class Kind(StrEnum):
    """What a request carries: messages, or the leaving of users who are no longer in the audience."""

    MESSAGE = "message"
    LEAVE = "leave"


class Reservation(StrEnum):
    """What came of taking an occurrence."""

    DONE = "done"
    TAKEN = "taken"
    OUTDATED = "outdated"


class AlertOutcome(StrEnum):
    """Whether an address took what it was told."""

    SENT = "sent"
    NOT_SENT = "not sent"


UNFINISHED = (RequestState.RESERVED, RequestState.SENT, RequestState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of one occurrence.

    Attributes:
        verdicts: rows of ``verdict, reason, arm, held_by, users`` that add up to ``qualified``.
        audience_path: the write-once snapshot, relative to the state folder.
        bodies_path: the frozen requests, one a line.
        receiver: the host that the run is sent to; ``localhost`` for any port of this machine.
        key_digest: of the API key: mParticle recognises a repeated request under the same key only.
        salt_digest: of the account's salt: another one would hold out other users.
        number: its place in the order in which runs were reserved, from 1.
        membership: of a campaign that keeps an audience: ``attribute``, ``leaving`` (what becomes of it), and
            ``users``: rows of ``reason, kept, users`` of those who are no longer in it; None for any other.
        leaving_digest: of the file of these users, beside the audience.
    """

    run_id: str
    campaign_id: str
    campaign_version: int
    occurrence: datetime
    as_of: datetime
    lake_version: int
    environment: str
    state: RunState
    audience_path: str
    audience_digest: str
    bodies_path: str
    receiver: str
    key_digest: str
    salt_digest: str
    qualified: int
    verdicts: Sequence[Mapping[str, Any]]
    created_at: datetime
    created_by: str
    finished_at: datetime | None = None
    note: str | None = None
    purpose: Purpose = Purpose.CAMPAIGN
    number: int = 0
    membership: Mapping[str, Any] | None = None
    leaving_digest: str | None = None

    @property
    def leaving(self) -> int:
        """How many users this run takes out of the audience."""
        rows = self.membership["users"] if self.membership else ()
        return sum(row["users"] for row in rows if row["kept"] is None)

    @property
    def to_send(self) -> int:
        """How many users this run reserved places for."""
        return sum(row["users"] for row in self.verdicts if row["verdict"] == "send")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One frozen request: where its bytes lie, and what became of it.

    Attributes:
        users: whose batches it holds; all batches of a user are in one request.
        batches: at least one a user.
    """

    number: int
    state: RequestState
    offset: int
    length: int
    digest: str
    users: int
    batches: int
    attempts: int = 0
    answer: str | None = None
    kind: Kind = Kind.MESSAGE

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return the request of a row of the ledger."""
        return cls(
            number=row.number, state=RequestState(row.state), offset=row.offset, length=row.length,
            digest=row.digest, users=row.users, batches=row.batches, attempts=row.attempts, answer=row.answer,
            kind=Kind(row.kind),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What one of a campaign's addresses was told about a run, without the address.

    Attributes:
        about: ``blocked by safety check`` or ``failed``.
        number: the place of the address in ``alert_to``, from 1.
    """

    about: str
    number: int
    outcome: AlertOutcome
    told_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Which runs a plan has counted the messages of.

    Attributes:
        newest: the number of the newest of them; 0 without any.
        one_campaign: whether only those of the same campaign matter.
    """

    newest: int
    one_campaign: bool
