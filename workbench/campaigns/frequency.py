"""How often one user is written to: caps over all campaigns and of one, counted from the runs before.

A message is a user whom a run sent to: accepted, still waiting or of unknown outcome, but not rejected. Of the
same campaign the messages that a held-out user would have had count too, so that both arms are thinned alike.
A cap holds for a user and for each address: what another profile of the address was sent counts for it.
All windows are rolling: a message of exactly so long ago no longer counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from workbench.campaigns.model import Campaign
from workbench.campaigns.model import Frequency as OfCampaign
from workbench.campaigns.verdicts import CAMPAIGN_FREQUENCY, GLOBAL_FREQUENCY, HOLDOUT, SEND, TEXT
from workbench.errors import Problem, StoreError
from workbench.settings import Frequency as OfAccount
from workbench.store import engine

MOST_MESSAGES = 250
SHORTEST, LONGEST = 15, 365 * 24 * 60
SCHEMA = {"user_code": pl.UInt32, "reason": TEXT}
MESSAGES: dict[str, pl.DataType | type[pl.DataType]] = {
    "run_id": pl.String, "verdict": pl.String, "send_at": pl.Datetime("us", "UTC"), "own": pl.Boolean,
    "user_code": pl.UInt32,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What keeps a user from being sent to again; None does not.

    Attributes:
        messages: of all campaigns, in the time of ``within``.
        within: a rolling time.
        gap: since the last message of any campaign.
        up_to: messages of this campaign, ever.
        every: since the last message of this campaign.
    """

    messages: int | None = None
    within: timedelta | None = None
    gap: timedelta | None = None
    up_to: int | None = None
    every: timedelta | None = None

    @property
    def of_all(self) -> bool:
        """Whether the messages of other campaigns count."""
        return self.messages is not None or self.gap is not None

    @property
    def any(self) -> bool:
        """Whether there is a rule at all."""
        return self.of_all or self.up_to is not None or self.every is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A run before this one.

    Attributes:
        audience: its frozen file.
        own: whether it is of the same campaign.
        not_sent: numbers of its requests whose users were not sent to.
    """

    run_id: str
    audience: Path
    own: bool
    not_sent: tuple[int, ...] = ()


def rules(campaign: Campaign, account: OfAccount) -> Rules:
    """Return what holds for a campaign: the account's rules, unless it is exempt, and its own."""
    own = campaign.frequency
    mine = Rules(up_to=own.up_to, every=_minutes(own.every_minutes))
    if own.ignore_global:
        return mine
    return Rules(
        messages=account.messages,
        within=None if account.days is None else timedelta(days=account.days),
        gap=_minutes(account.minimum_gap_minutes),
        up_to=mine.up_to,
        every=mine.every,
    )


def problems(frequency: OfCampaign) -> Iterator[Problem]:
    """Give every problem of a campaign's own rules."""
    if frequency.up_to is not None and not 1 <= frequency.up_to <= MOST_MESSAGES:
        message = f"{frequency.up_to:,} is outside 1 to {MOST_MESSAGES} messages"
        yield Problem(path="frequency > up_to", message=message)
    if frequency.every_minutes is not None and not SHORTEST <= frequency.every_minutes <= LONGEST:
        message = f"{frequency.every_minutes:,} is outside {SHORTEST} minutes to a year ({LONGEST:,} minutes)"
        yield Problem(path="frequency > every_minutes", message=message)


def since(found: Rules, now: datetime, *, own: bool) -> datetime | None:
    """Return from when on messages matter, of this campaign or of others; None for ever."""
    if own and found.up_to is not None:
        return None
    of_all = [found.within, found.gap]
    times = [time for time in (*of_all, found.every if own else None) if time is not None]
    return now - max(times, default=timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The messages that count for a run.

    Attributes:
        runs: those before.
        rules: what they count for.
        now: the instant of the send.
    """

    runs: Sequence[Earlier] = ()
    rules: Rules = Rules()
    now: datetime

    @property
    def any(self) -> bool:
        """Whether anybody can be stopped."""
        return bool(self.runs) and self.rules.any

    def tally(self, connection: engine.Connection, among: str, first: int, last: int) -> None:
        """Make the table ``messaged``: one row for each of some users who had a message.

        Args:
            connection: with the views of the lake version.
            among: a view of ``user_code``.
            first: the first of the codes that count.
            last: the last one.

        Raises:
            StoreError: the audience of a run before is gone or damaged.
        """
        engine.execute(
            connection,
            "CREATE OR REPLACE TEMP TABLE messaged AS SELECT user_code, count(*) FILTER (send_at > $since) AS messages, "
            "max(send_at) AS latest, count(*) FILTER (own) AS own_messages, max(send_at) FILTER (own) AS own_latest "
            f"FROM ({_sent(self.runs)}) SEMI JOIN {among} USING (user_code) "
            "WHERE user_code BETWEEN $first AND $last GROUP BY user_code",
            {"since": self.now - (self.rules.within or timedelta()), "first": first, "last": last},
        )

    def of_users(self, connection: engine.Connection) -> pl.DataFrame:
        """Return whom of the view ``qualified`` a cap keeps from being sent to, for what they had themselves.

        Args:
            connection: after ``tally``.

        Returns:
            ``user_code, reason``; each user once, the account's rules first.
        """
        return self._too_often(connection, "FROM messaged")

    def of_addresses(self, connection: engine.Connection, known: str, digests: Sequence[str]) -> pl.DataFrame:
        """Return whom of the view ``qualified`` a cap keeps from being sent to, for what their addresses had.

        Args:
            connection: after a ``tally`` among the users of ``known``.
            known: a table of ``user_code`` and the digests, with a row for everybody who is qualified or had
                a message, and shares an address.
            digests: its columns with an address each; at least one.

        Returns:
            ``user_code, reason``; each user once, the account's rules first.
        """
        of_each = (
            f"SELECT user_code, of_address.* EXCLUDE ({name}) FROM {known} JOIN (SELECT {name}, "
            "sum(messages) AS messages, max(latest) AS latest, sum(own_messages) AS own_messages, "
            f"max(own_latest) AS own_latest FROM {known} JOIN messaged USING (user_code) "
            f"WHERE {name} IS NOT NULL GROUP BY {name}) of_address USING ({name})"
            for name in digests
        )
        return self._too_often(connection, " UNION ALL ".join(of_each))

    def _too_often(self, connection: engine.Connection, counted: str) -> pl.DataFrame:
        everywhere, campaign = _conditions(self.rules)
        return engine.frame(
            connection,
            f"SELECT user_code, CASE WHEN bool_or({everywhere}) THEN '{GLOBAL_FREQUENCY}' "
            f"ELSE '{CAMPAIGN_FREQUENCY}' END AS reason FROM ({counted}) SEMI JOIN qualified USING (user_code) "
            f"WHERE {everywhere} OR {campaign} GROUP BY user_code",
            _bound(self.rules, self.now),
        ).cast(SCHEMA)  # type: ignore[arg-type]


def messages(
    connection: engine.Connection, earlier: Sequence[Earlier], user_codes: Sequence[int]
) -> pl.DataFrame:
    """Return the messages of some users that rules may count, newest first, with the columns of ``MESSAGES``.

    Raises:
        StoreError: the audience of a run before is gone or damaged.
    """
    if not earlier:
        return pl.DataFrame(schema=MESSAGES)
    sql = f"SELECT {', '.join(MESSAGES)} FROM ({_sent(earlier)}) WHERE list_contains($codes, user_code)"
    return engine.frame(
        connection, f"{sql} ORDER BY send_at DESC, run_id, user_code", {"codes": list(user_codes)}
    )


def _sent(earlier: Sequence[Earlier]) -> str:
    """Return SQL of the messages of all runs: ``user_code, send_at, verdict, own, run_id``."""
    parts = []
    for run in earlier:
        if not run.audience.is_file():
            raise StoreError(
                f"the audience of {run.run_id} is gone: whom it sent to is not known, and frequency caps cannot "
                "be kept without it"
            )
        sent = f"verdict = '{SEND}'"
        if run.not_sent:
            sent += f" AND NOT list_contains([{', '.join(map(str, run.not_sent))}], request)"
        counted = f"({sent}) OR verdict = '{HOLDOUT}'" if run.own else sent
        parts.append(
            f"SELECT user_code, send_at, verdict, {run.own} AS own, {engine.literal(run.run_id)} AS run_id "
            f"FROM read_parquet({engine.files(run.audience)}) WHERE {counted}"
        )
    return " UNION ALL ".join(parts)


def _conditions(found: Rules) -> tuple[str, str]:
    """Return SQL of whether the account's rules, and the campaign's own, are met."""
    everywhere = ["messages >= $messages"] if found.messages is not None else []
    everywhere += ["latest > $gap"] if found.gap is not None else []
    campaign = ["own_messages >= $up_to"] if found.up_to is not None else []
    campaign += ["own_latest > $every"] if found.every is not None else []
    return _any(everywhere), _any(campaign)


def _bound(found: Rules, now: datetime) -> dict[str, int | datetime]:
    values: dict[str, int | datetime | None] = {
        "messages": found.messages,
        "gap": None if found.gap is None else now - found.gap,
        "up_to": found.up_to,
        "every": None if found.every is None else now - found.every,
    }
    return {name: value for name, value in values.items() if value is not None}


def _any(conditions: Sequence[str]) -> str:
    return f"coalesce({' OR '.join(conditions)}, false)" if conditions else "false"


def _minutes(count: int | None) -> timedelta | None:
    return None if count is None else timedelta(minutes=count)
