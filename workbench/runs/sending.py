"""Execute a plan once, or finish what was left of a run."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from workbench.campaigns import verdicts
from workbench.errors import BusyError, InputError, StoreError, WorkbenchError
from workbench.export import announce
from workbench.export.client import Client
from workbench.export.ledger import UNFINISHED, Kind, Ledger, Purpose, RequestState, Run, RunState
from workbench.export.marks import Marks
from workbench.export.publish import publish
from workbench.runs.held_out import record
from workbench.runs.planning import Plan, Report, silent
from workbench.runs.reserving import reserve
from workbench.settings import Credentials
from workbench.store.lake import utc_now
from workbench.workspace import Workspace

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a run has done.

    Attributes:
        run: as the ledger holds it.
        sent_now: users accepted in this call.
        was_complete: whether the run was complete before this call.
        users: how many users stand in each state of the requests with messages.
        leaving: how many users who leave the audience stand in each state of the requests that say so.
        left_now: users taken out of the audience in this call.
        not_recorded: which runs' ``Control Group`` events are not in the lake yet, and why; None where all are.
    """

    run: Run
    sent_now: int
    was_complete: bool
    users: Mapping[RequestState, int]
    leaving: Mapping[RequestState, int] = field(default_factory=dict)
    left_now: int = 0
    not_recorded: str | None = None

    @property
    def not_sent(self) -> dict[str, int]:
        """See ``not_sent``."""
        return not_sent(self.run, self.users)

    @property
    def not_begun(self) -> int:
        """How many users a stopped run has not sent to and never will."""
        return self.not_sent.get(verdicts.STOPPED, 0)

    @property
    def waterfall(self) -> pl.DataFrame:
        """``verdict, reason, arm, held_by, users`` as decided; the users add up to ``run.qualified``."""
        return pl.DataFrame(list(self.run.verdicts), schema=verdicts.WATERFALL)


def not_sent(run: Run, users: Mapping[RequestState, int]) -> dict[str, int]:
    """Return of those to send how many a run has not sent to after all, by reason; what may still be sent is in none.

    Args:
        run: as the ledger holds it.
        users: how many of them stand in each request state.
    """
    is_over = run.state in {RunState.STOPPED, RunState.COMPLETED}
    found = {
        verdicts.STOPPED: users[RequestState.RESERVED] if run.state is RunState.STOPPED else 0,
        verdicts.REJECTED: users[RequestState.REJECTED],
        verdicts.UNKNOWN: users[RequestState.UNKNOWN] + (users[RequestState.SENT] if is_over else 0),
    }
    return {reason: count for reason, count in found.items() if count}


def execute(
    workspace: Workspace,
    planned: Plan,
    *,
    client: Client | None = None,
    report: Report = silent,
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
    run = workspace.ledger.find(planned.campaign.campaign.id, planned.occurrence, purpose=planned.purpose)
    if run is None and planned.blocked is not None:
        run = reserve(workspace, planned, "", report)
    elif run is None:
        client = client or connect(workspace)
        run = reserve(workspace, planned, client.key_digest, report)
    return _send(workspace, run, client, report, clock)


def resume(
    workspace: Workspace,
    run: str,
    *,
    client: Client | None = None,
    report: Report = silent,
    clock: Clock = utc_now,
) -> Receipt:
    """Send exactly what a run has not sent yet, with the same bytes and ids.

    Raises:
        NotFoundError: no such run.
        InputError: a person has stopped it.
        CredentialsError, DestinationError, BusyError, StoreError: as ``execute``.
    """
    found = workspace.ledger.get(run)
    if found.state in {RunState.STOPPING, RunState.STOPPED}:
        raise InputError(
            f"{run} was {found.note or 'stopped'}; a stopped run is not resumed, clone the campaign"
        )
    return _send(workspace, found, client, report, clock)


def connect(workspace: Workspace) -> Client:
    """Return the client for the configured receiver.

    Raises:
        CredentialsError: no key is configured.
    """
    settings = workspace.settings
    return Client(settings.mparticle_url, Credentials.load(settings.account.name), settings.mparticle)


def _send(workspace: Workspace, run: Run, client: Client | None, report: Report, clock: Clock) -> Receipt:
    ledger: Ledger = workspace.ledger
    refuse_other_receiver(workspace, run)
    sent_now = 0
    was_complete = run.state is RunState.COMPLETED
    left_before = ledger.totals(run.run_id, Kind.LEAVE)[RequestState.ACCEPTED]
    if run.state is RunState.BLOCKED:
        _alert(workspace, run, announce.BLOCKED, str(run.note), clock)
    elif run.state not in {RunState.COMPLETED, RunState.STOPPED}:
        try:
            with ledger.hold(run.run_id) as held, client or connect(workspace) as open_client:
                marks = Marks(held, run.run_id, ledger.decided_since(run.run_id))
                _take_key(ledger, run, open_client.key_digest, marks.kinds)
                waiting = {
                    kind: sum(ledger.totals(run.run_id, kind)[state] for state in UNFINISHED)
                    for kind in marks.kinds
                }
                sent_now = publish(
                    run,
                    marks=marks,
                    unfinished=waiting[Kind.MESSAGE],
                    leaving=waiting.get(Kind.LEAVE, 0),
                    client=open_client,
                    directory=workspace.settings.directory,
                    clock=clock,
                    report=lambda done, total: report("send", done, total),
                )
        except BusyError:
            raise
        except WorkbenchError as error:
            _alert(workspace, run, announce.FAILED, str(error), clock)
            not_recorded = record(workspace, now=clock(), report=report)
            if not_recorded is not None:
                error.add_note(not_recorded)
            raise
    not_recorded = record(workspace, now=clock(), report=report)
    leaving = ledger.totals(run.run_id, Kind.LEAVE)
    return Receipt(
        run=ledger.get(run.run_id),
        sent_now=sent_now,
        left_now=leaving[RequestState.ACCEPTED] - left_before,
        was_complete=was_complete,
        users=ledger.totals(run.run_id),
        leaving=leaving,
        not_recorded=not_recorded,
    )


def _alert(workspace: Workspace, run: Run, about: str, why: str, clock: Clock) -> None:
    """Tell the addresses of the campaign as the run has it; a ledger that fails tells nobody.

    Whoever tries a campaign sees what became of it, so a test alerts nobody.
    """
    if run.purpose is Purpose.TEST:
        return
    with suppress(StoreError):
        campaign = workspace.campaigns.get(run.campaign_id, run.campaign_version).campaign
        announce.announce(
            run, about, why, name=campaign.name, addresses=campaign.alert_to, ledger=workspace.ledger,
            clock=clock,
        )  # fmt: skip


def refuse_other_receiver(workspace: Workspace, run: Run) -> None:
    """An occurrence belongs to one receiver and environment: a rehearsal is not the real send."""
    settings = workspace.settings
    there, here = (run.receiver, run.environment), (settings.receiver, settings.mparticle.environment)
    if there != here:
        raise InputError(
            f"{run.run_id} was for {run.environment} at {run.receiver}, the settings say {here[1]} at {here[0]}: "
            "nothing was sent; clone the campaign, or give another --occurrence"
        )


def _take_key(ledger: Ledger, run: Run, key_digest: str, kinds: Sequence[Kind]) -> None:
    """Requests that may have arrived under one key would arrive again under another."""
    if ledger.get(run.run_id).key_digest == key_digest:
        return
    found = ledger.requests(run.run_id, (RequestState.SENT, RequestState.UNKNOWN))
    doubtful = [request for request in found if request.kind in kinds]
    if doubtful:
        raise InputError(
            f"{run.run_id} has {len(doubtful)} requests with an unknown outcome under another key; mParticle "
            "recognises repeated requests under the same key only, so go on with that one"
        )
    ledger.rekey(run.run_id, key_digest)
