"""A campaign: whom, how many, what, when. Every field is here; ``check`` refuses those not yet at work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Literal, TypeAlias

from workbench.segments.predicates import Predicate

Scalar: TypeAlias = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPin:
    """The audience: a saved segment at one version; without one the newest, which saving pins."""

    name: str
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Who is held out.

    Attributes:
        share: of this campaign's qualified users, 0.02 to 0.99; None for none.
        system: whether the account's system group is held out too; None means as the account says.
        without_system: why it is not.
        custom: names of custom groups to hold out.
    """

    share: float | None = None
    system: bool | None = None
    without_system: str | None = None
    custom: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What counts as a conversion, and how long after the send."""

    event: str
    within_minutes: int
    where: tuple[Predicate, ...] = ()
    revenue: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """How many users are sent to at the most; None is no limit.

    Attributes:
        per_run: past behaviour; at least 100.
        per_day: live; in the account's zone.
        overall: live; the campaign ends when so many are delivered.
    """

    per_run: int | None = None
    per_day: int | None = None
    overall: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyCheck:
    """When nobody is sent to, by the number of users that qualify; one of the three is enough.

    Attributes:
        more_than: strictly more.
        fewer_than: strictly fewer.
        change: away from the previous run, as a share of it: 0.5 is by more than half, up or down.
    """

    more_than: int | None = None
    fewer_than: int | None = None
    change: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is sent.

    Attributes:
        attributes: profile attributes that go along, by name.
        values: key-value pairs of the event.
        push_tokens: whether the tokens of devices go along: one batch a token, one without for who has none.
    """

    attributes: tuple[str, ...] = ()
    values: Mapping[str, Scalar] = field(default_factory=dict)
    push_tokens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When it runs: now (one occurrence), at instants, or by a rule (RFC 5545)."""

    kind: Literal["now", "later", "recurring"] = "now"
    at: tuple[datetime, ...] = ()
    rule: str | None = None
    until: date | None = None
    occurrences: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """Do not disturb: weekdays (0 is Monday) and a time range that may cross midnight."""

    weekdays: tuple[int, ...]
    start: time
    end: time
    then: Literal["discard", "delay"] = "discard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How sends are spread over time."""

    timezone: str = "account"
    zone_past: Literal["drop", "next day"] = "drop"
    quiet_hours: tuple[QuietHours, ...] = ()
    cut_off: time | None = None
    after_cut_off: Literal["expire", "resume next day"] = "expire"
    per_minute: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """How often one user is sent to by this campaign, and whether the account's caps count.

    Attributes:
        up_to: messages of this campaign in all its runs, 1 to 250.
        every_minutes: at most one message in this rolling time, 15 minutes to a year.
        ignore_global: whether the account's caps leave this campaign alone; its messages count all the same.
    """

    up_to: int | None = None
    every_minutes: int | None = None
    ignore_global: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """An audience at mParticle that the campaign keeps: a user attribute that is true while a user is in it.

    Attributes:
        attribute: its name at mParticle; no other campaign uses it.
        leaving: what becomes of the attribute of who is no longer in the audience.
    """

    attribute: str
    leaving: Literal["set false", "delete", "keep"] = "set false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The trigger of a live campaign."""

    trigger: str
    events: tuple[str, ...] = ()
    delay_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign as its author wrote it.

    Attributes:
        id: short, lower case; part of every run id and never changed.
        name: for people.
        alert_to: who hears of blocked and failed runs: Apprise URLs, which may hold credentials.
    """

    id: str
    name: str
    segment: SegmentPin
    kind: Literal["past", "live"] = "past"
    control: Control = Control()
    cap: Cap = Cap()
    content: Content = Content()
    schedule: Schedule = Schedule()
    goal: Goal | None = None
    safety_check: SafetyCheck | None = None
    delivery: Delivery = Delivery()
    frequency: Frequency = Frequency()
    membership: Membership | None = None
    live: Live | None = None
    needs_approval: bool = False
    alert_to: tuple[str, ...] = field(default=(), repr=False)
    labels: tuple[str, ...] = ()
    description: str = ""
