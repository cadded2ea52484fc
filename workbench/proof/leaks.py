"""Messages that reached a run's held-out users all the same, whichever way they came.

A comparison of target and control is worth what the control group is: people without this message. Looked at are
the messages of every run from the send of this one on, for as long as its goal counts, by profile and by every
shared identity.
"""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from workbench import lookup
from workbench.campaigns import duplicates, goal, verdicts
from workbench.campaigns.candidates import identities_sql
from workbench.campaigns.control import SYSTEM
from workbench.errors import InputError
from workbench.export.ledger import Purpose, RequestState, Run
from workbench.store import engine
from workbench.store.held import profiles_at
from workbench.workspace import Workspace

DAYS = 30
ANOTHER_RUN, ANOTHER_CAMPAIGN, TEST_SEND = "another run of the campaign", "another campaign", "test send"
SAME_PROFILE, SHARED_IDENTITY = "same profile", "shared identity"
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "way": pl.String, "reached_by": pl.String, "run_id": pl.String, "user_id": pl.String, "held_by": pl.String,
    "recipient": pl.String, "sent_at": pl.Datetime("us", "UTC"),
}  # fmt: skip
# A message that was refused reached nobody; one whose outcome is open may have.
REACHED = (RequestState.ACCEPTED, RequestState.SENT, RequestState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """Which held-out users of a run had a message.

    Attributes:
        held_out: how many the run has.
        until: messages up to this instant were looked at.
        runs: how many runs with messages in that time were looked at, this one included.
        rows: ``way, reached_by, run_id, user_id, held_by, recipient, sent_at``: the held-out user, and whose
            profile the message went to.
    """

    run: Run
    held_out: int
    until: datetime
    runs: int
    rows: pl.DataFrame

    @property
    def leaked(self) -> pl.DataFrame:
        """The rows that no run may have: of this campaign, and of any campaign to the system group."""
        return self.rows.filter((pl.col("way") != ANOTHER_CAMPAIGN) | (pl.col("held_by") == SYSTEM))

    @property
    def users(self) -> int:
        """How many held-out users had a message that they must not have had."""
        return self.leaked["user_id"].n_unique()

    @property
    def counts(self) -> pl.DataFrame:
        """``way, reached_by, run_id, users``."""
        return (
            self.rows.group_by("way", "reached_by", "run_id")
            .agg(users=pl.col("user_id").n_unique())
            .sort("way", "reached_by", "run_id")
        )


def leaks(workspace: Workspace, run_id: str, *, days: int | None = None) -> Leaks:
    """Look for messages to the held-out users of a run.

    Args:
        workspace: the account.
        run_id: whose.
        days: how long after its send; by default the time of the campaign's goal, else 30 days.

    Raises:
        NotFoundError: no such run.
        InputError: no positive number of days.
        StoreError: the lake, the ledger or an audience cannot be read.
    """
    if days is not None and days < 1:
        raise InputError(f"days {days} is below 1")
    run, directory = workspace.ledger.get(run_id), workspace.settings.directory
    until = run.created_at + _time(workspace, run, days)
    held = lookup.audience(directory, run).filter(pl.col("verdict") == verdicts.HOLDOUT)
    held_out = held.select("user_code", "held_by").collect()
    found = [pl.DataFrame(schema=SCHEMA)]
    others = [
        other
        for other in workspace.ledger.between(run.created_at - timedelta(days=7), until)
        if other.receiver == run.receiver and other.environment == run.environment
    ]
    with closing(workspace.lake.at().connect()) as connection:
        connection.register("held_out", held_out)
        _identities(workspace, connection, run.created_at)
        for other in others:
            messages = _messages(workspace, other).filter(pl.col("send_at").is_between(run.created_at, until))
            connection.register("messages", messages.collect())
            found.append(_of_run(connection, run, other))
            connection.unregister("messages")
    rows = pl.concat(found).sort("sent_at", "run_id", "user_id")
    return Leaks(run=run, held_out=held_out.height, until=until, runs=len(others), rows=rows)


def _time(workspace: Workspace, run: Run, days: int | None) -> timedelta:
    if days is not None:
        return timedelta(days=days)
    wanted = workspace.campaigns.get(run.campaign_id, run.campaign_version).campaign.goal
    return timedelta(days=DAYS) if wanted is None else goal.window(wanted)


def _messages(workspace: Workspace, run: Run) -> pl.LazyFrame:
    """Return whom a run sent to, as far as the messages may have arrived: ``user_code, send_at``."""
    reached = [request.number for request in workspace.ledger.requests(run.run_id, REACHED)]
    audience = lookup.audience(workspace.settings.directory, run)
    sent = pl.col("verdict") == verdicts.SEND
    return audience.filter(sent, pl.col("request").is_in(reached)).select("user_code", "send_at")


def _identities(workspace: Workspace, connection: engine.Connection, as_of: datetime) -> None:
    """Make a table of the held-out users and everybody who shares an identity with one: ``user_code, twin``."""
    settings = workspace.settings
    values = identities_sql(settings.identities, workspace.lake.at().catalogue)
    digests = [
        f"SELECT u.user_code, {n} AS kind, {duplicates.digest(values[name])} AS digest "
        f"FROM users u JOIN ({profiles_at()}) p USING (user_code)"
        for n, (name, attribute) in enumerate(settings.identities.items())
        if attribute != "user_id"
    ]
    engine.execute(connection, "CREATE TEMP TABLE twins AS SELECT user_code, user_code AS twin FROM held_out")
    if digests:
        every = " UNION ALL ".join(digests)
        engine.execute(
            connection,
            f"INSERT INTO twins WITH every AS MATERIALIZED ({every}) SELECT DISTINCT mine.user_code, other.user_code "
            "FROM every mine SEMI JOIN held_out USING (user_code) JOIN every other USING (kind, digest) "
            "WHERE mine.digest IS NOT NULL AND mine.user_code <> other.user_code",
            {"as_of": as_of},
        )


def _of_run(connection: engine.Connection, run: Run, other: Run) -> pl.DataFrame:
    """Return the messages of one run that reached a held-out user of another."""
    if other.campaign_id != run.campaign_id:
        way = ANOTHER_CAMPAIGN
    elif other.purpose is Purpose.TEST:
        way = TEST_SEND
    else:
        way = ANOTHER_RUN
    return engine.frame(
        connection,
        "SELECT $way AS way, CASE WHEN t.user_code = t.twin THEN $same ELSE $shared END AS reached_by, "
        "$run_id AS run_id, u.user_id, h.held_by, r.user_id AS recipient, m.send_at AS sent_at FROM twins t "
        "JOIN held_out h ON h.user_code = t.user_code JOIN messages m ON m.user_code = t.twin JOIN users u ON u.user_code = t.user_code "
        "JOIN users r ON r.user_code = t.twin",
        {"way": way, "same": SAME_PROFILE, "shared": SHARED_IDENTITY, "run_id": other.run_id},
    ).cast(SCHEMA)  # type: ignore[arg-type]
