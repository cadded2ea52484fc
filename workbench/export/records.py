"""What the ledger records: runs, their requests, alerts, and the states that they go through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, TypeAdapter, with_config

from workbench.errors import DamagedError
from workbench.store import rows
from workbench.store.rows import Count, Instant, PathText

Word = TypeVar("Word", bound=StrEnum)


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


def word(kind: type[Word], value: str, of: str) -> Word:
    """Return a state of the ledger.

    Raises:
        DamagedError: the workbench has no such word.
    """
    try:
        return kind(value)
    except ValueError:
        raise DamagedError(
            f"{of} is damaged in the ledger: its state should be one of {', '.join(kind)}"
        ) from None


UNFINISHED = (RequestState.RESERVED, RequestState.SENT, RequestState.UNKNOWN)


@with_config(rows.STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Users of one verdict, as a run keeps them; one of before there were groups has no ``held_by``."""

    verdict: str
    reason: str | None
    arm: str | None
    held_by: str | None = None
    users: Count


@with_config(rows.STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Users who are no longer in an audience, as a run keeps them."""

    reason: str
    kept: str | None
    users: Count


@with_config(rows.STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The audience that a run keeps."""

    attribute: str
    leaving: str
    users: list[Left]


_COUNTED = rows.document(TypeAdapter(list[Counted]))
_KEPT = rows.document(TypeAdapter(Kept))


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
    campaign_version: Count
    occurrence: Instant
    as_of: Instant
    lake_version: Count
    environment: str
    state: RunState
    audience_path: PathText
    audience_digest: str
    bodies_path: PathText
    receiver: str
    key_digest: str
    salt_digest: str
    qualified: Count
    verdicts: Annotated[Sequence[Mapping[str, Any]], BeforeValidator(_COUNTED)]
    created_at: Instant
    created_by: str
    finished_at: Instant | None = None
    note: str | None = None
    purpose: Purpose = Purpose.CAMPAIGN
    number: Count = 0
    membership: Annotated[Mapping[str, Any], BeforeValidator(_KEPT)] | None = None
    leaving_digest: str | None = None

    @staticmethod
    def of(row: Mapping[Any, Any]) -> "Run":
        """Return the run of a row of ``tables.raw``.

        Raises:
            DamagedError: the workbench cannot have written it.
        """
        return rows.read(_RUN, row, f"run {row['run_id']}")

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

    number: Count
    state: RequestState
    offset: Count
    length: Count
    digest: str
    users: Count
    batches: Count
    attempts: Count = 0
    answer: str | None = None
    answered_at: Instant | None = None
    kind: Kind = Kind.MESSAGE

    @staticmethod
    def of(row: Mapping[Any, Any]) -> "Request":
        """Return the request of a row of ``tables.raw``.

        Raises:
            DamagedError: the workbench cannot have written it.
        """
        return rows.read(_REQUEST, row, f"request {row['number']} of {row['run_id']}")


_RUN, _REQUEST = TypeAdapter(Run), TypeAdapter(Request)


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
        given_back: how often rejected requests had been given back, which count again; None where it does not matter.
    """

    newest: int
    one_campaign: bool
    given_back: int | None = None
