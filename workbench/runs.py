"""The path: plan a run without a side effect, then execute it once.

    qualify - safety - control - identity - reachable, consent - render, lint - cap   (plan)
    freeze - reserve - send - mark                                            (execute)

Notebooks, the command line and papermill call these functions; there is no second way to send.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from workbench import audience
from workbench.campaigns import verdicts
from workbench.campaigns.check import check
from workbench.campaigns.content.constants import constants
from workbench.campaigns.library import SavedCampaign
from workbench.campaigns.safety import blocks
from workbench.errors import BusyError, InputError, StoreError, WorkbenchError
from workbench.export import announce, frozen, payload
from workbench.export.client import Client
from workbench.export.ledger import Ledger, RequestState, Run, RunState
from workbench.export.publish import publish
from workbench.settings import Credentials, actor
from workbench.store.lake import utc_now
from workbench.workspace import Workspace

Report = Callable[[str, int, int], None]
Clock = Callable[[], datetime]


def _silent(label: str, done: int, total: int) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a run would do, before it does anything.

    Attributes:
        verdicts: one row a qualified user, see ``campaigns.verdicts.decide``.
        audience: the segment as a sentence.
        blocked: why the safety check lets nobody be sent to; None when it does.
        already: the run that this occurrence has had; executing the plan then only finishes it.
    """

    run_id: str
    campaign: SavedCampaign
    audience: str
    occurrence: datetime
    as_of: datetime
    send_at: datetime
    lake_version: int
    reconstructed: bool
    environment: str
    verdicts: pl.DataFrame
    blocked: str | None
    already: Run | None

    @property
    def qualified(self) -> int:
        """How many users are in the segment, the held out included."""
        return self.verdicts.height

    @property
    def to_send(self) -> int:
        """How many users would be sent to."""
        return int((self.verdicts["verdict"] == verdicts.SEND).sum())

    @property
    def waterfall(self) -> pl.DataFrame:
        """``verdict, reason, arm, held_by, users``; the users add up to ``qualified``."""
        return verdicts.waterfall(self.verdicts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a run has done.

    Attributes:
        run: as the ledger holds it.
        sent_now: users accepted in this call.
        was_complete: whether the run was complete before this call.
        users: how many users stand in each request state.
    """

    run: Run
    sent_now: int
    was_complete: bool
    users: Mapping[RequestState, int]

    @property
    def waterfall(self) -> pl.DataFrame:
        """``verdict, reason, arm, held_by, users`` as decided; the users add up to ``run.qualified``."""
        return pl.DataFrame(list(self.run.verdicts), schema=verdicts.WATERFALL)


def run_id(campaign_id: str, occurrence: datetime) -> str:
    """Return the id of an occurrence's run.

    >>> run_id("lapsed", datetime(2026, 6, 30, 18, tzinfo=UTC))
    'lapsed-20260630T180000Z'
    """
    return f"{campaign_id}-{occurrence.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def plan(
    workspace: Workspace,
    campaign_id: str,
    *,
    occurrence: datetime | None = None,
    as_of: datetime | None = None,
    now: datetime | None = None,
    report: Report = _silent,
) -> Plan:
    """Decide who would be sent to, without a side effect.

    Args:
        workspace: the account.
        campaign_id: of a saved campaign.
        occurrence: which scheduled instant; by default the only one of a campaign that is sent now: the
            one that it was sent for last, else its creation.
        as_of: the instant of the question; by default ``now``.
        now: the instant of the send; by default the clock's.
        report: told the name of each step.

    Raises:
        NotFoundError: no such campaign.
        CampaignError: the campaign no longer fits the settings or the data.
        SegmentError: its segment no longer fits the data.
        StoreError: lake or database cannot be read.
    """
    now = _aware(now or utc_now(), "now")
    as_of = _aware(as_of or now, "as_of")
    saved = workspace.campaigns.get(campaign_id)
    latest = workspace.ledger.latest(campaign_id)
    occurrence = occurrence or (latest.occurrence if latest else saved.created_at)
    occurrence = _aware(occurrence, "occurrence").replace(microsecond=0)
    _refuse_other_salt(workspace, latest)
    if occurrence > now:
        raise InputError(f"occurrence {occurrence:%Y-%m-%d %H:%M %Z} lies in the future: it is not due yet")
    if as_of > now:
        raise InputError(f"as_of {as_of:%Y-%m-%d %H:%M %Z} lies in the future: nothing is recorded by then")
    settings = workspace.settings
    this_run = run_id(campaign_id, occurrence)
    report("qualify", 0, 3)
    asked = audience.ask(workspace, saved, as_of=as_of)
    standing, catalogue = workspace.groups.standing(), asked.version.catalogue
    check(
        saved.campaign, settings, catalogue, standing=standing,
        constants=constants(asked.segment.condition, catalogue),
    )  # fmt: skip
    report("verdicts", 0, 1)
    marked = audience.mark(
        workspace, asked, run=this_run, control_share=saved.campaign.control.share, consent_at=now,
        standing=standing, report=lambda done, total: report("verdicts", done, total),
    )  # fmt: skip
    report("cap", 2, 3)
    blocked = safety_check(workspace, saved, occurrence, marked.height)
    decided = verdicts.decide(
        marked, cap=saved.campaign.cap.per_run, send_at=now, blocked=blocked is not None
    )
    report("cap", 3, 3)
    return Plan(
        run_id=this_run,
        campaign=saved,
        audience=asked.sentence,
        occurrence=occurrence,
        as_of=as_of,
        send_at=now,
        lake_version=asked.version.version,
        reconstructed=asked.version.reconstructed,
        environment=settings.mparticle.environment,
        verdicts=decided,
        blocked=blocked,
        already=workspace.ledger.find(campaign_id, occurrence),
    )


def safety_check(
    workspace: Workspace, saved: SavedCampaign, occurrence: datetime, qualified: int
) -> str | None:
    """Return why the safety check of a campaign lets nobody be sent to at an occurrence; None when it does."""
    before = workspace.ledger.previous(saved.campaign.id, occurrence)
    return blocks(saved.campaign.safety_check, qualified, before.qualified if before else None)


def execute(
    workspace: Workspace,
    planned: Plan,
    *,
    client: Client | None = None,
    report: Report = _silent,
    clock: Clock = utc_now,
) -> Receipt:
    """Freeze, reserve and send a plan; an occurrence that has a run is only finished, never sent twice.

    A plan that its safety check blocks is frozen and reserved too, so that its occurrence stays blocked.

    Args:
        workspace: the account that the plan was made in.
        planned: by ``plan``.
        client: the outside call; by default mParticle with the configured credentials.
        report: told the step, the users done and their total.
        clock: gives the instants of the answers.

    Raises:
        CredentialsError: no key, or the receiver refused it; what was not sent can be resumed.
        DestinationError: the receiver cannot be reached; the run can be resumed.
        BusyError: another process is sending this run.
        StoreError: disk full or database unreachable; without a reserved run nothing was sent.
    """
    run = workspace.ledger.find(planned.campaign.campaign.id, planned.occurrence)
    if run is None and planned.blocked is not None:
        run = _reserve(workspace, planned, "", report)
    elif run is None:
        client = client or connect(workspace)
        run = _reserve(workspace, planned, client.key_digest, report)
    return _send(workspace, run, client, report, clock)


def resume(
    workspace: Workspace,
    run: str,
    *,
    client: Client | None = None,
    report: Report = _silent,
    clock: Clock = utc_now,
) -> Receipt:
    """Send exactly what a run has not sent yet, with the same bytes and ids.

    Raises:
        NotFoundError: no such run.
        CredentialsError, DestinationError, BusyError, StoreError: as ``execute``.
    """
    return _send(workspace, workspace.ledger.get(run), client, report, clock)


def connect(workspace: Workspace) -> Client:
    """Return the client for the configured receiver.

    Raises:
        CredentialsError: no key is configured.
    """
    settings = workspace.settings
    return Client(settings.mparticle_url, Credentials.load(settings.account.name), settings.mparticle)


def _reserve(workspace: Workspace, planned: Plan, key_digest: str, report: Report) -> Run:
    """Write the files, then take the occurrence; whoever comes second uses the first one's run."""
    settings, directory = workspace.settings, workspace.settings.directory
    version = workspace.lake.at(planned.lake_version)
    connection = version.connect()
    total, done = planned.to_send, 0

    def advance(users: int) -> None:
        nonlocal done
        done += users
        report("freeze", done, total)

    envelope = audience.envelope(workspace, planned.campaign, run=planned.run_id, send_at=planned.send_at)
    recipients = planned.verdicts.filter(pl.col("verdict") == verdicts.SEND).select("user_code")
    batches = payload.batches(
        connection,
        recipients,
        envelope,
        as_of=planned.as_of,
        catalogue=version.catalogue,
        identities=settings.identities,
        rendering=audience.render(
            workspace,
            planned.campaign,
            version,
            connection,
            as_of=planned.as_of,
            now=planned.send_at,
        ),
    )
    written = frozen.freeze(directory, planned.run_id, planned.verdicts, batches, connection, advance)
    run = Run(
        run_id=planned.run_id,
        campaign_id=planned.campaign.campaign.id,
        campaign_version=planned.campaign.stored.version,
        occurrence=planned.occurrence,
        as_of=planned.as_of,
        lake_version=planned.lake_version,
        environment=planned.environment,
        state=RunState.RUNNING if planned.blocked is None else RunState.BLOCKED,
        audience_path=f"{written.folder}/{frozen.AUDIENCE}",
        audience_digest=written.audience_digest,
        bodies_path=f"{written.folder}/{frozen.BODIES}",
        receiver=settings.receiver,
        key_digest=key_digest,
        salt_digest=settings.salt_digest,
        qualified=planned.qualified,
        verdicts=planned.waterfall.to_dicts(),
        created_at=planned.send_at,
        created_by=actor(),
        finished_at=None if planned.blocked is None else planned.send_at,
        note=planned.blocked,
    )
    if workspace.ledger.reserve(run, written.requests):
        return run
    frozen.discard(directory, written)
    return workspace.ledger.get(planned.run_id)


def _send(workspace: Workspace, run: Run, client: Client | None, report: Report, clock: Clock) -> Receipt:
    ledger: Ledger = workspace.ledger
    _refuse_other_receiver(workspace, run)
    sent_now = 0
    was_complete = run.state is RunState.COMPLETED
    if run.state is RunState.BLOCKED:
        _alert(workspace, run, announce.BLOCKED, str(run.note), clock)
    elif not was_complete:
        try:
            with ledger.hold(run.run_id), client or connect(workspace) as open_client:
                _take_key(ledger, run, open_client.key_digest)
                sent_now = publish(
                    run,
                    ledger=ledger,
                    client=open_client,
                    directory=workspace.settings.directory,
                    clock=clock,
                    report=lambda done, total: report("send", done, total),
                )
        except BusyError:
            raise
        except WorkbenchError as error:
            _alert(workspace, run, announce.FAILED, str(error), clock)
            raise
    return Receipt(
        run=ledger.get(run.run_id),
        sent_now=sent_now,
        was_complete=was_complete,
        users=ledger.totals(run.run_id),
    )


def _alert(workspace: Workspace, run: Run, about: str, why: str, clock: Clock) -> None:
    """Tell the addresses of the campaign as the run has it; a ledger that fails tells nobody."""
    with suppress(StoreError):
        campaign = workspace.campaigns.get(run.campaign_id, run.campaign_version).campaign
        announce.announce(
            run, about, why, name=campaign.name, addresses=campaign.alert_to, ledger=workspace.ledger,
            clock=clock,
        )  # fmt: skip


def _refuse_other_receiver(workspace: Workspace, run: Run) -> None:
    """An occurrence belongs to one receiver and environment: a rehearsal is not the real send."""
    settings = workspace.settings
    there, here = (run.receiver, run.environment), (settings.receiver, settings.mparticle.environment)
    if there != here:
        raise InputError(
            f"{run.run_id} was for {run.environment} at {run.receiver}, the settings say {here[1]} at {here[0]}: "
            "nothing was sent; clone the campaign, or give another --occurrence"
        )


def _refuse_other_salt(workspace: Workspace, latest: Run | None) -> None:
    if latest is not None and latest.salt_digest != workspace.settings.salt_digest:
        raise InputError(
            f"[account] salt is not the one of {latest.run_id}: it would hold out other users than before; "
            "put the old one back, or clone the campaign"
        )


def _take_key(ledger: Ledger, run: Run, key_digest: str) -> None:
    """Requests that may have arrived under one key would arrive again under another."""
    if ledger.get(run.run_id).key_digest == key_digest:
        return
    doubtful = ledger.requests(run.run_id, (RequestState.SENT, RequestState.UNKNOWN))
    if doubtful:
        raise InputError(
            f"{run.run_id} has {len(doubtful)} requests with an unknown outcome under another key; mParticle "
            "recognises repeated requests under the same key only, so go on with that one"
        )
    ledger.rekey(run.run_id, key_digest)


def _aware(instant: datetime, name: str) -> datetime:
    if instant.tzinfo is None:
        raise InputError(f"{name} {instant:%Y-%m-%d %H:%M} has no time zone")
    return instant.astimezone(UTC)
