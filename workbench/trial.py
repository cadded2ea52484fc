"""A test send: a campaign to a few chosen profiles, marked as a test, outside caps and reports.

It walks the path of every send (candidates, verdicts, frozen files, ledger), with the chosen profiles as the
audience, no limit and no safety check. Whoever the campaign holds out gets nothing here either, nor does a
profile that shares an address with one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from workbench import audience, runs
from workbench.campaigns import verdicts
from workbench.campaigns.candidates import identities_sql
from workbench.campaigns.check import check
from workbench.campaigns.content.constants import constants
from workbench.campaigns.duplicates import folded
from workbench.campaigns.testers import MOST
from workbench.errors import BusyError, InputError, NotFoundError, StoreError, nearest
from workbench.export.client import Client
from workbench.export.ledger import Ledger, Purpose, Run
from workbench.runs import Clock, Plan, Receipt, Report
from workbench.runs.planning import aware, refuse_other_salt, silent
from workbench.store import engine
from workbench.store.held import profiles_at
from workbench.store.lake import utc_now
from workbench.store.pinned import LakeVersion
from workbench.workspace import Workspace

USERS = {
    "user_id": pl.String, "verdict": pl.String, "reason": pl.String, "held_by": pl.String, "outcome": pl.String,
}  # fmt: skip
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a test send has done.

    Attributes:
        receipt: as of every run.
        users: ``user_id, verdict, reason, held_by, outcome``, one row a chosen profile; the outcome is the
            state of its request, null for whoever was not sent to.
    """

    receipt: Receipt
    users: pl.DataFrame = field(repr=False)


def send(
    workspace: Workspace,
    campaign_id: str,
    *,
    users: Sequence[str] = (),
    identities: Sequence[tuple[str, str]] = (),
    as_of: datetime | None = None,
    now: datetime | None = None,
    client: Client | None = None,
    report: Report = silent,
    clock: Clock = utc_now,
) -> Trial:
    """Send a campaign to test profiles: ``plan``, then ``execute``.

    Args:
        workspace: the account.
        campaign_id: of a saved campaign.
        users: ids; with neither these nor identities, all flagged test profiles.
        identities: mParticle identity and value, such as ``("email", "me@example.com")``.
        as_of: the instant at which profiles are read; by default ``now``.
        now: the instant of the send; by default the clock's.
        client: the outside call; by default mParticle with the configured credentials.
        report: told the step, the users done and their total.
        clock: gives the instants of the answers.

    Raises:
        WorkbenchError: as ``plan`` and ``execute``.
    """
    planned = plan(workspace, campaign_id, users=users, identities=identities, as_of=as_of, now=now)
    return execute(workspace, planned, client=client, report=report, clock=clock)


def plan(
    workspace: Workspace,
    campaign_id: str,
    *,
    users: Sequence[str] = (),
    identities: Sequence[tuple[str, str]] = (),
    as_of: datetime | None = None,
    now: datetime | None = None,
) -> Plan:
    """Decide who of the chosen profiles would be sent a test, without a side effect.

    They need not be in the segment: what a text takes from it is missing for them then. Every call is another
    test, with the next free instant as its occurrence.

    Raises:
        NotFoundError: no such campaign, no profile of a user, or none with an identity.
        InputError: nobody is named or flagged, or too many are; an identity that the settings do not map.
        CampaignError: the campaign no longer fits the settings or the data.
        SegmentError: its segment no longer fits the data.
        StoreError: lake or database cannot be read.
    """
    now = aware(now or utc_now(), "now")
    as_of = aware(as_of or now, "as_of")
    if as_of > now:
        raise InputError(f"as_of {as_of:%Y-%m-%d %H:%M %Z} lies in the future: nothing is recorded by then")
    saved = workspace.campaigns.get(campaign_id)
    refuse_other_salt(workspace, workspace.ledger.latest(campaign_id))
    standing, version = workspace.groups.standing(), workspace.lake.at()
    workspace.check_attributes(version)
    asked = audience.given(
        workspace, saved, _chosen(workspace, version, users, identities, as_of), as_of=as_of
    )
    check(
        saved.campaign, workspace.settings, version.catalogue, standing=standing,
        constants=constants(asked.segment.condition, version.catalogue),
    )  # fmt: skip
    occurrence = _free(workspace.ledger, campaign_id, now)
    run = run_id(campaign_id, occurrence)
    marked = audience.mark(
        workspace, asked, run=run, control_share=saved.campaign.control.share, consent_at=now,
        standing=standing, test=True,
    )  # fmt: skip
    return Plan(
        run_id=run,
        campaign=saved,
        audience=asked.sentence,
        occurrence=occurrence,
        as_of=as_of,
        send_at=now,
        lake_version=asked.version.version,
        reconstructed=asked.version.reconstructed,
        environment=workspace.settings.mparticle.environment,
        verdicts=verdicts.decide(marked, cap=None, send_at=now),
        blocked=None,
        already=None,
        purpose=Purpose.TEST,
    )


def execute(
    workspace: Workspace,
    planned: Plan,
    *,
    client: Client | None = None,
    report: Report = silent,
    clock: Clock = utc_now,
) -> Trial:
    """Send a planned test as every plan is sent; a test that has a run is only finished, never sent twice.

    Raises:
        BusyError: another test of the campaign took the same microsecond; nothing was sent.
        WorkbenchError: as ``runs.execute``; a test can be resumed too.
    """
    receipt = runs.execute(workspace, planned, client=client, report=report, clock=clock)
    found = _users(workspace, receipt.run)
    if set(found["user_code"]) != set(planned.verdicts["user_code"]):
        raise BusyError(f"{planned.run_id} is another test send, to others; nothing was sent, send it again")
    return Trial(receipt=receipt, users=found.select(*USERS))


def run_id(campaign_id: str, occurrence: datetime) -> str:
    """Return the id of a test; its fraction of a second sets it apart from the id of any other run.

    >>> run_id("lapsed", datetime(2026, 6, 30, 18, 0, 0, 250, tzinfo=UTC))
    'lapsed-test-20260630T180000.000250Z'
    """
    return f"{campaign_id}-test-{occurrence.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


def _free(ledger: Ledger, campaign_id: str, now: datetime) -> datetime:
    """Return the next instant that no test has; occurrences of campaigns are whole seconds and never meet it."""
    while not now.microsecond or ledger.find(campaign_id, now, purpose=Purpose.TEST):
        now += MICROSECOND
    return now


def _chosen(
    workspace: Workspace,
    version: LakeVersion,
    users: Sequence[str],
    identities: Sequence[tuple[str, str]],
    as_of: datetime,
) -> pl.DataFrame:
    """Return the codes of the chosen profiles, each once; every name has to lead to one."""
    if not users and not identities:
        users = [tester.user_id for tester in workspace.testers.flagged()]
        if not users:
            raise InputError(
                "no test profile is flagged: workbench testers add USER_ID, or name users with --user or --identity"
            )
    if len(users) + len(identities) > MOST:
        raise InputError(f"{len(users) + len(identities)} users are named, a test goes to at most {MOST}")
    connection = version.connect()
    codes = _by_id(connection, users, as_of)
    for number, (name, value) in enumerate(identities, 1):
        codes |= _by_identity(workspace, version, connection, f"identity {number}", name, value, as_of)
    connection.close()
    if len(codes) > MOST:
        raise InputError(f"more than {MOST} profiles have these identities, the most that a test goes to")
    return pl.DataFrame({"user_code": sorted(codes)}, schema={"user_code": pl.UInt32})


def _by_id(connection: engine.Connection, users: Sequence[str], as_of: datetime) -> set[int]:
    sql = (
        f"SELECT u.user_id, u.user_code FROM users u JOIN ({profiles_at()}) p USING (user_code) "
        "WHERE list_contains($users, u.user_id)"
    )
    known = dict(engine.rows(connection, sql, {"users": list(users), "as_of": as_of})) if users else {}
    missing = [f'"{user}"' for user in dict.fromkeys(users) if user not in known]
    if missing:
        raise NotFoundError(
            f"no profile of user {', '.join(missing)} is known by {as_of:%Y-%m-%d %H:%M %Z}; nothing was sent"
        )
    return set(known.values())


def _by_identity(
    workspace: Workspace,
    version: LakeVersion,
    connection: engine.Connection,
    place: str,
    name: str,
    value: str,
    as_of: datetime,
) -> set[int]:
    """Errors name the place of an identity, not its value, which is a person's address."""
    mapped = workspace.settings.identities
    if name not in mapped:
        known = ", ".join(f'"{other}"' for other in mapped)
        hint = nearest(name, mapped) or f" Mapped are: {known}."
        raise InputError(f'{place}: the settings map no identity "{name}".{hint}')
    found = identities_sql({name: mapped[name]}, version.catalogue)[name]
    given = f"trim($value, {engine.literal(engine.BLANKS)})"
    same = f"{found} = {given}" if mapped[name] == "user_id" else f"{folded(found)} = {folded(given)}"
    sql = (
        f"SELECT u.user_code FROM users u JOIN ({profiles_at()}) p USING (user_code) "
        f"WHERE {same} ORDER BY u.user_code LIMIT {MOST + 1}"
    )
    codes = {code for (code,) in engine.rows(connection, sql, {"value": value, "as_of": as_of})}
    if not codes:
        raise NotFoundError(
            f"{place}: no profile known by {as_of:%Y-%m-%d %H:%M %Z} has this {name}, and mParticle would create "
            "one; nothing was sent"
        )
    return codes


def _users(workspace: Workspace, run: Run) -> pl.DataFrame:
    """Return ``user_code`` and the columns of ``USERS`` as they were frozen, with the state of the requests."""
    try:
        frozen = pl.read_parquet(workspace.settings.directory / run.audience_path)
    except OSError as error:
        raise StoreError(f"the frozen audience cannot be read: {error.strerror or error}") from error
    states = {request.number: str(request.state) for request in workspace.ledger.requests(run.run_id)}
    outcome = pl.col("request").replace_strict(states, default=None, return_dtype=pl.String)
    return frozen.sort("user_id").with_columns(outcome=outcome).select("user_code", *USERS)
